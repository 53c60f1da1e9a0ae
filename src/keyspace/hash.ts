/**
 * Hash values: fields and their values, packed while they are few and short.
 *
 * ```text
 * FORM_PACK      a pack: field, value, field, value ... in order of insertion
 * FORM_TABLE     a table (hash_fields.ts)
 * FORM_EXPIRING  a block with the table in it (hash_deadlines.ts), while any field has a deadline
 * ```
 *
 * A pack becomes a table when it has too many fields, a field or value that is too long, or a field
 * with a deadline, and never a pack again.
 *
 * As a handle (`CollectionKind`) it has a value at hand, and of that a *field at hand*: the one that
 * `find`, `next`, `random` or `useEntry` came upon last. What these and `readValue` read is in `u8`,
 * `start` and `stop`, until the next read or edit.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import { type Dict, DictWalker, type EntryList } from "../memory/dict.ts";
import { EMPTY_PACK_BYTES, PACK_BYTES_MAX, type Packs } from "../memory/pack.ts";
import type { CollectionKind, CollectionParts, Grave } from "./collection.ts";
import type { CollectionLimits } from "./collection_limits.ts";
import { FORM_EXPIRING, FORM_PACK, FORM_TABLE, keyAt, keyBytes, NO_DEADLINE } from "./entry.ts";
import { HashDeadlines } from "./hash_deadlines.ts";
import { HashFields } from "./hash_fields.ts";

/** `openAt`, as the time: no field is hidden, whatever its deadline. */
export const HIDES_NOTHING: number = -1;

/** Bytes that a pair takes in a pack beyond field and value, at most. */
const PACKED_PAIR_BYTES = 20;
/** ... and if both are short. */
const PACKED_SHORT_PAIR_BYTES = 4;
/** Bytes that a pair takes in a table beyond field and value, at most: head, rounding, its share of a page. */
const PAIR_SLACK_BYTES = 64;
/** Bytes that many pairs take in all beyond that: a page to split. */
const PAGE_SLACK_BYTES = 4_096;
/** Picks of a random field that may meet a hidden one before all fields are looked at. */
const RANDOM_ATTEMPTS = 256;
/** Longest integer of a pack in decimal, in bytes. */
const INTEGER_BYTES_MAX = 20;

/** See the module's text. */
export class Hashes implements CollectionKind {
  /** Form of the value at hand. */
  form: number = FORM_PACK;
  /** Root of the value at hand; 0 of one that has just begun. */
  root = 0;
  /** The bytes last read lie in it, unless `blob` is set. */
  u8: Uint8Array = new Uint8Array(0);
  /** A view of `u8`, or null where there is none. */
  view: DataView | null = null;
  /** First of the bytes last read; 0 with `blob`. */
  start = 0;
  /** One past the last of the bytes last read; with `blob`, how many there are. */
  stop = 0;
  /** Root of the blob that the value last read is, or 0. */
  blob = 0;

  readonly #arena: Arena;
  readonly #dict: Dict;
  readonly #blobs: Blobs;
  readonly #packs: Packs;
  readonly #limits: CollectionLimits;
  readonly #fields: HashFields;
  readonly #deadlines: HashDeadlines;
  readonly #walker: DictWalker;
  readonly #integer = new Uint8Array(INTEGER_BYTES_MAX);
  /** The table of the value at hand, 0 if it is packed. */
  #table = 0;
  /** The field at hand: a position in the pack, or an entry of the table; 0 for none. */
  #at = 0;
  /** Fields whose deadline is at or before this are hidden. */
  #hiddenUpToMs = HIDES_NOTHING;

  /** Hashes in the memory of `parts`. */
  constructor(parts: CollectionParts) {
    this.#arena = parts.arena;
    this.#dict = parts.dict;
    this.#blobs = parts.blobs;
    this.#packs = parts.packs;
    this.#limits = parts.limits;
    this.#fields = new HashFields(parts);
    this.#deadlines = new HashDeadlines(parts);
    this.#walker = new DictWalker(parts.arena.i32);
  }

