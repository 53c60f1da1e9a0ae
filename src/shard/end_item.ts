/**
 * The item at an end of a list: what a pop would take, or a push has put there.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";

/** A copy of the first or last item of the list that is entry `a`. */
export function endItem(keys: Keyspace, a: number, isHead: boolean): Uint8Array {
  const { lists } = keys;
  lists.open(keys.formOf(a), keys.valueRoot(a));
  lists.seek(isHead ? 0 : lists.length - 1);
  lists.read();
  if (lists.blob === 0) return lists.packs.u8.slice(lists.packs.start, lists.packs.stop);
  const item = new Uint8Array(keys.blobs.byteLength(lists.blob));
  keys.blobs.read(lists.blob, 0, item.length, item, 0);
  return item;
}
