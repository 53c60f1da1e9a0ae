/**
 * What the commands know of a client: the state that CLIENT, HELLO, SELECT and AUTH read and write.
 * The connection that carries it lives in the server.
 *
 * @module
 */

import { ReplyWriter } from "../resp/reply_writer.ts";
import type { Watcher } from "../keyspace/watches.ts";
import type { Call } from "./call.ts";
import type { Command } from "./registry.ts";
import type { Transaction } from "./transaction.ts";

/** `CLIENT REPLY`: replies are sent. */
export const REPLY_ON = 0;
/** `CLIENT REPLY OFF`. */
export const REPLY_OFF = 1;
/** `CLIENT REPLY SKIP` was just run: the next command's reply is dropped. */
export const REPLY_SKIP_NEXT = 2;
/** The state behind it: the reply of the command now run is dropped. */
export const REPLY_SKIPPING = 3;

/**
 * Bit beside the others, set while a command runs: pushes to the client wait until its reply is
 * written. Here so that the executor's one look at the mode tells it.
 */
export const PUSHES_WAIT = 8;

/** Pushes up to this many bytes are gathered in a buffer that is kept. */
const PUSH_BUFFER_BYTES_KEPT = 65_536;

/** What a client listens to, as far as others than pub/sub itself need to know. */
export interface SessionSubscriptions {
  /** Bytes that the subscriptions take. */
  readonly bytes: number;
  /** Number of subscriptions of a kind: 0 channels, 1 patterns, 2 shard channels. */
  count(kind: number): number;
  /** Ends all of them. */
  leave(): void;
}

/** What is tracked for a client that caches keys (CLIENT TRACKING), as others need to know it. */
export interface SessionTracker {
  /** Letters for CLIENT LIST. */
  readonly letters: string;
  /** Id of the client that is told instead of it, 0 for none. */
  readonly redirect: number;
  /** Bytes of the prefixes that it listens to. */
  readonly bytes: number;
  /** A command of the client has run; `call` still holds it. */
  ran(call: Call, command: Command): void;
  /** A request of the client was refused; null if it named no command. */
  refused(command: Command | null): void;
  /** Ends the tracking. */
  leave(): void;
}

/** That a client is shown what the server runs (MONITOR). */
export interface SessionMonitor {
  /** Ends it. */
  leave(): void;
}

/** Writes bytes to a client's socket and resolves when they are taken; rejects when it is closed. */
export type SocketWriter = (bytes: Uint8Array) => Promise<void>;

/** Why a session does not run its next request yet. */
export interface Suspension {
  /** Unix ms at which `expired` is called instead of waiting on; Infinity for never. */
  readonly deadlineMs: number;
  /** Writes the reply of a wait that took too long. */
  expired(reply: ReplyWriter): void;
  /** Writes an error instead: somebody else ended the wait. */
  failed(reply: ReplyWriter, line: Uint8Array): void;
  /** The client left, or was killed, while waiting. */
  abandoned?(): void;
  /**
   * Set where the wait needs the socket: called once, when all replies before have been written; until
   * the wait ends nothing but what `write` is given is sent to the client. One write at a time.
   */
  readonly lent?: ((write: SocketWriter) => void) | null;
  /** Whether `CLIENT UNBLOCK` may end it, as though it had taken too long. */
  readonly unblockable: boolean;
}

/** One client. Times are Unix ms. */
export class Session {
  /** `CLIENT ID`: positive, ascending, never used twice. */
  readonly id: number;
  /** `ip:port` of the peer. */
  readonly peer: string;
  /** `ip:port` that it connected to. */
  readonly local: string;
  /** Time of connecting. */
  readonly createdMs: number;
  /** Replies to this client. */
  readonly reply: ReplyWriter;
  /** Time of its last request. */
  lastActiveMs: number;
  /** Database chosen with SELECT. */
  db = 0;
  /** Whether it may run commands (no password is set, or it gave the right one). */
  authenticated: boolean;
  /** Name given with CLIENT SETNAME or HELLO, "" for none. */
  name = "";
  /** `CLIENT SETINFO LIB-NAME`. */
  libName = "";
  /** `CLIENT SETINFO LIB-VER`. */
  libVersion = "";
  /** Lower-case name of the last command (`client|list` for a subcommand); "NULL" before the first. */
  lastCommand = "NULL";
  /** Commands run. */
  commands = 0;
  /** Bytes read from it. */
  readBytes = 0;
  /** Bytes written to it. */
  wroteBytes = 0;
  /** Bytes in its request buffer that are not yet executed. */
  pendingBytes = 0;
  /** Size of its request buffer. */
  bufferBytes = 0;
  /** `CLIENT REPLY`'s state, and `PUSHES_WAIT`. */
  replyMode: number = REPLY_ON;
  /** `CLIENT NO-EVICT`. */
  noEvict = false;
  /** `CLIENT NO-TOUCH`. */
  noTouch = false;
  /** `READONLY` was run: reads are served by a replica. */
  readOnly = false;
  /** Set by QUIT, CLIENT KILL and limits: the connection closes once its replies are sent. */
  closing = false;
  /** What it waits for, or null. */
  suspension: Suspension | null = null;
  /** Wakes the connection; set by it while it waits. */
  wake: (() => void) | null = null;
  /** Whether this is a node that asked for the layout (`REPLCONF`), for CLIENT LIST TYPE. */
  isReplica = false;
  /** The port that a peer announced with `REPLCONF LISTENING-PORT`. */
  announcedPort = 0;
  /** Whether it wants an image and no frames behind it (`REPLCONF RDB-ONLY 1`). */
  rdbOnly = false;
  /** Whether it takes an image whose length is not told before (`REPLCONF CAPA EOF`). */
  takesEndMark = false;
  /** What it has said since MULTI; null outside a transaction. */
  transaction: Transaction | null = null;
  /** What it watches (WATCH); null while it never did. */
  watcher: Watcher | null = null;
  /** Node sequence behind this client's last command that wrote or made frames, what `WAIT` waits for. */
  lastWriteSequence = 0;
  /** Closes the socket at once (limits); set by the connection. */
  disconnect: (reason: string) => void = () => {};
  /** What it listens to; null while that is nothing. */
  subscriptions: SessionSubscriptions | null = null;
  /** What is tracked for it; null while that is nothing. */
  tracker: SessionTracker | null = null;
  /** Set while it is shown what the server runs. */
  monitor: SessionMonitor | null = null;
  /** Whether its requests are being run, that is, whether the code that runs now is one of them. */
  isRunning = false;
  /**
   * Bytes that no request of its own asked for were written to `reply`: they must be sent, and may be
   * too many. Set by the connection.
   */
  pushed: () => void = () => {};
  /** It begins or ceases to listen to anything: other limits hold for it. Set by the connection. */
  listeningChanged: () => void = () => {};
  #waiting: ReplyWriter | null = null;

