/**
 * Where effects become frames: one shard's effect sink. It encodes into the backlog in place, says
 * which database a frame is for, and counts the node's sequence. A frame that is encoded already goes
 * past a backlog that holds nothing, straight to the append-only file; its bytes are copied when the turn
 * ends, together with its neighbours' (`settle`).
 *
 * A unit (EXEC) becomes `MULTI`, its effects, `EXEC`; of one effect, that effect alone; of none,
 * nothing; of messages and no write, those alone. So the first effects are put by until a second one that
 * is not the last of some messages, or the unit's end, tells which.
 *
 * @module
 */

import { ascii, digitCount } from "../base/ascii.ts";
import { type EffectSink, NO_DATABASE } from "../commands/effect.ts";
import { invariant } from "../base/invariant.ts";
import { Backlog } from "../replication/backlog.ts";

const SELECT = ascii("SELECT");
const MULTI = ascii("MULTI");
const EXEC = ascii("EXEC");

/** No unit is open. */
const NO_UNIT = 0;
/** A unit is open that has no effect yet. */
const UNIT_EMPTY = 1;
/** A unit is open whose one effect is put by, behind messages if there were any before it. */
const UNIT_FIRST = 2;
/** A unit is open whose `MULTI` is written. */
const UNIT_OPEN = 3;

/** Where first effects are put by; one of more bytes is given back with its unit. */
const PUT_BY_BYTES = 65_536;

/** Where frames are kept beside the backlog: an append-only file. */
export interface FrameLog {
  /**
   * A frame's command, `buf[start..stop)` = `*<argc>...`, `view` being a view of `buf`, if there is one;
   * the bytes are good during the call only.
   */
  frame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void;
  /** As `frame`; the bytes are good until `settle` is called. */
  lateFrame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void;
  /** The bytes of late frames are about to change. */
  settle(): void;
  /** As `frame`, of one that changes no data. */
  message(buf: Uint8Array, view: DataView | null, start: number, stop: number): void;
  /** The data is another from here on than the frames so far tell. */
  replaced(): void;
}

/** The order of all frames of a node: every shard counts here. */
export class NodeSequence {
  /** Number of frames that all shards have produced. */
  value = 0;
  /** Of those since the start of the process, the ones that are no messages. */
  writes = 0;
}

/** See the module's text. */
export class Commit implements EffectSink {
  /** Whether anybody reads the effects. */
  active = false;
  /** Whether frames were appended since somebody last looked, who sets it back. */
  appended = false;
  /** Frames that were no writes, since the start of the process. */
  messages = 0;
  #log: FrameLog | null = null;
  #backlog: Backlog | null = null;
  /** Database of the last frame; -1 when the next reader cannot know it. */
  #db = -1;
  #unit = NO_UNIT;
  /** Where the effect at hand is encoded: the backlog, or `#putBy`. */
  #sink: Backlog | null = null;
  /** Encodes the first effect of a unit. */
  #putBy: Backlog | null = null;
  #putByDb = -1;
  #putByIsMessage = false;
  /** The unit's messages before the effect that is put by, encoded. */
  #messagesPutBy: Uint8Array[] = [];
  readonly #sequence: NodeSequence;
  readonly #tellsDatabase: boolean;

  /** A sink without a backlog. `tellsDatabase` is false for readers who know only database 0. */
  constructor(sequence: NodeSequence, tellsDatabase: boolean) {
    this.#sequence = sequence;
    this.#tellsDatabase = tellsDatabase;
  }

  /** The backlog that frames go to, or null. */
  get backlog(): Backlog | null {
    return this.#backlog;
  }

  /** Database that the next frame is for unless it says another; -1 when it says it in any case. */
  get database(): number {
    return this.#db;
  }

  /** Gets every frame too; null without an append-only file. */
  get log(): FrameLog | null {
    return this.#log;
  }

  set log(log: FrameLog | null) {
    this.settle();
    this.#log = log;
  }

  /** The requests whose bytes `encoded` was given are about to change: a turn has ended. */
  settle(): void {
    this.#backlog?.settle();
    this.#log?.settle();
  }

