/**
 * Container commands: the spec that only holds subcommands, and their HELP.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { unknownSubcommand } from "../resp/errors.ts";
import type { Call } from "./call.ts";
import type { CommandGroup, CommandSpec } from "./registry.ts";

/** One way to call a subcommand, and lines that say what it does. */
export type HelpEntry = readonly [usage: string, ...about: string[]];

/** The reply to HELP: how to call the container, then the entries, then HELP itself. */
export function replyHelp(call: Call, container: string, entries: readonly HelpEntry[]): void {
  const lines = [`${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const [usage, ...about] of [...entries, ["HELP", "Show this list."] as const]) {
    lines.push(usage, ...about.map((line) => `    ${line}`));
  }
  call.reply.array(lines.length);
  for (const line of lines) call.reply.status(ascii(line));
}

/** What a container needs beyond its subcommands. */
export interface ContainerOptions {
  /** Lower-case name. */
  readonly name: string;
  /** For COMMAND DOCS. */
  readonly group: CommandGroup;
  /** Redis version that it came with. */
  readonly since: string;
  /** One line. */
  readonly summary: string;
  /** Redis version that its HELP came with. */
  readonly helpSince: string;
  /** ACL categories of HELP beyond those that follow from group and flags. */
  readonly helpCategories?: readonly string[];
  /** What HELP lists. */
  readonly help: readonly HelpEntry[];
}

/** A command that does nothing but hold `subcommands`, to which HELP is added. */
export function containerCommand(
  options: ContainerOptions,
  subcommands: readonly CommandSpec[],
): CommandSpec {
  const { name, group, since, summary, help } = options;
  const shown = name.toUpperCase();
  return {
    name,
    arity: -2,
    flags: [],
    group,
    since,
    summary,
    complexity: "Depends on the subcommand.",
    subcommands: [...subcommands, helpCommand(options)],
    // The executor answers an unknown subcommand before this could; here for those who do not.
    run: (call) =>
      call.argc < 2
        ? replyHelp(call, shown, help)
        : call.reply.error(unknownSubcommand(call.buf, call.starts[1], call.stops[1], shown)),
  };
}

/** The HELP of a container that is more than one. */
export function helpCommand(options: ContainerOptions): CommandSpec {
  const { name, group, helpSince, helpCategories, help } = options;
  return {
    name: `${name}|help`,
    arity: 2,
    flags: ["loading", "stale"],
    ...(helpCategories === undefined ? {} : { categories: helpCategories }),
    group,
    since: helpSince,
    summary: `Lists the subcommands of ${name.toUpperCase()}.`,
    complexity: "O(1)",
    run: (call) => replyHelp(call, name.toUpperCase(), help),
  };
}
