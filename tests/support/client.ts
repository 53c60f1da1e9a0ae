import { ascii, latin1, text } from "../../src/base/ascii.ts";
import {
  PushReply,
  type Reply,
  ReplyError,
  ReplyParser,
  VerbatimReply,
} from "../../src/resp/reply_parser.ts";
import { encodeRequest } from "./redis.ts";
import { comes } from "./until.ts";

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

/** Words and bytes of each that an error shows. */
const SHOWN_WORDS_MAX = 8;
const SHOWN_BYTES_MAX = 64;

/** The beginning of a command. */
function brief(words: readonly Word[]): string {
  const shown = words.slice(0, SHOWN_WORDS_MAX).map((word) => {
    const bytes = typeof word === "string" ? word : latin1(word, 0, Math.min(word.length, 100));
    const isCut = bytes.length > SHOWN_BYTES_MAX;
    return JSON.stringify(isCut ? bytes.slice(0, SHOWN_BYTES_MAX) + "..." : bytes);
  });
  return shown.join(" ") + (words.length > SHOWN_WORDS_MAX ? " ..." : "");
}

/** A RESP client on a real socket. `close` it, or take it from `TestServer.connect`, which does. */
export class Client {
  readonly #conn: Deno.TcpConn;
  readonly #parser = new ReplyParser();
  readonly #chunk = new Uint8Array(65_536);
  /** What was sent last: the words of a command, or bytes. */
  #sent: readonly Word[] = [];
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
    return this.#write(encodeRequest(words), words);
  }

  /** Sends bytes as they are. */
  sendRaw(bytes: Uint8Array | string): Promise<void> {
    return this.#write(typeof bytes === "string" ? ascii(bytes) : bytes, [bytes]);
  }

  async #write(raw: Uint8Array, sent: readonly Word[]): Promise<void> {
    this.#sent = sent;
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
    await this.#write(all, commands.at(-1) ?? []);
    const replies: Plain[] = [];
    for (let i = 0; i < commands.length; i++) replies.push(plain(await this.read()));
    return replies;
  }

  /** The next reply; throws when the server closes the connection instead, or says nothing. */
  async read(): Promise<Reply> {
    while (true) {
      const reply = this.#parser.next();
      if (reply !== undefined) return reply;
      const n = await this.#more("a reply");
      if (n === null) throw new Error("the server closed the connection instead of a reply");
      this.#parser.push(this.#chunk.subarray(0, n));
    }
  }

  /** Reads into the chunk; null at the end of the stream. */
  #more(awaited: string): Promise<number | null> {
    const coming = this.#conn.read(this.#chunk);
    return comes(coming, () => `${awaited}; sent last: ${brief(this.#sent) || "nothing"}`);
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
        n = await this.#more("the connection's end");
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
