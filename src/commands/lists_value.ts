/**
 * Lists as the commands on them see them: taking one in hand, replying its items, storing what became
 * of it. A list without items is no value: its key goes.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Lists } from "../keyspace/list.ts";
import { byteAt } from "../memory/arena.ts";
import type { PackReader } from "../memory/pack_reader.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { BULK_FRAME_BYTES, type ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { DEL_HAPPENED, GENERIC_EVENT, LIST_EVENT } from "./keyspace_events.ts";
import { anyFit, bulkBytes, headBytes } from "./reply_room.ts";

/** An end of a list. */
export const HEAD = 0;
/** See `HEAD`. */
export const TAIL = 1;

/** `LPOP` and `RPOP`, by end. */
export const POP: readonly Uint8Array[] = [ascii("LPOP"), ascii("RPOP")];
/** `lpush` and `rpush`: items were added, by end. */
export const PUSH_HAPPENED: readonly Uint8Array[] = [ascii("lpush"), ascii("rpush")];
/** `lpop` and `rpop`: items were taken, by end. */
export const POP_HAPPENED: readonly Uint8Array[] = [ascii("lpop"), ascii("rpop")];

const LEFT = ascii("LEFT");
const RIGHT = ascii("RIGHT");

/** The end that argument `i` names (`LEFT`, `RIGHT`); -1, and the error is replied, if it names none. */
export function endArgument(call: Call, i: number): number {
  if (call.is(i, LEFT)) return HEAD;
  if (call.is(i, RIGHT)) return TAIL;
  call.reply.error(ERR_SYNTAX);
  return -1;
}

/** Takes the list of entry `a` in hand. */
export function openList(keys: Keyspace, a: number): Lists {
  const { lists } = keys;
  lists.open(keys.formOf(a), keys.valueRoot(a));
  return lists;
}

/** Replies with the item under the list's cursor. */
export function replyItem(reply: ReplyWriter, keys: Keyspace, lists: Lists): void {
  if (lists.isBlob) return replyBlob(reply, keys, lists.blob);
  const { packs, pack } = lists;
  packs.read(pack, lists.at);
  replyElement(reply, packs, keys.arena.view(pack));
}

/** Replies with the element that `packs` has read of the pack whose window `view` is of. */
function replyElement(reply: ReplyWriter, packs: PackReader, view: DataView): void {
  if (packs.isInteger) reply.bulk(packs.u8, packs.start, packs.stop);
  else reply.bulkFrom(packs.u8, view, packs.start, packs.stop);
}

/** The pieces of a long item, one after the other. */
function replyBlob(reply: ReplyWriter, keys: Keyspace, blob: number): void {
  const { blobs, arena } = keys;
  const length = blobs.byteLength(blob);
  reply.reserve(length + BULK_FRAME_BYTES);
  reply.bulkHeader(length);
  for (let i = 0, left = length; left > 0; i++) {
    const block = blobs.pieceBlock(blob, i);
    const bytes = blobs.pieceBytes(blob, i);
    const at = byteAt(block) + 8;
    reply.raw(arena.bytes(block), at, at + bytes);
    left -= bytes;
  }
  reply.crlf();
}

/**
 * Replies with `count` items, which are there, from item `index` on (negative: from the end): towards
 * the tail, or with `isBackwards` towards the head.
 */
export function replyItems(
  reply: ReplyWriter,
  keys: Keyspace,
  lists: Lists,
  index: number,
  count: number,
  isBackwards: boolean,
): void {
  lists.seek(index);
  let left = count;
  while (left > 0) {
    if (isBackwards) {
      replyItem(reply, keys, lists);
      if (--left > 0) lists.previous();
    } else {
      left -= replyRun(reply, keys, lists, left);
      if (left > 0) lists.nextSlot();
    }
  }
}

/**
 * Replies with the items of one pack, or the blob, from the cursor on, `most` at most. Returns how many;
 * the cursor stays.
 */
