/**
 * What clients ask ACL and MODULE only to see what there is. Here are no users but `default` and no
 * modules, so the answers are those of a Redis that has none either; what would change that is not there.
 *
 * @module
 */

import { containerCommand } from "../commands/help.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { ANYTIME } from "./command_parts.ts";

/** The one user. */
const USER = "default";

/** ACL and MODULE. */
export const PEEK_COMMANDS: readonly CommandSpec[] = [
  containerCommand({
    name: "acl",
    group: "server",
    since: "6.0.0",
    summary: "Holds the commands about users, of whom there is one.",
    helpSince: "6.0.0",
    help: [
      ["USERS", "List the names of all users."],
      ["WHOAMI", "Tell the name of the user of this connection."],
    ],
  }, [
    {
      name: "acl|users",
      arity: 2,
      flags: ["admin", ...ANYTIME],
      group: "server",
      since: "6.0.0",
      summary: "Lists the names of all users.",
      complexity: "O(1)",
      run({ reply }) {
        reply.array(1);
        reply.bulkText(USER);
      },
    },
    {
      name: "acl|whoami",
      arity: 2,
      flags: ANYTIME,
      group: "server",
      since: "6.0.0",
      summary: "Tells the name of the user of this connection.",
      complexity: "O(1)",
      run: ({ reply }) => reply.bulkText(USER),
    },
  ]),
  containerCommand({
    name: "module",
    group: "server",
    since: "4.0.0",
    summary: "Holds the commands about modules, of which there are none.",
    helpSince: "5.0.0",
    help: [["LIST", "List the modules."]],
  }, [
    {
      name: "module|list",
      arity: 2,
      flags: ["admin", "noscript"],
      group: "server",
      since: "4.0.0",
      summary: "Lists the modules.",
      complexity: "O(1)",
      tips: ["nondeterministic_output_order"],
      run: ({ reply }) => reply.emptyArray(),
    },
  ]),
];
