/**
 * The sets that a command names, and what can be made of them: members that all, any, or only the first
 * of them has. Members go from a cursor over one set to a target; others are looked up.
 *
 * The sets are looked up where they lie, which is on one shard unless the command came as the frame of
 * an upstream with fewer shards.
 *
 * @module
 */

import { FORM_TABLE, TYPE_SET } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { SetCursor } from "../keyspace/set_cursor.ts";
import { E_HASH } from "../memory/dict.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import type { MemberTarget, StoreTarget } from "./set_targets.ts";

/** Sources kept between commands. */
const SOURCES_KEPT = 1_024;
/** Up to so many are put in order by insertion, which allocates nothing. */
const INSERTION_SORT_MAX = 16;

/** A set to combine. */
interface Source {
  keys: Keyspace;
  form: number;
  root: number;
  size: number;
}

/** See the module's text. One is reused for all commands. */
export class SetSources {
  /** How many of the keys hold a set. */
  found = 0;
  /**
   * Whether a key is of another shard than the call's, if only one that holds nothing: those who
   * follow the shards may have a set there by the time they hear of the command. Or is past its
   * deadline and hidden here alone (`Call.hides`).
   */
  isAway = false;
  /** The first `found` count. */
  #sources: Source[] = [];
  #hasFirst = false;

  /** Looks up the keys in arguments `[from, to)`; false, with the error replied, when one is no set. */
  read(call: Call, from: number, to: number): boolean {
    if (this.#sources.length > SOURCES_KEPT) this.#sources = [];
    this.found = 0;
    this.isAway = false;
    this.#hasFirst = false;
    const { shardIndex } = call;
    for (let i = from; i < to; i++) {
      call.route(i);
      this.isAway ||= call.shardIndex !== shardIndex;
      const a = call.readAs(i, TYPE_SET);
      if (a === WRONG_TYPE) return false;
      if (a === 0) {
        this.isAway ||= call.hides(i);
        continue;
      }
      if (i === from) this.#hasFirst = true;
      this.#add(call.keys, a);
    }
    if (call.shardIndex !== shardIndex) call.useShard(shardIndex);
    return true;
  }

  #add(keys: Keyspace, a: number): void {
    const form = keys.formOf(a);
    const root = keys.valueRoot(a);
    const size = keys.sets.size(form, root);
    if (this.found === this.#sources.length) {
      this.#sources.push({ keys, form, root, size });
    } else {
      const source = this.#sources[this.found];
      source.keys = keys;
      source.form = form;
      source.root = root;
      source.size = size;
    }
    this.found++;
  }

  /** Gives `target` what is in all sets, of which there is one; false when it wanted no more. */
  intersect(target: MemberTarget): boolean {
    this.#sort(0, false);
    const { found } = this;
    const sources = this.#sources;
    const least = sources[0];
    const cursor = cursorOver(least);
    while (cursor.next()) {
      let i = 1;
      while (i < found && (isSame(sources[i], least) || isIn(sources[i], least, cursor))) i++;
      if (i === found && !target.take(cursor.u8, cursor.start, cursor.stop)) return false;
    }
    return true;
  }