  /** Starts or stops writing frames; `db` is what readers take the next frame to be for, -1 if unknown. */
  attach(backlog: Backlog | null, db: number): void {
    this.settle();
    this.#backlog = backlog;
    this.active = backlog !== null;
    this.#db = db;
    if (this.#unit !== NO_UNIT) this.#unit = UNIT_EMPTY;
    this.#messagesPutBy = [];
  }

  /** The next frame states its database, because a reader begins there (a snapshot's cut). */
  restateDatabase(): void {
    this.#db = -1;
  }

  /** See `EffectSink`. */
  begin(db: number, name: Uint8Array, args: number, payloadBytes: number): void {
    const sink = this.#sink = this.#sinkFor(db);
    sink.beginFrame(args + 1, payloadBytes + name.length);
    sink.arg(name, 0, name.length);
  }

  /** See `EffectSink`. */
  encoded(
    db: number,
    src: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null,
  ): boolean {
    const backlog = this.#backlog!;
    if (this.#unit === NO_UNIT && db === this.#db) {
      if (backlog.isHolding) backlog.appendLate(src, view, start, stop);
      else backlog.skip();
      this.#count();
      this.#log?.lateFrame(src, view, start, stop);
      return true;
    }
    const sink = this.#sinkFor(db);
    sink.appendEncoded(src, start, stop, view);
    if (this.#unit !== UNIT_FIRST) this.#counted(sink);
    else this.#endedPutBy();
    return true;
  }

  /** Where an effect on a database is encoded now; says the database first, if need be. */
  #sinkFor(db: number): Backlog {
    const backlog = this.#backlog!;
    if (this.#unit !== NO_UNIT) return this.#beginInUnit(backlog, db);
    if (db !== this.#db) this.#select(backlog, db);
    return backlog;
  }

  #select(backlog: Backlog, db: number): void {
    if (!this.#tellsDatabase || db === NO_DATABASE) return;
    backlog.beginFrame(2, SELECT.length + digitCount(db));
    backlog.arg(SELECT, 0, SELECT.length);
    backlog.argInteger(db);
    this.#db = db;
    this.#ended(backlog);
  }

  /** Where the next effect of the open unit is encoded. */
  #beginInUnit(backlog: Backlog, db: number): Backlog {
    if (this.#unit === UNIT_EMPTY) {
      this.#unit = UNIT_FIRST;
      this.#putByDb = db;
      this.#putByIsMessage = false;
      return this.#putBy ??= numbersOnly();
    }
    if (this.#unit === UNIT_FIRST && this.#putByIsMessage) {
      const { newestBuf, newestStart, newestStop } = this.#putBy!;
      this.#messagesPutBy.push(newestBuf.slice(newestStart, newestStop));
      this.#putByDb = db;
      this.#putByIsMessage = false;
      return this.#putBy!;
    }
    if (this.#unit === UNIT_FIRST) this.#openUnit(backlog);
    if (db !== this.#db) this.#select(backlog, db);
    return backlog;
  }

  /** What is put by goes out, as the beginning of a unit. */
  #openUnit(backlog: Backlog): void {
    this.#word(backlog, MULTI);
    this.#appendMessages(backlog, true);
    this.#appendPutBy(backlog);
    this.#unit = UNIT_OPEN;
  }

  /** A write is put by: behind messages it is not the only effect. */
  #endedPutBy(): void {
    if (this.#messagesPutBy.length > 0) this.#openUnit(this.#backlog!);
  }

  /** The messages before the effect that is put by go out: as parts of a unit that writes, or alone. */
  #appendMessages(backlog: Backlog, inUnit: boolean): void {
    const messages = this.#messagesPutBy;
    if (messages.length === 0) return;
    for (let i = 0; i < messages.length; i++) {
      backlog.appendEncoded(messages[i], 0, messages[i].length, null);
      if (inUnit) this.#counted(backlog);
      else this.#countedMessage(backlog);
    }
    this.#messagesPutBy = [];
  }

  /** A frame of one word. */
  #word(backlog: Backlog, word: Uint8Array): void {
    backlog.beginFrame(1, word.length);
    backlog.arg(word, 0, word.length);
    this.#ended(backlog);
  }

  #appendPutBy(backlog: Backlog): void {
    const putBy = this.#putBy!;
    const isMessage = this.#putByIsMessage;
    if (!isMessage && this.#putByDb !== this.#db) this.#select(backlog, this.#putByDb);
    const { newestBuf, newestView, newestStart, newestStop } = putBy;
    backlog.appendEncoded(newestBuf, newestStart, newestStop, newestView);
    if (isMessage) this.#countedMessage(backlog);
    else this.#counted(backlog);
    if (putBy.memoryBytes > PUT_BY_BYTES) this.#putBy = null;
  }

  /** See `EffectSink`. */
  beginUnit(): void {
    invariant(this.#unit === NO_UNIT, "a unit is begun inside another");
    this.#unit = UNIT_EMPTY;
  }

  /** See `EffectSink`. */
  endUnit(): void {
    const unit = this.#unit;
    this.#unit = NO_UNIT;
    const backlog = this.#backlog;
    if (backlog === null) return;
    if (unit === UNIT_FIRST) {
      this.#appendMessages(backlog, false);
      this.#appendPutBy(backlog);
    } else if (unit === UNIT_OPEN) this.#word(backlog, EXEC);
  }

  /** See `EffectSink`. */
  get inUnit(): boolean {
    return this.#unit !== NO_UNIT;
  }

  /** See `EffectSink`. */
  arg(src: Uint8Array, start: number, stop: number, view: DataView | null = null): void {
    this.#sink!.arg(src, start, stop, view);
  }

  /** See `EffectSink`. */
  argInteger(n: number): void {
    this.#sink!.argInteger(n);
  }

  /** See `EffectSink`. */
  end(): void {
    if (this.#unit === UNIT_FIRST) {
      this.#sink!.endFrame();
      this.#endedPutBy();
    } else this.#ended(this.#sink!);
  }

  #ended(backlog: Backlog): void {
    backlog.endFrame();
    this.#counted(backlog);
  }

  /** See `EffectSink`. Within a unit that writes it is a part of it like any other. */
  endMessage(): void {
    if (this.#unit === UNIT_OPEN) return this.end();
    const sink = this.#sink!;
    sink.endFrame();
    if (this.#unit === UNIT_FIRST) this.#putByIsMessage = true;
    else this.#countedMessage(sink);
  }

  #countedMessage(backlog: Backlog): void {
    this.#sequence.value++;
    this.messages++;
    this.appended = true;
    if (this.#log === null) return;
    const { newestBuf, newestView, newestStart, newestStop } = backlog;
    this.#log.message(newestBuf, newestView, newestStart, newestStop);
  }

  #counted(backlog: Backlog): void {
    this.#count();
    if (this.#log === null) return;
    const { newestBuf, newestView, newestStart, newestStop } = backlog;
    this.#log.frame(newestBuf, newestView, newestStart, newestStop);
  }

  #count(): void {
    this.#sequence.value++;
    this.#sequence.writes++;
    this.appended = true;
  }
}

/** A backlog for encoding only: it holds nothing. */
export function numbersOnly(): Backlog {
  const backlog = new Backlog({ limitBytes: 1, firstOffset: 0 });
  backlog.holdNothing();
  return backlog;
}
