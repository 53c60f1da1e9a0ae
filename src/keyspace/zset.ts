/**
 * Sorted set values: members with a score each, ordered by score and then by bytes.
 *
 * Two forms (drawn in `entry.ts`). Small ones are a pack of member, score, member, score in order;
 * scores are stored as text, integers as integers. Larger ones are a dict that finds a member's entry,
 * with the score in it, and a tree of the same entries that keeps the order and counts. An entry that
 * is copied on write moves, and then dict and tree both follow.
 *
 * A `Zsets` is a handle: `begin` or `open` put a value in hand, operations change `form` and `root`,
 * which the keyspace stores. It has one place in the value, the *member at hand*: put there by `find`
 * for the operations that say so, or moved along by `seekRank`, `next` and `previous`, which read it
 * into the handle's fields. Handles are independent, so two values are read side by side through two.
 *
 * @module
 */

import { parseScore, putScore, SCORE_TEXT_BYTES_MAX } from "../base/score_text.ts";
import type { Arena } from "../memory/arena.ts";
import type { Dict, EntryList } from "../memory/dict.ts";
import { PackReader, type Packs } from "../memory/pack.ts";
import { TreeReader, type Trees } from "../memory/tree.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import type { CollectionLimits } from "./collection_limits.ts";
import { FORM_PACK, FORM_TABLE, keyAt, keyBytes, TYPE_ZSET } from "./entry.ts";
import { tableBytes } from "./table_bytes.ts";
import { newTableEntry } from "./table_entry.ts";
import { ZsetGrave } from "./zset_grave.ts";
import { compareBytes, MemberOrder } from "./zset_order.ts";

/** Words of a table's root block. */
const Z_DICT = 2;
const Z_TREE = 3;
const ROOT_BYTES = 8;

/** What a member of a table takes beyond its own bytes: head, score, slots of dict and tree, rounding. */
const TABLE_MEMBER_BYTES = 96;

/** Frees values that no key has: the keyspace. */
export interface ValueOwner {
  /** See `Keyspace.releaseValue`. */
  releaseValue(type: number, form: number, root: number): void;
}

/** A score as it is stored in a pack. */
const scoreText = new Uint8Array(SCORE_TEXT_BYTES_MAX);

/** Writes a score as packs have it to `scoreText`, minus zero as zero. Returns where it ends. */
function putPackedScore(score: number): number {
  return putScore(scoreText, 0, score === 0 ? 0 : score);
}

/** See the module's text. */
export class Zsets implements CollectionKind {
  /** See `CollectionKind`. */
  form: number = FORM_PACK;
  /** See `CollectionKind`. */
  root = 0;
  /** After reading a member: the bytes in which it lies, until the next edit or reading. */
  u8: Uint8Array = scoreText;
  /** Its first byte. */
  start = 0;
  /** Behind its last byte. */
  stop = 0;
  /** Its score; after `find`, that of the member found. */
  score = 0;

  readonly #parts: CollectionParts;
  #draft: Zsets | null = null;
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #packs: Packs;
  readonly #trees: Trees;
  readonly #limits: CollectionLimits;
  readonly #reader: PackReader;
  readonly #walker: TreeReader;
  readonly #order: MemberOrder;
  /** Of the member looked for last, in a table. */
  #hash = 0;
  /** Table: entry of the member found. */
  #entry = 0;
  /** Pack: position of the member found or read. */
  #at = 0;

  /** Sorted sets of one keyspace. */
  constructor(parts: CollectionParts) {
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#dict = parts.dict;
    this.#packs = parts.packs;
    this.#trees = parts.trees;
    this.#limits = parts.limits;
    this.#reader = new PackReader(parts.arena);
    this.#walker = new TreeReader(parts.arena);
    this.#order = new MemberOrder(parts.arena);
  }

  // ---- the value at hand ---------------------------------------------------------------------

  /** See `CollectionKind`. */
  begin(): void {
    this.form = FORM_PACK;
    this.root = this.#packs.create();
  }

  /** As `begin`, a table from the start: for values that are known to become one. */
  beginTable(): void {
    this.#beginRoots(this.#dict.create(), this.#trees.create());
  }

  /** See `CollectionKind`. */
  open(form: number, root: number): void {
    this.form = form;
    this.root = root;
  }

  /** Number of members. */
  get count(): number {
    return this.size(this.form, this.root);
  }

  /** Whether the value at hand is a pack. */
  get isPacked(): boolean {
    return this.form === FORM_PACK;
  }

