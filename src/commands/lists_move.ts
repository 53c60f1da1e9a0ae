/**
 * The commands that move an item from one list to another, or to the other end of the same: LMOVE,
 * RPOPLPUSH, and those that wait for an item to move.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { NO_DEADLINE, TYPE_LIST } from "../keyspace/entry.ts";
import type { Lists } from "../keyspace/list.ts";
import { PACK_BYTES_MAX } from "../memory/pack.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { blockOn, timeoutArgument } from "./blocking.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { LIST_EVENT } from "./keyspace_events.ts";
import {
  endArgument,
  HEAD,
  openList,
  POP_HAPPENED,
  PUSH_HAPPENED,
  removeEmptied,
  replyItem,
  TAIL,
} from "./lists_value.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";

const LMOVE = ascii("LMOVE");
const RPOPLPUSH = ascii("RPOPLPUSH");

/** The item on its way, when it is no blob. */
const carried = new Uint8Array(PACK_BYTES_MAX);

/** Adds the item on its way, `blob` or the first `bytes` of `carried`, to the list in hand. */
function arrive(lists: Lists, end: number, blob: number, bytes: number): void {
  if (blob !== 0) {
    if (end === HEAD) lists.prependBlob(blob);
    else lists.appendBlob(blob);
  } else if (end === HEAD) {
    lists.prepend(carried, 0, bytes);
  } else {
    lists.append(carried, 0, bytes);
  }
}

/**
 * Moves an item from the list of entry `a`, under key 1, to that of key 2, and replies with it. False,
 * and the error is replied, when it cannot go there.
 */
function moveItem(call: Call, a: number, from: number, to: number): boolean {
  const { keys, db, buf, starts, stops, reply } = call;
  const b = call.writeAs(2, TYPE_LIST);
  if (b === WRONG_TYPE || (b === 0 && !call.keyFits(2))) return false;
  const lists = openList(keys, a);
  lists.seek(from === HEAD ? 0 : -1);
  const isLast = lists.isOnly;
  replyItem(reply, keys, lists);
  const blob = lists.isBlob ? lists.blob : 0;
  let bytes = 0;
  if (blob === 0) {
    const { u8, start, stop } = lists.packs;
    bytes = stop - start;
    for (let i = 0; i < bytes; i++) carried[i] = u8[start + i];
  }
  lists.remove(true);
  let isEmptied = false;
  if (a === b) {
    arrive(lists, to, blob, bytes);
    keys.setValue(db, a, lists.form, lists.root);
  } else {
    if (!isLast) lists.shrink(true);
    a = keys.setValue(db, a, lists.form, lists.root);
    isEmptied = isLast;
    if (b === 0) lists.begin(bytes);
    else lists.open(keys.formOf(b), keys.valueRoot(b));
    arrive(lists, to, blob, bytes);
    const { form, root } = lists;
    if (b !== 0) keys.setValue(db, b, form, root);
    else keys.putCollection(db, 0, buf, starts[2], stops[2], TYPE_LIST, form, root, NO_DEADLINE);
  }
  call.notify(LIST_EVENT, PUSH_HAPPENED[to], 2);
  call.notify(LIST_EVENT, POP_HAPPENED[from], 1);
  if (isEmptied) removeEmptied(call, 1, a);
  return true;
}

/** The effect `name` with the first `args` arguments of the request. Counts one change. */
function effectOfFirst(call: Call, name: Uint8Array, args: number): void {
  call.changed(1);
  const { effects, buf, starts, stops } = call;
  if (!effects.active) return;
  let payload = 0;
  for (let i = 1; i <= args; i++) payload += call.bytes(i);
  effects.begin(call.db, name, args, payload);
  for (let i = 1; i <= args; i++) effects.arg(buf, starts[i], stops[i]);
  effects.end();
}

/** How the wait for an item ends in vain. */
function replyNothing(reply: ReplyWriter): void {
  reply.nilArray();
}

