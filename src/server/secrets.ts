/**
 * Which arguments of a command must not be shown: the slow log keeps `(redacted)` in their place, and
 * clients in MONITOR see that.
 *
 * @module
 */

import type { Call } from "../commands/call.ts";
import { word } from "./command_parts.ts";
import { SETTINGS } from "./settings.ts";

const SECRET_SETTINGS: ReadonlySet<string> = new Set(
  Object.values(SETTINGS).filter((setting) => setting.secret === true)
    .flatMap(({ name, alias }) => alias === undefined ? [name] : [name, alias]),
);

/** Numbers of the secret arguments of the running command (Redis's choice). */
export function secretArguments(call: Call): number[] {
  const secret: number[] = [];
  switch (call.spec.name) {
    case "auth":
      for (let i = 1; i < call.argc; i++) secret.push(i);
      break;
    case "hello":
      for (let i = 2; i < call.argc; i++) {
        if (word(call, i) === "AUTH") secret.push(i + 1, i + 2);
      }
      break;
    case "config|set":
      for (let i = 2; i < call.argc; i += 2) {
        if (SECRET_SETTINGS.has(call.text(i).toLowerCase())) secret.push(i + 1);
      }
  }
  return secret;
}
