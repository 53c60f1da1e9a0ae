/**
 * From a parsed request to a reply: finds the command, makes the checks that stand before every
 * command in Redis's order, routes it to its shard, runs it, counts it.
 *
 * @module
 */

import { ascii, latin1 } from "../base/ascii.ts";
import { Call, type ShardsPort } from "../commands/call.ts";
import type { Command, CommandTable } from "../commands/registry.ts";
import type { RequestQueue } from "../commands/request_queue.ts";
import type { Transaction } from "../commands/transaction.ts";
import {
  PUSHES_WAIT,
  REPLY_OFF,
  REPLY_ON,
  REPLY_SKIP_NEXT,
  REPLY_SKIPPING,
  type Session,
} from "../commands/session.ts";
import type { RequestParser } from "../resp/request_parser.ts";
import {
  ERR_CROSSSLOT,
  ERR_EXECABORT,
  ERR_LOADING,
  ERR_MASTERDOWN,
  ERR_MISCONF,
  ERR_NOAUTH,
  ERR_NOREPLICAS,
  ERR_OOM,
  ERR_READONLY,
  isOfHttp,
  notWhileListening,
  unknownCommand,
  unknownSubcommand,
  wrongArity,
} from "../resp/errors.ts";
import type { NodeSequence } from "../shard/commit.ts";
import { MemoryLimit, NO_ROOM, ROOM, ROOM_LATER } from "./memory_limit.ts";

/** Outcome of `execute`: the request is done, its reply written. */
export const DONE = 0;
/**
 * Outcome of `execute`: clients are paused, or memory is being freed; the same request must be given
 * again later.
 */
export const HELD = 1;

/** Outcome of `execute`: as `DONE`, and it took long enough to look at the clock. */
export const DONE_LATE = 2;

/** The request goes on as outside a transaction. */
const PASS = -1;

/** Guard: the data set is being loaded. */
export const GUARD_LOADING = 1;
/** Guard: this is a read-only replica. */
export const GUARD_READONLY = 2;
/** Guard: this is a replica without its primary that must not serve stale data. */
export const GUARD_STALE = 4;
/** Guard: the last snapshot failed and `stop-writes-on-bgsave-error` is on. */
export const GUARD_MISCONF = 8;
/** Guard: fewer good replicas than `min-replicas-to-write`. */
export const GUARD_NOREPLICAS = 16;
/** Guard: CLIENT PAUSE ALL. */
export const GUARD_PAUSE_ALL = 32;
/** Guard: CLIENT PAUSE WRITE. */
export const GUARD_PAUSE_WRITE = 64;
/** Guard: the append-only file cannot be written. */
export const GUARD_APPEND_ONLY = 128;
/** Guard: somebody watches what is run (MONITOR), and may not do all that others may. */
export const GUARD_WATCHED = 256;

/** Microseconds from which a command that is timed is told to have taken long. */
const LATE_MICROSECONDS = 20;
/** Requests of more bytes than this are timed each; smaller cheap ones by sample. */
const TIMED_REQUEST_BYTES = 16_384;
/** The same for the reply of a cheap command: its size tells afterwards that it was none. */
const TIMED_REPLY_BYTES = 16_384;
/** One in this many cheap requests is timed and stands for the others. */
const SAMPLE = 64;
/** Thresholds in microseconds below which every command is timed: sampling would miss some. */
const EXACT_BELOW_MICROSECONDS = 1_000;
/** Bytes that a write may need beyond its request: a page split, copies of frozen pages. */
const WRITE_SLACK_BYTES = 1_024;

/**
 * Bytes of replies that one EXEC may have. Its commands all run, whatever they reply, so past this the
 * replies are dropped and the connection is closed: a transaction of large reads must not take the
 * server's memory.
 */
export const EXEC_REPLY_BYTES_MAX: number = 1024 * 1024 * 1024;

const ERR_MONITOR_ON_KEYS = ascii("ERR Replica can't interact with the keyspace");
const ERR_EXEC_WITHOUT_MULTI = ascii("ERR EXEC without MULTI");
const ERR_NOT_IN_MULTI = ascii("ERR Command not allowed inside a transaction");
const ERR_WAITS_IN_MULTI = ascii("ERR Command takes longer than a transaction may");
const GENERIC_CODE = "ERR ";

