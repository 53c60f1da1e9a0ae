/**
 * Where effects become frames: one shard's effect sink. It encodes into the backlog in place, says
 * which database a frame is for, and counts the node's sequence.
 *
 * @module
 */

import { ascii, digitCount } from "../base/ascii.ts";
import type { EffectSink } from "../commands/effect.ts";
import type { Backlog } from "../replication/backlog.ts";

const SELECT = ascii("SELECT");

/** The order of all frames of a node: every shard counts here. */
export class NodeSequence {
  /** Number of frames that all shards have produced. */
  value = 0;
}

/** See the module's text. */
export class Commit implements EffectSink {
  /** Whether anybody reads the effects. */
  active = false;
  /** Whether frames were appended since the links were last pumped. */
  appended = false;
  #backlog: Backlog | null = null;
  /** Database of the last frame; -1 when the next reader cannot know it. */
  #db = -1;
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

  /** Starts or stops writing frames; `db` is what readers take the next frame to be for, -1 if unknown. */
  attach(backlog: Backlog | null, db: number): void {
    this.#backlog = backlog;
    this.active = backlog !== null;
    this.#db = db;
  }

  /** The next frame states its database, because a reader begins there (a snapshot's cut). */
  restateDatabase(): void {
    this.#db = -1;
  }

  /** See `EffectSink`. */
  begin(db: number, name: Uint8Array, args: number, payloadBytes: number): void {
    const backlog = this.#backlog!;
    if (db !== this.#db) this.#select(backlog, db);
    backlog.beginFrame(args + 1, payloadBytes + name.length);
    backlog.arg(name, 0, name.length);
  }

  #select(backlog: Backlog, db: number): void {
    if (!this.#tellsDatabase) return;
    backlog.beginFrame(2, SELECT.length + digitCount(db));
    backlog.arg(SELECT, 0, SELECT.length);
    backlog.argInteger(db);
    this.end();
    this.#db = db;
  }

  /** See `EffectSink`. */
  arg(src: Uint8Array, start: number, stop: number): void {
    this.#backlog!.arg(src, start, stop);
  }

  /** See `EffectSink`. */
  argInteger(n: number): void {
    this.#backlog!.argInteger(n);
  }

  /** See `EffectSink`. */
  end(): void {
    this.#backlog!.endFrame();
    this.#sequence.value++;
    this.appended = true;
  }
}
