/**
 * A client for measuring and showing: one request at a time, and a loader that fills a server with
 * keys as fast as it takes them.
 *
 * @module
 */

import { ascii, text } from "../../src/base/ascii.ts";
import { type Reply, ReplyError, ReplyParser } from "../../src/resp/reply_parser.ts";
import { Random } from "../support/random.ts";

/** How often a server is asked whether it has freed all, and how long. */
const FREED_POLL_MS = 20;
const FREED_WAIT_MS = 20_000;
/** Requests that the loader sends before it waits for their replies. */
const LOAD_BATCH = 10_000;
/** Letters of values that cannot be compressed. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** What the loader writes: keys `key:000000000000` and up, 16 bytes each, as redis-benchmark's. */
export interface Load {
  /** Number of keys. */
  readonly keys: number;
  /** Bytes of each value: random letters, which do not compress. */
  readonly valueBytes: number;
}

/** One connection. */
export class Client {
  readonly #conn: Deno.TcpConn;
  readonly #parser = new ReplyParser();
  readonly #buffer = new Uint8Array(65_536);

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  /** Connects to a loopback port. */
  static async connect(port: number): Promise<Client> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new Client(conn);
  }

  /** Runs one command. @throws {Error} for an error reply. */
  async ask(...words: string[]): Promise<Reply> {
    await writeAll(this.#conn, encode(words));
    return await this.#reply(words);
  }

  async #reply(words: readonly string[]): Promise<Reply> {
    while (true) {
      const reply = this.#parser.next();
      if (reply instanceof ReplyError) throw new Error(`${words.join(" ")}: ${reply.message}`);
      if (reply !== undefined) return reply;
      const n = await this.#conn.read(this.#buffer);
      if (n === null) throw new Error(`${words.join(" ")}: the connection was closed`);
      this.#parser.push(this.#buffer.slice(0, n));
    }
  }

  /** Runs commands that are sent in one go. @throws {Error} for an error reply. */
  async askAll(commands: readonly (readonly string[])[]): Promise<void> {
    const requests = new Blob(commands.map((words) => encode(words)));
    const replies = async () => {
      for (const words of commands) await this.#reply(words.slice(0, 2));
    };
    await Promise.all([writeAll(this.#conn, await requests.bytes()), replies()]);
  }

  /** Runs one command; its reply as text. */
  async text(...words: string[]): Promise<string> {
    const reply = await this.ask(...words);
    return reply instanceof Uint8Array ? text(reply) : String(reply);
  }

  /** Sends encoded requests in one go; all must be answered `+OK`. */
  async pipeline(requests: readonly Uint8Array[], count: number): Promise<void> {
    const bytes = new Uint8Array(requests.reduce((sum, request) => sum + request.length, 0));
    let at = 0;
    for (const request of requests) {
      bytes.set(request, at);
      at += request.length;
    }
    await Promise.all([writeAll(this.#conn, bytes), this.#skipOks(count)]);
  }

  /** INFO as a map. */
  async info(...sections: string[]): Promise<Map<string, string>> {
    const fields = new Map<string, string>();
    for (const line of (await this.text("INFO", ...sections)).split("\r\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
    }
    return fields;
  }

  /** One number of INFO; NaN when it is not there. */
  async figure(section: string, name: string): Promise<number> {
    return Number((await this.info(section)).get(name) ?? NaN);
  }

  /** Waits until the server has freed what was taken away. @throws {Error} when it takes too long. */
  async freed(): Promise<void> {
    const stopMs = performance.now() + FREED_WAIT_MS;
    do {
      await sleep(FREED_POLL_MS);
      if (performance.now() > stopMs) throw new Error(`nothing is freed for ${FREED_WAIT_MS} ms`);
    } while (await this.figure("memory", "lazyfree_pending_objects") > 0);
  }

  /** Writes all keys of a load, pipelined. */
  async load({ keys, valueBytes }: Load): Promise<void> {
    const head = `*3\r\n$3\r\nSET\r\n$16\r\nkey:`;
    const middle = `\r\n$${valueBytes}\r\n`;
    const size = head.length + 12 + middle.length + valueBytes + 2;
    const one = ascii(`${head}${"0".repeat(12)}${middle}${"x".repeat(valueBytes)}\r\n`);
    const batch = new Uint8Array(size * LOAD_BATCH);
    for (let i = 0; i < LOAD_BATCH; i++) batch.set(one, i * size);
    const letters = ascii(LETTERS);
    const random = new Random(1);
    const noise = Uint8Array.from({ length: 65_536 }, () => letters[random.below(64)]);
    for (let first = 0; first < keys; first += LOAD_BATCH) {
      const count = Math.min(LOAD_BATCH, keys - first);
      for (let i = 0; i < count; i++) {
        putKey(batch, i * size + head.length, first + i);
        const from = random.below(noise.length - valueBytes);
        batch.set(noise.subarray(from, from + valueBytes), i * size + size - 2 - valueBytes);
      }
      await Promise.all([
        writeAll(this.#conn, batch.subarray(0, count * size)),
        this.#skipOks(count),
      ]);
    }
  }

  async #skipOks(count: number): Promise<void> {
    let bytes = 0;
    while (bytes < count * 5) {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) throw new Error("loading: the connection was closed");
      const error = this.#buffer.subarray(0, n).indexOf(45);
      if (error >= 0) throw new Error(`loading: ${text(this.#buffer, error, n)}`);
      bytes += n;
    }
  }

  /** Ends the connection. */
  close(): void {
    this.#conn.close();
  }

  /** For `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function putKey(buffer: Uint8Array, at: number, number: number): void {
  for (let digit = at + 11; digit >= at; digit--) {
    buffer[digit] = 48 + number % 10;
    number = Math.floor(number / 10);
  }
}

/** A request as bytes. */
export function encode(words: readonly string[]): Uint8Array<ArrayBuffer> {
  const bulks = words.map((word) => `$${new TextEncoder().encode(word).length}\r\n${word}\r\n`);
  return new TextEncoder().encode(`*${words.length}\r\n${bulks.join("")}`);
}

/** Writes everything. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Waits a while. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
