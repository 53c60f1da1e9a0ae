/**
 * Kills a server with an append-only file again and again, in the middle of writes, rewrites and
 * starts, and looks what it has when it starts anew. `deno task crash` does it many more times.
 */

import { assert, assertEquals } from "@std/assert";
import { withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { Random, testSeed } from "../support/random.ts";

/** Kills of a run of the tests, shared by the policies. */
const KILLS = Number(Deno.env.get("SHOAL_CRASH_KILLS") ?? 30);
const WRITERS = 4;
/** What `everysec` may lose, in ms. */
const EVERYSEC_MS = 1_000;

interface Told {
  readonly n: number;
  readonly atMs: number;
}

/** One client that writes 1, 2, 3 ... and knows what was confirmed, and when. */
class Writer {
  readonly list: string;
  readonly counter: string;
  sent: number;
  told: Told[] = [];

  constructor(index: number, held: number) {
    this.list = `{w${index}}:list`;
    this.counter = `{w${index}}:counter`;
    this.sent = held;
  }

  /** Writes until the server is gone. */
  async run(port: number): Promise<void> {
    try {
      using client = await Client.connect(port);
      while (true) {
        const n = ++this.sent;
        const replies = await client.pipeline(
          ["MULTI"],
          ["RPUSH", this.list, String(n)],
          ["SET", this.counter, String(n)],
          ["EXEC"],
        );
        assertEquals(replies[3], [n, "OK"]);
        this.told.push({ n, atMs: performance.now() });
      }
    } catch (error) {
      const isGone = error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.UnexpectedEof ||
        (error instanceof Error && /clos|ended|refused|end of/i.test(error.message));
      if (!isGone) throw error;
    }
  }

  /** What was confirmed up to `ms` before `killedMs`. */
  confirmed(killedMs: number, ms: number): number {
    let confirmed = 0;
    for (const { n, atMs } of this.told) if (atMs <= killedMs - ms) confirmed = n;
    return confirmed;
  }
}

async function held(port: number, writer: Writer, where: string): Promise<number> {
  using client = await Client.connect(port);
  const list = await client.ask("LRANGE", writer.list, "0", "-1") as string[];
  list.forEach((n, i) => assertEquals(n, String(i + 1), `${where}: no prefix in ${writer.list}`));
  const counter = await client.ask("GET", writer.counter);
  assertEquals(Number(counter ?? 0), list.length, `${where}: half of a transaction`);
  return list.length;
}

for (const policy of ["always", "everysec"] as const) {
  Deno.test(`a server killed at any moment has what it confirmed (appendfsync ${policy})`, async () => {
    const seed = testSeed(policy === "always" ? 31 : 32);
    const random = new Random(seed);
    await withDir(async (dir) => {
      let writers = Array.from({ length: WRITERS }, (_, i) => new Writer(i, 0));
      let killedMs = performance.now();
      let shards = 1;
      for (let kill = 0; kill <= KILLS / 2; kill++) {
        const where = `seed ${seed}, ${policy}, kill ${kill}`;
        // Most starts go on with the files as they are; some make files for another number of shards.
        if (random.below(8) === 0) shards = 1 + random.below(3);
        const args = ["--appendonly", "yes", "--appendfsync", policy, "--save", ""];
        const program = new Program(dir, [...args, "--shards", String(shards)]);
        if (random.below(6) === 0) {
          // Killed while it starts, or is about to: nothing may come of it.
          await new Promise((resolve) => setTimeout(resolve, random.below(600)));
          program.signal("SIGKILL");
          await program.end();
          continue;
        }
        const { port } = await program.ready();
        const next: Writer[] = [];
        for (const [i, writer] of writers.entries()) {
          const found = await held(port, writer, where);
          const least = writer.confirmed(killedMs, policy === "always" ? 0 : EVERYSEC_MS);
          assert(found >= least, `${where}: ${least} were confirmed, ${found} are there`);
          assert(found <= writer.sent, `${where}: ${writer.sent} were sent, ${found} are there`);
          next.push(new Writer(i, found));
        }
        writers = next;
        const running = writers.map((writer) => writer.run(port));
        await new Promise((resolve) => setTimeout(resolve, random.below(400)));
        if (random.below(2) === 0) {
          using client = await Client.connect(port);
          await client.ask("BGREWRITEAOF");
          await new Promise((resolve) => setTimeout(resolve, random.below(60)));
        }
        program.signal("SIGKILL");
        killedMs = performance.now();
        await Promise.all(running);
        await program.end();
      }
    });
  });
}
