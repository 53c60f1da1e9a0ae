/**
 * One client's socket: reads into a buffer, hands requests to the executor, writes the replies of a
 * turn in one piece. A thin loop; what a request means is decided elsewhere.
 *
 * A turn runs what has come until nothing whole is left, or until one of its limits: bytes of
 * replies, time. Then the replies go out, others get their turn (`Gate`), and it goes on. While
 * replies wait for a slow client nothing more is read from it, so what it costs is bounded.
 *
 * The event loop wakes all connections that can be read in one round. They have their turns first, then
 * their replies go out, one write behind the other: a client that is woken by its reply finds the next
 * one there when it has dealt with it, where it would fall asleep and be woken again for each. With 50
 * clients this spares a tenth of a request's processor time and more (measured), and takes no longer:
 * once a round has worked as long as the gate allows, replies leave at once.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { latin1 } from "../base/ascii.ts";
import { REPLY_ON, Session, type Suspension } from "../commands/session.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import {
  NEED_MORE,
  PROTOCOL_ERROR,
  type RequestLimits,
  RequestParser,
} from "../resp/request_parser.ts";
import { DONE, type Executor, HELD } from "./executor.ts";

/** First size of the request buffer: most clients never need more. */
const FIRST_BUFFER_BYTES = 4_096;
/** Size up to which the buffer doubles when a read fills it; larger ones are counted when kept. */
const READ_BUFFER_BYTES_MAX = 65_536;
/** Buffers above this are given up when the client has caught up. */
const KEPT_BUFFER_BYTES = 1_048_576;
/** Replies after which a turn ends, so that they are on their way before the rest is run. */
const TURN_REPLY_BYTES = 262_144;
/** Requests of a turn between two looks at the clock, unless one of them took long. */
const TURN_CLOCK_REQUESTS = 32;
/** Bytes of requests between two looks at the clock: one of a thousand keys is not cheap. */
const TURN_CLOCK_BYTES = 8_192;
/** Bytes copied in one piece while a large buffer grows; others run in between. */
const COPY_SLICE_BYTES = 1_048_576;
/** Request buffer of a client that has not authenticated (Redis's). */
const GUEST_BUFFER_BYTES_MAX = 1_048_576;
/** Sweeps without a request after which a client is idle: two seconds, as in Redis. */
const IDLE_SWEEPS = 2;

/** Awaited, it lets those have their turn whom the round of the event loop has woken as well. */
const TURNS_OF_ROUND: Promise<void> = Promise.resolve();

const CLIENT_LEFT = "client closed the connection";

