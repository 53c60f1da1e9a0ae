/**
 * Names that clients give themselves: they appear in CLIENT LIST, whose fields are parted by spaces.
 *
 * @module
 */

import { ascii, latin1 } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";

/** The reply to a name that would break CLIENT LIST. */
export const ERR_CLIENT_NAME: Uint8Array = ascii(
  "ERR Client names cannot contain spaces, newlines or special characters.",
);

/** Argument `i` as a name, "" included; null if it has bytes other than `!` to `~`. */
export function clientName(call: Call, i: number): string | null {
  const { buf, starts, stops } = call;
  for (let at = starts[i]; at < stops[i]; at++) {
    if (buf[at] < 33 || buf[at] > 126) return null;
  }
  return latin1(buf, starts[i], stops[i]);
}
