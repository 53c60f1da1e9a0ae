/**
 * Random commands of all families to redis-server and to us, while a client of each caches: both
 * clients are told of the same keys.
 */

import { assert, assertEquals } from "@std/assert";
import { FUZZED_REDIS } from "../support/fuzz_differential.ts";
import { Random, testSeed } from "../support/random.ts";
import { type Command, RandomCommands, type Unit } from "../support/random_commands.ts";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

const COMMANDS = 12_000;
/** Units between two looks at what was told: few, so that a difference names its cause. */
const BATCH_UNITS = 4;

/**
 * Commands that empty databases, or exchange them, or change what else is compared here; XGROUP
 * DESTROY, of which only we tell; BITFIELD, which in Redis lengthens a string without a word when it
 * fails.
 */
const LEFT_OUT = [
  ...["flushdb", "swapdb", "select", "move", "client|reply", "hello", "subscribe"],
  ...["xgroup|destroy", "bitfield"],
];

const REDIS = await RedisServer.installed();

/** A server, seen by one connection that runs commands and one that is told of every change. */
class Side implements Disposable {
  readonly #running: RawSocket;
  readonly #told: RawSocket;
  #marks = 0;

  private constructor(running: RawSocket, told: RawSocket) {
    this.#running = running;
    this.#told = told;
  }

  static async of(port: number): Promise<Side> {
    const side = new Side(await RawSocket.connect(port), await RawSocket.connect(port));
    await side.#told.write(batch(["HELLO", "3"], ["CLIENT", "TRACKING", "ON", "BCAST"]));
    await side.#until(side.#told, []);
    return side;
  }

  async #until(socket: RawSocket, commands: readonly Command[]): Promise<string> {
    const mark = `<mark ${this.#marks++}>`;
    const requests = [...commands, ["ECHO", mark]];
    const bytes = requests.map((words) =>
      words.map((word) => Uint8Array.from(word, (char) => char.charCodeAt(0)))
    );
    const [heard] = await Promise.all([
      socket.readThrough(`${mark}\r\n`),
      socket.write(batch(...bytes)),
    ]);
    return heard;
  }

  /** Runs the commands; the keys that were told to have changed, each once, in order. */
  async run(units: readonly Unit[]): Promise<string> {
    await this.#until(this.#running, units.flatMap(({ commands }) => commands));
    await this.#until(this.#running, []);
    const heard = await this.#until(this.#told, []);
    const keys = new Set<string>();
    for (
      const [, , list] of heard.matchAll(
        />2\r\n\$10\r\ninvalidate\r\n(\*\d+\r\n)((?:\$\d+\r\n[^]*?\r\n)*)(?=>|\$\d+\r\n<mark)/g,
      )
    ) {
      for (const [, key] of list.matchAll(/\$\d+\r\n([^]*?)\r\n(?=\$|$)/g)) keys.add(key);
    }
    return [...keys].sort().join(" ");
  }

  [Symbol.dispose](): void {
    this.#running.close();
    this.#told.close();
  }
}

const skipped = REDIS === null ? " (SKIPPED: no redis-server on PATH to ask)" : "";

Deno.test({
  name: `a client that caches is told of the keys that redis-server tells of${skipped}`,
  ignore: REDIS === null,
  async fn() {
    const seed = testSeed(4_711);
    await using server = await TestServer.start();
    const redis = (await RedisServer.start(FUZZED_REDIS))!;
    try {
      using theirs = await Side.of(redis.port);
      using ours = await Side.of(server.port);
      const names = new Set((await server.ask("COMMAND", "LIST") as string[]).map(String));
      const exists = (name: string) => names.has(name) && !LEFT_OUT.includes(name);
      const commands = new RandomCommands(new Random(seed), exists);
      const differences: string[] = [];
      let told = 0;
      for (let done = 0; done < COMMANDS && differences.length < 10;) {
        const units = Array.from({ length: BATCH_UNITS }, () => commands.next());
        done += units.reduce((n, unit) => n + unit.commands.length, 0);
        const [wanted, got] = await Promise.all([theirs.run(units), ours.run(units)]);
        if (got !== "") told++;
        if (wanted === got) continue;
        const said = units.flatMap((unit) => unit.commands.map((words) => words.join(" ")));
        differences.push(`${said.join("\n")}\n  redis: ${wanted}\n  ours:  ${got}`);
      }
      assertEquals(differences.join("\n\n"), "", `redis ${REDIS}, seed ${seed}`);
      assert(told > COMMANDS / BATCH_UNITS / 3, `only ${told} batches changed anything`);
    } finally {
      await redis.stop();
    }
  },
});