/** `name` with `args` arguments is what travels; with a timeout below 0 the command does not wait. */
function move(
  call: Call,
  from: number,
  to: number,
  name: Uint8Array,
  args: number,
  timeoutMs: number,
): void {
  const { reply } = call;
  const a = call.writeAs(1, TYPE_LIST);
  if (a === WRONG_TYPE) return;
  if (a !== 0) {
    if (moveItem(call, a, from, to)) effectOfFirst(call, name, args);
  } else if (timeoutMs < 0 || !call.canBlock) {
    reply.nil();
  } else {
    blockOn(call, {
      firstKey: 1,
      keyCount: 1,
      type: TYPE_LIST,
      timeoutMs,
      expired: replyNothing,
    });
  }
}

/** LMOVE, and BLMOVE, whose last argument is a timeout. */
function moveBetweenEnds(call: Call, waits: boolean): void {
  const from = endArgument(call, 3);
  if (from < 0) return;
  const to = endArgument(call, 4);
  if (to < 0) return;
  const timeoutMs = waits ? timeoutArgument(call, 5) : -1;
  if (!Number.isNaN(timeoutMs)) move(call, from, to, LMOVE, 4, timeoutMs);
}

function rpoplpush(call: Call): void {
  move(call, TAIL, HEAD, RPOPLPUSH, 2, -1);
}

function brpoplpush(call: Call): void {
  const timeoutMs = timeoutArgument(call, 3);
  if (!Number.isNaN(timeoutMs)) move(call, TAIL, HEAD, RPOPLPUSH, 2, timeoutMs);
}

const end = (name: string): ArgumentDoc => ({
  name,
  type: "oneof",
  arguments: [
    { name: "left", type: "pure-token", token: "LEFT" },
    { name: "right", type: "pure-token", token: "RIGHT" },
  ],
});
const TIMEOUT: ArgumentDoc = { name: "timeout", type: "double" };
const LISTS: readonly ArgumentDoc[] = [
  { name: "source", type: "key" },
  { name: "destination", type: "key" },
];
const ENDS: readonly ArgumentDoc[] = [...LISTS, end("wherefrom"), end("whereto")];
const MOVES = {
  keys: { first: 1, last: 2, step: 1 },
  keyAccess: ["RW access delete", "RW insert"],
  group: "list",
  complexity: "O(1)",
} as const;

/** LMOVE, RPOPLPUSH and the commands that wait for what these move. */
export const MOVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: "lmove",
    arity: 5,
    flags: ["write", "denyoom"],
    ...MOVES,
    since: "6.2.0",
    summary: "Moves an item from an end of one list to an end of another, and returns it.",
    arguments: ENDS,
    run: (call) => moveBetweenEnds(call, false),
  },
  {
    name: "rpoplpush",
    arity: 3,
    flags: ["write", "denyoom"],
    ...MOVES,
    since: "1.2.0",
    summary: "Moves the last item of one list to the head of another, and returns it.",
    deprecated: { since: "6.2.0", instead: "`LMOVE` with the `RIGHT` and `LEFT` arguments" },
    arguments: LISTS,
    run: rpoplpush,
  },
  {
    name: "blmove",
    arity: 6,
    flags: ["write", "denyoom", "noscript", "blocking"],
    ...MOVES,
    since: "6.2.0",
    summary: "Moves an item as LMOVE does, and waits for one if there is none.",
    arguments: [...ENDS, TIMEOUT],
    run: (call) => moveBetweenEnds(call, true),
  },
  {
    name: "brpoplpush",
    arity: 4,
    flags: ["write", "denyoom", "noscript", "blocking"],
    ...MOVES,
    since: "2.2.0",
    summary: "Moves an item as RPOPLPUSH does, and waits for one if there is none.",
    deprecated: { since: "6.2.0", instead: "`BLMOVE` with the `RIGHT` and `LEFT` arguments" },
    history: [["6.0.0", "Parts of seconds as a timeout."]],
    arguments: [...LISTS, TIMEOUT],
    run: brpoplpush,
  },
];
