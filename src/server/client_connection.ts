/**
 * One client's socket: reads into a buffer, hands requests to the executor, writes the replies of a
 * turn in one piece. A thin loop; what a request means is decided elsewhere.
 *
 * A turn runs what has come until nothing whole is left, or until one of its limits: bytes of
 * replies, time. Then the replies go out, others get their turn (`Gate`), and it goes on. While
 * replies wait for a slow client nothing more is read from it, so what it costs is bounded.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { latin1 } from "../base/ascii.ts";
import { Session } from "../commands/session.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import {
  DEFAULT_REQUEST_LIMITS,
  GUEST_REQUEST_LIMITS,
  NEED_MORE,
  PROTOCOL_ERROR,
  type RequestLimits,
  RequestParser,
} from "../resp/request_parser.ts";
import { type Executor, HELD } from "./executor.ts";

/** First size of the request buffer: most clients never need more. */
const FIRST_BUFFER_BYTES = 4_096;
/** Size up to which the buffer doubles when a read fills it. */
const READ_BUFFER_BYTES_MAX = 65_536;
/** Buffers above this are given up when the client has caught up. */
const KEPT_BUFFER_BYTES = 1_048_576;
/** Replies after which a turn ends, so that they are on their way before the rest is run. */
const TURN_REPLY_BYTES = 262_144;
/** Requests of a turn between two looks at the clock. */
const TURN_CLOCK_REQUESTS = 32;
/** Bytes copied in one piece while a large buffer grows; others run in between. */
const COPY_SLICE_BYTES = 1_048_576;
/** Request buffer of a client that has not authenticated (Redis's). */
const GUEST_BUFFER_BYTES_MAX = 1_048_576;

/** What a connection needs of its server. */
export interface ConnectionHost {
  /** Runs requests. */
  readonly executor: Executor;
  /** Lets others run. */
  readonly gate: Gate;
  /** `client-query-buffer-limit`. */
  readonly queryBufferBytesMax: number;
  /** Hard limit of `client-output-buffer-limit normal`, 0 for none. */
  readonly outputBytesMax: number;
  /** Limits of a request from an authenticated client. */
  readonly requestLimits: Readonly<RequestLimits>;
  /** Unix ms of a monotonic time. */
  unixMs(monotonicMs: number): number;
  /** After each turn: what was appended goes to the replicas. */
  endTurn(): void;
  /** Awaited before replies leave, where something has to reach the disk first; null: nothing has. */
  beforeReplies(): Promise<void> | null;
  /** Resolves when requests that were held may be tried again. */
  released(): Promise<void>;
  /** The connection is over; `reason` is for the log. */
  closed(connection: ClientConnection, reason: string): void;
}

/** See the module's text. */
export class ClientConnection {
  /** The client's state. */
  readonly session: Session;
  readonly #conn: Deno.Conn;
  readonly #host: ConnectionHost;
  readonly #parser: RequestParser;
  #buf = new Uint8Array(FIRST_BUFFER_BYTES);
  /** A view of `#buf`, for copies. */
  #view = new DataView(this.#buf.buffer);
  #used = 0;
  /** Whether the last read took all the room there was. */
  #wasFilled = false;
  /** Whether the request that the parser describes waits for clients to be unpaused. */
  #held = false;
  #closed = false;
  #writing = false;
  #reason = "client closed the connection";
  /** A read that was begun while the client was suspended. Its target must not move meanwhile. */
  #earlyRead: Promise<number | null> | null = null;
  #idleTrims = 0;

