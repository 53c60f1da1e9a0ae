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

/**
 * Longest name, in bytes: clients keep theirs, and CLIENT LIST shows all of them. Redis has no limit;
 * libraries use some tens.
 */
export const CLIENT_NAME_BYTES_MAX = 1_024;

/** The reply to a longer one. */
export const ERR_LONG_CLIENT_NAME: Uint8Array = ascii(
  `ERR Client names cannot be longer than ${CLIENT_NAME_BYTES_MAX} bytes.`,
);

/** Argument `i` as a name, "" included; or the error if it is none. Names have bytes `!` to `~` only. */
export function clientName(call: Call, i: number): string | Uint8Array {
  const { buf, starts, stops } = call;
  if (stops[i] - starts[i] > CLIENT_NAME_BYTES_MAX) return ERR_LONG_CLIENT_NAME;
  for (let at = starts[i]; at < stops[i]; at++) {
    if (buf[at] < 33 || buf[at] > 126) return ERR_CLIENT_NAME;
  }
  return latin1(buf, starts[i], stops[i]);
}
