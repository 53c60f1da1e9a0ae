/**
 * What a stream takes in the arena, block by block.
 *
 * @module
 */

import type { CollectionParts } from "./collection.ts";
import {
  C_NAME,
  C_PENDING,
  G_CONSUMERS,
  G_NAME,
  G_PENDING,
  N_IS_BLOB,
  N_LISTPACK,
  S_GROUPS,
  S_NODES,
} from "./stream_layout.ts";
import { TreeReader } from "../memory/tree.ts";

/** Bytes of all blocks of the stream at `root`. O(blocks). */
export function streamBytes(parts: CollectionParts, root: number): number {
  const { arena, blobs, trees } = parts;
  const { i32 } = arena;
  const nodes = i32[root * 2 + S_NODES];
  const groups = i32[root * 2 + S_GROUPS];
  let bytes = arena.blockBytes(root) + trees.nodeBytes(nodes);
  const cursor = new TreeReader(arena);
  for (let is = cursor.first(nodes); is; is = cursor.next()) {
    const node = cursor.item;
    const listpack = i32[node * 2 + N_LISTPACK];
    bytes += arena.blockBytes(node);
    bytes += i32[node * 2 + N_IS_BLOB] === 0
      ? arena.blockBytes(listpack)
      : blobs.memoryBytes(listpack);
  }
  if (groups === 0) return bytes;
  bytes += trees.nodeBytes(groups);
  for (let is = cursor.first(groups); is; is = cursor.next()) {
    bytes += groupBytes(parts, cursor.item);
  }
  return bytes;
}

function groupBytes(parts: CollectionParts, group: number): number {
  const { arena, trees } = parts;
  const { i32 } = arena;
  const pending = i32[group * 2 + G_PENDING];
  const consumers = i32[group * 2 + G_CONSUMERS];
  let bytes = arena.blockBytes(group) + arena.blockBytes(i32[group * 2 + G_NAME]);
  const cursor = new TreeReader(arena);
  if (pending !== 0 && cursor.first(pending)) {
    // All pending entries are of one size.
    bytes += trees.nodeBytes(pending) + trees.weight(pending) * arena.blockBytes(cursor.item);
  }
  if (consumers === 0) return bytes;
  bytes += trees.nodeBytes(consumers);
  for (let is = cursor.first(consumers); is; is = cursor.next()) {
    const consumer = cursor.item;
    const own = i32[consumer * 2 + C_PENDING];
    bytes += arena.blockBytes(consumer) + arena.blockBytes(i32[consumer * 2 + C_NAME]);
    if (own !== 0) bytes += trees.nodeBytes(own);
  }
  return bytes;
}
