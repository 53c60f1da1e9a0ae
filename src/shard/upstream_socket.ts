/**
 * A connection to an upstream that ends without a reset: our FIN first, then what still comes is read
 * and thrown away until the peer has ended its side too. Closing a socket with bytes unread resets it,
 * and a reset kills the shard of a kevy primary.
 *
 * @module
 */

import { timerMs } from "../base/timer.ts";

/** How long a peer may take to end its side after we have ended ours, in ms. */
export const END_GRACE_MS = 1_000;

/** Size of the buffer into which bytes are read that nobody wants. */
const DRAIN_BYTES = 65_536;

/** See the module's text. One reader at a time, one writer at a time. */
export class UpstreamSocket {
  /** The connection. */
  readonly conn: Deno.TcpConn;
  /** Size of the buffer that its reader has. */
  bufferBytes = 0;
  /** Bytes in that which are part of something that has not come whole. */
  unreadBytes = 0;
  #isWriting = false;
  #isEnding = false;
  #isClosed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A connection that was just made. */
  constructor(conn: Deno.TcpConn) {
    this.conn = conn;
    try {
      conn.setNoDelay(true);
    } catch {
      // Gone already: the first read will tell.
    }
  }

  /** Whether a write is under way. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Writes all of `bytes`; rejects when the connection is over. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#isWriting = true;
    try {
      for (let written = 0; written < bytes.length;) {
        written += await this.conn.write(bytes.subarray(written));
      }
    } finally {
      this.#isWriting = false;
    }
  }

  /** Ends our side. Somebody must go on reading (`drain`), or the grace runs out. */
  end(): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#isEnding = true;
    this.#timer = setTimeout(() => this.close(), END_GRACE_MS);
    this.conn.closeWrite().catch(() => this.close());
  }

  /** Ends our side, reads to the end of the other and closes; never throws. */
  async drain(): Promise<void> {
    this.end();
    const buf = new Uint8Array(DRAIN_BYTES);
    try {
      while (await this.conn.read(buf) !== null);
    } catch {
      // Over in another way.
    }
    this.close();
  }

  /** Closes at once: the peer is dead, or has ended its side. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    try {
      this.conn.close();
    } catch {
      // The other end was faster.
    }
  }
}

/** Connects, or throws: `TimedOut`, or what ended the wait. A connection that comes too late is closed. */
export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>();
  let late = false;
  const end = (reason: unknown) => {
    late = true;
    giveUp(reason);
  };
  const timer = setTimeout(
    () => end(new Deno.errors.TimedOut(`no connection within ${timeoutMs} ms`)),
    timerMs(timeoutMs),
  );
  const aborted = () => end(signal.reason);
  signal.addEventListener("abort", aborted);
  const connecting = Deno.connect({ hostname, port });
  void connecting.then((conn) => {
    if (late) conn.close();
  }, () => {});
  try {
    return await Promise.race([connecting, given]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", aborted);
  }
}