  /** Gives `target` all members of all sets, some more than once; false when it wanted no more. */
  pour(target: MemberTarget): boolean {
    for (let i = 0; i < this.found; i++) {
      if (!pourOne(this.#sources[i], target)) return false;
    }
    return true;
  }

  /**
   * Gives `target` all members of all sets, each once: it is looked for in the sets before its own, so
   * the time grows with the square of their number, and memory not at all. False when it wanted no more.
   */
  unite(target: MemberTarget): boolean {
    this.#sort(0, true);
    const sources = this.#sources;
    for (let i = 0; i < this.found; i++) {
      const source = sources[i];
      const cursor = cursorOver(source);
      while (cursor.next()) {
        let j = 0;
        while (j < i && !isSame(sources[j], source) && !isIn(sources[j], source, cursor)) j++;
        if (j === i && !target.take(cursor.u8, cursor.start, cursor.stop)) return false;
      }
    }
    return true;
  }

  /** Whether it is plain that the first key's set has nothing that no other has. */
  get leavesNothing(): boolean {
    if (!this.#hasFirst) return true;
    const sources = this.#sources;
    for (let i = 1; i < this.found; i++) if (isSame(sources[i], sources[0])) return true;
    return false;
  }

  /** Whether `subtractFromCopy` is cheaper than `subtract`. */
  get copyIsCheaper(): boolean {
    let all = 0;
    for (let i = 0; i < this.found; i++) all += this.#sources[i].size;
    // Redis's estimate: lookups often end early, so they count half.
    return this.#sources[0].size * this.found / 2 > all;
  }

  /** Gives `target` what only the first set has, by lookups; false when it wanted no more. */
  subtract(target: MemberTarget): boolean {
    // The larger a set, the likelier a member is found in it.
    this.#sort(1, true);
    const { found } = this;
    const sources = this.#sources;
    const minuend = sources[0];
    const cursor = cursorOver(minuend);
    while (cursor.next()) {
      let i = 1;
      while (i < found && !isIn(sources[i], minuend, cursor)) i++;
      if (i === found && !target.take(cursor.u8, cursor.start, cursor.stop)) return false;
    }
    return true;
  }

  /** As `subtract`: puts a copy of the first set into `target` and takes the others' members out. */
  subtractFromCopy(target: StoreTarget): boolean {
    if (!pourOne(this.#sources[0], target)) return false;
    for (let i = 1; i < this.found && target.count > 0; i++) {
      const cursor = cursorOver(this.#sources[i]);
      while (cursor.next() && target.count > 0) {
        target.sets.remove(cursor.u8, cursor.start, cursor.stop);
      }
    }
    return true;
  }

  /** Puts the sets from number `from` on in order of size, the least first, or last if `descending`. */
  #sort(from: number, descending: boolean): void {
    const { found } = this;
    const sources = this.#sources;
    if (found - from > INSERTION_SORT_MAX) {
      const sorted = sources.slice(from, found).sort((a, b) => a.size - b.size);
      if (descending) sorted.reverse();
      for (let i = 0; i < sorted.length; i++) sources[from + i] = sorted[i];
      return;
    }
    for (let i = from + 1; i < found; i++) {
      const source = sources[i];
      let at = i;
      while (at > from && comesBefore(source, sources[at - 1], descending)) {
        sources[at] = sources[at - 1];
        at--;
      }
      sources[at] = source;
    }
  }
}

function comesBefore(a: Source, b: Source, descending: boolean): boolean {
  return descending ? a.size > b.size : a.size < b.size;
}

function isSame(a: Source, b: Source): boolean {
  return a.root === b.root && a.keys === b.keys;
}

/** A cursor before the first member of a set. */
function cursorOver({ keys, form, root }: Source): SetCursor {
  const { cursor } = keys.sets;
  cursor.open(form, root);
  return cursor;
}

/** Whether the member under a cursor over `of` is in `source`. */
function isIn(source: Source, of: Source, cursor: SetCursor): boolean {
  const { keys, form, root } = source;
  if (form === FORM_TABLE && cursor.entry !== 0 && keys === of.keys) {
    // Tables of one keyspace hash alike.
    const hash = keys.arena.i32[cursor.entry * 2 + E_HASH];
    return keys.dict.find(root, cursor.u8, cursor.start, cursor.stop, hash) !== 0;
  }
  return keys.sets.holds(form, root, cursor.u8, cursor.start, cursor.stop);
}

/** Gives `target` all members of a set; false when it wanted no more. */
function pourOne(source: Source, target: MemberTarget): boolean {
  const cursor = cursorOver(source);
  while (cursor.next()) {
    if (!target.take(cursor.u8, cursor.start, cursor.stop)) return false;
  }
  return true;
}
