import { ascii, latin1 } from "../../src/base/ascii.ts";
import { encodeRequest } from "./redis.ts";

/** Longest silence that a read waits through, in ms: a test that waits in vain says so. */
const SILENCE_MS = 20_000;

/** A socket whose bytes a test sees as they are, as latin-1. */
export class RawSocket {
  readonly #conn: Deno.TcpConn;
  readonly #chunk = new Uint8Array(65_536);
  #held = "";
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<RawSocket> {
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay(true);
    return new RawSocket(conn);
  }

  /** `ip:port` of our end, as CLIENT LIST shows it. */
  get address(): string {
    const { hostname, port } = this.#conn.localAddr as Deno.NetAddr;
    return `${hostname}:${port}`;
  }

  async write(bytes: Uint8Array | string): Promise<void> {
    const raw = typeof bytes === "string" ? ascii(bytes) : bytes;
    for (let at = 0; at < raw.length;) at += await this.#conn.write(raw.subarray(at));
  }

  /** Says that nothing more will be sent. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** The next `bytes` bytes; fewer when the other end closes before. */
  async read(bytes: number): Promise<string> {
    while (this.#held.length < bytes && await this.#more());
    const out = this.#held.slice(0, bytes);
    this.#held = this.#held.slice(bytes);
    return out;
  }

  /** What comes up to and with `mark`, or up to the end. */
  async readThrough(mark: string): Promise<string> {
    while (!this.#held.includes(mark) && await this.#more());
    const at = this.#held.indexOf(mark);
    return await this.read(at < 0 ? this.#held.length : at + mark.length);
  }

  /** All that comes until the other end closes, or resets. */
  async readToEnd(): Promise<string> {
    while (await this.#more());
    return await this.read(this.#held.length);
  }

  /** Reads and drops `bytes` bytes; how many there were. */
  async skip(bytes: number): Promise<number> {
    let skipped = Math.min(bytes, this.#held.length);
    this.#held = this.#held.slice(skipped);
    while (skipped < bytes) {
      const room = Math.min(this.#chunk.length, bytes - skipped);
      const n = await this.#readInto(this.#chunk.subarray(0, room));
      if (n === 0) break;
      skipped += n;
    }
    return skipped;
  }

  async #more(): Promise<boolean> {
    const n = await this.#readInto(this.#chunk);
    this.#held += latin1(this.#chunk, 0, n);
    return n > 0;
  }

  /** Bytes read, 0 at the end of the stream or when it was reset. */
  async #readInto(into: Uint8Array): Promise<number> {
    let silent!: (error: Error) => void;
    const silence = new Promise<never>((_, reject) => silent = reject);
    const timer = setTimeout(() => {
      silent(new Error(`nothing came for ${SILENCE_MS} ms; held: ${brief(this.#held)}`));
    }, SILENCE_MS);
    try {
      return await Promise.race([this.#conn.read(into), silence]) ?? 0;
    } catch (error) {
      if (error instanceof Deno.errors.ConnectionReset) return 0;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes our end; more than once does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function brief(text: string): string {
  return JSON.stringify(text.length > 200 ? text.slice(0, 200) + "..." : text);
}

/** Requests one behind the other, as a client that pipelines sends them. */
export function batch(...requests: readonly (readonly (string | Uint8Array)[])[]): Uint8Array {
  const parts = requests.map((words) => encodeRequest(words));
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
