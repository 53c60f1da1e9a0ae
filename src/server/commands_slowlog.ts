/**
 * SLOWLOG and LATENCY: what took long, and how long what takes.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import { containerCommand } from "../commands/help.ts";
import { ASKED_ARGS_MAX, type Command, type CommandSpec } from "../commands/registry.ts";
import { ADMIN_ANYTIME, integerArgument, unknownOrWrong } from "./command_parts.ts";
import type { Server } from "./server.ts";

/** Entries that SLOWLOG GET shows when it is not told how many (Redis's). */
const SHOWN_BY_DEFAULT = 10;

const ERR_COUNT = ascii("ERR count should be greater than or equal to -1");

const SLOWLOG_HELP = [
  [
    "GET [<count>]",
    "Show the newest entries (default: 10, -1: all), each as",
    "id, Unix seconds, microseconds, arguments, client address, client name.",
  ],
  ["LEN", "Count the entries."],
  ["RESET", "Forget all entries."],
] as const;

const LATENCY_HELP = [
  ["HISTORY <event>", "Show the samples of an event, oldest first."],
  [
    "HISTOGRAM [<command> ...]",
    "Show how many runs of these commands (default: of all) took how long at most.",
  ],
  ["LATEST", "Show the newest and the worst sample of every event."],
  ["RESET [<event> ...]", "Forget the samples of these events (default: of all)."],
] as const;

const ADMIN = ["admin", "loading", "stale"] as const;
const ALL_NODES = "request_policy:all_nodes";
const RESET_TIPS = [ALL_NODES, "response_policy:all_succeeded"] as const;
const SHOW_TIPS = ["nondeterministic_output", ALL_NODES, "response_policy:special"] as const;

/** SLOWLOG and LATENCY of `server`. */
export function slowCommands(server: Server): CommandSpec[] {
  const { slowlog, latency } = server;

  function get(call: Call): void {
    if (call.argc > 3) return unknownOrWrong(call, "SLOWLOG");
    let count = SHOWN_BY_DEFAULT;
    if (call.argc > 2) {
      count = integerArgument(call, 2, ERR_COUNT);
      if (Number.isNaN(count)) return;
      if (count < -1) return call.reply.error(ERR_COUNT);
    }
    const { reply } = call;
    const entries = slowlog.get(count);
    reply.array(entries.length);
    for (const entry of entries) {
      reply.array(6);
      reply.integer(entry.id);
      reply.integer(entry.unixSeconds);
      reply.integer(entry.microseconds);
      reply.array(entry.args.length);
      for (const arg of entry.args) reply.bulk(arg, 0, arg.length);
      reply.bulkText(entry.peer);
      reply.bulkText(entry.name);
    }
  }

  function latest({ reply }: Call): void {
    const events = latency.latest();
    reply.array(events.length);
    for (const { event, unixSeconds, ms, maxMs } of events) {
      reply.array(4);
      reply.bulkText(event);
      reply.integer(unixSeconds);
      reply.integer(ms);
      reply.integer(maxMs);
    }
  }

  function history(call: Call): void {
    const { reply } = call;
    const samples = latency.history(call.text(2));
    reply.array(samples.length);
    for (const { unixSeconds, ms } of samples) {
      reply.array(2);
      reply.integer(unixSeconds);
      reply.integer(ms);
    }
  }

  /**
   * Puts the command in `into`, and a container's subcommands; what nobody has run is left out. Each is there
   * once, however often it is asked for.
   */
  function addTimed(command: Command, into: Set<Command>): void {
    if (!command.latencies.isEmpty) into.add(command);
    for (const sub of command.subcommands?.commands ?? []) addTimed(sub, into);
  }

  function histogram(call: Call): void {
    const { reply, argc } = call;
    const { table } = server;
    const shown = new Set<Command>();
    if (argc === 2) { for (const command of table.commands) addTimed(command, shown); }
    for (let i = 2; i < argc; i++) {
      const command = table.named(call.text(i));
      if (command !== null) addTimed(command, shown);
    }
    reply.map(shown.size);
    for (const { spec, calls, latencies } of shown) {
      const steps = latencies.steps(calls);
      reply.bulkText(spec.name);
      reply.map(2);
      reply.bulkText("calls");
      reply.integer(calls);
      reply.bulkText("histogram_usec");
      reply.map(steps.length);
      for (const { microseconds, runs } of steps) {
        reply.integer(microseconds);
        reply.integer(runs);
      }
    }
  }

  function resetLatency(call: Call): void {
    const events: string[] = [];
    for (let i = 2; i < call.argc; i++) events.push(call.text(i));
    call.reply.integer(latency.reset(events));
  }

  return [
    containerCommand({
      name: "slowlog",
      group: "server",
      since: "2.2.12",
      summary: "Holds the commands about the slow log.",
      helpSince: "6.2.0",
      help: SLOWLOG_HELP,
    }, [
      {
        name: "slowlog|get",
        arity: -2,
        flags: ADMIN,
        group: "server",
        since: "2.2.12",
        summary: "Shows the newest entries of the slow log.",
        complexity: "O(N) in the number of entries shown",
        history: [["4.0.0", "Client address and name."]],
        tips: [ALL_NODES, "nondeterministic_output"],
        arguments: [{ name: "count", type: "integer", optional: true }],
        run: get,
      },
      {
        name: "slowlog|len",
        arity: 2,
        flags: ADMIN,
        group: "server",
        since: "2.2.12",
        summary: "Counts the entries of the slow log.",
        complexity: "O(1)",
        tips: [ALL_NODES, "response_policy:agg_sum", "nondeterministic_output"],
        run: (call) => call.reply.integer(slowlog.length),
      },
      {
        name: "slowlog|reset",
        arity: 2,
        flags: ADMIN,
        group: "server",
        since: "2.2.12",
        summary: "Empties the slow log.",
        complexity: "O(N) in the number of entries",
        tips: RESET_TIPS,
        run(call) {
          slowlog.reset();
          call.reply.ok();
        },
      },
    ]),
    containerCommand({
      name: "latency",
      group: "server",
      since: "2.8.13",
      summary: "Holds the commands about latency.",
      helpSince: "2.8.13",
      help: LATENCY_HELP,
    }, [
      {
        name: "latency|histogram",
        arity: -2,
        argcMax: ASKED_ARGS_MAX,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "7.0.0",
        summary: "Shows how many runs of commands took how long.",
        complexity: "O(N) in the number of commands shown",
        tips: SHOW_TIPS,
        arguments: [{ name: "command", type: "string", optional: true, multiple: true }],
        run: histogram,
      },
      {
        name: "latency|history",
        arity: 3,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.8.13",
        summary: "Shows the samples of an event.",
        complexity: "O(1)",
        tips: SHOW_TIPS,
        arguments: [{ name: "event", type: "string" }],
        run: history,
      },
      {
        name: "latency|latest",
        arity: 2,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.8.13",
        summary: "Shows the newest sample of every event.",
        complexity: "O(1)",
        tips: SHOW_TIPS,
        run: latest,
      },
      {
        name: "latency|reset",
        arity: -2,
        argcMax: ASKED_ARGS_MAX,
        flags: ADMIN_ANYTIME,
        group: "server",
        since: "2.8.13",
        summary: "Forgets the samples of events.",
        complexity: "O(1)",
        tips: RESET_TIPS,
        arguments: [{ name: "event", type: "string", optional: true, multiple: true }],
        run: resetLatency,
      },
    ]),
  ];
}