  /** A client that has just connected. */
  constructor(
    options: {
      id: number;
      peer: string;
      local: string;
      nowMs: number;
      authenticated: boolean;
      reply: ReplyWriter;
    },
  ) {
    this.id = options.id;
    this.peer = options.peer;
    this.local = options.local;
    this.createdMs = options.nowMs;
    this.lastActiveMs = options.nowMs;
    this.authenticated = options.authenticated;
    this.reply = options.reply;
  }

  /** `CLIENT REPLY`'s state alone. */
  get replyState(): number {
    return this.replyMode & ~PUSHES_WAIT;
  }

  /** Pushes that wait for a reply wait on. */
  set replyState(state: number) {
    this.replyMode = state | (this.replyMode & PUSHES_WAIT);
  }

  /** Whether what it is replied now is dropped (`CLIENT REPLY`). */
  get isSilent(): boolean {
    const state = this.replyState;
    return state !== REPLY_ON && state !== REPLY_SKIP_NEXT;
  }

  /** Makes the connection wait before it runs the next request. The running command sent no reply. */
  suspend(suspension: Suspension): void {
    this.suspension = suspension;
  }

  /** Ends the wait: `write` sends the reply, then the connection goes on. No-op if it is not waiting. */
  resume(write: (reply: ReplyWriter) => void): void {
    if (this.suspension === null) return;
    this.suspension = null;
    write(this.reply);
    this.wake?.();
  }

  /**
   * Where to write a push (a message, an invalidation) to this client; then call `endPush`. A push
   * that the client's own command causes follows that command's reply.
   */
  beginPush(): ReplyWriter {
    if (!this.isRunning) return this.reply;
    this.replyMode |= PUSHES_WAIT;
    const waiting = this.#waiting ??= new ReplyWriter();
    waiting.resp3 = this.reply.resp3;
    waiting.limitBytes = this.reply.limitBytes;
    return waiting;
  }

  /** A push has been written. */
  endPush(): void {
    if (!this.isRunning) this.pushed();
  }

  /** Writes the pushes that waited for a reply; the executor calls it behind that reply. */
  takePushes(): void {
    this.replyMode &= ~PUSHES_WAIT;
    const waiting = this.#waiting;
    if (waiting === null) return;
    if (waiting.overflowed) {
      // Some of them are lost, so the connection must end.
      this.#waiting = null;
      return this.reply.overflow();
    }
    this.reply.raw(waiting.buf, 0, waiting.at);
    waiting.at = 0;
    if (waiting.buf.length > PUSH_BUFFER_BYTES_KEPT) this.#waiting = null;
  }

  /** Ends the transaction and every watch: after EXEC, DISCARD, RESET, and when the client leaves. */
  endTransaction(): void {
    this.transaction = null;
    this.watcher?.clear();
  }

  /** Bytes of what it has queued and watches, counted against `client-query-buffer-limit`. */
  get transactionBytes(): number {
    return (this.transaction?.queue.bytes ?? 0) + (this.watcher?.bytes ?? 0);
  }

  /** `RESET`: the state of a new connection. */
  reset(authenticated: boolean): void {
    this.db = 0;
    this.authenticated = authenticated;
    this.name = "";
    // What was to be skipped is: this command's own reply (as in Redis).
    if (this.replyState !== REPLY_SKIPPING) this.replyState = REPLY_ON;
    this.noEvict = false;
    this.noTouch = false;
    this.readOnly = false;
    this.rdbOnly = false;
    this.takesEndMark = false;
    this.endTransaction();
    this.reply.resp3 = false;
    this.subscriptions?.leave();
    this.tracker?.leave();
    this.monitor?.leave();
  }
}