  /** Takes a new hash in hand. It has no block until it has a field: nothing need be undone. */
  begin(): void {
    this.form = FORM_PACK;
    this.root = 0;
    this.#table = 0;
    this.#at = 0;
    this.#hiddenUpToMs = HIDES_NOTHING;
  }

  /** Takes a hash in hand, all of its fields visible. */
  open(form: number, root: number): void {
    this.openAt(form, root, HIDES_NOTHING);
  }

  /** As `open`, fields with a deadline at or before `hiddenUpToMs` (Unix) being as good as gone. */
  openAt(form: number, root: number, hiddenUpToMs: number): void {
    this.form = form;
    this.root = root;
    this.#table = form === FORM_PACK ? 0 : this.#tableOf(form, root);
    this.#at = 0;
    this.#hiddenUpToMs = hiddenUpToMs;
  }

  #tableOf(form: number, root: number): number {
    return form === FORM_TABLE ? root : this.#deadlines.tableOf(root);
  }

  /** Number of fields of the value at hand, hidden ones included. */
  get count(): number {
    return this.root === 0 ? 0 : this.size(this.form, this.root);
  }

  /** Whether some field may be hidden. If not, none is. */
  get mayHide(): boolean {
    return this.form === FORM_EXPIRING &&
      this.#deadlines.earliest(this.root) <= this.#hiddenUpToMs;
  }

  /** Number of visible fields. O(N) if some may be hidden. */
  countVisible(): number {
    if (!this.mayHide) return this.count;
    return this.count - this.#deadlines.countDue(this.root, this.#hiddenUpToMs);
  }

  // ---- one field -----------------------------------------------------------------------------

  /** Comes upon the field `buf[fs..fe)`; false if there is none, or none to be seen. */
  find(buf: Uint8Array, fs: number, fe: number): boolean {
    if (this.form === FORM_PACK) {
      const p = this.root;
      this.#at = p === 0 ? 0 : this.#packs.find(p, this.#packs.first(p), buf, fs, fe, 1);
      return this.#at !== 0;
    }
    const a = this.#dict.find(this.#table, buf, fs, fe, this.#dict.hash(buf, fs, fe));
    this.#at = a;
    return a !== 0 && !this.#isHidden(a);
  }

  #isHidden(a: number): boolean {
    if (this.form !== FORM_EXPIRING) return false;
    const deadline = this.#fields.deadlineOf(a);
    return deadline !== NO_DEADLINE && deadline <= this.#hiddenUpToMs;
  }

  /**
   * Entry of the field that `find` has just not found because it is hidden; 0 if there is no such
   * field.
   */
  get hiddenEntry(): number {
    return this.form === FORM_EXPIRING && this.#at !== 0 && this.#isHidden(this.#at) ? this.#at : 0;
  }

  /** Entry of the field at hand. Not of a packed hash. */
  get entry(): number {
    return this.#at;
  }

  /** Makes the field with this entry the one at hand, and reads its name. Not of a packed hash. */
  useEntry(a: number): void {
    this.#at = a;
    this.#readField();
  }

  #readField(): void {
    const at = this.#at;
    this.blob = 0;
    if (this.form === FORM_PACK) return this.#readPacked(at);
    const arena = this.#arena;
    this.u8 = arena.bytes(at);
    this.view = arena.view(at);
    this.start = keyAt(arena.i32, at);
    this.stop = this.start + keyBytes(arena.i32, at);
  }

  #readPacked(at: number): void {
    const packs = this.#packs;
    packs.read(this.root, at);
    this.u8 = packs.u8;
    this.view = packs.isInteger ? null : this.#arena.view(this.root);
    this.start = packs.start;
    this.stop = packs.stop;
  }

  /** Reads the value of the field at hand: it is in `u8`, or `blob`. */
  readValue(): void {
    const at = this.#at;
    this.blob = 0;
    if (this.form === FORM_PACK) return this.#readPacked(this.#packs.next(this.root, at));
    const fields = this.#fields;
    const word = fields.valueWord(at);
    if (fields.isBlob(at)) {
      this.blob = word;
      this.view = null;
      this.start = 0;
      this.stop = this.#blobs.byteLength(word);
      return;
    }
    this.u8 = this.#arena.bytes(at);
    this.view = this.#arena.view(at);
    this.start = fields.valueStart(at);
    this.stop = this.start + word;
  }

  /** Deadline of the field at hand in Unix ms, or `NO_DEADLINE`. */
  get deadline(): number {
    return this.form === FORM_EXPIRING ? this.#fields.deadlineOf(this.#at) : NO_DEADLINE;
  }

  /**
   * Gives the field `buf[fs..fe)` the value `src[vs..ve)`; `view` is a view of `src`, if the caller
   * has one. A deadline that the field has goes, unless it is kept. True if the field is new.
   */
  put(
    buf: Uint8Array,
    fs: number,
    fe: number,
    src: Uint8Array,
    vs: number,
    ve: number,
    view: DataView | null = null,
    keepsDeadline: boolean = false,
  ): boolean {
    if (this.form === FORM_PACK) {
      const longest = this.#limits.hashMaxListpackValue;
      if (fe - fs <= longest && ve - vs <= longest && this.#canPack(fe - fs + ve - vs)) {
        return this.#putPacked(buf, fs, fe, src, vs, ve);
      }
      this.#makeTable();
    }
    const hash = this.#dict.hash(buf, fs, fe);
    const a = this.#dict.find(this.#table, buf, fs, fe, hash);
    const had = a === 0 || this.form !== FORM_EXPIRING ? NO_DEADLINE : this.#fields.deadlineOf(a);
    const deadline = keepsDeadline ? had : NO_DEADLINE;
    const table = this.#fields.put(
      this.#table,
      a,
      hash,
      buf,
      fs,
      fe,
      src,
      vs,
      ve,
      view,
      deadline,
    );
    this.#at = this.#fields.entry;
    this.#store(table, had !== NO_DEADLINE && !keepsDeadline ? -1 : 0);
    return a === 0;
  }

  /** Whether a pair of `bytes` in all, new or not, leaves the pack within its block. */
  #canPack(bytes: number): boolean {
    const more = bytes + PACKED_PAIR_BYTES;
    const held = this.root === 0 ? EMPTY_PACK_BYTES : this.#packs.byteLength(this.root);
    return held + more <= PACK_BYTES_MAX;
  }

  #putPacked(
    buf: Uint8Array,
    fs: number,
    fe: number,
    src: Uint8Array,
    vs: number,
    ve: number,
  ): boolean {
    const packs = this.#packs;
    let p = this.root;
    if (p === 0) p = packs.create(fe - fs + ve - vs + PACKED_SHORT_PAIR_BYTES);
    const at = packs.find(p, packs.first(p), buf, fs, fe, 1);
    const isNew = at === 0;
    if (isNew) {
      p = packs.append(p, buf, fs, fe);
      this.#at = packs.at;
      p = packs.append(p, src, vs, ve);
    } else {
      this.#at = at;
      p = packs.replace(p, packs.next(p, at), src, vs, ve);
    }
    this.root = p;
    // Not only behind a new field: the limit may have been lowered (as in Redis).
    if (packs.count(p) > 2 * this.#limits.hashMaxListpackEntries) this.#makeTable();
    return isNew;
  }

  /** Gives the field at hand a deadline in Unix ms, or takes it away (`NO_DEADLINE`). Not of a packed hash. */
  setDeadline(ms: number): void {
    if (ms !== NO_DEADLINE) this.allowDeadlines();
    else if (this.form !== FORM_EXPIRING) return;
    const fields = this.#fields;
    const had = fields.deadlineOf(this.#at) === NO_DEADLINE ? 0 : 1;
    const table = fields.setDeadline(this.#table, this.#at, ms);
    this.#at = fields.entry;
    this.#store(table, ms === NO_DEADLINE ? -had : 1 - had);
    if (ms !== NO_DEADLINE) this.#deadlines.note(this.root, this.#at, ms);
  }

  /** Brings the value at hand into the form that can hold deadlines. If it was packed, no field is at hand any more. */
  allowDeadlines(): void {
    if (this.form === FORM_PACK) this.#makeTable();
    if (this.form === FORM_EXPIRING) return;
    this.root = this.#deadlines.create(this.root);
    this.form = FORM_EXPIRING;
  }

  /** Removes the field at hand. */
  remove(): void {
    const at = this.#at;
    this.#at = 0;
    if (this.form === FORM_PACK) {
      this.root = this.#packs.remove(this.root, at, 2);
      return;
    }
    const had = this.form === FORM_EXPIRING && this.#fields.deadlineOf(at) !== NO_DEADLINE ? 1 : 0;
    this.#store(this.#fields.remove(this.#table, at), -had);
  }

  /** The table of the value at hand has become `table`, and `more` fields more have a deadline. */
  #store(table: number, more: number): void {
    this.#table = table;
    if (this.form === FORM_TABLE) {
      this.root = table;
      return;
    }
    const x = this.#deadlines.update(this.root, table, more);
    this.root = x;
    if (more >= 0 || this.#deadlines.count(x) > 0) return;
    // The last deadline has gone: what is left is a plain table.
    this.#arena.release(x);
    this.root = table;
    this.form = FORM_TABLE;
  }

  // ---- room and conversion -------------------------------------------------------------------

  /**
   * To be asked before `pairs` fields, new or not, are put that have, with their values, `bytes` in
   * all, no field or value being longer than `longest`: whether there is memory. Brings the value
   * into the form that these ask for.
   */
  prepare(pairs: number, bytes: number, longest: number): boolean {
    let need = pairs === 1 ? 0 : bytes + pairs * PAIR_SLACK_BYTES + PAGE_SLACK_BYTES;
    let isTooLarge = false;
    if (this.form === FORM_PACK) {
      const held = this.count;
      isTooLarge = longest > this.#limits.hashMaxListpackValue ||
        !this.#canPack(bytes + (pairs - 1) * PACKED_PAIR_BYTES);
      if (isTooLarge || held + pairs > this.#limits.hashMaxListpackEntries) {
        need += this.#tableBytes() + bytes;
      }
    }
    if (need > 0 && !this.#arena.hasRoom(need)) return false;
    if (isTooLarge) this.#makeTable();
    return true;
  }

  /** Whether there is memory for `fields` fields, whose entries have `bytes` in all, to get deadlines. */
  hasRoomForDeadlines(fields: number, bytes: number): boolean {
    const packed = this.form === FORM_PACK ? this.#tableBytes() : 0;
    return this.#arena.hasRoom(packed + bytes + fields * PAIR_SLACK_BYTES + PAGE_SLACK_BYTES);
  }

  /** Bytes that the pack at hand would take as a table, at most. */
  #tableBytes(): number {
    if (this.root === 0) return PAGE_SLACK_BYTES;
    return this.#packs.byteLength(this.root) + this.count * PAIR_SLACK_BYTES + PAGE_SLACK_BYTES;
  }

  /** Makes a table of the pack at hand. The field at hand is none. */
  #makeTable(): void {
    const packs = this.#packs;
    const dict = this.#dict;
    const p = this.root;
    let table = dict.create();
    for (let at = p === 0 ? 0 : packs.first(p); at !== 0;) {
      packs.read(p, at);
      let { u8, start, stop } = packs;
      if (packs.isInteger) {
        // Spelt out where the value will be, too.
        this.#integer.set(u8.subarray(start, stop));
        u8 = this.#integer;
        stop -= start;
        start = 0;
      }
      at = packs.next(p, at);
      packs.read(p, at);
      const hash = dict.hash(u8, start, stop);
      table = this.#fields.put(
        table,
        0,
        hash,
        u8,
        start,
        stop,
        packs.u8,
        packs.start,
        packs.stop,
        null,
        NO_DEADLINE,
      );
      at = packs.next(p, at);
    }
    if (p !== 0) packs.release(p);
    this.form = FORM_TABLE;
    this.root = table;
    this.#table = table;
    this.#at = 0;
  }

  // ---- many fields ---------------------------------------------------------------------------

  /** Before the first field, for `next`. The hash must not be edited meanwhile. */
  rewind(): void {
    this.#at = 0;
    if (this.form !== FORM_PACK) this.#walker.start(this.#table);
  }

  /** Comes upon the next visible field and reads its name; false behind the last. */
  next(): boolean {
    if (this.form === FORM_PACK) {
      const packs = this.#packs;
      const p = this.root;
      if (p === 0) return false;
      const at = this.#at === 0 ? packs.first(p) : packs.next(p, packs.next(p, this.#at));
      this.#at = at;
      if (at === 0) return false;
    } else {
      let a = this.#walker.next();
      while (a !== 0 && this.#isHidden(a)) a = this.#walker.next();
      this.#at = a;
      if (a === 0) return false;
    }
    this.#readField();
    return true;
  }

  /**
   * Gathers in `out` the entries of about `count` fields from `cursor` (0: the start) on, hidden ones
   * left out. Returns the next cursor, 0 at the end. Not of a packed hash.
   */
  scan(cursor: number, count: number, out: EntryList): number {
    this.#dict.scan(this.#table, cursor, count, out);
    const next = this.#dict.nextCursor;
    if (!this.mayHide) return next;
    let kept = 0;
    for (let i = 0; i < out.length; i++) {
      const a = out.items[i];
      if (!this.#isHidden(a)) out.items[kept++] = a;
    }
    out.length = kept;
    return next;
  }

  /**
   * Comes upon a visible field chosen by `random()` in [0, 1), and reads its name; false if there is
   * none.
   */
  random(random: () => number): boolean {
    for (let attempt = 0; attempt < RANDOM_ATTEMPTS; attempt++) {
      if (this.tryRandom(random)) return true;
      if (!this.mayHide) return false;
    }
    // Nearly all are hidden.
    let n = Math.floor(random() * this.countVisible());
    this.rewind();
    while (this.next()) if (n-- === 0) return true;
    return false;
  }

  /** As `random` with a single choice among all fields: false also if the one chosen is hidden. */
  tryRandom(random: () => number): boolean {
    if (this.form === FORM_PACK) {
      const n = Math.floor(random() * this.count);
      this.#at = this.root === 0 ? 0 : this.#packs.seek(this.root, 2 * n);
    } else {
      const a = this.#dict.random(this.#table, random);
      this.#at = a !== 0 && this.#isHidden(a) ? 0 : a;
    }
    if (this.#at === 0) return false;
    this.#readField();
    return true;
  }

  // ---- deadlines -----------------------------------------------------------------------------

  /** A time in Unix ms before which no deadline of a field of that value passes; infinite for none. */
  earliestDeadline(form: number, root: number): number {
    return form === FORM_EXPIRING ? this.#deadlines.earliest(root) : Infinity;
  }

  /** See `HashDeadlines.gatherDue`; of the value at hand, which is `FORM_EXPIRING`. */
  gatherDue(nowMs: number, out: EntryList): number {
    return this.#deadlines.gatherDue(this.root, nowMs, out);
  }

  /** Removes the fields with these entries. */
  removeEntries(entries: EntryList): void {
    for (let i = 0; i < entries.length; i++) {
      this.#at = entries.items[i];
      this.remove();
    }
  }

  // ---- CollectionKind ------------------------------------------------------------------------

  /** Number of fields. */
  size(form: number, root: number): number {
    if (form === FORM_PACK) return this.#packs.count(root) >> 1;
    return this.#dict.count(this.#tableOf(form, root));
  }

  /** What `OBJECT ENCODING` says of it. */
  encoding(form: number, _root: number): string {
    return form === FORM_PACK ? "listpack" : "hashtable";
  }

  /** Takes a table apart, in slices. */
  bury(form: number, root: number): Grave {
    const table = this.#tableOf(form, root);
    if (form === FORM_EXPIRING) this.#arena.release(root);
    return this.#fields.bury(table);
  }

  /** A second hash with the same fields, values and deadlines. Returns its root. */
  copy(form: number, root: number): number {
    if (form === FORM_PACK) return this.#packs.copy(root);
    const table = this.#fields.copy(this.#tableOf(form, root));
    return form === FORM_TABLE ? table : this.#deadlines.copy(root, table);
  }

  /** See `CollectionKind`. */
  memoryBytes(form: number, root: number, samples = 0): number {
    const head = form === FORM_TABLE ? 0 : this.#arena.blockBytes(root);
    if (form === FORM_PACK) return head;
    return head + this.#fields.memoryBytes(this.#tableOf(form, root), samples);
  }
}
