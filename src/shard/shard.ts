/**
 * One shard: a keyspace in an arena of its own, the line of frames that its effects make, and the
 * right to freeze it.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import type { ShardPort } from "../commands/call.ts";
import type { EffectSink } from "../commands/effect.ts";
import { effectFieldsExpired } from "../commands/hash_expired.ts";
import type { KeyspaceEvents } from "../commands/keyspace_events.ts";
import { Keyspace, type KeyspaceListener } from "../keyspace/keyspace.ts";
import type { FrozenViewData } from "../keyspace/frozen_view.ts";
import type { Arena } from "../memory/arena.ts";
import type { EntryList } from "../memory/dict.ts";
import type { HashKey } from "../memory/siphash.ts";
import { Backlog } from "../replication/backlog.ts";
import { type LinePlace, Origins, type OwnPlace } from "../replication/origins.ts";
import { Commit, type FrameLog, type NodeSequence, numbersOnly } from "./commit.ts";
import { FreezeLock } from "./freeze_lock.ts";
import { KevyDialect } from "./kevy_dialect.ts";
import { type Lineage, newLineage } from "./lineage.ts";
import type { ShardSettings } from "./settings.ts";

const DEL = ascii("DEL");
/**
 * Bytes of frames that are kept before any replica has come, where one may: after a restart, and while
 * this node follows another. Enough for a short absence, little for a server that has none.
 */
const UNFOLLOWED_BYTES = 16 * 1024 * 1024;

/** See the module's text. */
export class Shard implements ShardPort, KeyspaceListener {
  /** Its place among the node's shards. */
  readonly index: number;
  /** Its keys. */
  keys: Keyspace;
  /** Takes the effects of commands on its keys. */
  readonly effects: EffectSink;
  /** Encodes them for replicas. */
  readonly commit: Commit;
  /** Encodes them for an append-only file: the same frames, unless replicas are told in kevy's words. */
  readonly kept: Commit;
  /** Hears of keys that expire; null until there is a server. */
  events: KeyspaceEvents | null = null;
  /** Who may freeze it. */
  readonly freezeLock = new FreezeLock();
  /** The line that its offsets are on. */
  lineage: Lineage;
  /** Where the offsets of an upstream that this shard follows, or did, lie in its own line. */
  readonly origins: Origins = new Origins();
  /** Number of the next frame. */
  #nextOffset = 0;
  readonly #settings: ShardSettings;
  #isFollowed = false;
  #abortView: ((reason: string) => void) | null = null;

  /** An empty shard in `arena`. */
  constructor(
    index: number,
    arena: Arena,
    settings: ShardSettings,
    key: HashKey,
    sequence: NodeSequence,
  ) {
    this.index = index;
    this.#settings = settings;
    this.keys = new Keyspace(arena, settings.databases, key);
    this.keys.listener = this;
    arena.pressure = {
      reclaim: () => this.keys.reclaim(),
      abortView: () => this.abortView("the arena is full and the frozen view holds blocks"),
    };
    const speaksKevy = settings.replicationDialect === "kevy";
    this.commit = new Commit(sequence, !speaksKevy);
    this.kept = speaksKevy ? new Commit(sequence, true) : this.commit;
    this.effects = speaksKevy ? new KevyDialect(this.commit, this.kept, this.keys) : this.commit;
    this.lineage = newLineage(true);
  }

  /** A key is removed because of its deadline: replicas hear of a DEL. */
  expired(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.events?.expired(db, u8, start, stop);
    this.#tellDeleted(db, u8, start, stop);
  }

  /** A key is removed to save memory: replicas hear of a DEL. */
  evicted(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.events?.evicted(db, u8, start, stop);
    this.#tellDeleted(db, u8, start, stop);
  }

  /** Fields of a hash are removed because of their deadlines: replicas hear of an HDEL. */
  fieldsExpired(
    db: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    fields: EntryList,
    isLast: boolean,
  ): void {
    this.events?.fieldsExpired(db, u8, start, stop, isLast);
    this.keys.dirty += fields.length;
    effectFieldsExpired(this.effects, this.keys.arena, db, u8, start, stop, fields);
  }

