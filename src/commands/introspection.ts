/**
 * COMMAND: the command table told to clients.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { globMatchText } from "../base/glob.ts";
import { ERR_SYNTAX, unknownSubcommand } from "../resp/errors.ts";
import { Call } from "./call.ts";
import { CATEGORIES, categoriesOf, keyAccessOf, keyRunsOf } from "./command_info.ts";
import { replyDocs, replyInfo } from "./command_replies.ts";
import { type ContainerOptions, helpCommand } from "./help.ts";
import {
  type ArgumentDoc,
  ASKED_ARGS_MAX,
  type Command,
  type CommandSpec,
  type CommandTable,
} from "./registry.ts";

const FILTERBY = ascii("FILTERBY");
const MODULE = ascii("MODULE");
const ACLCAT = ascii("ACLCAT");
const PATTERN = ascii("PATTERN");

/** The flag of what is routed as a key is, but is none. */
const NOT_A_KEY = "not_key";

const ERR_NO_COMMAND = ascii("ERR Invalid command specified");
const ERR_NO_KEYS = ascii("ERR The command has no key arguments");
const ERR_ARITY = ascii("ERR Invalid number of arguments specified for command");
const ERR_ARGUMENTS = ascii("ERR Invalid arguments specified for command");

/** The request that begins at argument 2, as a call of its own. */
function innerCall(call: Call): Call {
  const inner = new Call(call.node);
  const { buf, view, starts, stops, argc } = call;
  inner.setRequest(buf, view, starts.subarray(2), stops.subarray(2), argc - 2, false);
  inner.db = call.db;
  return inner;
}

/** The command that a request names, or null. */
function commandOf(table: CommandTable, { buf, starts, stops, argc }: Call): Command | null {
  const command = table.find(buf, starts[0], stops[0]);
  if (command === null || command.subcommands === null || argc === 1) return command;
  return command.subcommands.find(buf, starts[1], stops[1]);
}

/** A key's position in a request, and what is done to it. */
type FoundKey = readonly [position: number, access: readonly string[]];

/** Whether a command has keys; the channels of some are routed as keys are, and are none. */
function hasKeys(spec: CommandSpec): boolean {
  return spec.findKeys !== undefined ||
    keyRunsOf(spec).some(({ access }) => !access.includes(NOT_A_KEY));
}

/** The keys of a request, null if its arguments do not fit. */
function keysOf(spec: CommandSpec, request: Call): FoundKey[] | null {
  const asked = spec.requestAccess?.(request).split(" ");
  if (spec.findKeys !== undefined) {
    const positions = spec.findKeys(request);
    const accesses = keyAccessOf(spec);
    const accessAt = (i: number) => asked ?? accesses[Math.min(i, accesses.length - 1)];
    return positions.map((position, i): FoundKey => [position, accessAt(i)]);
  }
  const found: FoundKey[] = [];
  for (const { access, index, lastKey, step } of keyRunsOf(spec)) {
    const last = lastKey < 0 ? request.argc + lastKey : index + lastKey;
    if (last >= request.argc) return null;
    for (let i = index; i <= last; i += step) found.push([i, asked ?? access]);
  }
  return found;
}

function replyKeys(call: Call, table: CommandTable, withAccess: boolean): void {
  const { reply } = call;
  const request = innerCall(call);
  const command = commandOf(table, request);
  if (command === null) return reply.error(ERR_NO_COMMAND);
  const { spec } = command;
  if (!hasKeys(spec)) return reply.error(ERR_NO_KEYS);
  if (request.argc < command.argcMin || request.argc > command.argcMax) {
    return reply.error(ERR_ARITY);
  }
  const keys = keysOf(spec, request);
  if (keys === null || keys.length === 0) return reply.error(ERR_ARGUMENTS);
  reply.array(keys.length);
  for (const [i, access] of keys) {
    if (withAccess) reply.array(2);
    reply.bulk(request.buf, request.starts[i], request.stops[i]);
    if (!withAccess) continue;
    reply.set(access.length);
    for (const flag of access) reply.status(ascii(flag));
  }
}

/** Which commands COMMAND LIST shall name, from its options; null with the error replied. */
function listFilter(call: Call): ((spec: CommandSpec) => boolean) | null {
  if (call.argc === 2) return () => true;
  if (call.argc === 5 && call.is(2, FILTERBY)) {
    const word = call.text(4);
    if (call.is(3, MODULE)) return () => false; // there are no modules
    if (call.is(3, PATTERN)) return (spec) => globMatchText(word, spec.name, true);
    if (call.is(3, ACLCAT)) {
      const category = word.toLowerCase();
      if (!CATEGORIES.includes(category)) return () => false;
      return (spec) => categoriesOf(spec).includes(category);
    }
  }
  call.reply.error(ERR_SYNTAX);
  return null;
}

/** A command and, behind it, its subcommands. */
function withSubcommands(spec: CommandSpec): CommandSpec[] {
  return [spec, ...(spec.subcommands ?? []).flatMap(withSubcommands)];
}

