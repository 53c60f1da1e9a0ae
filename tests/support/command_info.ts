/** What COMMAND INFO says of commands, in words to compare: a real server's, and our table's. */

import type { CommandSpec } from "../../src/commands/registry.ts";
import type { RawConnection } from "./redis.ts";

const INFO =
  /:(-?\d+)\r\n[*~]\d+\r\n((?:\+\w+\r\n)*):(\d+)\r\n:(-?\d+)\r\n:(\d+)[^]*?\r\nflags\r\n[*~]\d+\r\n((?:\+\w+\r\n)*)/;

/** A line per command of what `redis` says of arity, keys, flags and what is done to the keys. */
export async function redisCommandInfo(
  redis: RawConnection,
  specs: readonly CommandSpec[],
): Promise<string[]> {
  const lines: string[] = [];
  for (const { name } of specs) {
    const info = INFO.exec(await redis.run("COMMAND", "INFO", name))!;
    const [, arity, flags, first, last, step, access] = info;
    lines.push([name, arity, first, last, step, plain(flags), plain(access)].join(" "));
  }
  return lines;
}

/** The same of our table. Each command has its keys at fixed places. */
export function specCommandInfo(specs: readonly CommandSpec[]): string[] {
  return specs.map(({ name, arity, keys, flags, keyAccess }) =>
    [
      name,
      arity,
      keys!.first,
      keys!.last,
      keys!.step,
      [...flags].sort().join(" "),
      keyAccess![0].split(" ").sort().join(" "),
    ].join(" ")
  );
}

function plain(statuses: string): string {
  return statuses.replaceAll("+", "").split("\r\n").sort().join(" ").trim();
}
