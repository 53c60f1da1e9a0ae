/**
 * Where the members of a combination of sets go: to the client, into a set, or nowhere but a count.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Sets } from "../keyspace/set.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

/** Takes members one after another. */
export interface MemberTarget {
  /** The next member is `u8[start..stop)`. False when no more are wanted. */
  take(u8: Uint8Array, start: number, stop: number): boolean;
}

/** Replies with the members as a set. */
export class ReplyTarget implements MemberTarget {
  #reply!: ReplyWriter;
  #mark = 0;
  #count = 0;

  /** Begins a reply. */
  open(reply: ReplyWriter): void {
    this.#reply = reply;
    this.#mark = reply.deferArray();
    this.#count = 0;
  }

  /** See `MemberTarget`. */
  take(u8: Uint8Array, start: number, stop: number): boolean {
    this.#reply.bulk(u8, start, stop);
    this.#count++;
    return !this.#reply.overflowed;
  }

  /** Ends the reply. */
  finish(): void {
    this.#reply.finishSet(this.#mark, this.#count);
  }
}

/** Bytes that adding a member may take beyond the member: an entry, pages that split. */
const MEMBER_ROOM_BYTES = 1_024;

/** Builds a set that no key has yet; false when memory has run out. */
export class StoreTarget implements MemberTarget {
  #keys!: Keyspace;

  /** The set. */
  get sets(): Sets {
    return this.#keys.sets.draft;
  }

  /** Number of its members. */
  get count(): number {
    return this.sets.count;
  }

  /** Begins an empty set in a keyspace. */
  open(keys: Keyspace): void {
    this.#keys = keys;
    keys.sets.draft.begin();
  }

  /** See `MemberTarget`. */
  take(u8: Uint8Array, start: number, stop: number): boolean {
    const { sets } = this;
    const bytes = stop - start + MEMBER_ROOM_BYTES + sets.conversionBytes;
    if (!this.#keys.arena.hasRoom(bytes)) return false;
    sets.add(u8, start, stop);
    return true;
  }

  /** Frees what was built: no key gets it. */
  abandon(): void {
    this.sets.abandon();
  }
}

/** Counts the members, up to a limit. */
export class CountTarget implements MemberTarget {
  /** Members so far. */
  count = 0;
  #limit = 0;

  /** Begins at 0; a limit of 0 is none. */
  open(limit: number): void {
    this.count = 0;
    this.#limit = limit;
  }

  /** See `MemberTarget`. */
  take(): boolean {
    this.count++;
    return this.count !== this.#limit;
  }
}
