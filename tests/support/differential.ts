import type { CommandSpec } from "../../src/commands/registry.ts";
import { ascii } from "../../src/base/ascii.ts";
import { metaWordAt, TYPE_LIST, TYPE_MASK } from "../../src/keyspace/entry.ts";
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

/** A key of another type, in both servers; the shell's is a string in disguise. */
export async function makeList(redis: RawConnection, shell: Shell, key: string): Promise<void> {
  await redis.run("DEL", key);
  await redis.run("RPUSH", key, "x");
  disguise(shell, key);
}

/** Makes `key` look like a list to the shell's commands. */
export function disguise(shell: Shell, key: string): void {
  shell.run("SET", key, "x");
  const bytes = ascii(key);
  for (const keys of shell.keys) {
    const a = keys.peek(0, bytes, 0, bytes.length);
    if (a !== 0) {
      const meta = keys.arena.i32[metaWordAt(a)];
      keys.arena.i32[metaWordAt(a)] = (meta & ~TYPE_MASK) | TYPE_LIST;
    }
  }
}

/** A reply that differed. */
export interface Difference {
  readonly line: string;
  readonly redis: string;
  readonly ours: string;
}

/**
 * Runs the same lines in order against a redis-server and against a shell, in one protocol, both
 * beginning empty, and gives back where the replies differ. Keys named `list` are lists.
 */
export async function differences(
  redis: RawConnection,
  specs: readonly CommandSpec[],
  lines: readonly Line[],
  protocol: 2 | 3,
): Promise<Difference[]> {
  await redis.run("HELLO", String(protocol));
  await redis.run("FLUSHALL");
  const shell = new Shell(specs);
  shell.reply.resp3 = protocol === 3;
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