  #tellDeleted(db: number, u8: Uint8Array, start: number, stop: number): void {
    this.keys.dirty++;
    if (!this.effects.active) return;
    this.effects.begin(db, DEL, 1, stop - start);
    this.effects.arg(u8, start, stop);
    this.effects.end();
  }

  /** Whether what an append-only file gets are the frames that replicas get. */
  get keepsFrames(): boolean {
    return this.kept === this.commit;
  }

  /** From here on all effects go to `log`, an append-only file; null ends that. */
  keepIn(log: FrameLog | null): void {
    if (log !== null) this.#numbered(false);
    this.kept.log = log;
    if (this.keepsFrames) return;
    // Nobody reads this backlog: the file takes each effect when it is encoded.
    this.kept.attach(log === null ? null : numbersOnly(), -1);
  }

  /** The frames, or null while they are not even numbered. */
  get backlog(): Backlog | null {
    return this.commit.backlog;
  }

  /** Number of the next frame. */
  get nextOffset(): number {
    return this.commit.backlog?.nextOffset ?? this.#nextOffset;
  }

  /** The end of its line. */
  get ownPlace(): OwnPlace {
    return { offset: this.nextOffset, db: this.commit.database };
  }

  /** How many frames of its line have changed data, for `origins`. */
  get writes(): number {
    return this.nextOffset - this.commit.messages;
  }

  /**
   * Its data is that of an upstream's line before `place`: should this node be promoted, it needs its
   * frames from here on for the others that follow that one.
   */
  beginOrigins(place: LinePlace): void {
    this.openBacklog();
    this.origins.begin(place, this.ownPlace, this.writes);
  }

  /** Looks whether others than the upstream have made frames. */
  checkOrigins(): void {
    const { nextOffset, commit, writes } = this;
    this.origins.check(nextOffset, commit.database, writes);
  }

  /** The upstream's frames before `offset` are applied; its line speaks of database `db` there. */
  applied(offset: number, db: number): void {
    const { commit } = this;
    if (commit.backlog !== null) {
      this.origins.applied(offset, commit.backlog.nextOffset, commit.database, db);
    }
  }

  /** Starts keeping frames, if it does not yet: somebody may ask for them. */
  openBacklog(): Backlog {
    const backlog = this.#numbered(true);
    backlog.hold();
    return backlog;
  }

  /** Starts giving frames numbers, if it does not yet, and then holds them or not. */
  #numbered(isHeld: boolean): Backlog {
    const open = this.commit.backlog;
    if (open !== null) return open;
    const isFresh = this.lineage.beganEmpty && this.#nextOffset === 0;
    if (this.lineage.beganEmpty && (!isFresh || this.keys.totalSize() > 0)) {
      this.lineage = { ...this.lineage, beganEmpty: false };
    }
    const backlog = this.newBacklog(this.#nextOffset);
    if (!isHeld) backlog.holdNothing();
    this.commit.attach(backlog, isFresh ? 0 : -1);
    return backlog;
  }

  /** A backlog as this shard's is to be, whose first frame has number `firstOffset`. */
  newBacklog(firstOffset: number): Backlog {
    const { replPinBytes } = this.#settings;
    return new Backlog({
      limitBytes: this.backlogLimitBytes,
      pinLimitBytes: replPinBytes,
      firstOffset,
    });
  }

  /** Bytes of frames that the backlog may hold. */
  get backlogLimitBytes(): number {
    const { replBacklogBytes } = this.#settings;
    return this.#isFollowed ? replBacklogBytes : Math.min(replBacklogBytes, UNFOLLOWED_BYTES);
  }

  /** A replica has come: from now on frames are kept for it and its like. */
  followed(): Backlog {
    const backlog = this.openBacklog();
    if (this.#isFollowed) return backlog;
    this.#isFollowed = true;
    backlog.limitBytes = this.backlogLimitBytes;
    return backlog;
  }

  /**
   * The shard was filled by the frames of a history up to `backlog.nextOffset`, and goes on with
   * `lineage`: who was left behind there can be told what is in `backlog`.
   */
  continueHistory(lineage: Lineage, backlog: Backlog): void {
    invariant(this.commit.backlog === null, "a history is continued beside another");
    this.lineage = lineage;
    this.#nextOffset = backlog.nextOffset;
    this.commit.attach(backlog, -1);
  }

  /**
   * Stops keeping frames: nobody has followed for long. Without an append-only file, which needs every
   * write to have a number, what is written from here on has none, and a new history begins when somebody
   * follows again. Returns whether any of this is new.
   */
  dropBacklog(): boolean {
    const { backlog } = this.commit;
    if (backlog === null) return false;
    this.#isFollowed = false;
    if (this.kept.log !== null) {
      const wasHolding = backlog.isHolding;
      backlog.holdNothing();
      return wasHolding;
    }
    this.commit.attach(null, -1);
    this.#nextOffset = backlog.nextOffset + 1;
    this.lineage = newLineage(false);
    this.origins.clear();
    return true;
  }

  /**
   * The shard's data is another than its frames tell (a file was loaded, a snapshot received): its
   * offsets go on with `lineage` at `nextOffset`. A history without a past begins behind every offset
   * there was: a v1 replica names none, and must not find its old offset in the new one.
   */
  startHistory(lineage: Lineage, nextOffset: number): void {
    this.kept.log?.replaced();
    const open = this.commit.backlog;
    const before = this.nextOffset;
    this.commit.attach(null, -1);
    this.lineage = lineage;
    this.origins.clear();
    const isNew = lineage.previousId === null && before > 0;
    this.#nextOffset = isNew ? Math.max(nextOffset, before + 1) : nextOffset;
    if (open !== null) this.#numbered(open.isHolding);
  }

  /** Freezes the keys as they are; the caller has the lock. `aborted` is called if memory runs out. */
  freeze(aborted: (reason: string) => void): FrozenViewData {
    invariant(this.freezeLock.isHeld, "a shard is frozen without its lock");
    this.#abortView = aborted;
    return this.keys.freeze();
  }

  /** Ends the frozen view, unless it was aborted before. */
  thaw(): void {
    this.#abortView = null;
    if (this.keys.arena.isFrozen) this.keys.thaw();
  }

  /** Gives the frozen view up; its reader is told why. */
  abortView(reason: string): void {
    const aborted = this.#abortView;
    this.#abortView = null;
    if (this.keys.arena.isFrozen) this.keys.thaw();
    aborted?.(reason);
  }
}
