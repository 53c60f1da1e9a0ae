import { assertEquals } from "@std/assert";
import type { CommandSpec } from "../../src/commands/registry.ts";
import { ascii } from "../../src/base/ascii.ts";
import { NO_DEADLINE, TYPE_LIST } from "../../src/keyspace/entry.ts";
import { redisVersion } from "./asking_redis.ts";
import type { RawConnection } from "./redis.ts";
import { Shell } from "./shell.ts";

type Word = string | Uint8Array;

/** A command line, and the reply we give where it is meant to differ from redis-server 7.0's. */
export interface Line {
  readonly words: readonly Word[];
  readonly ours?: string;
}

/** Splits `SET k "a b"`-less lines at spaces; `''` is the empty word. */
export function words(line: string): string[] {
  return line.split(" ").map((word) => (word === "''" ? "" : word));
}

/** A key of another type than most, in both servers. */
export async function makeList(redis: RawConnection, shell: Shell, key: string): Promise<void> {
  await redis.run("DEL", key);
  await redis.run("RPUSH", key, "x");
  disguise(shell, key);
}

/** Makes `key` a list of one item, `x`, whether or not the shell has commands on lists. */
export function disguise(shell: Shell, key: string): void {
  const bytes = ascii(key);
  const keys = shell.keys[shell.call.node.shardOf(bytes, 0, bytes.length)];
  const { lists } = keys;
  const item = ascii("x");
  lists.begin();
  lists.append(item, 0, item.length);
  const { form, root } = lists;
  const a = keys.lookupWrite(0, bytes, 0, bytes.length);
  keys.putCollection(0, a, bytes, 0, bytes.length, TYPE_LIST, form, root, NO_DEADLINE);
}

/** A reply that differed. */
export interface Difference {
  readonly line: string;
  readonly redis: string;
  readonly ours: string;
}

/**
 * Runs the same lines in order against a redis-server and against a shell, in one protocol, both
 * beginning empty, and gives back where the replies differ. Keys named `list` are lists. `prepare`
 * may set the shell up before.
 */
export async function differences(
  redis: RawConnection,
  specs: readonly CommandSpec[],
  lines: readonly Line[],
  protocol: 2 | 3,
  prepare: (shell: Shell) => void = () => {},
): Promise<Difference[]> {
  await redis.run("HELLO", String(protocol));
  await redis.run("FLUSHALL");
  const shell = new Shell(specs);
  shell.reply.resp3 = protocol === 3;
  prepare(shell);
  await makeList(redis, shell, "list");
  const found: Difference[] = [];
  for (const { words, ours } of lines) {
    shell.nowMs = Date.now();
    const theirs = await redis.run(...words);
    const answer = runArity(shell, words);
    if (answer === theirs ? ours !== undefined : answer !== ours) {
      found.push({ line: words.map(show).join(" "), redis: brief(theirs), ours: brief(answer) });
    }
  }
  return found;
}

/** Replies shown of those that differ. */
const SHOWN = 20;

/** Asserts that there are no `differences` in either protocol; `seed` is what the lines were made from. */
export async function assertSameReplies(
  redis: RawConnection,
  specs: readonly CommandSpec[],
  lines: readonly Line[],
  seed: number | null = null,
): Promise<void> {
  for (const protocol of [2, 3] as const) {
    const found = await differences(redis, specs, lines, protocol);
    const context = `RESP${protocol}, redis ${redisVersion}, seed ${seed ?? "none"}`;
    assertEquals(found.slice(0, SHOWN), [], context);
  }
}

/** The shell names a wrong arity instead of replying. */
function runArity(shell: Shell, words: readonly Word[]): string {
  const answer = shell.run(...words);
  if (!answer.startsWith("arity of ")) return answer;
  return `-ERR wrong number of arguments for '${answer.slice(9)}' command\r\n`;
}

function show(word: Word): string {
  return brief(typeof word === "string" ? word : String.fromCharCode(...word.subarray(0, 60)));
}

function brief(text: string): string {
  const shown = JSON.stringify(text.slice(0, 200)).slice(1, -1);
  return text.length > 200 ? `${shown}... (${text.length})` : shown;
}
