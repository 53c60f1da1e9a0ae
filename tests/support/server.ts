import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { Log } from "../../src/observability/log.ts";
import type { Storage } from "../../src/persistence/storage.ts";
import { type ConfigSources, loadConfig } from "../../src/server/config_sources.ts";
import { splitWords } from "../../src/server/config_words.ts";
import { Server } from "../../src/server/server.ts";
import { Client, type Plain, type Word } from "./client.ts";
import { RawConnection } from "./redis.ts";

/** Settings by directive, as on the command line: `{ shards: "2", save: "" }`. */
export type Settings = Readonly<Record<string, string>>;

/** What a test server has unless a test says otherwise: a port of its own, a small arena, no saves. */
const TEST_SETTINGS: Settings = {
  bind: "127.0.0.1",
  port: "0",
  "arena-size": "64mb",
  save: "",
  hz: "100",
};

/** How a test server is started. */
export interface TestServerOptions {
  /** A data directory to use and keep; otherwise a new one is made, and removed by `stop`. */
  readonly dir?: string;
  /** A config file, whose settings come before those given. */
  readonly configFile?: string;
  /** Where its files are kept, instead of the disk; `dir` has to be there on both. */
  readonly storage?: Storage;
}

/**
 * A server in this process, on a port of its own, with a data directory of its own and a silent log.
 *
 * ```ts ignore
 * await using server = await TestServer.start({ shards: "2" });
 * const client = await server.connect();
 * assertEquals(await client.ask("SET", "k", "v"), "OK");
 * ```
 *
 * Leaving the block closes its clients, stops it and removes the directory, so nothing leaks into
 * the next test.
 */
export class TestServer {
  readonly server: Server;
  readonly dir: string;
  /** Lines that it logged. */
  readonly log: readonly string[];
  readonly #keepsDir: boolean;
  readonly #clients: { close(): void }[] = [];
  #asking: Client | null = null;
  #isRemoved = false;

  private constructor(server: Server, dir: string, log: readonly string[], keepsDir: boolean) {
    this.server = server;
    this.dir = dir;
    this.log = log;
    this.#keepsDir = keepsDir;
  }

  static async start(
    settings: Settings = {},
    options: TestServerOptions = {},
  ): Promise<TestServer> {
    const dir = options.dir ?? await Deno.realPath(await Deno.makeTempDir());
    const directives: ConfigSources["directives"] = Object
      .entries({ dir, ...TEST_SETTINGS, ...settings })
      .map(([name, value]) => ({
        name,
        words: name === "save" || name === "bind" ? splitWords(value) ?? [value] : [value],
        where: "test",
      }))
      .map(({ words, ...rest }) => ({ ...rest, words: words.length === 0 ? [""] : words }));
    const sources = { configFile: options.configFile ?? null, stdin: false, directives };
    const lines: string[] = [];
    try {
      const config = loadConfig(sources, () => undefined);
      const log = new Log({
        level: config.logLevel,
        format: config.logFormat,
        sink: { write: (line) => lines.push(line) > 0 },
        clock: SYSTEM_CLOCK,
      });
      const interval = Number(Deno.env.get("DENO_TOKIO_EVENT_INTERVAL") ?? 61);
      const server = await Server.start(config, log, interval, options.storage);
      return new TestServer(server, dir, lines, options.dir !== undefined);
    } catch (error) {
      if (options.dir === undefined) await Deno.remove(dir, { recursive: true });
      throw error;
    }
  }

  /** Its client port. */
  get port(): number {
    return this.server.port;
  }

  /** A new connection, closed by `stop`. */
  async connect(): Promise<Client> {
    const client = await Client.connect(this.port);
    this.#clients.push(client);
    return client;
  }

  /** A new connection that gives back the replies' own bytes, closed by `stop`. */
  async connectRaw(): Promise<RawConnection> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: this.port });
    const raw = new RawConnection(conn);
    this.#clients.push(raw);
    return raw;
  }

  /** Runs one command on a connection kept for this. */
  async ask(...words: Word[]): Promise<Plain> {
    this.#asking ??= await this.connect();
    return await this.#asking.ask(...words);
  }

  /** The value of a field of INFO, or undefined. */
  async info(field: string): Promise<string | undefined> {
    const all = await this.ask("INFO", "everything") as string;
    const line = all.split("\r\n").find((line) => line.startsWith(`${field}:`));
    return line?.slice(field.length + 1);
  }

  /**
   * Closes its clients, stops it without saving (or as `save` says) unless it has stopped, and removes
   * its directory, unless that was given. More than once does nothing.
   */
  async stop(save = false): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.server.stop({ save, force: true, now: true });
    await this.server.stopped;
    if (this.#keepsDir || this.#isRemoved) return;
    this.#isRemoved = true;
    await Deno.remove(this.dir, { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Waits until `isTrue`, looking every few ms; throws with `what` after `limitMs`. For what a server
 * does by itself, where there is no event to await.
 */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const stop = performance.now() + limitMs;
  while (!await isTrue()) {
    if (performance.now() > stop) throw new Error(`waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
