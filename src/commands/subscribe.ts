/**
 * (P|S)SUBSCRIBE and their opposites. Each topic named is confirmed by a push of its own, in RESP2 an
 * array, which is sent even where CLIENT REPLY says that nothing is (as in Redis).
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { CHANNELS, PATTERNS, type PubSub, SHARD_CHANNELS } from "./pubsub.ts";
import type { ArgumentDoc, CommandFlag, CommandSpec } from "./registry.ts";
import type { Session } from "./session.ts";

const FLAGS: readonly CommandFlag[] = ["pubsub", "noscript", "loading", "stale"];

const ERR_TOO_MANY = ascii("ERR too many clients listen to too many channels");

const ERR_SSUBSCRIBE_IN_MULTI = ascii("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");

/** Number that a confirmation tells: shard channels are counted apart from the others. */
function countOf(session: Session, kind: number): number {
  const own = session.subscriptions;
  if (own === null) return 0;
  return kind === SHARD_CHANNELS ? own.count(kind) : own.count(CHANNELS) + own.count(PATTERNS);
}

/** Where confirmations go: past CLIENT REPLY OFF and SKIP. */
function confirmations(call: Call): ReplyWriter {
  const { session, reply } = call;
  return session.isSilent ? session.beginPush() : reply;
}

function confirm(
  out: ReplyWriter,
  word: Uint8Array,
  name: Uint8Array,
  start: number,
  stop: number,
  count: number,
): void {
  out.push(3);
  out.bulk(word, 0, word.length);
  out.bulk(name, start, stop);
  out.integer(count);
}

function subscriber(pubsub: PubSub, kind: number, name: string): (call: Call) => void {
  const word = ascii(name);
  return (call) => {
    const { session, buf, starts, stops, argc } = call;
    // The others are let in for the sake of clients older than the rule (as in Redis).
    if (kind === SHARD_CHANNELS && session.transaction?.isExecuting === true) {
      return call.reply.error(ERR_SSUBSCRIBE_IN_MULTI);
    }
    if (!pubsub.hasRoom(argc - 1, stops[argc - 1] - starts[1])) {
      return call.reply.error(ERR_TOO_MANY);
    }
    const out = confirmations(call);
    for (let i = 1; i < argc; i++) {
      pubsub.subscribe(session, kind, buf, starts[i], stops[i]);
      confirm(out, word, buf, starts[i], stops[i], countOf(session, kind));
    }
  };
}

function unsubscriber(pubsub: PubSub, kind: number, name: string): (call: Call) => void {
  const word = ascii(name);
  return (call) => {
    const { session, buf, starts, stops, argc } = call;
    const out = confirmations(call);
    for (let i = 1; i < argc; i++) {
      pubsub.unsubscribe(session, kind, buf, starts[i], stops[i]);
      confirm(out, word, buf, starts[i], stops[i], countOf(session, kind));
    }
    if (argc > 1) return;
    const topics = pubsub.topicsOf(session, kind);
    for (const { name } of topics) {
      pubsub.unsubscribe(session, kind, name, 0, name.length);
      confirm(out, word, name, 0, name.length, countOf(session, kind));
    }
    if (topics.length > 0) return;
    out.push(3);
    out.bulk(word, 0, word.length);
    out.nil();
    out.integer(countOf(session, kind));
  };
}

const CHANNEL: ArgumentDoc = { name: "channel", type: "string" };
const PATTERN: ArgumentDoc = { name: "pattern", type: "pattern" };
const SHARD_CHANNEL: ArgumentDoc = { name: "shardchannel", type: "string" };

/** A shard channel belongs to a slot, as a key does, yet it is none. */
const ON_SHARDS: Partial<CommandSpec> = {
  keys: { first: 1, last: -1, step: 1 },
  keyAccess: ["not_key"],
  fansOut: true,
};

/** The commands that begin and end subscriptions in `pubsub`. */
export function subscribeCommands(pubsub: PubSub): CommandSpec[] {
  const on = (
    name: string,
    kind: number,
    since: string,
    argument: ArgumentDoc,
    summary: string,
  ): CommandSpec => ({
    name,
    arity: -2,
    flags: FLAGS,
    ...(kind === SHARD_CHANNELS ? ON_SHARDS : {}),
    group: "pubsub",
    since,
    summary,
    complexity: "O(N) in the number of names given",
    arguments: [{ ...argument, multiple: true }],
    run: subscriber(pubsub, kind, name),
  });
  const off = (
    name: string,
    kind: number,
    since: string,
    argument: ArgumentDoc,
    summary: string,
  ): CommandSpec => ({
    name,
    arity: -1,
    flags: FLAGS,
    ...(kind === SHARD_CHANNELS ? ON_SHARDS : {}),
    group: "pubsub",
    since,
    summary,
    complexity: "O(N) in the number of names given, or of subscriptions ended",
    arguments: [{ ...argument, optional: true, multiple: true }],
    run: unsubscriber(pubsub, kind, name),
  });
  return [
    on("subscribe", CHANNELS, "2.0.0", CHANNEL, "Listens to channels."),
    on("psubscribe", PATTERNS, "2.0.0", PATTERN, "Listens to all channels that match patterns."),
    on("ssubscribe", SHARD_CHANNELS, "7.0.0", SHARD_CHANNEL, "Listens to shard channels."),
    off("unsubscribe", CHANNELS, "2.0.0", CHANNEL, "Stops listening to channels, all by default."),
    off(
      "punsubscribe",
      PATTERNS,
      "2.0.0",
      PATTERN,
      "Stops listening to patterns, all by default.",
    ),
    off(
      "sunsubscribe",
      SHARD_CHANNELS,
      "7.0.0",
      SHARD_CHANNEL,
      "Stops listening to shard channels, all by default.",
    ),
  ];
}
