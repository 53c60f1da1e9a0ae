/**
 * Set values: an intset while all members are integers and few, a pack while they are few and short,
 * a table otherwise. A set goes from the first to the last of these, and never back.
 *
 * ```text
 * FORM_INTS    an intset
 * FORM_PACK    a pack of the members in order of insertion
 * FORM_TABLE   a dict: the key of an entry is a member, and there is nothing more in it
 * ```
 *
 * As a handle (`CollectionKind`) it has a value at hand. A value that has just begun has no block yet,
 * and must not be stored before it has a member.
 *
 * @module
 */

import { digitCount } from "../base/ascii.ts";
import { Int64 } from "../base/int64.ts";
import type { Arena } from "../memory/arena.ts";
import { type Dict, E_HASH, EntryList } from "../memory/dict.ts";
import { Intsets } from "../memory/intset.ts";
import { PACK_BYTES_MAX, type Packs } from "../memory/pack.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import type { CollectionLimits } from "./collection_limits.ts";
import { FORM_INTS, FORM_PACK, FORM_TABLE, keyAt, keyBytes } from "./entry.ts";
import { SetCursor } from "./set_cursor.ts";
import { tableBytes } from "./table_bytes.ts";
import { newTableEntry } from "./table_entry.ts";

/** Most bytes that an integer takes as an element of a pack. */
const PACKED_INTEGER_BYTES = 10;
/** Most bytes that an element of a pack takes beyond the member. */
const PACKED_SLACK_BYTES = 10;
/** Bytes that a member takes in a table beyond itself: header, head, rounding, its share of a page. */
const ENTRY_SLACK_BYTES = 64;

/** The member at work as an integer. */
const VALUE = new Int64();
/** An end of an intset. */
const BOUND = new Int64();

/** See the module's text. */
export class Sets implements CollectionKind {
  /** Form of the value at hand. */
  form: number = FORM_INTS;
  /** Root of the value at hand; 0 of one that has just begun. */
  root = 0;
  /** Walks the members of any set of this keyspace. */
  readonly cursor: SetCursor;
  /** Holds the member that `pick` chose at `u8[start..stop)`; valid until the next read or edit. */
  u8: Uint8Array;
  /** First byte of that member. */
  start = 0;
  /** One past its last byte. */
  stop = 0;

  readonly #parts: CollectionParts;
  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #packs: Packs;
  readonly #limits: CollectionLimits;
  readonly #ints: Intsets;
  /** Its own, since the other may be in use where a set is converted. */
  readonly #converter: SetCursor;
  readonly #digits = new Uint8Array(24);
  readonly #buried = new EntryList();
  #draft: Sets | null = null;
  /** Members that the value which has just begun is about to get. */
  #expected = 1;
  /** Where the member that `pick` chose is: its entry, its position in the pack, its number. */
  #picked = 0;

  /** Sets of one keyspace. */
  constructor(parts: CollectionParts) {
    this.#parts = parts;
    this.#arena = parts.arena;
    this.#dict = parts.dict;
    this.#packs = parts.packs;
    this.#limits = parts.limits;
    this.#ints = new Intsets(parts.arena);
    this.u8 = this.#digits;
    this.cursor = new SetCursor(parts.arena);
    this.#converter = new SetCursor(parts.arena);
  }

  /** A second handle, for a set that is built while others are at hand. */
  get draft(): Sets {
    return this.#draft ??= new Sets(this.#parts);
  }

  // ---- the value at hand -----------------------------------------------------------------------

  /** Takes a new value in hand, which is about to get `expected` members. */
  begin(expected: number = 1): void {
    this.form = FORM_INTS;
    this.root = 0;
    this.#expected = expected;
  }

  /** See `CollectionKind`. */
  open(form: number, root: number): void {
    this.form = form;
    this.root = root;
  }

  /** Number of members. */
  get count(): number {
    return this.root === 0 ? 0 : this.size(this.form, this.root);
  }

  /** Whether `buf[s..e)` is a member. */
  has(buf: Uint8Array, s: number, e: number): boolean {
    return this.root !== 0 && this.holds(this.form, this.root, buf, s, e);
  }

  /** Bytes that the value may need beyond those of new members, should it become a table. */
  get conversionBytes(): number {
    if (this.form === FORM_TABLE || this.root === 0) return 0;
    return this.#arena.blockBytes(this.root) + this.count * ENTRY_SLACK_BYTES;
  }

  /** Tells of `members` that are about to be added: the value may become a table at once. */
  expect(members: number): void {
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#limits;
    if (this.form === FORM_TABLE) return;
    const most = this.form === FORM_INTS ? setMaxIntsetEntries : setMaxListpackEntries;
    if (members > most) this.#becomeTable();
  }