function replyRun(reply: ReplyWriter, keys: Keyspace, lists: Lists, most: number): number {
  if (lists.isBlob) {
    replyBlob(reply, keys, lists.blob);
    return 1;
  }
  const { packs, pack } = lists;
  const view = keys.arena.view(pack);
  let { at } = lists;
  let items = 0;
  while (items < most && at !== 0) {
    at = packs.readOn(pack, at);
    replyElement(reply, packs, view);
    items++;
  }
  return items;
}

/**
 * Stores what became of the list of entry `a`, whose key is argument `i`, after items were taken out.
 */
export function storeShrunk(call: Call, i: number, a: number): void {
  const { keys, db } = call;
  const { lists } = keys;
  const isEmpty = lists.length === 0;
  if (!isEmpty) lists.shrink(true);
  a = keys.setValue(db, a, lists.form, lists.root);
  if (isEmpty) removeEmptied(call, i, a);
}

/** Removes the entry `a` of the key in argument `i`, from which everything was taken. */
export function removeEmptied(call: Call, i: number, a: number): void {
  call.keys.remove(call.db, a);
  call.notify(GENERIC_EVENT, DEL_HAPPENED, i);
}

/** Bytes of the reply with the item under the list's cursor. */
function itemBytes(lists: Lists): number {
  if (lists.isBlob) return bulkBytes(lists.blobs.byteLength(lists.blob));
  lists.read();
  return bulkBytes(lists.packs.stop - lists.packs.start);
}

/**
 * Whether `count` items at one end of the list in hand, whose key is argument `i`, can be sent; replies
 * the error if not.
 */
function itemsFit(call: Call, i: number, lists: Lists, end: number, count: number): boolean {
  if (anyFit(call, i, count)) return true;
  let bytes = headBytes(call, i);
  lists.seek(end === HEAD ? 0 : -1);
  for (let left = count; left > 0; left--) {
    bytes += itemBytes(lists);
    if (end === HEAD) lists.next();
    else lists.previous();
  }
  return call.replyFits(bytes);
}

/** The key in argument `i`, and behind it will be what was taken from it. */
function replyKey(call: Call, i: number): void {
  call.reply.array(2);
  call.reply.bulk(call.buf, call.starts[i], call.stops[i]);
}

/**
 * Replies with the item at one end of the list of entry `a`, whose key is argument `i`, and takes it
 * out; `withKey` with the key before it. False, with the error replied and nothing taken, if it cannot
 * be sent.
 */
export function popItem(
  call: Call,
  i: number,
  a: number,
  end: number,
  withKey: boolean,
): boolean {
  const { keys, reply } = call;
  const lists = openList(keys, a);
  lists.seek(end === HEAD ? 0 : -1);
  if (!anyFit(call, i, 1) && !call.replyFits(headBytes(call, i) + itemBytes(lists))) return false;
  if (withKey) replyKey(call, i);
  const isLast = lists.isOnly;
  replyItem(reply, keys, lists);
  if (!isLast) {
    lists.remove();
    lists.shrink(true);
    keys.setValue(call.db, a, lists.form, lists.root);
  }
  call.notify(LIST_EVENT, POP_HAPPENED[end], i);
  if (isLast) removeEmptied(call, i, a);
  return true;
}

/** As `popItem` for up to `count` items, as an array. Returns how many, 0 after the error. */
export function popItems(
  call: Call,
  i: number,
  a: number,
  end: number,
  count: number,
  withKey: boolean,
): number {
  const { keys, reply } = call;
  const lists = openList(keys, a);
  const { length } = lists;
  count = Math.min(count, length);
  if (!itemsFit(call, i, lists, end, count)) return 0;
  if (withKey) replyKey(call, i);
  reply.array(count);
  replyItems(reply, keys, lists, end === HEAD ? 0 : -1, count, end === TAIL);
  if (count < length) {
    lists.removeRange(end === HEAD ? 0 : length - count, count);
    lists.shrink(true);
    keys.setValue(call.db, a, lists.form, lists.root);
  }
  call.notify(LIST_EVENT, POP_HAPPENED[end], i);
  if (count === length) removeEmptied(call, i, a);
  return count;
}
