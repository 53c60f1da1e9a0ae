/**
 * One pass over the elements of a value, whatever its type and form, in a live arena or in frozen
 * memory: what the writers of images, DUMP, digests and copies between arenas read values through.
 * Streams, which are more than their elements, are read through `stream_parts.ts`.
 *
 * An element has a *name* (the member of a set or sorted set, the field of a hash), a *content* (the
 * item of a list, the value of a hash's field), or both. A name lies in one piece. A content may be
 * of any size and then lies in several. The order is the value's own: lists head first, sorted sets
 * by score and member, packed sets and hashes as they were filled, tables as they come.
 *
 * Nothing is allocated per value or element. A pass over a live value ends where the value changes.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { parseScore } from "../base/score_text.ts";
import { byteAt, type ReadMemory } from "../memory/arena.ts";
import { CHUNK_BYTES, frozenBlobBytes, frozenPieceBlock } from "../memory/blob.ts";
import { DictWalker, E_USER, E_USER2 } from "../memory/dict.ts";
import { IntsetReader } from "../memory/intset.ts";
import { PackReader } from "../memory/pack.ts";
import { TreeReader } from "../memory/tree.ts";
import {
  BLOB,
  deadlineOf,
  FORM_EXPIRING,
  FORM_INTS,
  FORM_PACK,
  keyAt,
  keyBytes,
  NO_DEADLINE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_ZSET,
} from "./entry.ts";

/** How the value at hand is walked. */
const NOTHING = 0, PACK = 1, INTS = 2, DICT = 3, LIST_TREE = 4, ZSET_TREE = 5;

/** A copy of a content above this is given back with the next one. */
const KEPT_BYTES_MAX = 1_048_576;

/** Key of a list's slot whose item is a blob; a pack's is 0. */
const SLOT_IS_BLOB = 1;

/** See the module's text. */
export class Elements {
  /** Number of elements of the value that was opened. */
  count = 0;
  /** Of those, the fields of a hash that have a deadline of their own. */
  deadlines = 0;
  /** Holds the element's name at `name[nameStart..nameStop)`; valid until the next move. */
  name: Uint8Array;
  /** First byte of the name. */
  nameStart = 0;
  /** One past its last byte. */
  nameStop = 0;
  /** Bytes of the element's content. */
  contentBytes = 0;
  /** Contiguous pieces that the content lies in. */
  pieces = 0;
  /** Holds the piece chosen with `piece` at `content[pieceStart..pieceStop)`. */
  content: Uint8Array;
  /** First byte of the piece. */
  pieceStart = 0;
  /** One past its last byte. */
  pieceStop = 0;
  /** Score of a member of a sorted set. */
  score = 0;
  /** Deadline of a hash's field in Unix ms, or -1. */
  deadlineMs: number = NO_DEADLINE;

  readonly #memory: ReadMemory;
  readonly #i32: Int32Array;
  readonly #names: PackReader;
  readonly #contents: PackReader;
  readonly #tree: TreeReader;
  readonly #walker: DictWalker;
  readonly #ints: IntsetReader;
  readonly #integer = new Int64();
  readonly #digits = new Uint8Array(24);
  #walk = NOTHING;
  #type = TYPE_LIST;
  #pack = 0;
  /** Position in the pack of the element that comes next; 0 at the end. */
  #at = 0;
  /** Number of the integer that comes next. */
  #nth = 0;
  #root = 0;
  /** Whether the tree's cursor has been set on its first slot. */
  #isUnderWay = false;
  #blob = 0;
  #gathered = new Uint8Array(0);