/** How much a client that listens to channels may leave unread; 0 for no limit. */
export interface ListenerLimits {
  /** Bytes at which it is closed at once. */
  readonly hardBytes: number;
  /** Bytes that it may have waiting only for a while. */
  readonly softBytes: number;
  /** Milliseconds of that while. */
  readonly softMs: number;
}

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
  /** Soft limit of it, 0 for none. */
  readonly outputSoftBytes: number;
  /** Milliseconds that a client may stay above the soft limit. */
  readonly outputSoftMs: number;
  /** The same limits of `client-output-buffer-limit pubsub`, for clients that listen to channels. */
  readonly listenerLimits: ListenerLimits;
  /** Bytes of large request buffers that clients may still keep between requests. */
  largeBytesLeft: number;
  /** Bytes that a reply writer may hold: enough to find that one of the limits is passed. */
  readonly replyBytesMax: number;
  /** Limits of a request from an authenticated client. */
  readonly requestLimits: Readonly<RequestLimits>;
  /** Unix ms of a monotonic time. */
  unixMs(monotonicMs: number): number;
  /** After each turn: what was appended goes to the replicas. */
  endTurn(): void;
  /** Counts the frames of writes that the node has made. */
  readonly sequence: { readonly writes: number };
  /** What it counted when the turn that runs, or was the last to run, began. */
  readonly turnWrites: number;
  /**
   * Awaited before replies leave that were begun when the node had made so many frames of writes, where
   * something has to reach the disk first; null: nothing has.
   */
  beforeReplies(writes: number): Promise<void> | null;
  /** Called, in the order in which they came, when requests that were held may be tried again. */
  readonly held: Set<() => void>;
  /** How often those requests were to be tried again so far. */
  readonly retries: number;
  /** Calls `sendPushes` of the connection when the code that runs now is done. */
  sendSoon(connection: ClientConnection): void;
  /** A request of the connection threw, which none may: it will be closed. */
  failed(connection: ClientConnection, error: unknown): void;
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
  /** Whether the request that the parser describes waits to be tried again. */
  #held = false;
  /** `retries` of the host when it was held: with more of them there is nothing to wait for. */
  #heldAtRetry = 0;
  #closed = false;
  /** Whether it is closed, and the server has been told. */
  #hasLeft = false;
  /** Why it is closed; "" while there is nothing to say but that the client left. */
  #reason = "";
  /** Bytes of replies handed to the socket that it has not taken yet. */
  #unsentBytes = 0;
  /** Where in the reply buffer a write that is under way ends; 0 while there is none. */
  #writeStop = 0;
  /**
   * Frames of writes that the node had made when the reply buffer was last known to be empty; -1 while
   * it is, and no turn has begun.
   */
  #repliesFrom = -1;
  /** The write of pushes that is under way, or null. There is never another beside it. */
  #pushing: Promise<void> | null = null;
  /** Whether the socket is lent to what the session waits for. */
  #isLent = false;
  /** Whether the host has been asked for `sendPushes`. */
  #isSendDue = false;
  /** When a sweep found more unsent bytes than the soft limit, or 0. */
  #overSoftSinceMs = 0;
  /** What had been written at the last sweep, to tell a slow reader from one that has stopped. */
  #sweptWroteBytes = 0;
  /** Whether the limits that the parser keeps to are a guest's. */
  #isGuest = false;
  /** A read that was begun while the client was suspended. Its target must not move meanwhile. */
  #earlyRead: Promise<number | null> | null = null;
  /** Bytes of the large buffer that it may keep between requests, taken off the host's. */
  #keptBytes = 0;
  #idleSweeps = 0;

  /** A connection that has just been accepted; `serve` runs it. */
  constructor(
    conn: Deno.Conn,
    host: ConnectionHost,
    options: { id: number; peer: string; local: string; nowMs: number; authenticated: boolean },
  ) {
    this.#conn = conn;
    this.#host = host;
    this.#parser = new RequestParser();
    this.session = new Session({ ...options, reply: new ReplyWriter() });
    this.session.disconnect = (reason) => this.close(reason);
    this.session.pushed = () => this.#pushed();
    this.session.listeningChanged = () => this.applyLimits();
    this.applyLimits();
  }

  /**
   * Keeps to the limits in force, for who is authenticated or not, and listens to channels or not. Called
   * when any of that has changed: a client that waits may be replied to before it sends another request.
   */
  applyLimits(): void {
    const { session } = this;
    const { requestLimits, replyBytesMax, outputBytesMax, listenerLimits } = this.#host;
    const isGuest = this.#isGuest = !session.authenticated;
    this.#parser.limits = isGuest ? { ...requestLimits, unauthenticated: true } : requestLimits;
    const { reply } = session;
    reply.limitBytes = replyBytesMax;
    // A listener is closed at its limit, others above it.
    reply.closingBytes = session.subscriptions === null
      ? outputBytesMax || Infinity
      : (listenerLimits.hardBytes || Infinity) - 1;
  }

  /** Serves until the client leaves or is closed; never throws. */
  async serve(): Promise<void> {
    let reason = CLIENT_LEFT;
    try {
      await this.#loop();
      if (this.session.closing) reason = this.#reason || ownReason(this.session);
    } catch (error) {
      reason = this.#reason || reasonOf(error);
      if (this.session.isRunning) this.#host.failed(this, error);
    }
    this.close(reason);
    this.#leave();
  }

  /** Closes the socket, and nobody finds the client any more, not even the command that runs now. */
  kill(reason: string): void {
    this.close(reason);
    this.#leave();
  }

  /** As `kill`, with `line` as the last reply where none is under way and the socket takes it at once. */
  dismiss(line: Uint8Array, reason: string): void {
    if (!this.isBusy && !this.#isLent) void this.#conn.write(line).catch(() => 0);
    this.kill(reason);
  }

  /** The client waits, watches and listens no more, and is none of the server's. */
  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    const { session } = this;
    session.suspension?.abandoned?.();
    session.suspension = null;
    session.endTransaction();
    session.subscriptions?.leave();
    session.tracker?.leave();
    session.monitor?.leave();
    this.#host.closed(this, this.#reason);
  }

  /** Closes the socket at once. Replies not yet written are lost. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reason = reason;
    this.session.closing = true;
    this.#keep(0);
    try {
      this.#conn.close();
    } catch {
      // The other end was faster.
    }
    this.session.wake?.();
  }

  /** Whether replies are being written: not a moment to stop the server. */
  get isBusy(): boolean {
    return this.#unsentBytes > 0;
  }

  /** Whether its request waits to be tried again: clients are paused, or memory is being freed. */
  get isHeld(): boolean {
    return this.#held;
  }

  /** Bytes of the request and reply buffers. */
  get bufferBytes(): number {
    return this.#buf.length + this.session.reply.buf.length;
  }

  /**
   * Once a second: gives up what an idle client holds of large buffers, keeps to the soft limit of
   * unsent replies, and counts a client that takes its replies slowly as active.
   */
  sweep(nowMs: number): void {
    const { session } = this;
    if (this.#unsentBytes > 0) {
      this.#idleSweeps = 0;
      if (session.wroteBytes !== this.#sweptWroteBytes) session.lastActiveMs = nowMs;
      this.#sweptWroteBytes = session.wroteBytes;
      this.#keepToSoftLimit(nowMs);
      return;
    }
    this.#overSoftSinceMs = 0;
    if (nowMs - session.lastActiveMs < 1000) this.#idleSweeps = 0;
    else if (++this.#idleSweeps === IDLE_SWEEPS) {
      const { reply } = session;
      if (reply.at === 0 && reply.buf.length > READ_BUFFER_BYTES_MAX) reply.shrink();
    }
  }

  #keepToSoftLimit(nowMs: number): void {
    const isListener = this.session.subscriptions !== null;
    const { outputSoftBytes, outputSoftMs, listenerLimits } = this.#host;
    const limit = isListener ? listenerLimits.softBytes : outputSoftBytes;
    const softMs = isListener ? listenerLimits.softMs : outputSoftMs;
    if (limit === 0 || this.#waitingBytes <= limit) this.#overSoftSinceMs = 0;
    else if (this.#overSoftSinceMs === 0) this.#overSoftSinceMs = nowMs;
    else if (nowMs - this.#overSoftSinceMs >= softMs) {
      this.close("unsent replies stay above the soft limit of client-output-buffer-limit");
    }
  }

  async #loop(): Promise<void> {
    const session = this.session;
    const host = this.#host;
    const conn = this.#conn;
    while (true) {
      if (this.#wasFilled && this.#earlyRead === null) await this.#makeRoom();
      if (this.#closed) return;
      const n = await (this.#earlyRead ??
        conn.read(this.#used === 0 ? this.#buf : this.#buf.subarray(this.#used)));
      this.#earlyRead = null;
      if (n === null) return;
      this.#took(n);
      let more = true;
      while (more) {
        const began = host.gate.begin();
        session.isRunning = true;
        more = this.#turn(began);
        session.isRunning = false;
        host.endTurn();
        // Only now: effects are read from the requests' own bytes until the turn has ended.
        if (this.#earlyRead === null && !this.#held) this.#compact();
        session.bufferBytes = this.#buf.length;
        const others = host.gate.pass();
        const reply = session.reply;
        while (this.#pushing !== null) await this.#pushing;
        if (reply.overflowed) return this.#overflowed();
        const stop = reply.at;
        if (stop > 0) {
          if (this.#isOverOutputLimit()) return;
          this.#unsentBytes = this.#writeStop = stop;
          const stored = host.beforeReplies(this.#repliesFrom);
          if (stored !== null) await stored;
          else if (others === null) await TURNS_OF_ROUND;
          for (let sent = 0; sent < stop && !reply.overflowed;) {
            const n = await conn.write(reply.buf.subarray(sent, stop));
            sent += n;
            session.wroteBytes += n;
            this.#unsentBytes = stop - sent;
          }
          this.#writeStop = 0;
          if (reply.overflowed) return this.#overflowed();
          if (reply.at === stop) {
            reply.at = 0;
            this.#repliesFrom = -1;
            if (reply.buf.length > KEPT_BUFFER_BYTES) reply.shrink();
          } else {
            // A wait that ended meanwhile has replied behind what was sent, or pushes have come.
            reply.buf.copyWithin(0, stop, reply.at);
            reply.at -= stop;
            this.sendPushes();
          }
        }
        if (session.closing) return;
        if (others !== null) await others;
        if (this.#held || session.suspension !== null) {
          if (!await this.#wait()) return;
          more = true;
        }
      }
    }
  }

  /** Closes the connection when what it has to send is more than a client may have. */
  #isOverOutputLimit(): boolean {
    if (this.session.subscriptions !== null) return this.#isOverListenerLimit();
    const limit = this.#host.outputBytesMax;
    if (limit === 0 || this.#waitingBytes <= limit) return false;
    this.close(`replies are more than client-output-buffer-limit (${limit} bytes)`);
    return true;
  }

  /** As above for a client that listens to channels; 'at' the limit is too much, as in Redis. */
  #isOverListenerLimit(): boolean {
    const limit = this.#host.listenerLimits.hardBytes;
    if (limit === 0 || this.#waitingBytes < limit) return false;
    this.close(`unread messages reach client-output-buffer-limit pubsub (${limit} bytes)`);
    return true;
  }

  /** Bytes in the reply buffer that the socket has not taken. */
  get #waitingBytes(): number {
    return this.session.reply.at - this.#writeStop + (this.#writeStop > 0 ? this.#unsentBytes : 0);
  }

  /** Bytes were added to the reply buffer that no request asked for. */
  #pushed(): void {
    if (this.session.reply.overflowed) return this.#overflowed();
    if (this.#repliesFrom < 0) this.#repliesFrom = this.#host.turnWrites;
    if (this.#isOverOutputLimit() || this.#isSendDue) return;
    this.#isSendDue = true;
    this.#host.sendSoon(this);
  }

  /**
   * Sends what is in the reply buffer although no request is being answered. If replies are being
   * written, whoever does that comes back here.
   */
  sendPushes(): void {
    this.#isSendDue = false;
    if (this.#closed || this.#isLent) return;
    if (this.#writeStop > 0 || this.session.reply.at === 0) return;
    const sending = this.#sendAll();
    if (this.#writeStop > 0) this.#pushing = sending;
  }

  /** Writes the reply buffer until it is empty, what is added meanwhile included; never throws. */
  async #sendAll(): Promise<void> {
    const { session } = this;
    const { reply } = session;
    try {
      while (reply.at > 0) {
        const stop = this.#unsentBytes = this.#writeStop = reply.at;
        const stored = this.#host.beforeReplies(this.#repliesFrom);
        if (stored !== null) await stored;
        for (let sent = 0; sent < stop && !reply.overflowed;) {
          const n = await this.#conn.write(reply.buf.subarray(sent, stop));
          sent += n;
          session.wroteBytes += n;
          this.#unsentBytes = stop - sent;
        }
        if (reply.overflowed) {
          this.#overflowed();
          break;
        }
        reply.buf.copyWithin(0, stop, reply.at);
        reply.at -= stop;
      }
      this.#repliesFrom = -1;
      if (reply.buf.length > KEPT_BUFFER_BYTES) reply.shrink();
    } catch (error) {
      this.close(reasonOf(error));
    }
    this.#writeStop = 0;
    this.#pushing = null;
  }

  /** Closes the connection since its replies were dropped. */
  #overflowed(): void {
    const limit = this.session.reply.limitBytes;
    this.close(`replies are more than client-output-buffer-limit lets one have (${limit} bytes)`);
  }

  /** Takes note of bytes that were read. */
  #took(n: number): void {
    this.#used += n;
    this.session.readBytes += n;
    this.#wasFilled = this.#used === this.#buf.length;
  }

  /** Sees to it that there is room to read into. No read may be under way. */
  async #makeRoom(): Promise<void> {
    const bytes = this.#buf.length;
    if (bytes < READ_BUFFER_BYTES_MAX) this.#enlarge(bytes * 2);
    else if (this.#used === bytes) await this.#grow();
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
    if (session.authenticated === this.#isGuest) this.applyLimits();
    if (session.closing) return false; // a wait was ended with a last reply
    if (reply.at === 0) this.#repliesFrom = this.#host.sequence.writes;
    executor.beginTurn(session.lastActiveMs = this.#host.unixMs(beganMs), beganMs);
    let untilClock = TURN_CLOCK_REQUESTS;
    let clockAt = parser.begin + TURN_CLOCK_BYTES;
    let more = false;
    let ahead = 0;
    while (true) {
      if (!this.#held) {
        const outcome = parser.parse(buf, used);
        if (outcome === NEED_MORE) break;
        if (outcome === PROTOCOL_ERROR) {
          if (session.replyMode === REPLY_ON) reply.error(parser.errorLine());
          session.closing = true;
          this.#reason = `${parser.error}; last bytes ${quote(buf, parser.begin, used)}`;
          break;
        }
        if (parser.argc === 0) continue;
        if (parser.at < used && --ahead < 0) {
          ahead = executor.lookAhead(session, buf, this.#view, parser, used);
        }
      }
      const outcome = executor.execute(session, buf, parser, this.#view);
      this.#held = outcome === HELD;
      if (outcome !== DONE) {
        if (this.#held) {
          this.#heldAtRetry = this.#host.retries;
          break;
        }
        untilClock = 1; // it took long
      }
      if (session.closing) break;
      if (session.suspension !== null) {
        // The wait may be over before the replies are out; what it replied must go out as well.
        more = true;
        break;
      }
      if (session.authenticated === this.#isGuest) this.applyLimits();
      if (reply.at >= TURN_REPLY_BYTES || --untilClock <= 0 || parser.at >= clockAt) {
        untilClock = TURN_CLOCK_REQUESTS;
        clockAt = parser.at + TURN_CLOCK_BYTES;
        if (reply.at >= TURN_REPLY_BYTES || this.#host.gate.isDue) {
          more = true;
          break;
        }
      }
    }
    session.pendingBytes = used - parser.at;
    return more;
  }

  /** Drops what has been executed; keeps the half request, moved to the front. */
  #compact(): void {
    const parser = this.#parser;
    const from = parser.begin;
    if (parser.at === this.#used && parser.pendingBulkBytes < 0 && from === parser.at) {
      this.#used = 0;
      parser.rebase(from);
      if (this.#buf.length > READ_BUFFER_BYTES_MAX) this.#keepOrShrink();
      return;
    }
    if (from === 0) return;
    // Only what is worth it: a large half request is moved once, when room is needed.
    if (this.#used - from > KEPT_BUFFER_BYTES && this.#used < this.#buf.length) return;
    this.#buf.copyWithin(0, from, this.#used);
    this.#used -= from;
    parser.rebase(from);
  }

  /**
   * Keeps the large buffer for the next request, if all clients together do not keep too much, or
   * goes back to a small one. Not when the client is idle: the read that waits for it has the buffer.
   */
  #keepOrShrink(): void {
    const bytes = this.#buf.length;
    if (bytes === this.#keptBytes || this.#closed) return;
    this.#keep(0);
    if (bytes <= KEPT_BUFFER_BYTES && bytes <= this.#host.largeBytesLeft) this.#keep(bytes);
    else this.#use(new Uint8Array(READ_BUFFER_BYTES_MAX));
  }

  #keep(bytes: number): void {
    this.#host.largeBytesLeft += this.#keptBytes - bytes;
    this.#keptBytes = bytes;
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
      this.close(`unparsed input is more than client-query-buffer-limit (${limit} bytes)`);
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

  /**
   * Waits while the session is suspended or its request is held, and reads on meanwhile, to notice
   * when the client leaves. False if the connection is over.
   */
  async #wait(): Promise<boolean> {
    const session = this.session;
    const host = this.#host;
    const { suspension } = session;
    if (suspension === null && !this.#held) return true;
    if (suspension === null && this.#heldAtRetry !== host.retries) return true;
    let wake!: () => void;
    const woken = new Promise<void>((resolve) => wake = resolve);
    session.wake = wake;
    if (suspension === null) host.held.add(wake);
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (suspension !== null && suspension.deadlineMs !== Infinity) {
      const waitMs = Math.max(0, suspension.deadlineMs - host.unixMs(performance.now()));
      timer = setTimeout(() => session.resume((reply) => suspension.expired(reply)), waitMs);
    }
    try {
      const lent = suspension?.lent ?? null;
      if (lent !== null) {
        this.#isLent = true;
        while (this.#pushing !== null) await this.#pushing;
        lent((bytes) => this.#write(bytes));
      }
      while (true) {
        if (this.#earlyRead === null) {
          if (this.#used === this.#buf.length) await this.#makeRoom();
          if (this.#closed) return false;
          this.#earlyRead = this.#conn.read(this.#buf.subarray(this.#used));
        }
        const n = await Promise.race([this.#earlyRead, woken]);
        if (n === undefined) return !this.#closed;
        this.#earlyRead = null;
        if (n === null) {
          if (!isDoneAtOnce(suspension)) return false;
          await woken;
          return !this.#closed;
        }
        this.#took(n);
        session.pendingBytes += n;
      }
    } finally {
      this.#isLent = false;
      clearTimeout(timer);
      session.wake = null;
      host.held.delete(wake);
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      const n = await this.#conn.write(sent === 0 ? bytes : bytes.subarray(sent));
      sent += n;
      this.session.wroteBytes += n;
    }
  }
}

/**
 * Whether a client that has ended its side waits for what Redis does at once, such as SAVE: it still gets the
 * reply, and what it has sent behind that is run.
 */
function isDoneAtOnce(suspension: Suspension | null): boolean {
  return suspension !== null && !suspension.unblockable && (suspension.lent ?? null) === null;
}

/** Why a client that asked for it is disconnected. */
function ownReason(session: Session): string {
  return session.lastCommand === "quit" ? "QUIT" : `asked for by itself (${session.lastCommand})`;
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
