/**
 * Takes a full synchronization and throws it away: what a primary's side of a ship costs, without a
 * replica's work on the same processors.
 *
 * @module
 */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { encode, writeAll } from "./client.ts";
import type { Program } from "./programs.ts";

/** One ship as its receiver saw it. */
export interface FullSync {
  /** Bytes of the image. */
  readonly bytes: number;
  /** From the request to the image's end. */
  readonly seconds: number;
  /** From the request to the image's first byte. */
  readonly firstByteSeconds: number;
}

/** Bytes for reading; large, so that the receiver is no brake. */
const READ_BYTES = 1_048_576;
/** Time between two signs of life of the receiver. */
const ACK_PERIOD_MS = 1_000;

/** Asks for a full synchronization of a program's only shard. */
export function takeFullSync(program: Program): Promise<FullSync> {
  return program.maker === "shoal" ? takeFromShoal(program) : takeFromRedis(program);
}

/** Reads one line, or skips bytes, of a connection. */
class Input {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #at = 0;
  #to = 0;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  async more(): Promise<Uint8Array> {
    if (this.#at === this.#to) {
      const n = await this.#conn.read(this.#buffer);
      if (n === null) throw new Error("full synchronization: the primary closed the link");
      this.#at = 0;
      this.#to = n;
    }
    return this.#buffer.subarray(this.#at, this.#to);
  }

  take(bytes: number): void {
    this.#at += bytes;
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) {
      const piece = Math.min(left, (await this.more()).length);
      this.take(piece);
      left -= piece;
    }
  }

  /** A line without its end. */
  async line(): Promise<string> {
    for (let line = "";;) {
      const bytes = await this.more();
      const end = bytes.indexOf(10);
      line += latin1(bytes, 0, end < 0 ? bytes.length : end);
      this.take(end < 0 ? bytes.length : end + 1);
      if (end >= 0) return line.replace(/\r$/, "");
    }
  }
}

/** The second version of the handshake, with nothing to resume from. */
async function takeFromShoal({ replicationPortBase }: Program): Promise<FullSync> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port: replicationPortBase });
  const input = new Input(conn);
  const began = performance.now();
  const id = crypto.randomUUID().replaceAll("-", "").padEnd(40, "0");
  await writeAll(conn, encode(["REPLICATE", "FROM", "0", "ID", id, "HISTORY", "?"]));
  // A replica that says nothing for repl-timeout is taken for dead; 0 confirms no frame.
  const alive = setInterval(() => {
    writeAll(conn, encode(["REPLCONF", "ACK", "0"])).catch(() => {}); // the read loop will hear of it
  }, ACK_PERIOD_MS);
  try {
    let bytes = 0, first = NaN;
    while (true) {
      const line = await input.line();
      if (line.startsWith("$")) {
        if (bytes === 0) first = performance.now();
        const length = Number(line.slice(1));
        await input.skip(length + 2);
        bytes += length;
      } else if (line.startsWith("+SNAPSHOT_END")) {
        return result(bytes, began, first);
      } else if (line.startsWith("-")) throw new Error(`full synchronization: ${line}`);
    }
  } finally {
    clearInterval(alive);
  }
}

/** PSYNC with an image that ends in a mark announced at its beginning (Redis's diskless form). */
async function takeFromRedis({ port }: Program): Promise<FullSync> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const input = new Input(conn);
  await writeAll(conn, encode(["REPLCONF", "capa", "eof", "capa", "psync2"]));
  await input.line();
  const began = performance.now();
  await writeAll(conn, encode(["PSYNC", "?", "-1"]));
  let line = "";
  while (!line.startsWith("$EOF:")) {
    line = await input.line();
    if (line.startsWith("-")) throw new Error(`full synchronization: ${line}`);
  }
  const mark = ascii(line.slice(5));
  const first = performance.now();
  // The mark ends the stream for now: a primary sends nothing more until it was acknowledged.
  const tail = new Uint8Array(mark.length);
  for (let bytes = 0;;) {
    const piece = await input.more();
    const kept = Math.min(piece.length, tail.length);
    tail.copyWithin(0, kept);
    tail.set(piece.subarray(piece.length - kept), tail.length - kept);
    bytes += piece.length;
    input.take(piece.length);
    if (tail.every((byte, i) => byte === mark[i])) {
      return result(bytes - mark.length, began, first);
    }
  }
}

function result(bytes: number, began: number, first: number): FullSync {
  const now = performance.now();
  return { bytes, seconds: (now - began) / 1000, firstByteSeconds: (first - began) / 1000 };
}