/** What the guards ask of a command, or of the commands of a transaction together. */
type Guarded = Pick<
  Command,
  | "isWrite"
  | "needsDisk"
  | "isOnKeys"
  | "holdsOnWritePause"
  | "runsPaused"
  | "runsStale"
  | "runsLoading"
>;

/** Hears of slow commands and of errors. */
export interface ExecutionObserver {
  /** A command that took at least the threshold. The call is still filled. */
  slow(call: Call, microseconds: number): void;
  /** An error reply; `buf[at]` is its `-`. */
  errorReplied(buf: Uint8Array, at: number, stop: number): void;
}

/** Sees what is run (MONITOR). */
export interface CommandWatcher {
  /** A request has been run, or was an EXEC that was refused. The call is still filled. */
  ran(call: Call): void;
}

/** Clients that wait for keys, served behind each command. */
export interface WaitingClients {
  /** Whether keys that somebody waits for have changed. */
  readonly hasReady: boolean;
  /** Serves those who wait for them; the time is that of the turn. */
  serveReady(): void;
}

const NOBODY_WAITS: WaitingClients = { hasReady: false, serveReady() {} };

/** A request that was put by: its bytes and where its arguments lie in them. */
export type PutBy = Pick<RequestQueue, "buf" | "view" | "starts" | "stops" | "argc">;

/** See the module's text. */
export class Executor {
  /** The one call. */
  readonly call: Call;
  /** Whether commands may store more. */
  readonly memory: MemoryLimit;
  /** Guards in force; 0 lets everything pass. */
  guards = 0;
  /** Bytes that a client may have queued since MULTI and watch: `client-query-buffer-limit`. */
  queueBytesMax: number = 1024 * 1024 * 1024;
  /** See `EXEC_REPLY_BYTES_MAX`. */
  execReplyBytesMax: number = EXEC_REPLY_BYTES_MAX;
  /** Served behind each command. */
  waiting: WaitingClients = NOBODY_WAITS;
  /** What `GUARD_APPEND_ONLY` refuses writes with. */
  appendOnlyError: Uint8Array = new Uint8Array(0);
  /** Frames of writes that the node had made when the turn that runs, or was the last, began. */
  turnWrites = 0;
  /** Whether commands' times are kept as distributions: `latency-tracking`. */
  tracksLatency = true;
  /** Commands run. */
  commands = 0;
  /** Requests of clients that wait, run once more. */
  reruns = 0;
  /** Requests refused before they ran. */
  rejected = 0;
  readonly #table: CommandTable;
  readonly #node: ShardsPort;
  readonly #sequence: NodeSequence;
  readonly #observer: ExecutionObserver;
  readonly #single: boolean;
  #slowerThanMicroseconds = 10_000;
  #watcher: CommandWatcher | null = null;
  /** Whether cheap commands are timed by sample, and seen by nobody: the one look they cost. */
  #samplesCheap = true;
  #untilSample = SAMPLE;
  /** Monotonic ms at which the clock was looked at last; only small cheap commands have run since. */
  #clockMs = 0;
  /** Whether the EXEC being run has dropped of its replies what is not to be sent. */
  #hasDropped = false;

  /** Runs the commands of `table` on the shards of `node`. */
  constructor(
    table: CommandTable,
    node: ShardsPort,
    sequence: NodeSequence,
    observer: ExecutionObserver,
  ) {
    this.#table = table;
    this.#node = node;
    this.#sequence = sequence;
    this.#observer = observer;
    this.#single = node.shards.length === 1;
    this.call = new Call(node);
    this.memory = new MemoryLimit(node.shards.map((shard) => shard.keys));
  }

  /** Least duration in microseconds that is told to the observer; negative for none. */
  get slowerThanMicroseconds(): number {
    return this.#slowerThanMicroseconds;
  }
  set slowerThanMicroseconds(microseconds: number) {
    this.#slowerThanMicroseconds = microseconds;
    this.#chooseSampling();
  }

  /** Sees every request that is run; null for nobody. */
  get watcher(): CommandWatcher | null {
    return this.#watcher;
  }
  set watcher(watcher: CommandWatcher | null) {
    this.#watcher = watcher;
    this.guards = (this.guards & ~GUARD_WATCHED) | (watcher === null ? 0 : GUARD_WATCHED);
    this.#chooseSampling();
  }

