/**
 * A raw socket that plays a replica, a primary or nobody: what it sends is chosen by the test, what
 * it gets is read as lines and bytes.
 */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { PATIENCE_MS, SILENCE_MS } from "./until.ts";

/** One connection. Dispose of it, or `close` it. */
export class Peer implements Disposable {
  readonly conn: Deno.TcpConn;
  #buf: Uint8Array<ArrayBuffer> = new Uint8Array(65_536);
  #from = 0;
  #to = 0;
  #closed = false;

  constructor(conn: Deno.TcpConn) {
    this.conn = conn;
    conn.setNoDelay(true);
  }

  static async connect(port: number): Promise<Peer> {
    return new Peer(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? ascii(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.conn.write(bytes.subarray(at));
  }

  /** Reads more; false at the peer's FIN. Fails on a reset, or when nothing comes for long. */
  async #more(): Promise<boolean> {
    if (this.#from > 0) {
      this.#buf.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    if (this.#to === this.#buf.length) {
      const larger = new Uint8Array(this.#buf.length * 2);
      larger.set(this.#buf);
      this.#buf = larger;
    }
    const timer = setTimeout(() => this.close(), PATIENCE_MS);
    try {
      const n = await this.conn.read(this.#buf.subarray(this.#to));
      if (n === null) return false;
      this.#to += n;
      return true;
    } catch (error) {
      const got = latin1(this.#buf, this.#from, Math.min(this.#to, this.#from + 200));
      throw new Error(`a read failed behind ${JSON.stringify(got)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** The next line without its end; null when the connection ends before it. */
  async line(): Promise<string | null> {
    for (let seen = this.#from;;) {
      const newline = this.#buf.indexOf(10, seen);
      if (newline >= 0 && newline < this.#to) {
        const line = latin1(this.#buf, this.#from, newline - 1);
        this.#from = newline + 1;
        return line;
      }
      const scanned = this.#to - this.#from;
      if (!await this.#more()) return null;
      seen = this.#from + scanned;
    }
  }

  /** The next line that is no heartbeat, nor the wish for an acknowledgement that comes with one. */
  async word(): Promise<string | null> {
    while (true) {
      const line = await this.line();
      if (line === null || !line.startsWith("+PING ") && line !== "+GETACK") return line;
    }
  }

  /** Exactly `length` bytes, a copy. */
  async bytes(length: number): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#to - this.#from < length) {
      if (!await this.#more()) throw new Error(`the peer ended before ${length} bytes`);
    }
    this.#from += length;
    return this.#buf.slice(this.#from - length, this.#from);
  }

  /** Everything up to the peer's FIN, as text. */
  async rest(): Promise<string> {
    while (await this.#more());
    const text = latin1(this.#buf, this.#from, this.#to);
    this.#from = this.#to;
    return text;
  }

  /** The next array of bulks, or frame: `offset` is null for an array that stands alone. */
  async array(): Promise<{ offset: string | null; args: string[] } | null> {
    let line = await this.word();
    if (line === null) return null;
    let offset: string | null = null;
    if (line === "*2") {
      const second = await this.line();
      if (second === null || !second.startsWith(":")) throw new Error(`found ${second}`);
      offset = second.slice(1);
      line = await this.line();
    }
    if (line === null || line[0] !== "*") throw new Error(`expected an array, found ${line}`);
    const args: string[] = [];
    for (let left = Number(line.slice(1)); left > 0; left--) {
      const header = await this.line();
      const length = Number(header?.slice(1));
      const bytes = await this.bytes(length + 2);
      args.push(latin1(bytes, 0, length));
    }
    return { offset, args };
  }

  /** The chunks of a snapshot up to its end mark; the `+SNAPSHOT` line was read. */
  async image(): Promise<{ bytes: Uint8Array<ArrayBuffer>; cut: number }> {
    const chunks: Uint8Array[] = [];
    while (true) {
      const line = await this.word();
      const end = line?.match(/^\+SNAPSHOT_END (\d+)$/);
      if (end) {
        const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
        let at = 0;
        for (const chunk of chunks) {
          bytes.set(chunk, at);
          at += chunk.length;
        }
        return { bytes, cut: Number(end[1]) };
      }
      if (line === null || line[0] !== "$") throw new Error(`expected a chunk, found ${line}`);
      const length = Number(line.slice(1));
      chunks.push((await this.bytes(length + 2)).subarray(0, length));
    }
  }

  /** Ends our side; the other may go on. */
  finish(): Promise<void> {
    return this.conn.closeWrite();
  }

  /** Closes the socket. With bytes unread the kernel sends a reset. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

type Timer = ReturnType<typeof setTimeout>;

/** Accepts connections for as long as a test wants them, and closes what it accepted. */
export class Acceptor implements Disposable {
  readonly port: number;
  readonly peers: Peer[] = [];
  readonly #listener: Deno.TcpListener;
  readonly #waiting: { readonly taken: (peer: Peer) => void; readonly timer: Timer }[] = [];
  #taken = 0;
  #closed = false;

  constructor(port = 0) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    while (true) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch {
        return;
      }
      // The kernel may have handed one out just before the listener was closed.
      if (this.#closed) return conn.close();
      const peer = new Peer(conn);
      this.peers.push(peer);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) continue;
      this.#taken++;
      clearTimeout(waiting.timer);
      waiting.taken(peer);
    }
  }

  /** The next connection that nobody took; fails when nobody comes for long, and never once disposed of. */
  next(): Promise<Peer> {
    if (this.#taken < this.peers.length) return Promise.resolve(this.peers[this.#taken++]);
    return new Promise((taken, failed) => {
      const timer = setTimeout(() => {
        failed(new Error(`waited ${SILENCE_MS} ms in vain for a connection to port ${this.port}`));
      }, SILENCE_MS);
      this.#waiting.push({ taken, timer });
    });
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const { timer } of this.#waiting) clearTimeout(timer);
    for (const peer of this.peers) peer.close();
  }
}
