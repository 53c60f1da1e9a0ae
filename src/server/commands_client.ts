/**
 * CLIENT: what clients tell of themselves, and what operators do with them.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { timeoutMsArgument } from "../commands/blocking.ts";
import type { Call } from "../commands/call.ts";
import { containerCommand } from "../commands/help.ts";
import {
  type ArgumentDoc,
  ASKED_ARGS_MAX,
  type CommandFlag,
  type CommandSpec,
} from "../commands/registry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { clientKill, clientUnblock } from "./client_kill.ts";
import { clientType, everybody, lineOf, type Listed, typeOf } from "./client_list.ts";
import { getName, noEvict, noTouch, replyMode, setInfo, setName } from "./client_self.ts";
import { ADMIN_ANYTIME, ANYTIME, integerArgument, unknownOrWrong, word } from "./command_parts.ts";
import { TRACKING_HELP, trackingCommands } from "./commands_tracking.ts";
import type { Server } from "./server.ts";

const ERR_CLIENT_ID = ascii("ERR Invalid client ID");
const ERR_PAUSE_MODE = ascii("ERR CLIENT PAUSE mode must be WRITE or ALL");

const HELP = [
  ["GETNAME", "Tell the name of this connection."],
  ["ID", "Tell the id of this connection."],
  ["INFO", "Describe this connection."],
  ["KILL <ip:port>", "Close the connection from that address."],
  [
    "KILL <option> <value> [<option> <value> [...]]",
    "Close all connections for which every option holds:",
    "* ADDR <ip:port>: it came from there.",
    "* LADDR <ip:port>: it came to there.",
    "* ID <client-id>: it has that id.",
    "* TYPE (NORMAL|MASTER|REPLICA|PUBSUB): it is of that kind.",
    "* USER <username>: it is that user's.",
    "* MAXAGE <seconds>: it is at least that old.",
    "* SKIPME (YES|NO): whether this connection is left out (default: yes).",
  ],
  [
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <client-id> [<client-id> ...]]",
    "Describe connections, one a line.",
  ],
  ["NO-EVICT (ON|OFF)", "Keep this connection when connections are closed to save memory."],
  ["NO-TOUCH (ON|OFF)", "Let reads of this connection leave no trace in LRU and LFU clocks."],
  ["PAUSE <timeout> [WRITE|ALL]", "Hold all commands, or those that write, for so many ms."],
  ["REPLY (ON|OFF|SKIP)", "Send replies, none, or none to the next command."],
  ["SETINFO (LIB-NAME|LIB-VER) <value>", "Say which library this connection uses."],
  ["SETNAME <name>", "Name this connection."],
  ["UNBLOCK <client-id> [TIMEOUT|ERROR]", "End the wait of a blocked connection."],
  ["UNPAUSE", "End a pause."],
  ...TRACKING_HELP,
] as const;

const ON_OFF: readonly ArgumentDoc[] = [{
  name: "enabled",
  type: "oneof",
  arguments: [
    { name: "on", type: "pure-token", token: "ON" },
    { name: "off", type: "pure-token", token: "OFF" },
  ],
}];

function tokens(name: string, optional: boolean, ...words: string[]): ArgumentDoc {
  return {
    name,
    type: "oneof",
    ...(optional ? { optional } : {}),
    arguments: words.map((token) => ({ name: token.toLowerCase(), type: "pure-token", token })),
  };
}

/** Arguments of CLIENT LIST: as many ids as a server usually has clients, and then some. */
export const LISTED_ARGS_MAX = 16_384;

const TYPES = ["NORMAL", "MASTER", "REPLICA", "PUBSUB"] as const;

