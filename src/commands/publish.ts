/**
 * PUBLISH, SPUBLISH, and what PUBSUB tells of channels and their listeners.
 *
 * A message is no write and makes nothing dirty, yet replicas' clients hear it too: it goes down the
 * frames of the shard that the channel's slot belongs to, in order with that shard's writes. Files do
 * not have it, and nobody waits for a disk because of it.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { globMatch } from "../base/glob.ts";
import type { Call } from "./call.ts";
import { type EffectSink, NO_DATABASE } from "./effect.ts";
import { containerCommand } from "./help.ts";
import { CHANNELS, PATTERNS, type PubSub, SHARD_CHANNELS } from "./pubsub.ts";
import type { ArgumentDoc, CommandFlag, CommandSpec } from "./registry.ts";

/** The frame of a message to a channel. */
export const PUBLISH: Uint8Array = ascii("PUBLISH");
/** The frame of a message to a shard channel. */
export const SPUBLISH: Uint8Array = ascii("SPUBLISH");

const HELP = [
  ["CHANNELS [<pattern>]", "List the channels with listeners, or those that match a pattern."],
  ["NUMPAT", "Count the patterns that somebody listens to."],
  ["NUMSUB [<channel> ...]", "Count the listeners of each channel, those by pattern left out."],
  ["SHARDCHANNELS [<pattern>]", "List the shard channels with listeners, or those that match."],
  ["SHARDNUMSUB [<shardchannel> ...]", "Count the listeners of each shard channel."],
] as const;

/** Chars of a word that an error quotes at most (Redis's). */
const QUOTED_CHARS_MAX = 128;

/** The effect `name <channel> <message>`; counts no change. */
export function effectMessage(
  effects: EffectSink,
  name: Uint8Array,
  buf: Uint8Array,
  starts: Int32Array,
  stops: Int32Array,
): void {
  if (!effects.active) return;
  effects.begin(NO_DATABASE, name, 2, stops[1] - starts[1] + stops[2] - starts[2]);
  effects.arg(buf, starts[1], stops[1]);
  effects.arg(buf, starts[2], stops[2]);
  effects.endMessage();
}

/** Replies the names of a kind's topics, those that match argument 2 where it is given. */
function listTopics(pubsub: PubSub, kind: number, call: Call): void {
  const { buf, starts, stops, reply } = call;
  if (call.argc > 3) {
    const asked = call.text(1).slice(0, QUOTED_CHARS_MAX);
    return reply.errorText(
      `ERR unknown subcommand or wrong number of arguments for '${asked}'. Try PUBSUB HELP.`,
    );
  }
  const hasPattern = call.argc > 2;
  const mark = reply.deferArray();
  let listed = 0;
  for (const { name } of pubsub.topics[kind]) {
    if (hasPattern && !globMatch(buf, starts[2], stops[2], name, 0, name.length)) continue;
    reply.bulk(name, 0, name.length);
    listed++;
  }
  reply.finishArray(mark, listed);
}

/** Replies each argument from 2 on with the number of its listeners. */
function countListeners(pubsub: PubSub, kind: number, call: Call): void {
  const { buf, starts, stops, reply, argc } = call;
  reply.array((argc - 2) * 2);
  for (let i = 2; i < argc; i++) {
    reply.bulk(buf, starts[i], stops[i]);
    reply.integer(pubsub.topics[kind].find(buf, starts[i], stops[i])?.listeners.size ?? 0);
  }
}

const PUBLISH_FLAGS: readonly CommandFlag[] = [
  "pubsub",
  "loading",
  "stale",
  "fast",
  "may_replicate",
];
const MESSAGE: ArgumentDoc = { name: "message", type: "string" };
const CHANNEL: ArgumentDoc = { name: "channel", type: "string" };
const SHARD_CHANNEL: ArgumentDoc = { name: "shardchannel", type: "string" };
const PATTERN: ArgumentDoc = { name: "pattern", type: "pattern", optional: true };

/** PUBLISH, SPUBLISH and PUBSUB over `pubsub`. */
export function publishCommands(pubsub: PubSub): CommandSpec[] {
  function publish(call: Call): void {
    const { buf, starts, stops } = call;
    const sent = pubsub.publish(buf, starts[1], stops[1], buf, starts[2], stops[2]);
    call.route(1);
    effectMessage(call.effects, PUBLISH, buf, starts, stops);
    call.reply.integer(sent);
  }

  function spublish(call: Call): void {
    const { buf, starts, stops } = call;
    const sent = pubsub.publishShard(buf, starts[1], stops[1], buf, starts[2], stops[2]);
    effectMessage(call.effects, SPUBLISH, buf, starts, stops);
    call.reply.integer(sent);
  }

  const sub = (
    name: string,
    arity: number,
    since: string,
    summary: string,
    complexity: string,
    args: readonly ArgumentDoc[],
    run: (call: Call) => void,
  ): CommandSpec => ({
    name: `pubsub|${name}`,
    arity,
    flags: ["pubsub", "loading", "stale"],
    group: "pubsub",
    since,
    summary,
    complexity,
    ...(args.length === 0 ? {} : { arguments: args }),
    run,
  });
  const ofChannels = "O(N) in the number of channels with listeners";
  const ofNames = "O(N) in the number of names given";

  return [
    {
      name: "publish",
      arity: 3,
      flags: PUBLISH_FLAGS,
      group: "pubsub",
      since: "2.0.0",
      summary: "Sends a message to those who listen to a channel.",
      complexity: "O(N+M) in the number of the channel's listeners and of all patterns",
      arguments: [CHANNEL, MESSAGE],
      run: publish,
    },
    {
      name: "spublish",
      arity: 3,
      flags: PUBLISH_FLAGS,
      keys: { first: 1, last: 1, step: 1 },
      keyAccess: ["not_key"],
      group: "pubsub",
      since: "7.0.0",
      summary: "Sends a message to those who listen to a shard channel.",
      complexity: "O(N) in the number of the shard channel's listeners",
      arguments: [SHARD_CHANNEL, MESSAGE],
      run: spublish,
    },
    containerCommand(
      {
        name: "pubsub",
        group: "pubsub",
        since: "2.8.0",
        summary: "Holds the commands about channels and their listeners.",
        helpSince: "6.2.0",
        help: HELP,
      },
      [
        sub(
          "channels",
          -2,
          "2.8.0",
          "Lists the channels with listeners.",
          ofChannels,
          [PATTERN],
          (call) => listTopics(pubsub, CHANNELS, call),
        ),
        sub(
          "numpat",
          2,
          "2.8.0",
          "Counts the patterns that somebody listens to.",
          "O(1)",
          [],
          (call) => call.reply.integer(pubsub.topics[PATTERNS].size),
        ),
        sub(
          "numsub",
          -2,
          "2.8.0",
          "Counts the listeners of channels.",
          ofNames,
          [{ ...CHANNEL, optional: true, multiple: true }],
          (call) => countListeners(pubsub, CHANNELS, call),
        ),
        sub(
          "shardchannels",
          -2,
          "7.0.0",
          "Lists the shard channels with listeners.",
          ofChannels,
          [PATTERN],
          (call) => listTopics(pubsub, SHARD_CHANNELS, call),
        ),
        sub(
          "shardnumsub",
          -2,
          "7.0.0",
          "Counts the listeners of shard channels.",
          ofNames,
          [{ ...SHARD_CHANNEL, optional: true, multiple: true }],
          (call) => countListeners(pubsub, SHARD_CHANNELS, call),
        ),
      ],
    ),
  ];
}
