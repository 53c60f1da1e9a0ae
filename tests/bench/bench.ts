/**
 * What every measurement is given, and what it gives back.
 *
 * @module
 */

import type { Maker, Programs } from "./programs.ts";

/** How much is measured. */
export interface BenchOptions {
  /** Less of everything: for looking, not for publishing. */
  readonly quick: boolean;
  /** Paired rounds. */
  readonly rounds: number;
}

/** What a measurement is given. */
export interface Bench {
  /** How much. */
  readonly options: BenchOptions;
  /** Where servers come from. */
  readonly programs: Programs;
  /** Who takes part: redis-server only where it is installed. */
  readonly makers: readonly Maker[];
  /** Whether redis-benchmark is installed. */
  readonly hasBenchmark: boolean;
  /** Tells what is going on, on standard error. */
  say(text: string): void;
}

/** Rows under headings; the first column is to the left, the others to the right. */
export interface Table {
  /** Headings. */
  readonly columns: readonly string[];
  /** Cells. */
  readonly rows: readonly (readonly string[])[];
}

/** What a measurement gives back. */
export interface Findings {
  /** One line a table: what it shows. */
  readonly tables: readonly { readonly title: string; readonly table: Table }[];
  /** The same as plain data, for `--json`. */
  readonly data: unknown;
}

/** One measurement. */
export interface Measurement {
  /** Its name for `--only`. */
  readonly name: string;
  /** What it measures. */
  readonly title: string;
  /** Whether it can do nothing without redis-benchmark. */
  readonly needsBenchmark: boolean;
  /** How it is done, in sentences, with the numbers of these options. */
  method(options: BenchOptions): string;
  /** Does it. */
  run(bench: Bench): Promise<Findings>;
}

/** Settings under which nothing is written to disk behind the measurement's back. */
export const NO_SAVE: readonly string[] = ["--save", ""];

/** The makers in the order of this round: each goes first in every other one. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const from = round % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

/** What is measured side by side, and how often. */
export interface SideBySide<T, S> {
  /** Rounds before all is started anew: V8 optimizes otherwise each time. */
  readonly perStart: number;
  /** Pipeline depths, and requests at each before `--quick` divides them. */
  readonly depths: readonly { readonly depth: number; readonly requests: number }[];
  /** Starts all that is measured, and fills it. */
  start(): Promise<T[]>;
  /** Its name, which with the depth is the key of its samples. */
  nameOf(candidate: T): string;
  /** Measures one. */
  measure(candidate: T, depth: number, requests: number): Promise<S>;
  /** Stops all of them. */
  stop(candidates: readonly T[]): Promise<void>;
}

/**
 * Samples by name and depth, one a round. Each start goes through a round that is not counted, so that V8 has
 * seen what is measured; a round measures each once at each depth, and who is first rotates.
 */
export async function sampleSideBySide<T, S>(
  { options, say }: Bench,
  { perStart, depths, start, nameOf, measure, stop }: SideBySide<T, S>,
): Promise<Map<string, S[]>> {
  const { rounds } = options;
  const samples = new Map<string, S[]>();
  for (let from = 0; from < rounds; from += perStart) {
    const candidates = await start();
    for (let round = from - 1; round < Math.min(from + perStart, rounds); round++) {
      const isWarmUp = round < from;
      for (const { depth, requests } of depths) {
        for (const candidate of inTurn(candidates, Math.max(0, round))) {
          const name = nameOf(candidate);
          say(`${isWarmUp ? "warming up" : `round ${round + 1}`}: ${name}, pipeline ${depth}`);
          const sample = await measure(candidate, depth, requests);
          if (isWarmUp) continue;
          const key = `${name} ${depth}`;
          samples.set(key, [...samples.get(key) ?? [], sample]);
        }
      }
    }
    await stop(candidates);
  }
  return samples;
}
