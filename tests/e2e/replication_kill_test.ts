/** Processes that are killed within a ship: whoever starts again has whole data. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/server.ts";

/** Keys and bytes of a data set whose ship takes some tenths of a second. */
const KEYS = 20_000;
const VALUE_BYTES = 3_000;

/** A program and a client of it, ended with the block. */
class Running implements AsyncDisposable {
  readonly program: Program;
  readonly port: number;
  readonly client: Client;
  #ended = false;

  private constructor(program: Program, port: number, client: Client) {
    this.program = program;
    this.port = port;
    this.client = client;
  }

  static async start(dir: string, ...args: string[]): Promise<Running> {
    const program = new Program(dir, ["--loglevel", "warning", ...args]);
    const { port } = await program.ready();
    return new Running(program, port, await Client.connect(port));
  }

  async fill(version: string): Promise<void> {
    const text = version.repeat(VALUE_BYTES).slice(0, VALUE_BYTES);
    for (let from = 0; from < KEYS; from += 500) {
      const words: string[] = [];
      for (let i = from; i < from + 500; i++) words.push(`key:${i}`, `${i} ${text}`);
      assertEquals(await this.client.ask("MSET", ...words), "OK");
    }
  }

  async info(field: string): Promise<string | undefined> {
    const all = await this.client.ask("INFO", "replication") as string;
    return all.split("\r\n").find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1);
  }

  async end(signal: Deno.Signal): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.client.close();
    this.program.signal(signal);
    await this.program.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end("SIGKILL");
  }
}

for (const shards of ["2", "3"]) {
  Deno.test(`a replica of ${shards} shards killed within a ship has its old data`, async () => {
    const dirs = [await Deno.makeTempDir(), await Deno.makeTempDir()];
    try {
      await using primary = await Running.start(dirs[0], "--shards", "2", "--save", "");
      await using first = await Running.start(dirs[1], "--shards", shards, "--save", "");
      await primary.fill("old");
      await first.client.ask("REPLICAOF", "127.0.0.1", String(primary.port));
      await until("it is linked", async () => await first.info("master_link_status") === "up");
      assertEquals(await first.client.ask("SAVE"), "OK");
      const old = await first.client.ask("DEBUG", "DIGEST");
      assertEquals(await primary.client.ask("DEBUG", "DIGEST"), old);

      await first.client.ask("REPLICAOF", "NO", "ONE");
      // What is written by a node on its own makes its data another line's.
      assertEquals(await first.client.ask("SET", "mine", "1"), "OK");
      assertEquals(await first.client.ask("DEL", "mine"), 1);
      assertEquals(await primary.client.ask("FLUSHALL"), "OK");
      await primary.fill("new");
      await first.client.ask("REPLICAOF", "127.0.0.1", String(primary.port));
      await until("a snapshot comes", async () => {
        if (await first.info("master_sync_in_progress") !== "1") return false;
        return Number(await first.info("master_sync_read_bytes") ?? 1) > 0;
      });
      // With as many shards as the primary each is replaced by itself.
      if (shards === "3") assertMatch(String(await first.client.ask("GET", "key:7")), /^7 old/);
      await first.end("SIGKILL");

      await using second = await Running.start(dirs[1], "--shards", shards, "--save", "");
      assertEquals(await second.client.ask("DEBUG", "DIGEST"), old);
      assertMatch(String(await second.client.ask("GET", "key:7")), /^7 old/);
      // And the next attempt brings the new.
      await second.client.ask("REPLICAOF", "127.0.0.1", String(primary.port));
      const wanted = await primary.client.ask("DEBUG", "DIGEST");
      await until("it is linked", async () => await second.info("master_link_status") === "up");
      assertEquals(await second.client.ask("DEBUG", "DIGEST"), wanted);
      assert(wanted !== old);
    } finally {
      for (const dir of dirs) await Deno.remove(dir, { recursive: true });
    }
  });
}
