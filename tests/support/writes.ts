/** Writes that go on in the background while a test does other things. */

import type { Random } from "./random.ts";
import type { TestNode } from "./node.ts";

/** Commands run between two looks at the network. */
const BATCH = 100;

/** What the writer chooses from. */
export interface WritesOptions {
  /** Keys `key:0` to `key:<keys - 1>`. */
  keys: number;
  /** Databases used, from 0 on. */
  databases?: number;
  /** Ms after which keys with a short life expire; 20 to 220 unless given. */
  lifeMs?: number;
}

/** A writer of strings of every kind of effect, until `stop`. */
export class Writes implements AsyncDisposable {
  /** Commands run. */
  commands = 0;
  readonly #node: TestNode;
  readonly #random: Random;
  readonly #options: WritesOptions;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(node: TestNode, random: Random, options: WritesOptions) {
    this.#node = node;
    this.#random = random;
    this.#options = options;
    this.#done = this.#run();
  }

  /** Runs one random command. */
  static one(node: TestNode, random: Random, options: WritesOptions): void {
    const key = `key:${random.below(options.keys)}`;
    const dice = random.below(100);
    if (options.databases !== undefined && dice % 20 === 0) {
      node.select(random.below(options.databases));
    }
    if (dice < 45) node.run("SET", key, `value ${random.below(1e9)}`);
    else if (dice < 55) node.run("DEL", key, `key:${random.below(options.keys)}`);
    else if (dice < 65) node.run("APPEND", key, "x".repeat(random.below(40)));
    else if (dice < 70) {
      node.run("SET", key, "soon", "PX", String((options.lifeMs ?? 20) + random.below(200)));
    } else if (dice < 75) node.run("MSET", key, "m", `key:${random.below(options.keys)}`, "n");
    else if (dice < 80) node.run("SETRANGE", key, String(random.below(100)), "range");
    else if (dice < 85) node.run("INCR", `n${random.below(100)}`);
    else if (dice < 90) node.run("RENAME", key, `{${key}}${random.below(3)}`);
    else if (dice < 95) node.run("COPY", key, `{${key}}${random.below(3)}`, "REPLACE");
    else node.run("GETEX", key, "PX", String(100_000 + random.below(100_000)));
  }

  async #run(): Promise<void> {
    const { gate } = this.#node;
    while (!this.#isStopped) {
      gate.begin();
      for (let i = 0; i < BATCH; i++) Writes.one(this.#node, this.#random, this.#options);
      this.commands += BATCH;
      gate.pass();
      // Others have most of the time: this is load, not a benchmark.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    this.#node.select(0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