  /** Reads values that lie in `memory`. */
  constructor(memory: ReadMemory) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#names = new PackReader(memory);
    this.#contents = new PackReader(memory);
    this.#tree = new TreeReader(memory);
    this.#walker = new DictWalker(memory.i32);
    this.#ints = new IntsetReader(memory);
    this.name = this.content = memory.bytes(0);
  }

  /** Goes before the first element of a value, which is no string and no stream. */
  open(type: number, form: number, root: number): void {
    this.#type = type;
    this.deadlineMs = NO_DEADLINE;
    this.deadlines = 0;
    if (form === FORM_PACK) {
      this.#walk = PACK;
      this.#pack = root;
      this.#at = this.#names.first(root);
      const strings = this.#names.count(root);
      this.count = type === TYPE_HASH || type === TYPE_ZSET ? strings >> 1 : strings;
      return;
    }
    switch (type) {
      case TYPE_LIST:
        this.#openTree(LIST_TREE, root);
        return;
      case TYPE_ZSET:
        this.#openTree(ZSET_TREE, this.#i32[root * 2 + 3]);
        return;
      case TYPE_SET:
        if (form !== FORM_INTS) return this.#openDict(root);
        this.#walk = INTS;
        this.#root = root;
        this.#nth = 0;
        this.count = this.#ints.count(root);
        return;
      default:
        if (form === FORM_EXPIRING) {
          this.deadlines = this.#i32[root * 2 + 3];
          root = this.#i32[root * 2 + 2];
        }
        this.#openDict(root);
    }
  }

  #openDict(root: number): void {
    this.#walk = DICT;
    this.count = this.#walker.count(root);
    this.#walker.start(root);
  }

  #openTree(walk: number, root: number): void {
    this.#walk = walk;
    this.#root = root;
    this.#isUnderWay = false;
    this.#at = 0;
    this.count = this.#tree.weight(root);
  }

  /** Moves to the next element, which the fields then describe; false behind the last. */
  next(): boolean {
    switch (this.#walk) {
      case PACK:
        return this.#nextOfPack();
      case INTS:
        return this.#nextInteger();
      case DICT:
        return this.#nextOfDict();
      case LIST_TREE:
        return this.#nextItem();
      case ZSET_TREE:
        if (!this.#nextSlot()) return false;
        this.#nameOf(this.#tree.item);
        this.score = this.#tree.key;
        return true;
      default:
        return false;
    }
  }

  /** Sets `content`, `pieceStart` and `pieceStop` to piece `i` of the content. */
  piece(i: number): void {
    if (this.#blob === 0) return;
    const block = frozenPieceBlock(this.#i32, this.#blob, i);
    this.content = this.#memory.bytes(block);
    this.pieceStart = byteAt(block) + 8;
    this.pieceStop = this.pieceStart + Math.min(CHUNK_BYTES, this.contentBytes - i * CHUNK_BYTES);
  }

  /**
   * Makes one piece of the content, copying it together where it lies in several. The copy is valid
   * until the next move.
   */
  gather(): void {
    if (this.pieces === 1) return;
    const { contentBytes, pieces } = this;
    if (this.#gathered.length < contentBytes || this.#gathered.length > KEPT_BYTES_MAX) {
      this.#gathered = new Uint8Array(contentBytes);
    }
    const out = this.#gathered;
    for (let i = 0, at = 0; i < pieces; i++) {
      this.piece(i);
      out.set(this.content.subarray(this.pieceStart, this.pieceStop), at);
      at += this.pieceStop - this.pieceStart;
    }
    this.#contentIs(out, 0, contentBytes);
  }

  #nextOfPack(): boolean {
    const pack = this.#pack;
    let at = this.#at;
    if (at === 0) return false;
    if (this.#type === TYPE_LIST) {
      this.#contentAt(pack, at);
      this.#at = this.#contents.next(pack, at);
      return true;
    }
    const names = this.#names;
    names.read(pack, at);
    this.name = names.u8;
    this.nameStart = names.start;
    this.nameStop = names.stop;
    at = names.next(pack, at);
    if (this.#type !== TYPE_SET) {
      this.#contentAt(pack, at);
      if (this.#type === TYPE_ZSET) this.#readScore();
      at = names.next(pack, at);
    }
    this.#at = at;
    return true;
  }

  #readScore(): void {
    const score = this.#contents.integer;
    this.score = Number.isNaN(score)
      ? parseScore(this.content, this.pieceStart, this.pieceStop)
      : score;
  }

  /** The content is the string at `at` of a pack. */
  #contentAt(pack: number, at: number): void {
    const contents = this.#contents;
    contents.read(pack, at);
    this.#contentIs(contents.u8, contents.start, contents.stop);
  }

  #contentIs(u8: Uint8Array, start: number, stop: number): void {
    this.#blob = 0;
    this.content = u8;
    this.pieceStart = start;
    this.pieceStop = stop;
    this.contentBytes = stop - start;
    this.pieces = 1;
  }

  #contentIsBlob(blob: number): void {
    this.#blob = blob;
    this.contentBytes = frozenBlobBytes(this.#i32, blob);
    this.pieces = Math.ceil(this.contentBytes / CHUNK_BYTES);
    this.piece(0);
  }

  #nextInteger(): boolean {
    if (this.#nth === this.count) return false;
    this.#ints.get(this.#root, this.#nth++, this.#integer);
    this.name = this.#digits;
    this.nameStart = 0;
    this.nameStop = this.#integer.put(this.#digits, 0);
    return true;
  }

  #nextOfDict(): boolean {
    const a = this.#walker.next();
    if (a === 0) return false;
    this.#nameOf(a);
    if (this.#type === TYPE_SET) return true;
    const i32 = this.#i32;
    this.deadlineMs = deadlineOf(i32, this.#memory.f64, a);
    const word = i32[a * 2 + E_USER];
    if ((i32[a * 2 + E_USER2] & BLOB) !== 0) this.#contentIsBlob(word);
    else this.#contentIs(this.name, this.nameStop, this.nameStop + word);
    return true;
  }

  /** The name is the key of a dict's entry. */
  #nameOf(a: number): void {
    this.name = this.#memory.bytes(a);
    this.nameStart = keyAt(this.#i32, a);
    this.nameStop = this.nameStart + keyBytes(this.#i32, a);
  }

  #nextSlot(): boolean {
    if (this.#isUnderWay) return this.#tree.next();
    this.#isUnderWay = true;
    return this.#tree.first(this.#root);
  }

  /** The next item of a list in a tree: of the pack at hand, or of the next slot. */
  #nextItem(): boolean {
    while (this.#at === 0) {
      if (!this.#nextSlot()) return false;
      const { item } = this.#tree;
      if (this.#tree.key === SLOT_IS_BLOB) {
        this.#contentIsBlob(item);
        return true;
      }
      this.#pack = item;
      this.#at = this.#contents.first(item);
    }
    this.#contentAt(this.#pack, this.#at);
    this.#at = this.#contents.next(this.#pack, this.#at);
    return true;
  }
}
