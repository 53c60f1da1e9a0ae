/**
 * The options that XADD and XTRIM share: how much of a stream's old end is cut off.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Streams } from "../keyspace/stream.ts";
import { NO_STREAM_ID, OPEN_STREAM_ID, StreamId } from "../keyspace/stream_id.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import type { Call } from "./call.ts";
import type { ArgumentDoc } from "./registry.ts";
import { ERR_STREAM_ID, idArgument, isByte, isReplayed } from "./stream_values.ts";

/** Nothing is cut off. */
export const NO_TRIM = 0;
/** The stream is cut to a length. */
export const TRIM_TO_LENGTH = 1;
/** Entries before an ID are cut off. */
export const TRIM_BELOW_ID = 2;

const MAXLEN = ascii("MAXLEN");
const MINID = ascii("MINID");
const LIMIT = ascii("LIMIT");
const NOMKSTREAM = ascii("NOMKSTREAM");
const STAR = 42;
const TILDE = 126;
const EQUALS = 61;

/** Entries that `~` removes at most where the client does not say, and nodes have no greatest count. */
const LIMIT_DEFAULT = 10_000;
/** Nodes that `~` removes at most where the client does not say. */
const LIMIT_NODES = 100;
/** The most of `LIMIT_NODES` full nodes. */
const LIMIT_MAX = 1_000_000;

