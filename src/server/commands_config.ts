/**
 * CONFIG: settings at run time. What settings there are and how they change is config.ts's business.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import { containerCommand } from "../commands/help.ts";
import { ASKED_ARGS_MAX, type CommandSpec } from "../commands/registry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { ADMIN_ANYTIME, utf8 } from "./command_parts.ts";
import { isLocalPeer } from "./peers.ts";
import type { Server } from "./server.ts";
import type { StatBaseline } from "./stat_baseline.ts";
import { Wait } from "./wait.ts";

const HELP = [
  ["GET <pattern> [<pattern> ...]", "Show the settings whose names match, with their values."],
  ["SET <setting> <value> [<setting> <value> ...]", "Change settings, all of them or none."],
  ["RESETSTAT", "Set the counters of INFO to zero."],
  ["REWRITE", "Write the settings in force into the config file."],
] as const;

const ERR_TEXT = ascii("ERR CONFIG takes names and values in UTF-8 only");

/** Bytes of the patterns of one CONFIG GET, each of which is held against every name: all names fit. */
export const PATTERN_BYTES_MAX = 16_384;
/** Bytes of names and values of one CONFIG SET: settings stay in memory. */
export const VALUE_BYTES_MAX = 1_048_576;

const NOT_BEGUN = "ERR CONFIG SET failed (possibly related to argument 'appendonly') - " +
  "Unable to turn on AOF. Check server logs.";

type Pairs = readonly (readonly [name: string, value: string])[];

function switchesAppendOnlyOn([name, value]: Pairs[number]): boolean {
  return name.toLowerCase() === "appendonly" && value.toLowerCase() === "yes";
}

/** Replies that settings were set, or why not. */
function tell(reply: ReplyWriter, refused: string | null): void {
  if (refused === null) reply.ok();
  else reply.errorText(refused);
}

/**
 * The arguments from `first` on as texts; null, and the error is replied, when one is not UTF-8 or all
 * are longer than `bytesMax`.
 */
function texts(call: Call, first: number, bytesMax: number): string[] | null {
  const found: string[] = [];
  let bytes = 0;
  for (let i = first; i < call.argc; i++) {
    bytes += call.bytes(i);
    if (bytes > bytesMax) {
      call.reply.errorText(
        `ERR CONFIG takes up to ${bytesMax} bytes of names and values at a time`,
      );
      return null;
    }
    const text = utf8(call, i);
    if (text === null) {
      // Settings are texts: replacing what does not decode would set something else than was sent.
      call.reply.error(ERR_TEXT);
      return null;
    }
    found.push(text);
  }
  return found;
}

/** CONFIG of `server`. */
export function configCommands(server: Server, stats: StatBaseline): CommandSpec[] {
  const { config, log } = server;

  function get(call: Call): void {
    const patterns = texts(call, 2, PATTERN_BYTES_MAX);
    if (patterns === null) return;
    const found = config.get(patterns);
    call.reply.map(found.length);
    for (const [name, value] of found) {
      call.reply.bulkText(name);
      call.reply.bulkText(value);
    }
  }

  function set(call: Call): void {
    if (call.argc % 2 !== 0) return call.reply.error(ERR_SYNTAX);
    const words = texts(call, 2, VALUE_BYTES_MAX);
    if (words === null) return;
    const pairs: [string, string][] = [];
    for (let i = 0; i < words.length; i += 2) pairs.push([words[i], words[i + 1]]);
    const isLocal = isLocalPeer(call.session.peer);
    // In a transaction nothing waits; the log then tells when there can be no files.
    const waits = call.session.transaction === null && !server.persistence.isLoading &&
      !config.appendOnly && pairs.some(switchesAppendOnlyOn);
    if (waits) void beginFiles(new Wait(call, server), pairs, isLocal);
    else setNow(call, pairs, isLocal);
  }

  function setNow(call: Call, pairs: Pairs, isLocal: boolean): void {
    const set = () => config.set(pairs, isLocal);
    server.isInOwnWay = false;
    const refused = set();
    if (server.isInOwnWay && call.session.transaction === null) {
      void bindAnew(new Wait(call, server), set);
      return;
    }
    if (server.isInOwnWay) log.warning("bind: ports of ours are free only behind a transaction");
    tell(call.reply, refused);
  }

  /** Listeners leave their port a moment after they were closed. */
  async function bindAnew(wait: Wait, set: () => string | null): Promise<void> {
    const refused = await server.outOfOwnWay(set);
    wait.end((reply) => tell(reply, refused));
  }

  /** Settings that begin an append-only file are set once it is known that there can be one. */
  async function beginFiles(wait: Wait, pairs: Pairs, isLocal: boolean): Promise<void> {
    const { persistence } = server;
    const isPrepared = await persistence.prepareAppendOnly();
    const set = () => config.set(pairs, isLocal);
    server.isInOwnWay = false;
    let refused = isPrepared ? set() : NOT_BEGUN;
    if (server.isInOwnWay) refused = await server.outOfOwnWay(set);
    if (isPrepared && refused !== null) persistence.unprepareAppendOnly();
    wait.end((reply) => tell(reply, refused));
  }

  function rewrite(call: Call): void {
    const refused = config.rewrite();
    if (refused !== null) {
      log.warning("config file not rewritten", { reason: refused });
      return call.reply.errorText(refused);
    }
    log.notice("config file rewritten", { file: config.file ?? "" });
    call.reply.ok();
  }

  return [
    containerCommand({
      name: "config",
      group: "server",
      since: "2.0.0",
      summary: "Holds the commands about settings.",
      helpSince: "5.0.0",
      help: HELP,
    }, [
      {
        name: "config|get",
        arity: -3,
        argcMax: ASKED_ARGS_MAX,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.0.0",
        summary: "Shows settings whose names match patterns.",
        complexity: "O(N) in the number of settings times the number of patterns",
        history: [["7.0.0", "Several patterns."]],
        arguments: [{ name: "parameter", type: "string", multiple: true }],
        run: get,
      },
      {
        name: "config|resetstat",
        arity: 2,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.0.0",
        summary: "Sets the counters of INFO to zero.",
        complexity: "O(1)",
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        run(call) {
          stats.reset();
          call.reply.ok();
        },
      },
      {
        name: "config|rewrite",
        arity: 2,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.8.0",
        summary: "Writes the settings in force into the config file.",
        complexity: "O(N) in the number of settings",
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        run: rewrite,
      },
      {
        name: "config|set",
        arity: -4,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.0.0",
        summary: "Changes settings.",
        complexity: "O(N) in the number of settings named",
        history: [["7.0.0", "Several settings at once, all of them or none."]],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        arguments: [{
          name: "data",
          type: "block",
          multiple: true,
          arguments: [
            { name: "parameter", type: "string" },
            { name: "value", type: "string" },
          ],
        }],
        run: set,
      },
    ]),
  ];
}