const COMMAND_NAMES: readonly ArgumentDoc[] = [
  { name: "command-name", type: "string", optional: true, multiple: true },
];
const FULL_COMMAND: readonly ArgumentDoc[] = [
  { name: "command", type: "string" },
  { name: "arg", type: "string", optional: true, multiple: true },
];
const LIST_ARGUMENTS: readonly ArgumentDoc[] = [
  {
    name: "filterby",
    type: "oneof",
    token: "FILTERBY",
    optional: true,
    arguments: [
      { name: "module-name", type: "string", token: "MODULE" },
      { name: "category", type: "string", token: "ACLCAT" },
      { name: "pattern", type: "pattern", token: "PATTERN" },
    ],
  },
];
const UNORDERED = ["nondeterministic_output_order"] as const;

const CONTAINER: ContainerOptions = {
  name: "command",
  group: "server",
  since: "2.8.13",
  summary: "Describes all commands to programs.",
  helpSince: "5.0.0",
  helpCategories: ["connection"],
  help: [
    ["(no subcommand)", "Describe all commands to programs."],
    ["COUNT", "Count the commands."],
    ["LIST [FILTERBY MODULE|ACLCAT|PATTERN <value>]", "Name the commands."],
    ["INFO [<command-name> ...]", "Describe the named commands, or all, to programs."],
    ["DOCS [<command-name> ...]", "Describe the named commands, or all, to people."],
    ["GETKEYS <full-command>", "Name the keys in a full command."],
    ["GETKEYSANDFLAGS <full-command>", "Name the keys in a full command and what is done to them."],
  ],
};

/** A subcommand of COMMAND. */
function subcommand(
  parts:
    & Pick<CommandSpec, "arity" | "since" | "summary" | "run">
    & Partial<Pick<CommandSpec, "argcMax" | "tips" | "arguments" | "history">>
    & { readonly word: string; readonly of?: string },
): CommandSpec {
  const { word, of = "commands", ...rest } = parts;
  return {
    name: `command|${word}`,
    flags: ["loading", "stale"],
    categories: ["connection"],
    group: "server",
    complexity: `O(N) in the number of ${of}`,
    ...rest,
  };
}

/** COMMAND, which describes the table that `table` answers once the server runs. */
export function introspectionCommands(table: () => CommandTable): readonly CommandSpec[] {
  const specs = () => table().commands.map((command) => command.spec);

  function infoOfAll(call: Call): void {
    call.reply.array(specs().length);
    for (const spec of specs()) replyInfo(call.reply, spec);
  }

  function info(call: Call): void {
    if (call.argc === 2) return infoOfAll(call);
    const { reply } = call;
    reply.array(call.argc - 2);
    for (let i = 2; i < call.argc; i++) {
      const command = table().named(call.text(i));
      if (command === null) reply.nil();
      else replyInfo(reply, command.spec);
    }
  }

  function docs(call: Call): void {
    const chosen = call.argc === 2 ? specs() : [];
    for (let i = 2; i < call.argc; i++) {
      const command = table().named(call.text(i));
      if (command !== null) chosen.push(command.spec);
    }
    call.reply.map(chosen.length);
    for (const spec of chosen) {
      call.reply.bulkText(spec.name);
      replyDocs(call.reply, spec);
    }
  }

  function list(call: Call): void {
    const filter = listFilter(call);
    if (filter === null) return;
    const chosen = specs().flatMap(withSubcommands).filter(filter);
    call.reply.array(chosen.length);
    for (const spec of chosen) call.reply.bulkText(spec.name);
  }

  return [{
    name: CONTAINER.name,
    arity: -1,
    flags: ["loading", "stale"],
    categories: ["connection"],
    group: CONTAINER.group,
    since: CONTAINER.since,
    summary: CONTAINER.summary,
    complexity: "O(N) in the number of commands",
    tips: UNORDERED,
    run: (call) =>
      call.argc === 1
        ? infoOfAll(call)
        : call.reply.error(unknownSubcommand(call.buf, call.starts[1], call.stops[1], "COMMAND")),
    subcommands: [
      subcommand({
        word: "count",
        arity: 2,
        since: "2.8.13",
        summary: "Counts the commands.",
        run: (call) => call.reply.integer(specs().length),
      }),
      subcommand({
        word: "list",
        arity: -2,
        since: "7.0.0",
        summary: "Names the commands.",
        tips: UNORDERED,
        arguments: LIST_ARGUMENTS,
        run: list,
      }),
      subcommand({
        word: "info",
        of: "commands that are described",
        arity: -2,
        argcMax: ASKED_ARGS_MAX,
        since: "2.8.13",
        summary: "Describes commands to programs.",
        tips: UNORDERED,
        history: [["7.0.0", "Without names it describes all commands."]],
        arguments: COMMAND_NAMES,
        run: info,
      }),
      subcommand({
        word: "docs",
        of: "commands that are described",
        arity: -2,
        argcMax: ASKED_ARGS_MAX,
        since: "7.0.0",
        summary: "Describes commands to people.",
        tips: UNORDERED,
        arguments: COMMAND_NAMES,
        run: docs,
      }),
      subcommand({
        word: "getkeys",
        of: "arguments",
        arity: -3,
        since: "2.8.13",
        summary: "Names the keys in a full command.",
        arguments: FULL_COMMAND,
        run: (call) => replyKeys(call, table(), false),
      }),
      subcommand({
        word: "getkeysandflags",
        of: "arguments",
        arity: -3,
        since: "7.0.0",
        summary: "Names the keys in a full command and tells what is done to them.",
        arguments: FULL_COMMAND,
        run: (call) => replyKeys(call, table(), true),
      }),
      helpCommand(CONTAINER),
    ],
  }];
}
