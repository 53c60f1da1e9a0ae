/**
 * String values on their way to a client: from the arena straight into the reply buffer, whichever
 * way they lie in the arena.
 *
 * @module
 */

import { TYPE_STRING } from "../keyspace/entry.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { byteAt } from "../memory/arena.ts";
import { CHUNK_BYTES } from "../memory/blob.ts";
import { ERR_WRONGTYPE } from "../resp/errors.ts";
import { BULK_FRAME_BYTES, type ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";

/** Whether entry `a` is a string; replies the error when it is not. */
export function mustBeString(call: Call, a: number): boolean {
  if (call.keys.typeOf(a) === TYPE_STRING) return true;
  call.reply.error(ERR_WRONGTYPE);
  return false;
}

/**
 * Replies as GET does: with the string of entry `a`, with nil for 0, with an error for another type.
 * False after the error.
 */
export function replyValue(call: Call, a: number): boolean {
  if (a === 0) {
    call.reply.nil();
    return true;
  }
  if (!mustBeString(call, a)) return false;
  replyString(call.reply, call.keys, a);
  return true;
}

/**
 * As `replyValue`, for a command that then removes or replaces the string: false also after the error
 * that it cannot be sent.
 */
export function replyLastValue(call: Call, a: number): boolean {
  return (a === 0 || mayGo(call, a)) && replyValue(call, a);
}

/** Whether the reply with the value of entry `a`, if it is a string, can be sent; replies the error if not. */
function mayGo(call: Call, a: number): boolean {
  const { keys } = call;
  return keys.typeOf(a) !== TYPE_STRING || call.replyFits(BULK_FRAME_BYTES + keys.stringBytes(a));
}

/** Replies with the whole string of entry `a` as a bulk. */
export function replyString(reply: ReplyWriter, keys: Keyspace, a: number): void {
  if (keys.isInline(a)) {
    const start = keys.inlineStart(a);
    reply.bulkFrom(keys.bytesOf(a), keys.arena.view(a), start, start + keys.stringBytes(a));
  } else {
    replyBlob(reply, keys, keys.blobOf(a), 0, keys.stringBytes(a));
  }
}

/** Replies with bytes `[from, to)` of the string of entry `a` as a bulk; both lie within it. */
export function replyStringRange(
  reply: ReplyWriter,
  keys: Keyspace,
  a: number,
  from: number,
  to: number,
): void {
  if (keys.isInline(a)) {
    const start = keys.inlineStart(a);
    reply.bulk(keys.bytesOf(a), start + from, start + to);
  } else {
    replyBlob(reply, keys, keys.blobOf(a), from, to);
  }
}

/** Replies with bytes `[from, to)` of the blob at `root` as a bulk: its pieces, one after the other. */
export function replyBlob(
  reply: ReplyWriter,
  keys: Keyspace,
  root: number,
  from: number,
  to: number,
): void {
  const blobs = keys.blobs;
  // At once, so that the buffer does not grow (and copy what it has) several times on the way.
  reply.reserve(to - from + BULK_FRAME_BYTES);
  reply.bulkHeader(to - from);
  while (from < to) {
    const piece = Math.floor(from / CHUNK_BYTES);
    const within = from - piece * CHUNK_BYTES;
    const bytes = Math.min(CHUNK_BYTES - within, to - from);
    const block = blobs.pieceBlock(root, piece);
    const at = byteAt(block) + 8 + within;
    reply.raw(keys.arena.bytes(block), at, at + bytes);
    from += bytes;
  }
  reply.crlf();
}
