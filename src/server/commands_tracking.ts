/**
 * CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: how clients that cache keys say what they want
 * to hear of.
 *
 * @module
 */

import { ascii, latin1 } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { HelpEntry } from "../commands/help.ts";
import type { ArgumentDoc, CommandSpec } from "../commands/registry.ts";
import type { Tracker, TrackingOptions } from "../commands/tracking.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { ANYTIME, integerArgument, word } from "./command_parts.ts";
import type { Server } from "./server.ts";

/** Prefixes that one client may listen to: each costs memory and every write a look. */
export const PREFIXES_MAX = 1_024;
/** Bytes of one client's prefixes together. */
export const PREFIX_BYTES_MAX = 262_144;

const ERR_TWO_REDIRECTS = ascii("ERR A client can only redirect to a single other client");
const ERR_NO_REDIRECT = ascii("ERR The client ID you want redirect to does not exist");
const ERR_PREFIX_MODE = ascii("ERR PREFIX option requires BCAST mode to be enabled");
const ERR_SWITCH_BCAST = ascii(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then " +
    "re-enabling it with a different mode.",
);
const ERR_BCAST_OPT = ascii("ERR OPTIN and OPTOUT are not compatible with BCAST");
const ERR_BOTH_OPTS = ascii("ERR You can't specify both OPTIN mode and OPTOUT mode");
const ERR_SWITCH_OPT = ascii(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then " +
    "re-enabling it with a different mode.",
);
const ERR_TOO_MANY_PREFIXES = ascii(
  `ERR a client may have up to ${PREFIXES_MAX} prefixes of ${PREFIX_BYTES_MAX} bytes together`,
);
const ERR_NOT_TRACKING = ascii(
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT " +
    "mode enabled",
);
const ERR_NOT_OPTIN = ascii(
  "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
);
const ERR_NOT_OPTOUT = ascii(
  "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
);

/** What CLIENT HELP says of these subcommands. */
export const TRACKING_HELP: readonly HelpEntry[] = [
  ["CACHING (YES|NO)", "Have the keys of the next command tracked, or not (OPTIN, OPTOUT)."],
  ["GETREDIR", "Tell the id of the client that gets this one's invalidations."],
  [
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
    "Tell this connection, or another, when keys that it has read change.",
  ],
  ["TRACKINGINFO", "Tell what is tracked for this connection."],
];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The options from argument 3 on; null, and the error is replied, when they do not parse. */
function readOptions(server: Server, call: Call): TrackingOptions | null {
  const { argc, buf, starts, stops, reply } = call;
  const prefixes: string[] = [];
  let prefixBytes = 0;
  const options: Mutable<TrackingOptions> = {
    redirect: 0,
    broadcast: false,
    optIn: false,
    optOut: false,
    noLoop: false,
    prefixes,
  };
  for (let i = 3; i < argc; i++) {
    const option = word(call, i);
    if (option === "REDIRECT" && i + 1 < argc) {
      i++;
      if (options.redirect !== 0) return refuse(call, ERR_TWO_REDIRECTS);
      const id = integerArgument(call, i);
      if (Number.isNaN(id)) return null;
      if (server.clients.session(id) === undefined) return refuse(call, ERR_NO_REDIRECT);
      options.redirect = id;
    } else if (option === "PREFIX" && i + 1 < argc) {
      i++;
      prefixBytes += stops[i] - starts[i];
      if (prefixes.length === PREFIXES_MAX || prefixBytes > PREFIX_BYTES_MAX) {
        return refuse(call, ERR_TOO_MANY_PREFIXES);
      }
      prefixes.push(latin1(buf, starts[i], stops[i]));
    } else if (option === "BCAST") options.broadcast = true;
    else if (option === "OPTIN") options.optIn = true;
    else if (option === "OPTOUT") options.optOut = true;
    else if (option === "NOLOOP") options.noLoop = true;
    else {
      reply.error(ERR_SYNTAX);
      return null;
    }
  }
  return options;
}

function refuse(call: Call, error: Uint8Array): null {
  call.reply.error(error);
  return null;
}

/** Why tracking cannot be turned on like this, null if it can: Redis's checks in its order. */
function objection(options: TrackingOptions, tracker: Tracker | null): Uint8Array | null {
  const { broadcast, optIn, optOut, prefixes } = options;
  if (!broadcast && prefixes.length > 0) return ERR_PREFIX_MODE;
  const before = tracker?.options;
  if (before !== undefined && before.broadcast !== broadcast) return ERR_SWITCH_BCAST;
  if (broadcast && (optIn || optOut)) return ERR_BCAST_OPT;
  if (optIn && optOut) return ERR_BOTH_OPTS;
  if (before !== undefined && ((optIn && before.optOut) || (optOut && before.optIn))) {
    return ERR_SWITCH_OPT;
  }
  return null;
}

/** How prefixes overlap with each other or with those the client has; null if they do not. */
function overlap(prefixes: readonly string[], tracker: Tracker | null): string | null {
  const ofSame = "Prefixes for a single client must not overlap.";
  const had = [...tracker?.prefixes ?? []].sort();
  for (const [i, prefix] of prefixes.entries()) {
    const existing = had.find((other) => overlaps(prefix, other));
    if (existing !== undefined) {
      return `ERR Prefix '${prefix}' overlaps with an existing prefix '${existing}'. ${ofSame}`;
    }
    const provided = prefixes.slice(i + 1).find((other) => overlaps(prefix, other));
    if (provided !== undefined) {
      return `ERR Prefix '${prefix}' overlaps with another provided prefix '${provided}'. ${ofSame}`;
    }
  }
  return null;
}