  /** Adds a member, which is short enough for an entry; false if it was one. */
  add(buf: Uint8Array, s: number, e: number): boolean {
    if (this.root === 0) this.#create(buf, s, e);
    if (this.form === FORM_TABLE) return this.#addToTable(buf, s, e);
    if (this.form === FORM_PACK) return this.#addToPack(buf, s, e);
    if (VALUE.parse(buf, s, e)) return this.#addInteger(buf, s, e);
    this.#leaveIntegers(e - s);
    return this.add(buf, s, e);
  }

  /** The empty value that is right for a first member and as many as are expected. */
  #create(buf: Uint8Array, s: number, e: number): void {
    const { setMaxIntsetEntries, setMaxListpackEntries } = this.#limits;
    const members = this.#expected;
    if (members <= setMaxIntsetEntries && VALUE.parse(buf, s, e)) {
      this.form = FORM_INTS;
      this.root = this.#ints.create();
    } else if (members <= setMaxListpackEntries) {
      this.form = FORM_PACK;
      this.root = this.#packs.create();
    } else {
      this.form = FORM_TABLE;
      this.root = this.#dict.create();
    }
  }

  /** Adds the integer `VALUE`, which is `buf[s..e)`. */
  #addInteger(buf: Uint8Array, s: number, e: number): boolean {
    const ints = this.#ints;
    const index = ints.indexOf(this.root, VALUE);
    if (index >= 0) return false;
    if (ints.count(this.root) >= this.#limits.setMaxIntsetEntries || !ints.canGrow(this.root)) {
      this.#becomeTable();
      return this.#addToTable(buf, s, e);
    }
    this.root = ints.insert(this.root, index, VALUE);
    return true;
  }

  /** Makes a pack, or else a table, of integers to which a member of `bytes` that is none will come. */
  #leaveIntegers(bytes: number): void {
    const ints = this.#ints;
    const { setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    const count = ints.count(this.root);
    let longest = bytes;
    if (count > 0) longest = Math.max(longest, this.#digitsAt(0), this.#digitsAt(count - 1));
    const packed = count * PACKED_INTEGER_BYTES + bytes + PACKED_SLACK_BYTES;
    if (
      count >= setMaxListpackEntries || longest > setMaxListpackValue ||
      packed > PACK_BYTES_MAX - PACKED_SLACK_BYTES
    ) {
      return this.#becomeTable();
    }
    const old = this.root;
    let pack = this.#packs.create();
    const cursor = this.#converter;
    cursor.open(FORM_INTS, old);
    while (cursor.next()) pack = this.#packs.append(pack, cursor.u8, cursor.start, cursor.stop);
    this.#arena.release(old);
    this.form = FORM_PACK;
    this.root = pack;
  }

  /** Bytes of the integer at `index` in decimal. */
  #digitsAt(index: number): number {
    this.#ints.get(this.root, index, BOUND);
    const n = BOUND.toNumber();
    if (Number.isNaN(n)) return BOUND.put(this.#digits, 0);
    return n < 0 ? 1 + digitCount(-n) : digitCount(n);
  }

  #addToPack(buf: Uint8Array, s: number, e: number): boolean {
    const packs = this.#packs;
    const { setMaxListpackEntries, setMaxListpackValue } = this.#limits;
    const pack = this.root;
    if (packs.find(pack, packs.first(pack), buf, s, e, 0) !== 0) return false;
    if (
      packs.count(pack) >= setMaxListpackEntries || e - s > setMaxListpackValue ||
      !packs.canHold(pack, e - s + PACKED_SLACK_BYTES)
    ) {
      this.#becomeTable();
      return this.#addToTable(buf, s, e);
    }
    this.root = packs.append(pack, buf, s, e);
    return true;
  }

  #addToTable(buf: Uint8Array, s: number, e: number): boolean {
    const hash = this.#dict.hash(buf, s, e);
    if (this.#dict.find(this.root, buf, s, e, hash) !== 0) return false;
    const entry = newTableEntry(this.#arena, hash, buf, s, e, false, 0);
    this.root = this.#dict.insert(this.root, entry);
    return true;
  }

  #becomeTable(): void {
    const { form, root } = this;
    this.form = FORM_TABLE;
    this.root = this.#tableOf(form, root);
    if (root !== 0) this.#arena.release(root);
  }

  /** A table of the members of another set. */
  #tableOf(form: number, root: number): number {
    const dict = this.#dict;
    let table = dict.create();
    if (root === 0) return table;
    const { i32 } = this.#arena;
    const cursor = this.#converter;
    cursor.open(form, root);
    while (cursor.next()) {
      const { u8, start, stop, entry } = cursor;
      const hash = entry === 0 ? dict.hash(u8, start, stop) : i32[entry * 2 + E_HASH];
      table = dict.insert(table, newTableEntry(this.#arena, hash, u8, start, stop, false, 0));
    }
    return table;
  }

  /** Takes a member out; false if it was none. */
  remove(buf: Uint8Array, s: number, e: number): boolean {
    const { root } = this;
    if (this.form === FORM_TABLE) {
      const entry = this.#dict.find(root, buf, s, e, this.#dict.hash(buf, s, e));
      if (entry !== 0) this.removeEntry(entry);
      return entry !== 0;
    }
    if (this.form === FORM_PACK) {
      const at = this.#packs.find(root, this.#packs.first(root), buf, s, e, 0);
      if (at !== 0) this.root = this.#packs.remove(root, at, 1);
      return at !== 0;
    }
    if (!VALUE.parse(buf, s, e)) return false;
    const index = this.#ints.indexOf(root, VALUE);
    if (index >= 0) this.root = this.#ints.remove(root, index);
    return index >= 0;
  }

  /** Takes the member of that entry out of a table. */
  removeEntry(entry: number): void {
    this.root = this.#dict.remove(this.root, entry);
    this.#arena.release(entry);
  }

  /** Chooses a member of a set that has some, each as likely as any other. */
  pick(): void {
    const { root } = this;
    if (this.form === FORM_TABLE) {
      const { i32 } = this.#arena;
      const entry = this.#dict.random(root, Math.random);
      this.#picked = entry;
      this.u8 = this.#arena.bytes(entry);
      this.start = keyAt(i32, entry);
      this.stop = this.start + keyBytes(i32, entry);
      return;
    }
    const index = Math.floor(Math.random() * this.count);
    if (this.form === FORM_PACK) this.#pickPacked(this.#packs.seek(root, index));
    else this.#pickInteger(index);
  }

  #pickPacked(at: number): void {
    const packs = this.#packs;
    packs.read(this.root, at);
    this.#picked = at;
    this.u8 = packs.u8;
    this.start = packs.start;
    this.stop = packs.stop;
  }

  #pickInteger(index: number): void {
    this.#ints.get(this.root, index, BOUND);
    this.#picked = index;
    this.u8 = this.#digits;
    this.start = 0;
    this.stop = BOUND.put(this.#digits, 0);
  }

  /** Takes the member that `pick` has just chosen out. */
  removePicked(): void {
    if (this.form === FORM_TABLE) this.removeEntry(this.#picked);
    else if (this.form === FORM_PACK) this.root = this.#packs.remove(this.root, this.#picked, 1);
    else this.root = this.#ints.remove(this.root, this.#picked);
  }

  /** The entry of a table's member that `pick` has chosen. */
  get pickedEntry(): number {
    return this.#picked;
  }

  /** Frees the value at hand, which no key has. */
  abandon(): void {
    const { form, root } = this;
    this.begin();
    if (root === 0) return;
    if (form !== FORM_TABLE) return this.#arena.release(root);
    const grave = this.bury(form, root);
    while (!grave.step());
  }

  // ---- any value -------------------------------------------------------------------------------

  /** Whether `buf[s..e)` is a member of a set. */
  holds(form: number, root: number, buf: Uint8Array, s: number, e: number): boolean {
    if (form === FORM_TABLE) {
      return this.#dict.find(root, buf, s, e, this.#dict.hash(buf, s, e)) !== 0;
    }
    if (form === FORM_PACK) {
      return this.#packs.find(root, this.#packs.first(root), buf, s, e, 0) !== 0;
    }
    return VALUE.parse(buf, s, e) && this.#ints.indexOf(root, VALUE) >= 0;
  }

  /** See `CollectionKind`. */
  size(form: number, root: number): number {
    if (form === FORM_TABLE) return this.#dict.count(root);
    return form === FORM_PACK ? this.#packs.count(root) : this.#ints.count(root);
  }

  /** See `CollectionKind`. */
  encoding(form: number, _root: number): string {
    if (form === FORM_TABLE) return "hashtable";
    return form === FORM_PACK ? "listpack" : "intset";
  }

  /** See `CollectionKind`. Each step takes a page apart. */
  bury(_form: number, root: number): Grave {
    let cursor = 0;
    return {
      step: () => {
        const list = this.#buried;
        list.clear();
        cursor = this.#dict.dismantle(root, cursor, list);
        for (let i = 0; i < list.length; i++) this.#arena.release(list.items[i]);
        return cursor === 0;
      },
    };
  }

  /** See `CollectionKind`. */
  copy(form: number, root: number): number {
    if (form === FORM_TABLE) return this.#tableOf(form, root);
    return form === FORM_PACK ? this.#packs.copy(root) : this.#ints.copy(root);
  }

  /** See `CollectionKind`. */
  memoryBytes(form: number, root: number, samples = 0): number {
    const arena = this.#arena;
    if (form !== FORM_TABLE) return arena.blockBytes(root);
    return tableBytes(arena, this.#dict, root, samples);
  }
}