  /** A second handle, for a value that is built while another is at hand. */
  get draft(): Zsets {
    return this.#draft ??= new Zsets(this.#parts);
  }

  /** Frees the value at hand, which no key has, in slices if it is large. */
  abandon(keys: ValueOwner): void {
    keys.releaseValue(TYPE_ZSET, this.form, this.root);
    this.root = 0;
  }

  /**
   * Bytes that adding `members` with `memberBytes` in all may take, a conversion included. Who adds
   * asks the arena for them before.
   */
  growthBytes(members: number, memberBytes: number): number {
    const bytes = this.bytesOfNew(members, memberBytes);
    if (this.form === FORM_TABLE) return bytes;
    return bytes + this.#packs.byteLength(this.root) + this.count * TABLE_MEMBER_BYTES;
  }

  /** As `growthBytes` of a value without members. */
  bytesOfNew(members: number, memberBytes: number): number {
    return members * TABLE_MEMBER_BYTES + memberBytes;
  }

  #dictRoot(): number {
    return this.#arena.i32[this.root * 2 + Z_DICT];
  }

  #treeRoot(): number {
    return this.#arena.i32[this.root * 2 + Z_TREE];
  }

  /** Stores the roots after an edit. */
  #setRoots(dict: number, tree: number): void {
    const { i32 } = this.#arena;
    if (i32[this.root * 2 + Z_DICT] === dict && i32[this.root * 2 + Z_TREE] === tree) return;
    const root = this.#arena.own(this.root);
    i32[root * 2 + Z_DICT] = dict;
    i32[root * 2 + Z_TREE] = tree;
    this.root = root;
  }

  // ---- one member ----------------------------------------------------------------------------

  /**
   * Looks for the member `buf[s..e)` and, if it is there, sets `score`. The bytes must stay for the
   * operations on the member found, or to add it, that may follow.
   */
  find(buf: Uint8Array, s: number, e: number): boolean {
    this.#order.probe(buf, s, e);
    if (this.form === FORM_PACK) {
      const packs = this.#reader;
      this.#at = packs.find(this.root, packs.first(this.root), buf, s, e, 1);
      if (this.#at === 0) return false;
      this.score = this.#scoreAt(packs.next(this.root, this.#at));
      return true;
    }
    this.#hash = this.#dict.hash(buf, s, e);
    this.#entry = this.#dict.find(this.#dictRoot(), buf, s, e, this.#hash);
    if (this.#entry === 0) return false;
    this.score = this.#arena.f64[this.#entry + 3];
    return true;
  }

  /** The score of a pack that is stored at `at`. */
  #scoreAt(at: number): number {
    const packs = this.#reader;
    packs.read(this.root, at);
    return packs.isInteger && !Number.isNaN(packs.integer)
      ? packs.integer
      : parseScore(packs.u8, packs.start, packs.stop);
  }

  /** Adds the member that `find` has just not found. */
  add(score: number): void {
    const { u8, start, stop } = this.#order;
    if (this.form === FORM_PACK) {
      const limits = this.#limits;
      const stays = this.count < limits.zsetMaxListpackEntries &&
        stop - start <= limits.zsetMaxListpackValue;
      if (stays && this.#addToPack(u8, start, stop, score)) return;
      this.convert();
      this.#hash = this.#dict.hash(u8, start, stop);
    }
    const fresh = this.#newEntry(this.#hash, u8, start, stop, score);
    const tree = this.#treeRoot();
    this.#trees.seek(tree, score, this.#order, false);
    const grown = this.#trees.insert(tree, score, fresh, 1);
    this.#setRoots(this.#dict.insert(this.#dictRoot(), fresh), grown);
  }

  /** Adds a member that stands behind all others. */
  append(buf: Uint8Array, s: number, e: number, score: number): void {
    if (this.form === FORM_TABLE) {
      const fresh = this.#newEntry(this.#dict.hash(buf, s, e), buf, s, e, score);
      const tree = this.#trees.append(this.#treeRoot(), score, fresh, 1);
      this.#setRoots(this.#dict.insert(this.#dictRoot(), fresh), tree);
    } else {
      this.#order.probe(buf, s, e);
      this.add(score);
    }
  }

  /** False when the pack cannot hold it. */
  #addToPack(buf: Uint8Array, s: number, e: number, score: number): boolean {
    const packs = this.#packs;
    const scoreStop = putPackedScore(score);
    const bytes = packs.elementBytes(buf, s, e) + packs.elementBytes(scoreText, 0, scoreStop);
    if (!packs.canHold(this.root, bytes)) return false;
    const before = this.#packPlace(score, buf, s, e);
    const root = packs.insertBefore(this.root, before, buf, s, e);
    this.root = packs.insertBefore(root, packs.next(root, packs.at), scoreText, 0, scoreStop);
    return true;
  }

  /** Position of the first member of the pack behind a new one, or 0. */
  #packPlace(score: number, buf: Uint8Array, s: number, e: number): number {
    const packs = this.#reader;
    let at = packs.first(this.root);
    while (at !== 0) {
      const scoreAt = packs.next(this.root, at);
      const found = this.#scoreAt(scoreAt);
      if (found > score) return at;
      if (found === score) {
        packs.read(this.root, at);
        if (compareBytes(buf, s, e, packs.u8, packs.start, packs.stop) < 0) return at;
      }
      at = packs.next(this.root, scoreAt);
    }
    return 0;
  }

  /** Gives the member that `find` has just found another score. */
  setScore(score: number): void {
    if (this.form === FORM_PACK) {
      const { u8, start, stop } = this.#order;
      this.root = this.#packs.remove(this.root, this.#at, 2);
      // The text of the new score may be longer, and the pack as full as packs can be.
      if (!this.#addToPack(u8, start, stop, score)) {
        this.convert();
        this.find(u8, start, stop);
        this.add(score);
      }
      return;
    }
    const arena = this.#arena;
    const trees = this.#trees;
    let tree = this.#treeRoot();
    trees.seek(tree, this.score, this.#order, false);
    const stays = this.#staysInPlace(score);
    if (!stays) tree = trees.remove(tree);
    const entry = arena.own(this.#entry);
    arena.f64[entry + 3] = score;
    if (stays) {
      tree = trees.set(tree, score, entry, 1);
    } else {
      trees.seek(tree, score, this.#order, false);
      tree = trees.insert(tree, score, entry, 1);
    }
    let dict = this.#dictRoot();
    if (entry !== this.#entry) dict = this.#dict.replace(dict, this.#entry, entry);
    this.#entry = entry;
    this.score = score;
    this.#setRoots(dict, tree);
  }

  /** Whether the slot under the tree's cursor would stay where it is with another score. */
  #staysInPlace(score: number): boolean {
    const trees = this.#trees;
    const isBelowNext = !trees.next() || score < trees.key;
    trees.previous();
    if (!isBelowNext) return false;
    if (!trees.previous()) return true;
    const isAbovePrevious = score > trees.key;
    trees.next();
    return isAbovePrevious;
  }

  /** Removes the member that `find` has just found. */
  remove(): void {
    if (this.form === FORM_PACK) {
      this.root = this.#packs.remove(this.root, this.#at, 2);
      return;
    }
    const trees = this.#trees;
    const tree = this.#treeRoot();
    trees.seek(tree, this.score, this.#order, false);
    const left = trees.remove(tree);
    this.#setRoots(this.#dict.remove(this.#dictRoot(), this.#entry), left);
    this.#arena.release(this.#entry);
  }

  /** The rank of the member that `find` has just found: how many come before it. */
  rank(): number {
    if (this.form === FORM_PACK) {
      const packs = this.#reader;
      let rank = 0;
      for (let at = packs.first(this.root); at !== this.#at; rank++) {
        at = packs.next(this.root, packs.next(this.root, at));
      }
      return rank;
    }
    this.#walker.seek(this.#treeRoot(), this.score, this.#order, false);
    return this.#walker.position();
  }

  /** Adds the member `buf[s..e)`; false, and nothing is changed, if it is there. For loading. */
  put(buf: Uint8Array, s: number, e: number, score: number): boolean {
    if (this.find(buf, s, e)) return false;
    this.add(score);
    return true;
  }

  // ---- ranges --------------------------------------------------------------------------------

  /** How many members have a score below `score`; with `after`, also those that have it. */
  rankOfScore(score: number, after: boolean): number {
    if (this.form === FORM_TABLE) {
      this.#walker.seek(this.#treeRoot(), score, null, after);
      return this.#walker.position();
    }
    const packs = this.#reader;
    let rank = 0;
    for (let at = packs.first(this.root); at !== 0; rank++) {
      const scoreAt = packs.next(this.root, at);
      const found = this.#scoreAt(scoreAt);
      if (after ? found > score : found >= score) break;
      at = packs.next(this.root, scoreAt);
    }
    return rank;
  }

  /**
   * How many members, all of one score, come before `buf[s..e)`; with `after`, also that one. As in
   * Redis the answer means nothing if scores differ.
   */
  rankOfLex(buf: Uint8Array, s: number, e: number, after: boolean): number {
    if (this.form === FORM_TABLE) {
      const tree = this.#treeRoot();
      if (!this.#walker.first(tree)) return 0;
      this.#order.probe(buf, s, e);
      this.#walker.seek(tree, this.#walker.key, this.#order, after);
      return this.#walker.position();
    }
    const packs = this.#reader;
    let rank = 0;
    for (let at = packs.first(this.root); at !== 0; rank++) {
      packs.read(this.root, at);
      const compared = compareBytes(buf, s, e, packs.u8, packs.start, packs.stop);
      if (after ? compared < 0 : compared <= 0) break;
      at = packs.next(this.root, packs.next(this.root, at));
    }
    return rank;
  }

  /** Reads the member of a rank into the fields; false past the end. */
  seekRank(rank: number): boolean {
    if (this.form === FORM_TABLE) {
      const tree = this.#treeRoot();
      const walker = this.#walker;
      return this.#readTable(rank === 0 ? walker.first(tree) : walker.seekPosition(tree, rank));
    }
    return this.#readPack(this.#reader.seek(this.root, rank * 2));
  }

  /** Reads the next member; false if there is none. */
  next(): boolean {
    if (this.form === FORM_TABLE) return this.#readTable(this.#walker.next());
    const packs = this.#reader;
    return this.#readPack(packs.next(this.root, packs.next(this.root, this.#at)));
  }

  /** Reads the member before; false if there is none. */
  previous(): boolean {
    if (this.form === FORM_TABLE) return this.#readTable(this.#walker.previous());
    const packs = this.#reader;
    const scoreAt = packs.previous(this.root, this.#at);
    return scoreAt !== 0 && this.#readPack(packs.previous(this.root, scoreAt));
  }

  #readTable(isThere: boolean): boolean {
    if (!isThere) return false;
    this.score = this.#walker.key;
    this.readEntry(this.#walker.item);
    return true;
  }

  /** Reads the member and score of a table's entry (of `scan`) into the fields. */
  readEntry(entry: number): void {
    const { i32 } = this.#arena;
    this.u8 = this.#arena.bytes(entry);
    this.start = keyAt(i32, entry);
    this.stop = this.start + keyBytes(i32, entry);
    this.score = this.#arena.f64[entry + 3];
  }

  /** Where the member read last is, good until the value changes. */
  get place(): number {
    return this.form === FORM_TABLE ? this.#walker.item : this.#at;
  }

  /** Reads the member at a place into the fields. */
  readPlace(place: number): void {
    if (this.form === FORM_TABLE) this.readEntry(place);
    else this.#readPack(place);
  }

  #readPack(at: number): boolean {
    if (at === 0) return false;
    const packs = this.#reader;
    this.#at = at;
    this.score = this.#scoreAt(packs.next(this.root, at));
    packs.read(this.root, at);
    this.u8 = packs.u8;
    this.start = packs.start;
    this.stop = packs.stop;
    return true;
  }

  /** Removes `count` members from `rank` on; they are there. */
  removeRange(rank: number, count: number): void {
    if (this.form === FORM_PACK) {
      const at = this.#reader.seek(this.root, rank * 2);
      if (at !== 0) this.root = this.#packs.remove(this.root, at, count * 2);
      return;
    }
    const trees = this.#trees;
    let tree = this.#treeRoot();
    let dict = this.#dictRoot();
    if (rank === 0) trees.first(tree);
    else if (count === 1 && rank === this.count - 1) trees.last(tree);
    else trees.seekPosition(tree, rank);
    for (; count > 0; count--) {
      const entry = trees.item;
      tree = trees.remove(tree);
      dict = this.#dict.remove(dict, entry);
      this.#arena.release(entry);
    }
    this.#setRoots(dict, tree);
  }

  /**
   * As the keyspace's scan of entries: about `count` of a table's, from `cursor` on. Returns the next
   * cursor. `readEntry` reads them.
   */
  scan(cursor: number, count: number, out: EntryList): number {
    this.#dict.scan(this.#dictRoot(), cursor, count, out);
    return this.#dict.nextCursor;
  }

  // ---- forms ---------------------------------------------------------------------------------

  /** Makes the value at hand a table, if it is none. */
  convert(): void {
    if (this.form === FORM_TABLE) return;
    const pack = this.root;
    const packs = this.#reader;
    let dict = this.#dict.create();
    let tree = this.#trees.create();
    for (let at = packs.first(pack); at !== 0;) {
      const scoreAt = packs.next(pack, at);
      const score = this.#scoreAt(scoreAt);
      packs.read(pack, at);
      const hash = this.#dict.hash(packs.u8, packs.start, packs.stop);
      const entry = this.#newEntry(hash, packs.u8, packs.start, packs.stop, score);
      dict = this.#dict.insert(dict, entry);
      tree = this.#trees.append(tree, score, entry, 1);
      at = packs.next(pack, scoreAt);
    }
    this.#packs.release(pack);
    this.#beginRoots(dict, tree);
  }

  #newEntry(hash: number, u8: Uint8Array, start: number, stop: number, score: number): number {
    const entry = newTableEntry(this.#arena, hash, u8, start, stop, true, 0);
    this.#arena.f64[entry + 3] = score;
    return entry;
  }

  #beginRoots(dict: number, tree: number): void {
    const root = this.#arena.allocate(ROOT_BYTES);
    this.#arena.i32[root * 2 + Z_DICT] = dict;
    this.#arena.i32[root * 2 + Z_TREE] = tree;
    this.form = FORM_TABLE;
    this.root = root;
  }

  /** Takes a table of these roots in hand: a finished `ZsetDraft`. */
  take(dict: number, tree: number): void {
    this.#beginRoots(dict, tree);
  }

  /** Makes the table at hand a pack if the limits allow it; its longest member has `longest` bytes. */
  packIfSmall(longest: number): void {
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.#limits;
    if (this.count > zsetMaxListpackEntries || longest > zsetMaxListpackValue) return;
    const packs = this.#packs;
    const { root } = this;
    let pack = packs.create();
    for (let more = this.seekRank(0); more; more = this.next()) {
      const scoreStop = putPackedScore(this.score);
      const { u8, start, stop } = this;
      const bytes = packs.elementBytes(u8, start, stop) +
        packs.elementBytes(scoreText, 0, scoreStop);
      if (!packs.canHold(pack, bytes)) return packs.release(pack);
      pack = packs.append(packs.append(pack, u8, start, stop), scoreText, 0, scoreStop);
    }
    const grave = this.bury(FORM_TABLE, root);
    while (!grave.step());
    this.open(FORM_PACK, pack);
  }

  // ---- as a kind -----------------------------------------------------------------------------

  /** See `CollectionKind`. */
  size(form: number, root: number): number {
    return form === FORM_PACK
      ? this.#packs.count(root) >>> 1
      : this.#dict.count(this.#arena.i32[root * 2 + Z_DICT]);
  }

  /** See `CollectionKind`. */
  encoding(form: number, _root: number): string {
    return form === FORM_PACK ? "listpack" : "skiplist";
  }

  /** See `CollectionKind`. */
  bury(_form: number, root: number): Grave {
    const { i32 } = this.#arena;
    const dict = i32[root * 2 + Z_DICT];
    const tree = i32[root * 2 + Z_TREE];
    this.#arena.release(root);
    return new ZsetGrave(this.#arena, this.#dict, this.#trees, dict, tree);
  }

  /** See `CollectionKind`. */
  copy(form: number, root: number): number {
    if (form === FORM_PACK) return this.#packs.copy(root);
    const heldForm = this.form;
    const heldRoot = this.root;
    let dict = this.#dict.create();
    let tree = this.#trees.create();
    this.open(form, root);
    for (let more = this.seekRank(0); more; more = this.next()) {
      const hash = this.#dict.hash(this.u8, this.start, this.stop);
      const entry = this.#newEntry(hash, this.u8, this.start, this.stop, this.score);
      dict = this.#dict.insert(dict, entry);
      tree = this.#trees.append(tree, this.score, entry, 1);
    }
    this.#beginRoots(dict, tree);
    const twin = this.root;
    this.open(heldForm, heldRoot);
    return twin;
  }

  /** See `CollectionKind`. */
  memoryBytes(form: number, root: number, samples = 0): number {
    const arena = this.#arena;
    if (form === FORM_PACK) return arena.blockBytes(root);
    const { i32 } = arena;
    return arena.blockBytes(root) + this.#trees.nodeBytes(i32[root * 2 + Z_TREE]) +
      tableBytes(arena, this.#dict, i32[root * 2 + Z_DICT], samples);
  }
}
