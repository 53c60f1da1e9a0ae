/**
 * Limits that commands keep to and users may set. The server's configuration writes them; commands
 * find them in their call.
 *
 * @module
 */

/** See the module's text. */
export interface CommandLimits {
  /**
   * Longest string that a command may build, in bytes, and the most that LCS may need for its work:
   * `proto-max-bulk-len`. No setting goes past `STRING_BYTES_CEILING`.
   */
  stringBytesMax: number;
}

/** `proto-max-bulk-len` as Redis ships it: what one bulk of the protocol can carry. */
export const STRING_BYTES_MAX_DEFAULT: number = 512 * 2 ** 20;

/** No string is longer, whatever is set: lengths in the arena are signed 32-bit integers. */
export const STRING_BYTES_CEILING: number = 2 ** 31 - 1;

/** The limits in force where nothing is set. */
export function defaultLimits(): CommandLimits {
  return { stringBytesMax: STRING_BYTES_MAX_DEFAULT };
}
