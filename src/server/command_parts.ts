/**
 * What the server's own commands have in common: flags, reading words and numbers. These commands are rare, so strings are made freely here.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { parseInt64 } from "../base/integers.ts";
import type { Call } from "../commands/call.ts";
import type { CommandFlag } from "../commands/registry.ts";
import { ERR_NOT_INTEGER } from "../resp/errors.ts";

/** Of commands for operators that work at any time. */
export const ADMIN_ANYTIME: readonly CommandFlag[] = ["admin", "noscript", "loading", "stale"];
/** Of commands for everybody that work at any time. */
export const ANYTIME: readonly CommandFlag[] = ["noscript", "loading", "stale"];
/** Of commands that come before authentication. */
export const BEFORE_AUTH: readonly CommandFlag[] = [
  "noscript",
  "loading",
  "stale",
  "fast",
  "no_auth",
  "allow_busy",
];

/** No word that a command knows is longer. */
const WORD_BYTES_MAX = 64;

/** Argument `i` in upper case, one char a byte; "" for one that is longer than any word is. */
export function word(call: Call, i: number): string {
  const { buf, starts, stops } = call;
  if (stops[i] - starts[i] > WORD_BYTES_MAX) return "";
  return latin1(buf, starts[i], stops[i]).toUpperCase();
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Argument `i` as text, null if it is not UTF-8. */
export function utf8(call: Call, i: number): string | null {
  try {
    return STRICT.decode(call.buf.subarray(call.starts[i], call.stops[i]));
  } catch {
    return null;
  }
}

/**
 * Argument `i` as a signed 64-bit integer, those beyond 2^53 as the nearest double; NaN, and `error`
 * is replied, when it is none.
 */
export function integerArgument(
  call: Call,
  i: number,
  error: Uint8Array = ERR_NOT_INTEGER,
): number {
  const n = parseInt64(call.buf, call.starts[i], call.stops[i]);
  if (n !== undefined) return Number(n);
  call.reply.error(error);
  return NaN;
}

/**
 * `ERR unknown subcommand or wrong number of arguments for '<argument 1>'. Try <CONTAINER> HELP.`: for
 * subcommands that take some numbers of arguments, which an arity cannot say.
 */
export function unknownOrWrong(call: Call, containerName: string): void {
  const shown = call.text(1).slice(0, 128);
  call.reply.errorText(
    `ERR unknown subcommand or wrong number of arguments for '${shown}'. Try ${containerName} HELP.`,
  );
}