  /** A connection that has just been accepted; `serve` runs it. */
  constructor(
    conn: Deno.Conn,
    host: ConnectionHost,
    options: { id: number; peer: string; local: string; nowMs: number; authenticated: boolean },
  ) {
    this.#conn = conn;
    this.#host = host;
    this.#parser = new RequestParser(
      options.authenticated ? DEFAULT_REQUEST_LIMITS : GUEST_REQUEST_LIMITS,
    );
    this.session = new Session({ ...options, reply: new ReplyWriter() });
    this.session.disconnect = (reason) => this.close(reason);
    this.#applyLimits();
  }

  #applyLimits(): void {
    const limits = this.#host.requestLimits;
    this.#parser.limits = this.session.authenticated
      ? limits
      : { ...limits, unauthenticated: true };
  }

  /** Serves until the client leaves or is closed; never throws. */
  async serve(): Promise<void> {
    try {
      await this.#loop();
    } catch (error) {
      if (!this.#closed) this.#reason = reasonOf(error);
    } finally {
      this.close(this.#reason);
      this.session.suspension?.abandoned?.();
      this.session.suspension = null;
      this.session.endTransaction();
      this.#host.closed(this, this.#reason);
    }
  }

  /** Closes the socket at once. Replies not yet written are lost. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = reason;
    this.session.closing = true;
    try {
      this.#conn.close();
    } catch {
      // The other end was faster.
    }
    this.session.wake?.();
  }

  /** Whether replies are being written or a request is half run: not a moment to stop the server. */
  get isBusy(): boolean {
    return this.#writing;
  }

  /** Bytes of the request and reply buffers. */
  get bufferBytes(): number {
    return this.#buf.length + this.session.reply.buf.length;
  }

  /** Gives up what an idle client holds of large buffers. Called now and then. */
  trim(): void {
    if (this.#used !== 0 || this.#writing || this.#earlyRead !== null) {
      this.#idleTrims = 0;
      return;
    }
    if (++this.#idleTrims < 2) return;
    const reply = this.session.reply;
    if (reply.at === 0 && reply.buf.length > READ_BUFFER_BYTES_MAX) {
      reply.shrink();
    }
  }

  async #loop(): Promise<void> {
    const session = this.session;
    const host = this.#host;
    const conn = this.#conn;
    while (true) {
      if (!this.#held) {
        if (this.#earlyRead !== null || this.#wasFilled) await this.#prepareRead();
        if (this.#closed) return;
        const n = await (this.#earlyRead ??
          conn.read(this.#used === 0 ? this.#buf : this.#buf.subarray(this.#used)));
        this.#earlyRead = null;
        if (n === null) return;
        this.#used += n;
        session.readBytes += n;
        this.#wasFilled = this.#used === this.#buf.length;
      }
      let more = true;
      while (more) {
        const began = host.gate.begin();
        more = this.#turn(began);
        host.endTurn();
        const others = host.gate.pass();
        const reply = session.reply;
        const stop = reply.at;
        if (stop > 0) {
          const stored = host.beforeReplies();
          if (stored !== null) await stored;
          this.#writing = true;
          let written = await conn.write(reply.buf.subarray(0, stop));
          while (written < stop) written += await conn.write(reply.buf.subarray(written, stop));
          this.#writing = false;
          session.wroteBytes += stop;
          if (reply.at === stop) {
            reply.at = 0;
            if (reply.buf.length > KEPT_BUFFER_BYTES) reply.shrink();
          } else {
            // A wait that ended meanwhile has replied behind what was sent.
            reply.buf.copyWithin(0, stop, reply.at);
            reply.at -= stop;
          }
        }
        if (session.closing) return;
        if (others !== null) await others;
        if (session.suspension !== null) {
          await this.#wait();
          if (session.closing) return;
          more = true;
        }
        if (this.#held) await host.released();
      }
    }
  }

  /** Sees to it that there is room to read into. */
  async #prepareRead(): Promise<void> {
    if (this.#earlyRead !== null) return;
    const bytes = this.#buf.length;
    if (this.#used === bytes) await this.#grow();
    else if (bytes < READ_BUFFER_BYTES_MAX) this.#enlarge(bytes * 2);
  }

  #use(buf: Uint8Array<ArrayBuffer>): void {
    this.#buf = buf;
    this.#view = new DataView(buf.buffer);
  }

  /** A larger buffer for a client that fills the one it has. */
  #enlarge(bytes: number): void {
    const fresh = new Uint8Array(bytes);
    fresh.set(this.#buf.subarray(0, this.#used));
    this.#use(fresh);
  }

  /** Runs what is in the buffer. True if there is more to run after the replies are written. */
  #turn(beganMs: number): boolean {
    const { executor } = this.#host;
    const session = this.session;
    const parser = this.#parser;
    const buf = this.#buf;
    const used = this.#used;
    const reply = session.reply;
    executor.beginTurn(session.lastActiveMs = this.#host.unixMs(beganMs));
    let untilClock = TURN_CLOCK_REQUESTS;
    let more = false;
    while (true) {
      if (!this.#held) {
        const outcome = parser.parse(buf, used);
        if (outcome === NEED_MORE) break;
        if (outcome === PROTOCOL_ERROR) {
          reply.error(parser.errorLine());
          session.closing = true;
          this.#reason = `${parser.error}; last bytes ${quote(buf, parser.begin, used)}`;
          break;
        }
        if (parser.argc === 0) continue;
      }
      this.#held = executor.execute(session, buf, parser, this.#view) === HELD;
      if (this.#held) break;
      if (session.closing) break;
      if (session.suspension !== null) {
        // The wait may be over before the replies are out; what it replied must go out as well.
        more = true;
        break;
      }
      if (reply.at >= TURN_REPLY_BYTES || --untilClock === 0) {
        untilClock = TURN_CLOCK_REQUESTS;
        const limit = this.#host.outputBytesMax;
        if (limit > 0 && reply.at > limit) {
          this.close("reply is larger than client-output-buffer-limit");
          break;
        }
        if (reply.at >= TURN_REPLY_BYTES || this.#host.gate.isDue) {
          more = true;
          break;
        }
      }
    }
    if (this.#earlyRead === null && !this.#held) this.#compact();
    session.pendingBytes = this.#used - parser.at;
    session.bufferBytes = this.#buf.length;
    if (session.authenticated === (parser.limits.unauthenticated === true)) this.#applyLimits();
    return more;
  }

  /** Drops what has been executed; keeps the half request, moved to the front. */
  #compact(): void {
    const parser = this.#parser;
    const from = parser.begin;
    if (parser.at === this.#used && parser.pendingBulkBytes < 0 && from === parser.at) {
      this.#used = 0;
      parser.rebase(from);
      if (this.#buf.length > KEPT_BUFFER_BYTES) this.#use(new Uint8Array(FIRST_BUFFER_BYTES));
      return;
    }
    if (from === 0) return;
    // Only what is worth it: a large half request is moved once, when room is needed.
    if (this.#used - from > KEPT_BUFFER_BYTES && this.#used < this.#buf.length) return;
    this.#buf.copyWithin(0, from, this.#used);
    this.#used -= from;
    parser.rebase(from);
  }

  /** Makes room for more, a slice at a time; the size follows what has come, not what was declared. */
  async #grow(): Promise<void> {
    const parser = this.#parser;
    const old = this.#buf;
    const from = parser.begin;
    const held = this.#used - from;
    const limit = this.session.authenticated
      ? this.#host.queryBufferBytesMax
      : Math.min(GUEST_BUFFER_BYTES_MAX, this.#host.queryBufferBytesMax);
    if (held + this.session.transactionBytes >= limit) {
      this.close(`request is larger than client-query-buffer-limit (${limit} bytes)`);
      return;
    }
    const fresh = new Uint8Array(Math.min(limit, Math.max(held * 2, FIRST_BUFFER_BYTES)));
    for (let at = from; at < this.#used; at += COPY_SLICE_BYTES) {
      const stop = Math.min(at + COPY_SLICE_BYTES, this.#used);
      this.#host.gate.begin();
      fresh.set(old.subarray(at, stop), at - from);
      const others = this.#host.gate.pass();
      if (others !== null) await others;
    }
    parser.rebase(from);
    this.#used = held;
    this.#use(fresh);
  }

  /** Waits while the session is suspended, and notices when the client leaves meanwhile. */
  async #wait(): Promise<void> {
    const session = this.session;
    const suspension = session.suspension!;
    const woken = new Promise<void>((resolve) => session.wake = resolve);
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (suspension.deadlineMs !== Infinity) {
      const waitMs = Math.max(0, suspension.deadlineMs - this.#host.unixMs(performance.now()));
      timer = setTimeout(() => session.resume((reply) => suspension.expired(reply)), waitMs);
    }
    try {
      while (session.suspension !== null && !session.closing) {
        if (this.#used === this.#buf.length) {
          await woken;
          continue;
        }
        this.#earlyRead ??= this.#conn.read(this.#buf.subarray(this.#used));
        const n = await Promise.race([this.#earlyRead, woken]);
        if (n === undefined) continue;
        this.#earlyRead = null;
        if (n === null) {
          session.closing = true;
          return;
        }
        this.#used += n;
        session.readBytes += n;
      }
    } finally {
      clearTimeout(timer);
      session.wake = null;
    }
  }
}

/** Some bytes of a bad request for the log. */
function quote(buf: Uint8Array, start: number, stop: number): string {
  return JSON.stringify(latin1(buf, start, Math.min(stop, start + 64)));
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionReset) return "client reset the connection";
  if (error instanceof Deno.errors.BrokenPipe) return "client is gone";
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