/** Whether a key can have both prefixes. */
function overlaps(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

/** Whether so many prefixes more are too many for a client. */
function areTooMany(prefixes: readonly string[], tracker: Tracker | null): boolean {
  const all = [...tracker?.prefixes ?? [], ...prefixes];
  return all.length > PREFIXES_MAX ||
    all.reduce((bytes, { length }) => bytes + length, 0) > PREFIX_BYTES_MAX;
}

function track(server: Server, call: Call): void {
  const { session, reply } = call;
  const options = readOptions(server, call);
  if (options === null) return;
  const mode = word(call, 2);
  if (mode === "OFF") {
    server.tracking.end(session);
    return reply.ok();
  }
  if (mode !== "ON") return reply.error(ERR_SYNTAX);
  const tracker = session.tracker as Tracker | null;
  const reason = objection(options, tracker);
  if (reason !== null) return reply.error(reason);
  if (areTooMany(options.prefixes, tracker)) return reply.error(ERR_TOO_MANY_PREFIXES);
  const overlapping = overlap(options.prefixes, tracker);
  if (overlapping !== null) return reply.errorText(overlapping);
  server.tracking.begin(session, options);
  reply.ok();
}

/** CLIENT CACHING. */
function caching(call: Call): void {
  const { session, reply } = call;
  const tracker = session.tracker as Tracker | null;
  if (tracker === null) return reply.error(ERR_NOT_TRACKING);
  const answer = word(call, 2);
  if (answer !== "YES" && answer !== "NO") return reply.error(ERR_SYNTAX);
  if (answer === "YES" && !tracker.options.optIn) return reply.error(ERR_NOT_OPTIN);
  if (answer === "NO" && !tracker.options.optOut) return reply.error(ERR_NOT_OPTOUT);
  tracker.caching = true;
  reply.ok();
}

/** The words that CLIENT TRACKINGINFO says of a client's tracking. */
function wordsOf(tracker: Tracker | null): string[] {
  if (tracker === null) return ["off"];
  const { options, caching, isBroken } = tracker;
  const words = ["on"];
  if (options.broadcast) words.push("bcast");
  if (options.optIn) words.push("optin", ...(caching ? ["caching-yes"] : []));
  if (options.optOut) words.push("optout", ...(caching ? ["caching-no"] : []));
  if (options.noLoop) words.push("noloop");
  if (isBroken) words.push("broken_redirect");
  return words;
}

/** CLIENT TRACKINGINFO. */
function trackingInfo(call: Call): void {
  const { session, reply } = call;
  const tracker = session.tracker as Tracker | null;
  const words = wordsOf(tracker);
  reply.map(3);
  reply.bulkText("flags");
  reply.set(words.length);
  for (const word of words) reply.bulkText(word);
  reply.bulkText("redirect");
  reply.integer(tracker?.redirect ?? -1);
  reply.bulkText("prefixes");
  const prefixes = [...tracker?.prefixes ?? []].sort();
  reply.array(prefixes.length);
  for (const prefix of prefixes) {
    const bytes = Uint8Array.from(prefix, (char) => char.charCodeAt(0));
    reply.bulk(bytes, 0, bytes.length);
  }
}

/** CLIENT GETREDIR. */
function getRedirect(call: Call): void {
  call.reply.integer(call.session.tracker?.redirect ?? -1);
}

const token = (name: string, optional = true): ArgumentDoc => ({
  name: name.toLowerCase(),
  type: "pure-token",
  token: name,
  ...(optional ? { optional } : {}),
});

const oneOf = (name: string, ...words: string[]): ArgumentDoc => ({
  name,
  type: "oneof",
  arguments: words.map((word) => token(word, false)),
});

/** The subcommands of CLIENT about tracking in `server`. */
export function trackingCommands(server: Server): CommandSpec[] {
  const subcommand = (
    name: string,
    arity: number,
    since: string,
    summary: string,
    args: readonly ArgumentDoc[],
    run: (call: Call) => void,
  ): CommandSpec => ({
    name: `client|${name}`,
    arity,
    flags: ANYTIME,
    categories: ["connection"],
    group: "connection",
    since,
    summary,
    complexity: name === "tracking" ? "O(N) in the number of prefixes" : "O(1)",
    ...(args.length === 0 ? {} : { arguments: args }),
    run,
  });
  return [
    subcommand(
      "caching",
      3,
      "6.0.0",
      "Has the keys of the next command tracked, or not.",
      [oneOf("mode", "YES", "NO")],
      caching,
    ),
    subcommand(
      "getredir",
      2,
      "6.0.0",
      "Tells the id of the client that gets the connection's invalidations.",
      [],
      getRedirect,
    ),
    subcommand(
      "tracking",
      -3,
      "6.0.0",
      "Tells the connection, or another, when keys that it has read change.",
      [
        oneOf("status", "ON", "OFF"),
        { name: "client-id", type: "integer", token: "REDIRECT", optional: true },
        { name: "prefix", type: "string", token: "PREFIX", optional: true, multiple: true },
        ...["BCAST", "OPTIN", "OPTOUT", "NOLOOP"].map((word) => token(word)),
      ],
      (call) => track(server, call),
    ),
    subcommand(
      "trackinginfo",
      2,
      "6.2.0",
      "Tells what is tracked for the connection.",
      [],
      trackingInfo,
    ),
  ];
}
