/**
 * Runs the commands of one shard's increments as an upstream's frames are run, and keeps count of them.
 *
 * A replica's commands are held until the annotation behind them says where the data stands with them:
 * so data and place always agree.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { RequestQueue } from "../commands/request_queue.ts";
import type { CommandTable } from "../commands/registry.ts";
import { parseAnnotation } from "../persistence/aof_annotation.ts";
import { AofDamage, type AofParser, type AofPlace } from "../persistence/aof_parser.ts";
import type { AofSink } from "../persistence/aof_read.ts";
import type { HistoryFacts, SaveFacts } from "../persistence/save_facts.ts";
import {
  Applier,
  type ApplyFailure,
  type FrameArguments,
  type FramePlace,
} from "../shard/applier.ts";
import { HELD_BACK, HeldUnit, NOT_HELD } from "../shard/held_unit.ts";
import type { Node } from "../shard/node.ts";
import type { Position } from "../shard/upstream.ts";
import type { ReplayTail } from "./replay_tail.ts";
import { parseUpstreamPositions } from "./upstream_facts.ts";

/** What files have beside writes: the applier knows them without a table. */
const NO_WRITES: ReadonlySet<string> = new Set(["SELECT", "PUBLISH", "SPUBLISH"]);

/** What running commands needs of the server. */
export interface ReplayHost {
  /** The shards. */
  readonly node: Node;
  /** Commands that files may hold. */
  readonly table: CommandTable;
  /** Unix ms. */
  nowMs(): number;
}

/** What is held while files are read: their size bounds it, and what was written is read back. */
const NO_LIMIT = Infinity;

/** A command that a file should not have, or that failed, although its bytes are whole. */
export class ReplayError extends Error {
  /** The error's name. */
  override readonly name = "ReplayError";
  /** The byte of the file at which the command begins, or the unit that it is part of. */
  readonly byteOffset: number;
  /** Whether a setting that the message names allows too little, and nothing is wrong with the file. */
  readonly isOfSettings: boolean;

  /** At `byteOffset`. */
  constructor(byteOffset: number, { name, detail, isOfSettings = false }: ApplyFailure) {
    const why = name === "ForeignCommand"
      ? `${JSON.stringify(detail)} is no write that this server knows`
      : `a command failed: ${detail}`;
    super(`byte ${byteOffset}: ${why}`);
    this.byteOffset = byteOffset;
    this.isOfSettings = isOfSettings;
  }
}

/** Frames that no file has, although a later one goes on behind them. */
export class MissingFrames extends Error {
  /** The error's name. */
  override readonly name = "MissingFrames";

  /** From frame number `from` up to, and not including, `upTo`. */
  constructor(from: number, upTo: number) {
    super(`writes ${from} to ${upTo - 1} are missing before it`);
  }
}

/** Where a base stands in its upstream's shard: as long as no increment tells, that is the place. */
function positionIn({ upstream }: SaveFacts, { shard, shards }: FramePlace): Position | null {
  const told = upstream === null ? null : parseUpstreamPositions(upstream);
  return told !== null && told.shards === shards ? told.positions[shard] : null;
}

/** See the module's text. */
export class Replay implements AofSink {
  /** Frames that the node had produced, as far as was told. */
  sequence: number;
  /** Where the data stands in its upstream's shard; null for a primary's. */
  position: Position | null;
  /** Whether the data is a replica's, as far as was told. */
  isReplicas: boolean;
  /** Bytes of the file up to the last annotation of a replica's place. */
  placedBytes = 0;
  /** Commands that count. */
  frames = 0;
  readonly #host: ReplayHost;
  readonly #applier: Applier;
  readonly #place: FramePlace;
  readonly #unit = new HeldUnit(NO_LIMIT);
  /** A replica's commands since the last annotation of this file. */
  readonly #held = new RequestQueue();
  /** The byte at which each of those begins. */
  readonly #heldAt: number[] = [];
  /** The byte at which the command that is run begins, or its unit. */
  #runsAt = 0;
  readonly #tail: ReplayTail | null;
  /** Commands to come whose keys were looked for. */
  #ahead = 0;
  #historyId: string | null;
  #offset: number;
  /** Whether nothing has come before: no base, and nothing of an increment. */
  #isBare: boolean;
  /** Whether nothing of this file has come that counts. */
  #isFileNew = true;
  /** Whether the file before had commands that do not count: it ended before them. */
  #hasDropped = false;