const ERR_TWICE = ascii(
  "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const ERR_MAXLEN = ascii("ERR The MAXLEN argument must be >= 0.");
const ERR_LIMIT = ascii("ERR The LIMIT argument must be >= 0.");
const ERR_LIMIT_ALONE = ascii(
  "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const ERR_LIMIT_EXACT = ascii(
  "ERR syntax error, LIMIT cannot be used without the special ~ option",
);
const ERR_NO_STRATEGY = ascii(
  "ERR syntax error, XTRIM must be called with a trimming strategy",
);

/** The options of one request. */
export class TrimOptions {
  /** `NO_TRIM`, `TRIM_TO_LENGTH` or `TRIM_BELOW_ID`. */
  strategy: number = NO_TRIM;
  /** Length that is left. */
  lengthMax = 0;
  /** First ID that is left. */
  readonly minId: StreamId = new StreamId();
  /** `~`: only what goes by whole nodes. */
  wholeNodes = false;
  /** Most entries to remove, 0 for no limit. */
  limit = 0;
  /** XADD: a missing stream is not created. */
  needsStream = false;
  /** XADD: the ID that is asked for. */
  readonly id: StreamId = new StreamId();
  /** XADD: no ID is asked for. */
  isAutoId = false;
  /** XADD: no sequence number is asked for. */
  isAutoSequence = false;
  #hasLimit = false;

  /**
   * Reads the options from argument 2 on; of XADD up to the ID, whose position it returns. XTRIM's
   * are all that follow. Returns 0, with the error replied, if they do not parse.
   */
  read(call: Call, isAdd: boolean): number {
    this.strategy = NO_TRIM;
    this.wholeNodes = false;
    this.limit = 0;
    this.needsStream = false;
    this.isAutoId = false;
    this.isAutoSequence = false;
    this.#hasLimit = false;
    const { argc } = call;
    let i = 2;
    for (; i < argc; i++) {
      const hasMore = i + 1 < argc;
      if (isAdd && isByte(call, i, STAR)) {
        this.isAutoId = true;
        break;
      }
      if (hasMore && call.is(i, MAXLEN)) {
        i = this.#readStrategy(call, i, TRIM_TO_LENGTH);
        if (i === 0) return 0;
      } else if (hasMore && call.is(i, MINID)) {
        i = this.#readStrategy(call, i, TRIM_BELOW_ID);
        if (i === 0) return 0;
      } else if (hasMore && call.is(i, LIMIT)) {
        if (!this.#readLimit(call, ++i)) return 0;
      } else if (isAdd && call.is(i, NOMKSTREAM)) {
        this.needsStream = true;
      } else if (isAdd) {
        if (!this.#readId(call, i)) return 0;
        break;
      } else {
        call.reply.error(ERR_SYNTAX);
        return 0;
      }
    }
    return this.#complete(call, isAdd) ? i : 0;
  }

  /** Reads the strategy named in argument `i`; returns its last argument, 0 with the error replied. */
  #readStrategy(call: Call, i: number, strategy: number): number {
    if (this.strategy !== NO_TRIM) {
      call.reply.error(ERR_TWICE);
      return 0;
    }
    this.wholeNodes = false;
    if (i + 2 < call.argc && isByte(call, i + 1, TILDE)) {
      this.wholeNodes = true;
      i++;
    } else if (i + 2 < call.argc && isByte(call, i + 1, EQUALS)) {
      i++;
    }
    i++;
    if (strategy === TRIM_BELOW_ID) {
      if (!idArgument(call, i, this.minId)) return 0;
    } else {
      this.lengthMax = int64Argument(call, i);
      if (Number.isNaN(this.lengthMax)) return 0;
      if (this.lengthMax < 0) {
        call.reply.error(ERR_MAXLEN);
        return 0;
      }
    }
    this.strategy = strategy;
    return i;
  }

  #readLimit(call: Call, i: number): boolean {
    this.limit = int64Argument(call, i);
    if (Number.isNaN(this.limit)) return false;
    this.#hasLimit = true;
    if (this.limit >= 0) return true;
    call.reply.error(ERR_LIMIT);
    return false;
  }

  #readId(call: Call, i: number): boolean {
    const found = this.id.parse(call.buf, call.starts[i], call.stops[i], false);
    this.isAutoSequence = found === OPEN_STREAM_ID;
    if (found !== NO_STREAM_ID) return true;
    call.reply.error(ERR_STREAM_ID);
    return false;
  }

  #complete(call: Call, isAdd: boolean): boolean {
    let error: Uint8Array | null = null;
    if (this.limit !== 0 && this.strategy === NO_TRIM) error = ERR_LIMIT_ALONE;
    else if (!isAdd && this.strategy === NO_TRIM) error = ERR_NO_STRATEGY;
    else if (isReplayed(call)) this.limit = 0; // what was cut off was decided upstream
    else if (this.#hasLimit && !this.wholeNodes) error = ERR_LIMIT_EXACT;
    if (error !== null) {
      call.reply.error(error);
      return false;
    }
    if (this.wholeNodes && !this.#hasLimit && !isReplayed(call)) {
      const nodes = LIMIT_NODES * call.keys.limits.streamNodeMaxEntries;
      this.limit = nodes <= 0 ? LIMIT_DEFAULT : Math.min(nodes, LIMIT_MAX);
    }
    return true;
  }

  /** Cuts the stream at hand. Returns how many entries are gone. */
  apply(streams: Streams): number {
    switch (this.strategy) {
      case TRIM_TO_LENGTH:
        return streams.trimToLength(this.lengthMax, this.wholeNodes, this.limit);
      case TRIM_BELOW_ID:
        return streams.trimBelow(this.minId, this.wholeNodes, this.limit);
      default:
        return 0;
    }
  }
}

/** The options of COMMAND DOCS. */
export const TRIM_ARGUMENTS: readonly ArgumentDoc[] = [
  {
    name: "strategy",
    type: "oneof",
    arguments: [
      { name: "maxlen", type: "pure-token", token: "MAXLEN" },
      { name: "minid", type: "pure-token", token: "MINID", since: "6.2.0" },
    ],
  },
  {
    name: "operator",
    type: "oneof",
    optional: true,
    arguments: [
      { name: "equal", type: "pure-token", token: "=" },
      { name: "approximately", type: "pure-token", token: "~" },
    ],
  },
  { name: "threshold", type: "string" },
  { name: "count", type: "integer", token: "LIMIT", optional: true, since: "6.2.0" },
];
