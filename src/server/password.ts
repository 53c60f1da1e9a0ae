/**
 * Who may use the server: the one password of the default user.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Session } from "../commands/session.ts";
import type { Config } from "./config.ts";

/** The only user there is. */
export const DEFAULT_USER = "default";

/** Whether clients must authenticate. */
export function passwordIsSet(config: Config): boolean {
  return config.requirePass !== "";
}

/**
 * Whether `buf[start..stop)` is the password, or none is set: then every password of the default user
 * is right, as in Redis. How long it takes tells nothing of how much of a guess was right.
 */
export function passwordIsRight(
  config: Config,
  buf: Uint8Array,
  start: number,
  stop: number,
): boolean {
  if (!passwordIsSet(config)) return true;
  const wanted = ascii(config.requirePass);
  let wrong = wanted.length ^ (stop - start);
  for (let i = 0; i < stop - start; i++) wrong |= buf[start + i] ^ wanted[i % wanted.length];
  return wrong === 0;
}

/**
 * When the password is taken away, clients that had not given it get in. One that is set or changed
 * is for those who come (as in Redis).
 */
export function followPassword(config: Config, sessions: () => Iterable<Session>): void {
  config.afterChange(["requirePass"], () => {
    if (passwordIsSet(config)) return;
    for (const session of sessions()) session.authenticated = true;
  });
}
