/** Clients that write all kinds of data, and some that wait for it, in the background of a test. */

import type { Client, Plain } from "./client.ts";
import type { Random } from "./random.ts";
import type { TestServer } from "./server.ts";
import { type Line, type TypedWritesOptions, WriteMaker } from "./write_maker.ts";

/** Commands sent in one write. */
const BATCH = 50;

/** Errors that random commands on random values meet. */
const EXPECTED: readonly string[] = [
  "-WRONGTYPE ",
  "-NOGROUP ",
  "-BUSYGROUP ",
  "-OOM ", // where there is a limit, and a policy that finds nothing to evict
  "-EXECABORT ",
  "-UNBLOCKED ", // the stream is gone, as Redis 7.0 has it
  "-ERR no such key",
  "-ERR source and destination objects are the same",
  "-ERR index out of range",
  "-ERR value is not ",
  "-ERR hash value is not ",
  "-ERR The ID specified in ",
  "-ERR The XGROUP subcommand requires the key to exist",
  "-ERR increment or decrement would overflow",
];

/** Clients that write all kinds of data, and some that wait for it, until `stop`. */
export class TypedWrites implements AsyncDisposable {
  /** Commands run. */
  commands = 0;
  /** Those of them that failed. */
  failed = 0;
  /** Waits that ended with what was waited for. */
  served = 0;
  readonly #maker: WriteMaker;
  /** The first error that no random command should have met. */
  #unexpected: string | null = null;
  #isStopped = false;
  #done: Promise<void[]> = Promise.resolve([]);

  private constructor(maker: WriteMaker) {
    this.#maker = maker;
  }

  /** Starts a client that writes and `waiting` that wait. */
  static async start(
    server: TestServer,
    random: Random,
    options: TypedWritesOptions,
    waiting = 4,
  ): Promise<TypedWrites> {
    const writes = new TypedWrites(new WriteMaker(random, options));
    const writer = await server.connect();
    const waiters = await Promise.all(Array.from({ length: waiting }, () => server.connect()));
    writes.#done = Promise.all([
      writes.#write(writer),
      ...waiters.map((client) => writes.#wait(client)),
    ]);
    return writes;
  }

  async #write(client: Client): Promise<void> {
    while (!this.#isStopped) {
      await this.run(client, BATCH);
      // Others have most of the time: this is load, not a benchmark.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    client.close();
  }

  /** Runs about so many commands at once. */
  async run(client: Client, commands: number): Promise<void> {
    const lines: Line[] = [];
    while (lines.length < commands) lines.push(...this.#maker.next());
    const replies = await client.pipeline(...lines.map((line) => [...line]));
    replies.forEach((reply, i) => this.#note(reply, lines[i]));
    this.commands += lines.length;
  }

  async #wait(client: Client): Promise<void> {
    while (!this.#isStopped) {
      const line = this.#maker.waiting();
      const reply = await client.ask(...line);
      this.#note(reply, line);
      if (reply !== null && typeof reply !== "string") this.served++;
    }
    client.close();
  }

  #note(reply: Plain, line: Line): void {
    if (Array.isArray(reply)) { for (const each of reply) this.#note(each, line); }
    if (typeof reply !== "string" || !/^-[A-Z]+ /.test(reply)) return;
    this.failed++;
    if (!EXPECTED.some((start) => reply.startsWith(start))) {
      this.#unexpected ??= `${line.join(" ")}: ${reply}`;
    }
  }

  /** Ends it; throws what a client met that it should not have. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    if (this.#unexpected !== null) throw new Error(this.#unexpected);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