/** CLIENT of `server`. */
export function clientCommands(server: Server): CommandSpec[] {
  function lines(call: Call, chosen: Iterable<Listed>): void {
    let text = "";
    for (const listed of chosen) text += lineOf(listed, call.nowMs) + "\n";
    call.reply.verbatim("txt", text);
  }

  function list(call: Call): void {
    const { reply, argc } = call;
    if (argc === 2) return lines(call, everybody(server));
    const option = word(call, 2);
    if (option === "TYPE" && argc === 4) {
      const type = clientType(call.text(3));
      if (type === null) return reply.errorText(`ERR Unknown client type '${call.text(3)}'`);
      return lines(call, everybody(server).filter((listed) => typeOf(listed) === type));
    }
    if (option !== "ID" || argc < 4) return reply.error(ERR_SYNTAX);
    const links = new Map(server.replication.linkClients().map((link) => [link.id, link]));
    const chosen: Listed[] = [];
    for (let i = 3; i < argc; i++) {
      const id = integerArgument(call, i, ERR_CLIENT_ID);
      if (Number.isNaN(id)) return;
      const listed = server.clients.session(id) ?? links.get(id);
      if (listed !== undefined) chosen.push(listed);
    }
    lines(call, chosen);
  }

  function pause(call: Call): void {
    if (call.argc > 4) return unknownOrWrong(call, "CLIENT");
    const mode = call.argc === 4 ? word(call, 3) : "ALL";
    if (mode !== "ALL" && mode !== "WRITE") return call.reply.error(ERR_PAUSE_MODE);
    const ms = timeoutMsArgument(call, 2);
    if (Number.isNaN(ms)) return;
    server.clients.pause(call.nowMs + ms, mode === "ALL");
    call.reply.ok();
  }

  const subcommand = (
    name: string,
    arity: number,
    flags: readonly CommandFlag[],
    since: string,
    summary: string,
    run: (call: Call) => void,
    more: Partial<CommandSpec> = {},
  ): CommandSpec => ({
    name: `client|${name}`,
    arity,
    flags,
    categories: ["connection"],
    group: "connection",
    since,
    summary,
    complexity: "O(1)",
    ...more,
    run,
  });

  return [
    containerCommand({
      name: "client",
      group: "connection",
      since: "2.4.0",
      summary: "Holds the commands about connections.",
      helpSince: "5.0.0",
      helpCategories: ["connection"],
      help: HELP,
    }, [
      subcommand("getname", 2, ANYTIME, "2.6.9", "Tells the connection's name.", getName),
      subcommand("id", 2, ANYTIME, "5.0.0", "Tells the connection's id.", (call) => {
        call.reply.integer(call.session.id);
      }),
      subcommand("info", 2, ANYTIME, "6.2.0", "Describes the connection.", (call) => {
        lines(call, [call.session]);
      }, { tips: ["nondeterministic_output"] }),
      subcommand(
        "kill",
        -3,
        ADMIN_ANYTIME,
        "2.4.0",
        "Closes the connections for which all conditions hold.",
        (call) => clientKill(server, call),
        {
          argcMax: ASKED_ARGS_MAX,
          complexity: "O(N) in the number of connections",
          history: [
            ["2.8.12", "Conditions instead of an address alone."],
            ["3.2.0", "`master` as a TYPE."],
            ["5.0.0", "`replica` for `slave`."],
            ["6.2.0", "LADDR."],
          ],
          arguments: [{
            name: "filter",
            type: "oneof",
            arguments: [
              { name: "old-format", type: "string" },
              {
                name: "new-format",
                type: "oneof",
                multiple: true,
                arguments: [
                  { name: "client-id", type: "integer", token: "ID" },
                  { ...tokens("client-type", false, ...TYPES), token: "TYPE" },
                  { name: "username", type: "string", token: "USER" },
                  { name: "addr", type: "string", token: "ADDR" },
                  { name: "laddr", type: "string", token: "LADDR" },
                  { ...tokens("skipme", false, "YES", "NO"), token: "SKIPME" },
                  { name: "maxage", type: "integer", token: "MAXAGE" },
                ],
              },
            ],
          }],
        },
      ),
      subcommand("list", -2, ADMIN_ANYTIME, "2.4.0", "Describes connections.", list, {
        argcMax: LISTED_ARGS_MAX,
        complexity: "O(N) in the number of connections",
        tips: ["nondeterministic_output"],
        arguments: [
          { ...tokens("client-type", true, ...TYPES), token: "TYPE" },
          { name: "client-id", type: "integer", token: "ID", optional: true, multiple: true },
        ],
      }),
      subcommand(
        "no-evict",
        3,
        ADMIN_ANYTIME,
        "7.0.0",
        "Keeps the connection when others are closed to save memory.",
        noEvict,
        { arguments: ON_OFF },
      ),
      subcommand(
        "no-touch",
        3,
        ANYTIME,
        "7.2.0",
        "Lets the connection's reads leave no trace on keys.",
        noTouch,
        { arguments: ON_OFF },
      ),
      subcommand("pause", -3, ADMIN_ANYTIME, "3.0.0", "Holds commands for a time.", pause, {
        history: [["6.2.0", "WRITE and ALL."]],
        arguments: [
          { name: "timeout", type: "integer" },
          tokens("mode", true, "WRITE", "ALL"),
        ],
      }),
      subcommand("reply", 3, ANYTIME, "3.2.0", "Turns replies off and on.", replyMode, {
        arguments: [tokens("action", false, "ON", "OFF", "SKIP")],
      }),
      subcommand(
        "setinfo",
        4,
        ANYTIME,
        "7.2.0",
        "Says which library the connection uses.",
        setInfo,
        {
          arguments: [{
            name: "attr",
            type: "oneof",
            arguments: [
              { name: "libname", type: "string", token: "LIB-NAME" },
              { name: "libver", type: "string", token: "LIB-VER" },
            ],
          }],
        },
      ),
      subcommand("setname", 3, ANYTIME, "2.6.9", "Names the connection.", setName, {
        arguments: [{ name: "connection-name", type: "string" }],
      }),
      subcommand(
        "unblock",
        -3,
        ADMIN_ANYTIME,
        "5.0.0",
        "Ends the wait of another connection.",
        (call) => clientUnblock(server, call),
        {
          arguments: [
            { name: "client-id", type: "integer" },
            tokens("unblock-type", true, "TIMEOUT", "ERROR"),
          ],
        },
      ),
      subcommand("unpause", 2, ADMIN_ANYTIME, "6.2.0", "Ends a pause.", (call) => {
        server.clients.unpause();
        call.reply.ok();
      }),
      ...trackingCommands(server),
    ]),
  ];
}
