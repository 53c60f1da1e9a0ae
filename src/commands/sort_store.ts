/**
 * SORT ... STORE: the results become a list. What is stored travels as its outcome, since on a replica
 * the patterns may name something else by then.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { Elements } from "../keyspace/elements.ts";
import { NO_DEADLINE, TYPE_LIST } from "../keyspace/entry.ts";
import { ERR_OOM } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import { DEL_HAPPENED, GENERIC_EVENT, LIST_EVENT } from "./keyspace_events.ts";
import { ByteColumn } from "./sort_column.ts";
import type { SortOptions } from "./sort_options.ts";
import type { Sorting } from "./sort_order.ts";
import type { SortPattern } from "./sort_pattern.ts";

const DEL = ascii("DEL");
const RPUSH = ascii("RPUSH");
const SORTSTORE_HAPPENED = ascii("sortstore");

/** Bytes that storing an item may take beyond its own: a pack, a tree's nodes. */
const ITEM_ROOM_BYTES = 1_024;
/** Bytes of items after which a new RPUSH begins. */
const EFFECT_BYTES = 65_536;
/** Items after which a new RPUSH begins. */
const EFFECT_ITEMS = 1_024;

/**
 * Makes the results the list of the key that STORE names, or removes it if there are none (`sorting`
 * null). The key may be another shard's than the one that was sorted: with fewer shards, those who
 * wrote a frame may have had both in one.
 */
export function storeResults(
  call: Call,
  sorting: Sorting | null,
  { store, gets }: SortOptions,
): void {
  const { reply, buf, starts, stops, db } = call;
  const shard = call.node.shardOf(buf, starts[store], stops[store]);
  const count = sorting === null ? 0 : (sorting.stop - sorting.start) * Math.max(gets.length, 1);
  if (sorting !== null && count > 0 && !buildList(call, shard, sorting, gets)) return;
  call.useShard(shard);
  const { keys } = call;
  const { lists } = keys;
  const { form, root } = lists;
  const a = call.write(store);
  if (count === 0) {
    if (a !== 0) {
      keys.remove(db, a);
      call.effectKey(DEL, store);
      call.notify(GENERIC_EVENT, DEL_HAPPENED, store);
    }
    return reply.zero();
  }
  if (a === 0 && !call.keyFits(store)) return keys.releaseValue(TYPE_LIST, form, root);
  const entry = keys.putCollection(
    db,
    a,
    buf,
    starts[store],
    stops[store],
    TYPE_LIST,
    form,
    root,
    NO_DEADLINE,
  );
  call.changed(count);
  effectList(call, store, entry, a !== 0);
  call.notify(LIST_EVENT, SORTSTORE_HAPPENED, store);
  reply.integer(count);
}

/** Makes a list of the results, at hand in the shard's `lists`; replies the error if it cannot. */
function buildList(
  call: Call,
  shard: number,
  sorting: Sorting,
  gets: readonly SortPattern[],
): boolean {
  const { elements, order, start, stop } = sorting;
  const { keys } = call.node.shards[shard];
  const { lists } = keys;
  const value = new ByteColumn();
  const append = (bytes: Uint8Array, from: number, to: number): boolean => {
    if (!keys.arena.hasRoom(to - from + ITEM_ROOM_BYTES)) return false;
    lists.append(bytes, from, to);
    return true;
  };
  const appendValue = (get: SortPattern, i: number): boolean => {
    value.clear();
    if (!get.lookUp(elements, i)) return append(value.bytes, 0, 0);
    return get.pushTo(value) && append(value.bytes, value.starts[0], value.stops[0]);
  };
  lists.begin();
  for (let n = start; n < stop; n++) {
    const i = order[n];
    const isDone = gets.length === 0
      ? append(elements.bytes, elements.starts[i], elements.stops[i])
      : gets.every((get) => appendValue(get, i));
    if (isDone) continue;
    keys.releaseValue(TYPE_LIST, lists.form, lists.root);
    call.reply.error(ERR_OOM);
    return false;
  }
  return true;
}

/** The effect of a list that was stored under the key in argument `key`: its items, pushed. */
function effectList(call: Call, key: number, entry: number, wasThere: boolean): void {
  const { effects, keys, db, buf } = call;
  if (!effects.active) return;
  const keyStart = call.starts[key];
  const keyStop = call.stops[key];
  const items = new ByteColumn();
  const push = () => {
    const bytes = items.count === 0 ? 0 : items.stops[items.count - 1];
    effects.begin(db, RPUSH, items.count + 1, keyStop - keyStart + bytes);
    effects.arg(buf, keyStart, keyStop);
    for (let i = 0; i < items.count; i++) effects.arg(items.bytes, items.starts[i], items.stops[i]);
    effects.end();
    items.clear();
  };
  call.beginEffects();
  if (wasThere) {
    effects.begin(db, DEL, 1, keyStop - keyStart);
    effects.arg(buf, keyStart, keyStop);
    effects.end();
  }
  const walk = new Elements(keys.arena);
  walk.open(TYPE_LIST, keys.formOf(entry), keys.valueRoot(entry));
  while (walk.next()) {
    walk.gather();
    items.push(walk.content, walk.pieceStart, walk.pieceStop);
    if (items.count === EFFECT_ITEMS || items.stops[items.count - 1] >= EFFECT_BYTES) push();
  }
  if (items.count > 0) push();
  call.endEffects();
}
