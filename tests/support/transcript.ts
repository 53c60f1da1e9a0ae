import { assertEquals } from "@std/assert";
import { words } from "./differential.ts";
import type { Shell } from "./shell.ts";

/** A command line, its reply (raw), and the effects that follow from it. */
export type Step = readonly [line: string, reply: string, ...effects: string[]];

/** Plays the steps in order and compares replies and effects. */
export function play(shell: Shell, steps: readonly Step[]): void {
  shell.heard();
  steps.forEach(([line, reply, ...effects], i) => {
    const answer = shell.run(...words(line));
    assertEquals(answer, reply, `reply of step ${i}: ${line}`);
    assertEquals(shell.heard(), effects, `effects of step ${i}: ${line}`);
  });
}

/** The deadline of a key in database 0 in Unix ms: -1 without one, undefined without the key. */
export function deadlineOf(shell: Shell, key: string): number | undefined {
  const bytes = new TextEncoder().encode(key);
  for (const keys of shell.keys) {
    const a = keys.peek(0, bytes, 0, bytes.length);
    if (a !== 0) return keys.deadlineOf(a);
  }
  return undefined;
}