  #chooseSampling(): void {
    const slower = this.#slowerThanMicroseconds;
    this.#samplesCheap = this.#watcher === null &&
      (slower >= EXACT_BELOW_MICROSECONDS || slower < 0);
  }

  /** The client whose command is being run, or null; null too while keys are evicted for it. */
  get running(): Session | null {
    if (this.memory.isFreeing) return null;
    const { session } = this.call; // none before the first command
    return session?.isRunning === true ? session : null;
  }

  /** All that follows happens at `nowMs` (Unix), and begins at `beganMs` (monotonic). */
  beginTurn(nowMs: number, beganMs: number = performance.now()): void {
    this.call.nowMs = nowMs;
    this.#clockMs = beganMs;
    this.turnWrites = this.#sequence.writes;
    const shards = this.#node.shards;
    for (let i = 0; i < shards.length; i++) shards[i].keys.nowMs = nowMs;
  }

  /**
   * Looks for the keys of the request that `parser` describes, and of those behind it in `buf[parser.at..to)`, of
   * which `view` is a view: see `LookAhead`. Returns how many of those need not be looked for again.
   */
  lookAhead(
    { db }: Session,
    buf: Uint8Array,
    view: DataView,
    parser: RequestParser,
    to: number,
  ): number {
    return this.call.ahead.look(db, buf, view, parser, parser.at, to);
  }

  /**
   * Runs the request that `parser` describes in `buf`, of which `view` is a view. `argc` is at least
   * 1.
   */
  execute(
    session: Session,
    buf: Uint8Array,
    parser: RequestParser,
    view: DataView | null = null,
  ): number {
    const { starts, stops, argc } = parser;
    const reply = session.reply;
    const replyStart = reply.at;
    const errors = reply.errors;
    let command = this.#table.find(buf, starts[0], stops[0]);
    if (command === null) {
      if (isOfHttp(buf, starts[0], stops[0])) {
        session.disconnect(
          "an HTTP request: a browser may have been made to send commands within it (POST, Host:)",
        );
        return DONE;
      }
      reply.error(unknownCommand(buf, starts, stops, argc));
      return this.#finish(session, null, replyStart);
    }
    if (command.subcommands !== null && argc > 1) {
      const sub = command.subcommands.find(buf, starts[1], stops[1]);
      if (sub === null) {
        const container = command.spec.name.toUpperCase();
        reply.error(unknownSubcommand(buf, starts[1], stops[1], container));
        return this.#finish(session, null, replyStart);
      }
      command = sub;
    }
    const call = this.call;
    call.setRequest(buf, view, starts, stops, argc, parser.isPlain);
    call.session = session;
    call.reply = reply;
    call.db = session.db;
    call.spec = command.spec;
    if (argc < command.argcMin || argc > command.argcMax) {
      reply.error(wrongArity(command.spec.name));
      return this.#finish(session, command, replyStart);
    }
    if (!session.authenticated && !command.needsNoAuth) {
      reply.error(ERR_NOAUTH);
      return this.#finish(session, command, replyStart);
    }
    const firstKey = command.firstKey;
    if (!this.#single) {
      if (firstKey > 0 && firstKey < argc) call.route(firstKey);
      else call.useShard(0);
      if (command.checksSlots && this.#crossesSlots(command)) {
        reply.error(ERR_CROSSSLOT);
        return this.#finish(session, command, replyStart);
      }
    }
    call.keys.noTouch = session.noTouch;
    if (session.transaction !== null) {
      const outcome = this.#inTransaction(session, session.transaction, command, replyStart);
      if (outcome !== PASS) return outcome;
    }
    if (this.guards !== 0) {
      const refusal = this.#refusal(session, command);
      if (refusal === HELD) return HELD;
      if (refusal !== DONE) {
        reply.error(refusal);
        return this.#finish(session, command, replyStart);
      }
    }
    const requestBytes = stops[argc - 1] - starts[0];
    const { memory } = this;
    const slices = memory.slices;
    if (command.deniesOom) {
      const room = memory.admit(call.keys, requestBytes + WRITE_SLACK_BYTES);
      if (room === ROOM_LATER) return HELD;
      if (room === NO_ROOM) {
        reply.error(ERR_OOM);
        return this.#finish(session, command, replyStart);
      }
      call.keys.arena.refusedBytes = 0;
    }
    if (session.subscriptions !== null && !reply.resp3 && !command.runsListening) {
      reply.error(notWhileListening(command.spec.name));
      return this.#finish(session, command, replyStart);
    }
    session.lastCommand = command.spec.name;
    let outcome = DONE;
    let hasRunTimed = false;
    const { writes } = call;
    const sequence = this.#sequence.value;
    if (
      command.isSampled && requestBytes < TIMED_REQUEST_BYTES && --this.#untilSample > 0 &&
      this.#samplesCheap
    ) {
      command.run(call);
      // What was dropped since it was too large is less than nothing, and counts as large.
      if ((reply.at - replyStart) >>> 0 >= TIMED_REPLY_BYTES) {
        outcome = this.#took(command, call, this.#clockMs, false);
      }
    } else {
      outcome = this.#runTimed(command, call);
      hasRunTimed = true;
    }
    if (
      reply.errors !== errors && command.makesRoom && call.keys.arena.refusedBytes !== 0 &&
      call.writes === writes && this.#runWithRoom(session, command, replyStart, errors) === HELD
    ) return HELD;
    session.commands++;
    this.commands++;
    command.calls++;
    if (hasRunTimed && this.#watcher !== null) this.#show(this.#watcher, command);
    if (memory.slices !== slices) outcome = DONE_LATE;
    if (session.tracker !== null) session.tracker.ran(call, command);
    // What is no write may make frames all the same: PUBLISH, a read that finds a key past its deadline.
    if (command.isWrite || this.#sequence.value !== sequence) {
      session.lastWriteSequence = this.#sequence.value;
    }
    if (reply.errors !== errors) {
      command.failed++;
      this.#observer.errorReplied(reply.buf, reply.lastErrorAt, reply.at);
    }
    // Who is served may cause pushes to the client, which follow its reply as well.
    if (this.waiting.hasReady) this.waiting.serveReady();
    if (session.replyMode !== REPLY_ON) this.#settleReply(session, replyStart);
    return outcome;
  }

  /**
   * Runs a command again that was refused for more room than every command is promised, and has changed
   * nothing, when there is that room; and again where another shard then refuses it. `HELD` when it is to be
   * tried again later.
   */
  #runWithRoom(session: Session, command: Command, replyStart: number, errors: number): number {
    const { call, memory } = this;
    const { reply } = session;
    const { writes } = call;
    for (let reruns = 0; reruns < this.#node.shards.length; reruns++) {
      const { arena } = call.keys;
      if (arena.refusedBytes === 0) break;
      const room = memory.admit(call.keys, arena.refusedBytes);
      if (room === NO_ROOM) break;
      arena.refusedBytes = 0;
      reply.at = replyStart;
      reply.errors = errors;
      if (room === ROOM_LATER) return HELD;
      command.run(call);
      if (reply.errors === errors || call.writes !== writes) break;
    }
    return DONE;
  }

  /**
   * A request between MULTI and EXEC, whose checks up to its keys are made: it is queued, or refused,
   * and then EXEC will be, too. `PASS` when it is one of those that are run at once.
   */
  #inTransaction(
    session: Session,
    transaction: Transaction,
    command: Command,
    replyStart: number,
  ): number {
    const { call } = this;
    const { reply } = session;
    const { queue } = transaction;
    if (command.runsInMulti) {
      if (!command.isExec) return PASS;
      const refusal = this.#refusal(session, transaction);
      if (refusal === HELD) return HELD;
      if (refusal !== DONE) reply.error(refusal);
      else if (!transaction.deniesOom) return PASS;
      else {
        const room = this.#roomForQueue(queue);
        if (room === ROOM_LATER) return HELD;
        if (room === ROOM) return PASS;
        reply.error(ERR_OOM);
      }
      return this.#finish(session, command, replyStart);
    }
    if (command.deniesMulti) {
      reply.error(ERR_NOT_IN_MULTI);
      return this.#finish(session, command, replyStart);
    }
    const refusal = this.#refusal(session, command);
    if (refusal === HELD) return HELD;
    // To be queued takes memory, too; that of the shard is asked for by EXEC.
    if (refusal !== DONE || !this.memory.keepsLimit()) {
      reply.error(refusal !== DONE ? refusal : ERR_OOM);
      return this.#finish(session, command, replyStart);
    }
    const { buf, starts, stops, argc } = call;
    session.lastCommand = command.spec.name;
    // What will not be run is not kept (as in Redis).
    if (!transaction.isFlagged && session.watcher?.isTouched !== true) {
      const limit = this.queueBytesMax - (session.watcher?.bytes ?? 0);
      if (!queue.push(buf, starts, stops, argc, limit)) {
        session.disconnect(
          `queued commands are more than client-query-buffer-limit (${this.queueBytesMax} bytes)`,
        );
        return DONE;
      }
      transaction.note(command);
    }
    reply.queued();
    if (session.replyMode !== REPLY_ON) this.#settleReply(session, replyStart);
    return DONE;
  }

  /** As `MemoryLimit.admit` for all that a transaction has queued. */
  #roomForQueue(queue: RequestQueue): number {
    const { memory } = this;
    const bytes = queue.bytes + queue.count * WRITE_SLACK_BYTES;
    if (this.#single) return memory.admit(this.call.keys, bytes);
    // With several shards each command asks its own when it is run.
    return memory.keepsLimit() ? ROOM : NO_ROOM;
  }

  /** EXEC: runs what was queued, or says why not. */
  exec(session: Session): void {
    const { reply, transaction } = session;
    if (transaction === null) return reply.error(ERR_EXEC_WITHOUT_MULTI);
    const isFlagged = transaction.isFlagged;
    if (isFlagged || session.watcher?.hasChanged() === true) {
      session.endTransaction();
      return isFlagged ? reply.error(ERR_EXECABORT) : reply.nilArray();
    }
    session.watcher?.clear(); // its own writes need not touch it
    const { shards } = this.#node;
    const { call } = this;
    const { buf, view, starts, stops, argc, spec } = call;
    const { errors } = reply;
    transaction.isExecuting = true;
    for (let i = 0; i < shards.length; i++) shards[i].effects.beginUnit();
    try {
      this.#runQueue(session, transaction.queue);
    } finally {
      for (let i = 0; i < shards.length; i++) shards[i].effects.endUnit();
      session.endTransaction();
    }
    if (transaction.isWrite) session.lastWriteSequence = this.#sequence.value;
    // The commands' errors are theirs, not EXEC's; and the slow log sees EXEC's own request.
    reply.errors = errors;
    call.setRequest(buf, view, starts, stops, argc, false);
    call.spec = spec;
  }

  #runQueue(session: Session, queue: RequestQueue): void {
    const { reply } = session;
    const start = reply.at;
    let isTooLarge = false;
    reply.array(queue.count);
    if (session.isSilent) reply.at = start;
    queue.rewind();
    while (queue.next()) {
      const replyStart = reply.at;
      this.#runQueued(session, queue);
      // CLIENT REPLY takes effect from one command to the next.
      if (session.isSilent) reply.at = replyStart;
      if (reply.at - start <= this.execReplyBytesMax) continue;
      isTooLarge = true;
      reply.at = start;
    }
    this.#hasDropped = session.isSilent;
    if (!isTooLarge) return;
    const limit = this.execReplyBytesMax;
    session.disconnect(`replies of one EXEC are more than ${limit} bytes`);
  }

  /** Runs one request of a transaction. What could be checked has been. */
  #runQueued(session: Session, queue: RequestQueue): void {
    const { call } = this;
    const { reply } = session;
    const { errors } = reply;
    const command = this.#take(session, queue);
    session.commands++;
    this.commands++;
    command.calls++;
    const requestBytes = queue.stops[queue.argc - 1] - queue.starts[0];
    if (command.deniesOom && !call.keys.arena.hasRoom(requestBytes + WRITE_SLACK_BYTES)) {
      reply.error(ERR_OOM);
    } else {
      this.#runTimed(command, call);
      if (this.#watcher !== null) this.#show(this.#watcher, command);
    }
    const { suspension } = session;
    if (suspension !== null) {
      // Nothing blocks in a transaction: what would wait has waited too long.
      session.suspension = null;
      suspension.expired(reply);
      if (!suspension.unblockable) reply.error(ERR_WAITS_IN_MULTI);
    }
    if (session.tracker !== null) session.tracker.ran(call, command);
    if (reply.errors === errors) return;
    command.failed++;
    this.#observer.errorReplied(reply.buf, reply.lastErrorAt, reply.at);
  }

  /** Fills the call with a request that was put by, which names a command. */
  #take(session: Session, request: PutBy): Command {
    const { call } = this;
    const { buf, starts, stops, argc } = request;
    let command = this.#table.find(buf, starts[0], stops[0])!;
    if (command.subcommands !== null && argc > 1) {
      command = command.subcommands.find(buf, starts[1], stops[1])!;
    }
    call.setRequest(buf, request.view, starts, stops, argc, false);
    call.session = session;
    call.reply = session.reply;
    call.db = session.db;
    call.spec = command.spec;
    const { firstKey } = command;
    if (!this.#single) {
      if (firstKey > 0 && firstKey < argc) call.route(firstKey);
      else call.useShard(0);
    }
    call.keys.noTouch = session.noTouch;
    return command;
  }

  /**
   * Runs the request of a client that waits once more, now that it may find what it waits for. What
   * stands before every command stands before this as well. `isSilent` drops the reply. False when the
   * request must not be run now, since clients are paused or memory is being freed.
   */
  runAgain(session: Session, request: PutBy, isSilent: boolean): boolean {
    const { call } = this;
    const { reply, isRunning } = session;
    const { errors, at } = reply;
    const sequence = this.#sequence.value;
    const command = this.#take(session, request);
    const refusal = this.#refusal(session, command);
    if (refusal === HELD) return false;
    const requestBytes = call.stops[call.argc - 1] - call.starts[0];
    const room = command.deniesOom && refusal === DONE
      ? this.memory.admit(call.keys, requestBytes + WRITE_SLACK_BYTES)
      : ROOM;
    if (room === ROOM_LATER) return false;
    this.reruns++;
    session.isRunning = true; // what this makes others push to the client comes behind its reply
    try {
      if (refusal !== DONE) reply.error(refusal);
      else if (room !== ROOM) reply.error(ERR_OOM);
      else this.#runTimed(command, call);
      if (session.tracker !== null) session.tracker.ran(call, command);
    } finally {
      session.isRunning = isRunning;
    }
    if (command.isWrite || this.#sequence.value !== sequence) {
      session.lastWriteSequence = this.#sequence.value;
    }
    if (reply.errors !== errors) {
      command.failed++;
      this.#observer.errorReplied(reply.buf, reply.lastErrorAt, reply.at);
    }
    if (isSilent && !reply.overflowed) reply.at = at;
    if ((session.replyMode & PUSHES_WAIT) !== 0) {
      session.takePushes();
      session.endPush();
    }
    return true;
  }

  /** An EXEC that was refused: its transaction is over, and its error says so (as in Redis). */
  #abortExec(session: Session, replyStart: number): void {
    const { reply } = session;
    session.endTransaction();
    const said = latin1(reply.buf, reply.lastErrorAt + 1, reply.at - 2);
    const cause = said.startsWith(GENERIC_CODE) ? said.slice(GENERIC_CODE.length) : said;
    reply.at = replyStart;
    reply.errors--;
    reply.errorText(`EXECABORT Transaction discarded because of: ${cause}`);
    // Who has seen the MULTI sees that it is over.
    this.#watcher?.ran(this.call);
  }

  #show(watcher: CommandWatcher, command: Command): void {
    if (command.isShown) watcher.ran(this.call);
  }

  #runTimed(command: Command, call: Call): number {
    const { reply } = call;
    const replyStart = reply.at;
    const beganMs = performance.now();
    command.run(call);
    let isSample = false;
    if (this.#untilSample <= 0) {
      this.#untilSample = SAMPLE;
      // One with a large reply is timed in any case, so it stands for no other.
      isSample = (reply.at - replyStart) >>> 0 < TIMED_REPLY_BYTES;
    }
    return this.#took(command, call, beganMs, isSample);
  }

  /** A command that began at `beganMs` has just run. */
  #took(command: Command, call: Call, beganMs: number, isSample: boolean): number {
    const nowMs = this.#clockMs = performance.now();
    const microseconds = (nowMs - beganMs) * 1000;
    const standsFor = isSample ? SAMPLE : 1;
    command.took(microseconds, standsFor);
    if (this.tracksLatency) command.latencies.add(microseconds, standsFor);
    const slower = this.#slowerThanMicroseconds;
    if (slower >= 0 && microseconds >= slower) this.#observer.slow(call, microseconds);
    return microseconds < LATE_MICROSECONDS ? DONE : DONE_LATE;
  }

  /** A request that was refused: counts it. */
  #finish(session: Session, command: Command | null, replyStart: number): number {
    const reply = session.reply;
    if (command !== null && command.isExec) this.#abortExec(session, replyStart);
    else if (session.transaction !== null) session.transaction.isFlagged = true;
    session.tracker?.refused(command);
    this.rejected++;
    if (command !== null) command.rejected++;
    this.#observer.errorReplied(reply.buf, reply.lastErrorAt, reply.at);
    if (session.replyMode !== REPLY_ON) this.#settleReply(session, replyStart);
    return DONE;
  }

  /** CLIENT REPLY OFF and SKIP; and pushes to the client that its own command caused. */
  #settleReply(session: Session, replyStart: number): void {
    const hasPushes = (session.replyMode & PUSHES_WAIT) !== 0;
    session.replyMode &= ~PUSHES_WAIT;
    if (session.replyMode !== REPLY_ON) this.#dropReply(session, replyStart);
    if (hasPushes) session.takePushes();
  }

  #dropReply(session: Session, replyStart: number): void {
    if (session.replyMode === REPLY_SKIP_NEXT) {
      session.replyMode = REPLY_SKIPPING;
      return;
    }
    if (!this.#hasDropped) session.reply.at = replyStart;
    this.#hasDropped = false;
    if (session.replyMode !== REPLY_OFF) session.replyMode = REPLY_ON;
  }

  /** Why a guard refuses the command, HELD to keep it waiting, DONE to let it pass. */
  #refusal(session: Session, command: Guarded): Uint8Array | typeof HELD | typeof DONE {
    const guards = this.guards;
    const isMonitor = session.monitor !== null; // such clients are never paused (as in Redis)
    if ((guards & GUARD_PAUSE_ALL) !== 0 && !command.runsPaused && !isMonitor) return HELD;
    if ((guards & GUARD_PAUSE_WRITE) !== 0 && command.holdsOnWritePause && !isMonitor) return HELD;
    // Of several reasons Redis tells the first of these.
    if (command.needsDisk) {
      if ((guards & GUARD_MISCONF) !== 0) return ERR_MISCONF;
      if ((guards & GUARD_APPEND_ONLY) !== 0) return this.appendOnlyError;
    }
    if (command.isWrite) {
      if ((guards & GUARD_NOREPLICAS) !== 0) return ERR_NOREPLICAS;
      if ((guards & GUARD_READONLY) !== 0) return ERR_READONLY;
    }
    if ((guards & GUARD_STALE) !== 0 && !command.runsStale) return ERR_MASTERDOWN;
    if ((guards & GUARD_LOADING) !== 0 && !command.runsLoading) return ERR_LOADING;
    if (!isMonitor || !command.isOnKeys) return DONE;
    // One that listens is told that first (as in Redis), behind the guards.
    const isToldOther = session.subscriptions !== null && !session.reply.resp3 &&
      session.transaction === null;
    return isToldOther ? DONE : ERR_MONITOR_ON_KEYS;
  }

  /** Whether the keys of the running command lie on different slots. */
  #crossesSlots(command: Command): boolean {
    const call = this.call;
    const find = command.spec.findKeys;
    const slotOf = this.#node.slotOf;
    let slot = -1;
    if (find !== undefined) {
      for (const i of find(call)) {
        const of = slotOf(call.buf, call.starts[i], call.stops[i]);
        if (slot >= 0 && of !== slot) return true;
        slot = of;
      }
      return false;
    }
    const keys = command.spec.keys!;
    const last = keys.last < 0 ? call.argc + keys.last : keys.last;
    for (let i = keys.first; i <= last && i < call.argc; i += keys.step) {
      const of = slotOf(call.buf, call.starts[i], call.stops[i]);
      if (slot >= 0 && of !== slot) return true;
      slot = of;
    }
    return false;
  }
}
