/**
 * What XREAD and XREADGROUP are asked for, and what else they do alike: waiting, and replying several
 * streams.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_STREAM } from "../keyspace/entry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { int64Argument } from "./arguments.ts";
import { blockOn, timeoutMsArgument } from "./blocking.ts";
import type { Call } from "./call.ts";
import type { ArgumentDoc } from "./registry.ts";
import type { GroupArguments } from "./stream_effects.ts";
import { COUNT } from "./stream_values.ts";

const BLOCK = ascii("BLOCK");
const STREAMS = ascii("STREAMS");
const GROUP = ascii("GROUP");
const NOACK = ascii("NOACK");

const ERR_GROUP_OF_XREAD = ascii(
  "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
);
const ERR_NOACK_OF_XREAD = ascii(
  "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
);
const ERR_NO_GROUP_OPTION = ascii("ERR Missing GROUP option for XREADGROUP");

function unbalanced(name: string, symbol: string): Uint8Array {
  return ascii(
    `ERR Unbalanced '${name}' list of streams: for each stream key an ID or '${symbol}' must be ` +
      "specified.",
  );
}
const ERR_UNBALANCED = unbalanced("xread", "$");
const ERR_UNBALANCED_OF_GROUP = unbalanced("xreadgroup", ">");

/** Timeout of a request that does not wait. */
export const DOES_NOT_BLOCK: -1 = -1;

/** The options of one request. */
export class ReadOptions {
  /** Milliseconds to wait, 0 for no end, or `DOES_NOT_BLOCK`. */
  timeoutMs: number = DOES_NOT_BLOCK;
  /** Most entries of each stream. */
  count: number = Infinity;
  /** Entries are delivered without becoming pending. */
  noAck = false;
  /** Argument with the first stream's key; their IDs follow. */
  firstKey = 0;
  /** Number of streams. */
  streams = 0;
  /** Where key (as the streams come), group and consumer are. */
  readonly at: GroupArguments = { key: 0, group: 0, consumer: 0 };

  /** Reads the options; false, with the error replied, if they do not parse. */
  read(call: Call, isGroup: boolean): boolean {
    const { argc, reply } = call;
    this.timeoutMs = DOES_NOT_BLOCK;
    this.count = Infinity;
    this.noAck = false;
    this.firstKey = 0;
    this.at.group = 0;
    for (let i = 1; i < argc && this.firstKey === 0; i++) {
      const more = argc - i - 1;
      if (more > 0 && call.is(i, BLOCK)) {
        this.timeoutMs = timeoutMsArgument(call, ++i);
        if (Number.isNaN(this.timeoutMs)) return false;
      } else if (more > 0 && call.is(i, COUNT)) {
        const count = int64Argument(call, ++i);
        if (Number.isNaN(count)) return false;
        this.count = count <= 0 ? Infinity : count;
      } else if (more > 0 && call.is(i, STREAMS)) {
        this.firstKey = i + 1;
      } else if (more > 1 && call.is(i, GROUP)) {
        if (!isGroup) return refuse(call, ERR_GROUP_OF_XREAD);
        this.at.group = i + 1;
        this.at.consumer = i + 2;
        i += 2;
      } else if (call.is(i, NOACK)) {
        if (!isGroup) return refuse(call, ERR_NOACK_OF_XREAD);
        this.noAck = true;
      } else {
        reply.error(ERR_SYNTAX);
        return false;
      }
    }
    if (this.firstKey === 0) return refuse(call, ERR_SYNTAX);
    const rest = argc - this.firstKey;
    if (rest % 2 !== 0) return refuse(call, isGroup ? ERR_UNBALANCED_OF_GROUP : ERR_UNBALANCED);
    this.streams = rest / 2;
    return isGroup && this.at.group === 0 ? refuse(call, ERR_NO_GROUP_OPTION) : true;
  }
}

function refuse(call: Call, error: Uint8Array): false {
  call.reply.error(error);
  return false;
}

/** Positions of the keys of XREAD and XREADGROUP: the first half of what follows STREAMS. */
export function streamsKeys(call: Call): number[] {
  for (let i = 1; i < call.argc; i++) {
    if (call.is(i, GROUP)) {
      i += 2;
    } else if (call.is(i, BLOCK) || call.is(i, COUNT)) {
      i++;
    } else if (call.is(i, STREAMS)) {
      const rest = call.argc - i - 1;
      if (rest % 2 !== 0) return [];
      return Array.from({ length: rest / 2 }, (_, n) => i + 1 + n);
    }
  }
  return [];
}

function nothing(reply: ReplyWriter): void {
  reply.nilArray();
}

/**
 * Waits if the request says so, and answers that there is nothing otherwise. `rewrite` is that of
 * `BlockOptions`.
 */
export function blockOrNothing(
  call: Call,
  options: ReadOptions,
  isGroup: boolean,
  rewrite: ((i: number) => Uint8Array | null) | null,
): void {
  if (options.timeoutMs === DOES_NOT_BLOCK || !call.canBlock) return nothing(call.reply);
  blockOn(call, {
    firstKey: options.firstKey,
    keyCount: options.streams,
    type: TYPE_STREAM,
    timeoutMs: options.timeoutMs,
    expired: nothing,
    wakesOnRemoval: isGroup,
    ...(rewrite === null ? {} : { rewrite }),
  });
}

/** Begins the reply of one of several streams. */
export function beginStream(call: Call, key: number): void {
  if (!call.reply.resp3) call.reply.array(2);
  call.reply.bulk(call.buf, call.starts[key], call.stops[key]);
}

/** Ends the replies of `n` streams that began with `deferArray`. */
export function endStreams(reply: ReplyWriter, mark: number, n: number): void {
  if (reply.resp3) reply.finishMap(mark, n);
  else reply.finishArray(mark, n);
}

/** The optional BLOCK of COMMAND DOCS. */
export const BLOCK_OPTION: ArgumentDoc = {
  name: "milliseconds",
  type: "integer",
  token: "BLOCK",
  optional: true,
};
/** The streams and IDs of COMMAND DOCS. */
export const STREAMS_BLOCK: ArgumentDoc = {
  name: "streams",
  type: "block",
  token: "STREAMS",
  arguments: [
    { name: "key", type: "key", multiple: true },
    { name: "id", type: "string", multiple: true },
  ],
};
