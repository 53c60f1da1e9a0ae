import { ascii, text } from "../../src/base/ascii.ts";
import {
  PushReply,
  type Reply,
  ReplyError,
  ReplyParser,
  VerbatimReply,
} from "../../src/resp/reply_parser.ts";
import { encodeRequest } from "./redis.ts";

/** An argument: text is sent as UTF-8. */
export type Word = string | Uint8Array;

/**
 * A reply as a test likes to compare it: bulks, statuses and verbatim texts are strings, an error is
 * a string that begins with `-`, maps are objects, sets and pushes are arrays.
 */
export type Plain = null | boolean | number | bigint | string | Plain[] | { [key: string]: Plain };

/** A reply made plain; bytes that are no UTF-8 are replaced, so compare those as `Reply`. */
export function plain(reply: Reply): Plain {
  if (reply instanceof Uint8Array) return text(reply);
  if (reply instanceof ReplyError) return `-${reply.message}`;
  if (reply instanceof VerbatimReply) return reply.text;
  if (reply instanceof PushReply) return reply.items.map(plain);
  if (reply instanceof Set) return [...reply].map(plain);
  if (Array.isArray(reply)) return reply.map(plain);
  if (reply instanceof Map) {
    return Object.fromEntries(Array.from(reply, ([k, v]) => [String(plain(k)), plain(v)]));
  }
  return reply;
}

/** A RESP client on a real socket. `close` it, or take it from `TestServer.connect`, which does. */
export class Client {
  readonly #conn: Deno.TcpConn;
  readonly #parser = new ReplyParser();
  readonly #chunk = new Uint8Array(65_536);
  #closed = false;

  private constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
  }

  static async connect(port: number, hostname = "127.0.0.1"): Promise<Client> {
    return new Client(await Deno.connect({ hostname, port }));
  }

  /** `ip:port` of our end, as CLIENT LIST shows it. */
  get address(): string {
    const { hostname, port } = this.#conn.localAddr as Deno.NetAddr;
    return `${hostname}:${port}`;
  }

  /** Runs one command; the reply made plain. */
  async ask(...words: Word[]): Promise<Plain> {
    return plain(await this.run(...words));
  }

  /** Runs one command given in one line, words parted by spaces. */
  line(line: string): Promise<Plain> {
    return this.ask(...line.split(" "));
  }

  /** Runs one command; the reply as it came. */
  async run(...words: Word[]): Promise<Reply> {
    await this.send(...words);
    return await this.read();
  }

  /** Sends a command without waiting for its reply. */
  send(...words: Word[]): Promise<void> {
    return this.sendRaw(encodeRequest(words));
  }

  /** Sends bytes as they are. */
  async sendRaw(bytes: Uint8Array | string): Promise<void> {
    const raw = typeof bytes === "string" ? ascii(bytes) : bytes;
    for (let at = 0; at < raw.length;) at += await this.#conn.write(raw.subarray(at));
  }

  /** Sends commands in one write; their replies made plain. */
  async pipeline(...commands: readonly Word[][]): Promise<Plain[]> {
    const parts = commands.map((words) => encodeRequest(words));
    const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    await this.sendRaw(all);
    const replies: Plain[] = [];
    for (let i = 0; i < commands.length; i++) replies.push(plain(await this.read()));
    return replies;
  }

  /** The next reply; throws when the server closes the connection instead. */
  async read(): Promise<Reply> {
    while (true) {
      const reply = this.#parser.next();
      if (reply !== undefined) return reply;
      const n = await this.#conn.read(this.#chunk);
      if (n === null) throw new Error("the server closed the connection instead of a reply");
      this.#parser.push(this.#chunk.subarray(0, n));
    }
  }

  /** The replies that come before the server closes the connection, made plain. */
  async readToEnd(): Promise<Plain[]> {
    const replies: Plain[] = [];
    while (true) {
      const reply = this.#parser.next();
      if (reply !== undefined) {
        replies.push(plain(reply));
        continue;
      }
      let n: number | null;
      try {
        n = await this.#conn.read(this.#chunk);
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
        n = null;
      }
      if (n === null) return replies;
      this.#parser.push(this.#chunk.subarray(0, n));
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
