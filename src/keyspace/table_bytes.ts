/**
 * What a dict and its entries take in the arena.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import { type Dict, DictWalker, EntryList } from "../memory/dict.ts";

/**
 * Bytes of the dict at `root`, its entries, and what `beyond` says that an entry has beyond its own
 * block. Of a dict with more than `samples` entries about as many are looked at and stand for the
 * others; with 0 all are.
 */
export function tableBytes(
  arena: Arena,
  dict: Dict,
  root: number,
  samples: number,
  beyond: (entry: number) => number = () => 0,
): number {
  const count = dict.count(root);
  const bytes = dict.overheadBytes(root);
  let entries = 0;
  if (samples === 0 || count <= samples) {
    const walker = new DictWalker(arena.i32);
    walker.start(root);
    for (let a = walker.next(); a !== 0; a = walker.next()) {
      entries += arena.blockBytes(a) + beyond(a);
    }
    return bytes + entries;
  }
  const list = new EntryList();
  dict.sample(root, Math.random, samples, list);
  for (let i = 0; i < list.length; i++) {
    const a = list.items[i];
    entries += arena.blockBytes(a) + beyond(a);
  }
  return bytes + Math.round(entries / list.length * count);
}
