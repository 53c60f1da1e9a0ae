/** What random command lines are made of: keys, values, numbers, times, options. */

import type { Random } from "../random.ts";

/** Words of one command; spaces and bytes allowed in them. */
export type Command = readonly string[];

/**
 * What of a reply has no order that anybody promises; or `idle`: it tells how long entries have been
 * idle, in ms; or `replicas`: it counts the replicas that have confirmed by now, if it is no error.
 */
export type Unordered = "elements" | "pairs" | "scan" | "scanned pairs" | "idle" | "replicas";

/** Commands that run behind each other. */
export interface Unit {
  readonly commands: readonly Command[];
  /** Elements of the one command's reply, or pairs of them, are sorted before they are compared. */
  readonly unordered?: Unordered;
}

/** A way to draw units. */
export interface Maker {
  /** Commands that must exist, by lower-case name (`client|list`). */
  readonly needs: readonly string[];
  /** How often it is drawn. */
  readonly weight: number;
  make(): Unit;
}

/** Gathers the makers of a family. */
export class Makers {
  readonly all: Maker[] = [];

  /** One command: its name, then what `args` draws. */
  add(weight: number, name: string, args: () => readonly string[], unordered?: Unordered): void {
    const needs = [name.toLowerCase().replace(" ", "|")];
    this.unit(weight, needs, () => ({
      commands: [[...name.split(" "), ...args()]],
      ...(unordered === undefined ? {} : { unordered }),
    }));
  }

  /** Several commands, or one that is made otherwise. */
  unit(weight: number, needs: readonly string[], make: () => Unit): void {
    this.all.push({ needs, weight, make });
  }
}

/** A Unix time in ms that no test lives to see. */
const FAR_MS = 4_000_000_000_000;

/**
 * First letters of keys: strings, floats, lists, sets, sorted sets, hashes, streams, places. Not `p` and
 * `y`, the HyperLogLogs and the sorted sets of equal scores: other commands keep off these.
 */
const LETTERS = ["k", "k", "k", "f", "l", "s", "z", "h", "x", "g"] as const;

/** See the module's text. */
export class Parts {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  below(n: number): number {
    return this.random.below(n);
  }

  pick<T>(list: readonly T[]): T {
    return this.random.pick(list);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.random.below(n) === 0;
  }

  /** `least` to `most` of what `make` makes. */
  some<T>(make: () => T, least: number, most: number): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, make);
  }

  /** A key of a family, by its letter; sometimes another's, or a strange one. */
  key(letter: string): string {
    if (this.once(60)) return this.pick(["", "\x00\r\n", "k".repeat(300), "k0 "]);
    return `${this.once(15) ? this.pick(LETTERS) : letter}${this.below(5)}`;
  }

  /** A key of any family. */
  any(): string {
    return this.key(this.pick(LETTERS));
  }

  value(): string {
    switch (this.below(8)) {
      case 0:
        return `${this.below(2_000) - 1_000}`;
      case 1:
        return this.integer();
      case 2:
        return this.pick(
          ["", "x", "3.0e2", "1.5", "-0", " 1", "1 ", "0x10", "nan", "inf", "\r\n", "\xff\x00"],
        );
      case 3:
        return "v".repeat(this.below(100));
      case 4:
        return "v".repeat(this.once(10) ? 8_100 + this.below(100) : this.below(30));
      case 5:
        return `${this.below(1_000)}.${this.below(1_000)}`;
      default:
        return `value:${this.below(1_000)}`;
    }
  }

  /** A member of a set, a field: few, so that they meet. */
  member(): string {
    switch (this.below(10)) {
      case 0:
        return `${this.below(40) - 20}`;
      case 1:
        return this.pick(["", "a b", "\x00", "m".repeat(70), this.integer()]);
      default:
        return `m${this.below(24)}`;
    }
  }

  /** An integer at the edges of what can be held. */
  integer(): string {
    return this.pick([
      "0",
      "1",
      "-1",
      "2147483647",
      "2147483648",
      "-2147483649",
      "9007199254740993",
      "-9007199254740993",
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775808",
      "99999999999999999999",
    ]);
  }

  /** A small integer, or what is none. */
  small(): string {
    return this.once(12) ? this.pick(["x", "", "1.5", this.integer()]) : `${this.below(24) - 8}`;
  }

  /** A count, mostly a sensible one. */
  count(): string {
    return this.once(12) ? this.pick(["x", "-1", "0", this.integer()]) : `${1 + this.below(6)}`;
  }

  /** A score. No -0, which redis-server keeps or not as the sorted set is packed, and SORT unpacks it. */
  score(): string {
    switch (this.below(12)) {
      case 0:
        return this.pick(["inf", "-inf", "+inf", "nan", "x", "", "1e400", "0x10"]);
      case 1:
        return this.pick([
          "1e17",
          "-1e-5",
          "3.14159265358979",
          "1e21",
          "0.1",
          "123456789012345680",
        ]);
      case 2:
      case 3:
        return `${this.below(2_000) / 16}`;
      default:
        return `${this.below(20) - 5}`;
    }
  }

  /** A time in ms, or what is none. */
  time(): string {
    if (this.once(6)) return this.pick(["x", "0", "-1", "-9223372036854775808"]);
    return `${FAR_MS + this.below(5) * 1_000}`;
  }

  /** As `time` in seconds. */
  seconds(): string {
    const time = this.time();
    return time.startsWith("4000000") ? time.slice(0, -3) : time;
  }

  /** A bit's number. */
  bit(): string {
    return this.once(10) ? this.pick(["-1", "x", "4294967296"]) : `${this.below(200)}`;
  }

  /** Some of the options, in order, sometimes twice, in any case. */
  options(...lists: (readonly string[])[]): string[] {
    const out: string[] = [];
    for (const words of lists) {
      if (!this.once(4)) continue;
      for (const word of words) out.push(this.once(6) ? word.toLowerCase() : word);
    }
    if (this.once(30) && out.length > 0) out.push(...out);
    if (this.once(40)) out.push("FOO");
    return out;
  }

  /** A number of keys and those keys, sometimes not as many. */
  counted(letter: string): string[] {
    const keys = this.some(() => this.key(letter), 1, 3);
    return [this.once(25) ? this.pick(["0", "-1", "x", "9"]) : `${keys.length}`, ...keys];
  }
}
