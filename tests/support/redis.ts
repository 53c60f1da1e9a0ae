import { ascii, latin1 } from "../../src/base/ascii.ts";
import { comes } from "./until.ts";

type Word = string | Uint8Array;

/** A redis-server of our own on a loopback port, for comparing replies. */
export class RedisServer {
  readonly port: number;
  readonly version: string;
  readonly #process: Deno.ChildProcess;
  readonly #log: Promise<void>;
  /** Where its files are without a `--dir`, its own and nobody else's. */
  readonly #dir: string;

  private constructor(
    port: number,
    version: string,
    process: Deno.ChildProcess,
    log: Promise<void>,
    dir: string,
  ) {
    this.port = port;
    this.version = version;
    this.#process = process;
    this.#log = log;
    this.#dir = dir;
  }

  /** Version of the redis-server on PATH, or null. */
  static async installed(): Promise<string | null> {
    try {
      const { stdout } = await new Deno.Command("redis-server", { args: ["--version"] }).output();
      return /v=([\d.]+)/.exec(latin1(stdout))?.[1] ?? null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    }
  }

  /**
   * Starts one that keeps nothing (unless `args`, appended to its arguments, say otherwise), or
   * answers null where there is none to start.
   */
  static async start(args: readonly string[] = []): Promise<RedisServer | null> {
    const version = await RedisServer.installed();
    if (version === null) return null;
    for (let attempt = 0; attempt < 5; attempt++) {
      const server = await RedisServer.#startOn(freePort(), version, args);
      if (server !== null) return server;
    }
    throw new Error("redis-server did not start on any of five free ports");
  }

  static async #startOn(
    port: number,
    version: string,
    args: readonly string[],
  ): Promise<RedisServer | null> {
    const dir = await Deno.makeTempDir();
    const process = new Deno.Command("redis-server", {
      args: `--port ${port} --bind 127.0.0.1 --appendonly no --enable-debug-command yes`
        .split(" ").concat("--save", "", ...args),
      cwd: dir,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let log = "";
    while (!log.includes("Ready to accept connections")) {
      const { value, done } = await lines.read();
      if (done) {
        await process.status;
        await Deno.remove(dir, { recursive: true });
        return null; // another process was quicker to take the port
      }
      log += value;
    }
    const drained = (async () => {
      while (!(await lines.read()).done);
    })();
    return new RedisServer(port, version, process, drained, dir);
  }

  /** A connection to it. */
  async connect(): Promise<RawConnection> {
    return new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port: this.port }));
  }

  async stop(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
    await this.#log;
    await Deno.remove(this.#dir, { recursive: true });
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Sends commands and gives back the replies' own bytes. */
export class RawConnection {
  readonly #conn: Deno.Conn;
  #held = new Uint8Array(0);

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Runs one command; the reply as latin-1. */
  async run(...words: Word[]): Promise<string> {
    await writeAll(this.#conn, encodeRequest(words));
    const chunk = new Uint8Array(65_536);
    while (true) {
      const stop = replyStop(this.#held, 0);
      if (stop > 0) {
        const reply = latin1(this.#held, 0, stop);
        this.#held = this.#held.slice(stop);
        return reply;
      }
      const n = await comes(this.#conn.read(chunk), () => `a reply to ${words[0]}`);
      if (n === null) throw new Error(`connection closed instead of a reply to ${words[0]}`);
      const joined = new Uint8Array(this.#held.length + n);
      joined.set(this.#held);
      joined.set(chunk.subarray(0, n), this.#held.length);
      this.#held = joined;
    }
  }

  close(): void {
    this.#conn.close();
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** A request as a multibulk. */
export function encodeRequest(words: readonly Word[]): Uint8Array {
  const parts: Uint8Array[] = [ascii(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === "string" ? ascii(word) : word;
    parts.push(ascii(`$${bytes.length}\r\n`), bytes, ascii("\r\n"));
  }
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Where the reply that begins at `at` ends, or -1 while it is not complete. RESP2 and RESP3. */
function replyStop(buf: Uint8Array, at: number): number {
  const line = buf.indexOf(10, at);
  if (line < 0) return -1;
  const type = String.fromCharCode(buf[at]);
  const n = Number(latin1(buf, at + 1, line - 1));
  let stop = line + 1;
  if ("$=!".includes(type)) {
    if (n >= 0) stop += n + 2;
    return stop <= buf.length ? stop : -1;
  }
  const parts = "*~>".includes(type) ? n : "%|".includes(type) ? n * 2 + (type === "|" ? 1 : 0) : 0;
  for (let i = 0; i < parts && stop > 0; i++) stop = replyStop(buf, stop);
  return stop;
}