  /**
   * Goes on behind a base that says `facts`; null when it says nothing, `isBare` when there is none. `tail`
   * gets what is run.
   */
  constructor(
    host: ReplayHost,
    place: FramePlace,
    facts: SaveFacts | null,
    tail: ReplayTail | null = null,
    isBare = false,
  ) {
    this.#host = host;
    this.#place = place;
    this.#applier = new Applier(host.table);
    this.sequence = facts?.sequence ?? 0;
    this.position = facts === null ? null : positionIn(facts, place);
    this.isReplicas = this.position !== null;
    this.#historyId = facts?.history?.id ?? null;
    this.#offset = facts?.history?.offset ?? 0;
    this.#isBare = isBare;
    this.#tail = tail;
    tail?.begin(this.#offset);
  }

  /** The history that the data is part of, and its next frame; null if unknown. */
  get history(): HistoryFacts | null {
    return this.#historyId === null ? null : { id: this.#historyId, offset: this.#offset };
  }

  /** Clients see nothing until `endSlice`. */
  beginSlice(): void {
    this.#applier.open(this.#host.node, this.#place, this.#host.nowMs());
  }

  /** See `beginSlice`. */
  endSlice(): void {
    this.#applier.close();
  }

  /** A file begins: in database 0, as for every reader of one. */
  beginFile(): void {
    this.#place.db = 0;
    this.placedBytes = 0;
    this.#isFileNew = !this.#hasDropped;
  }

  /** See `AofSink`. */
  command(parser: AofParser): void {
    const { buf, view, starts, stops, argc, at, end } = parser;
    if (--this.#ahead < 0) {
      this.#ahead = this.#applier.lookAhead(this.#place, buf, view, parser, at, end);
    }
    this.#isBare = this.#isFileNew = false;
    if (!this.isReplicas) return this.#run(parser.partOffset, buf, view, parser);
    this.#held.push(buf, starts, stops, argc, NO_LIMIT);
    this.#heldAt.push(parser.partOffset);
  }

  #run(byte: number, buf: Uint8Array, view: DataView, frame: FrameArguments): void {
    const unit = this.#unit;
    if (!unit.isOpen) this.#runsAt = byte;
    const taken = unit.take(buf, frame);
    this.frames++;
    this.sequence++;
    this.#offset++;
    if (taken === HELD_BACK) return;
    if (typeof taken === "string") throw new AofDamage(byte, taken);
    const failure = taken === NOT_HELD
      ? this.#applier.apply(this.#place, buf, frame, view)
      : this.#applier.applyUnit(this.#place, unit.frames);
    if (failure === null) {
      if (taken === NOT_HELD) this.#tail?.frame(buf, view, frame);
      else this.#tail?.unit(unit.frames);
    }
    if (taken !== NOT_HELD) unit.close();
    if (failure === null) return;
    throw new ReplayError(this.#runsAt, failure);
  }

  /** See `AofSink`. */
  annotation(text: string, { partOffset, byteOffset }: AofPlace): void {
    const said = parseAnnotation(text);
    switch (said.kind) {
      case "history":
        this.#runHeld();
        this.#checkJoins(said);
        this.#historyId = said.id;
        this.#offset = said.offset;
        this.#tail?.begin(said.offset);
        this.sequence = said.sequence;
        // The frame that follows says its database, if it is not the first.
        this.#place.db = 0;
        break;
      case "skip":
        this.#runHeld();
        this.#offset += said.frames;
        this.sequence += said.frames;
        this.#tail?.skip(said.frames, this.#place.db);
        break;
      case "noHistory":
        this.#runHeld();
        this.#isBare = this.#isFileNew = false;
        this.#historyId = null;
        this.sequence = said.sequence;
        this.#place.db = 0;
        break;
      case "upstream":
        this.#runHeld();
        this.isReplicas = said.positions !== null;
        this.placedBytes = byteOffset;
        this.position = said.positions === null
          ? null
          : parseUpstreamPositions(said.positions)?.positions[0] ?? null;
        break;
      case "bad":
        throw new AofDamage(partOffset, `not understood: #${said.text}`);
      case "other":
        break;
    }
  }

  /**
   * A file that goes on in the history in force does so where the one before it ended, and ours never begin
   * without a base. What begins another history tells nothing: a start appends it to a file that may be empty
   * yet, behind frames that are in none (keys that expired meanwhile).
   */
  #checkJoins({ id, offset }: HistoryFacts): void {
    const isOf = this.#isFileNew && (this.#isBare || id === this.#historyId);
    this.#isBare = this.#isFileNew = false;
    if (isOf && offset > this.#offset) throw new MissingFrames(this.#offset, offset);
  }

  #runHeld(): void {
    const held = this.#held;
    held.rewind();
    for (let i = 0; held.next(); i++) this.#run(this.#heldAt[i], held.buf, held.view, held);
    this.#clearHeld();
  }

  #clearHeld(): void {
    this.#held.clear();
    this.#heldAt.length = 0;
  }

  /**
   * The file has come to its end: what is incomplete there does not count. A unit that is, must be one
   * that was being written: with words that are no commands, its EXEC is not missing but damaged.
   *
   * @throws {AofDamage} for that.
   */
  endFile(): void {
    const { isOpen, frames } = this.#unit;
    if (isOpen) {
      this.#offset -= frames.count + 1;
      frames.rewind();
      while (frames.next()) {
        const { buf, starts, stops } = frames;
        if (this.#host.table.find(buf, starts[0], stops[0]) !== null) continue;
        const found = latin1(buf, starts[0], Math.min(stops[0], starts[0] + 64));
        if (NO_WRITES.has(found.toUpperCase())) continue;
        const why = `a unit without EXEC has ${JSON.stringify(found)}, no command`;
        throw new AofDamage(this.#runsAt, why);
      }
    }
    this.#hasDropped = isOpen || this.#heldAt.length > 0;
    this.#unit.close();
    this.#clearHeld();
  }
}
