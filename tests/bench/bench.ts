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
