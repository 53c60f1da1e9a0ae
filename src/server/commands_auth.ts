/**
 * AUTH and HELLO: who a client is and which protocol it speaks.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { REDIS_VERSION } from "../base/version.ts";
import type { Call } from "../commands/call.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { ERR_NOPROTO, ERR_SYNTAX, ERR_WRONGPASS } from "../resp/errors.ts";
import { clientName } from "./client_names.ts";
import { BEFORE_AUTH, integerArgument, word } from "./command_parts.ts";
import { DEFAULT_USER, followPassword, passwordIsRight, passwordIsSet } from "./password.ts";
import type { Server } from "./server.ts";

const ERR_NO_PASSWORD = ascii(
  "ERR AUTH <password> called without any password configured for the default user. Are you sure " +
    "your configuration is correct?",
);
const ERR_PROTOCOL_INTEGER = ascii("ERR Protocol version is not an integer or out of range");
const ERR_HELLO_NOAUTH = ascii(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> " +
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol " +
    "version at the same time",
);

/** AUTH and HELLO of `server`. */
export function authCommands(server: Server): CommandSpec[] {
  const { config, log } = server;
  followPassword(config, () => server.clients.sessions());

  /** Authenticates as the user in argument `user` (-1: the default one) or replies why not. */
  function authenticate(call: Call, user: number, password: number): boolean {
    const { session, buf, starts, stops } = call;
    const isKnown = user < 0 || call.text(user) === DEFAULT_USER;
    if (isKnown && passwordIsRight(config, buf, starts[password], stops[password])) {
      session.authenticated = true;
      return true;
    }
    log.verbose("authentication failed", { client: session.id, peer: session.peer });
    call.reply.error(ERR_WRONGPASS);
    return false;
  }

  function auth(call: Call): void {
    if (call.argc > 3) return call.reply.error(ERR_SYNTAX);
    if (call.argc === 2 && !passwordIsSet(config)) return call.reply.error(ERR_NO_PASSWORD);
    const isRight = call.argc === 2 ? authenticate(call, -1, 1) : authenticate(call, 1, 2);
    if (isRight) call.reply.ok();
  }

  function hello(call: Call): void {
    const { reply, session, argc } = call;
    let version = 0;
    if (argc > 1) {
      version = integerArgument(call, 1, ERR_PROTOCOL_INTEGER);
      if (Number.isNaN(version)) return;
      if (version < 2 || version > 3) return reply.error(ERR_NOPROTO);
    }
    let user = 0;
    let name: string | null = null;
    for (let i = 2; i < argc; i++) {
      const option = word(call, i);
      if (option === "AUTH" && i + 2 < argc) {
        user = i + 1;
        i += 2;
      } else if (option === "SETNAME" && i + 1 < argc) {
        const given = clientName(call, ++i);
        if (typeof given !== "string") return reply.error(given);
        name = given;
      } else {
        return reply.errorText(`ERR Syntax error in HELLO option '${call.text(i)}'`);
      }
    }
    if (user > 0 && !authenticate(call, user, user + 1)) return;
    if (!session.authenticated) return reply.error(ERR_HELLO_NOAUTH);
    if (name !== null) session.name = name;
    if (version > 0) reply.resp3 = version === 3;
    reply.map(7);
    reply.bulkText("server");
    reply.bulkText("redis");
    reply.bulkText("version");
    reply.bulkText(REDIS_VERSION);
    reply.bulkText("proto");
    reply.integer(reply.resp3 ? 3 : 2);
    reply.bulkText("id");
    reply.integer(session.id);
    reply.bulkText("mode");
    reply.bulkText("standalone");
    reply.bulkText("role");
    reply.bulkText(server.replication.isFollowing ? "replica" : "master");
    reply.bulkText("modules");
    reply.emptyArray();
  }

  return [
    {
      name: "auth",
      arity: -2,
      flags: BEFORE_AUTH,
      group: "connection",
      since: "1.0.0",
      summary: "Gives the server the password.",
      complexity: "O(N) in the length of the password",
      history: [["6.0.0", "A user may be named; here the only one is `default`."]],
      arguments: [
        { name: "username", type: "string", optional: true, since: "6.0.0" },
        { name: "password", type: "string" },
      ],
      run: auth,
    },
    {
      name: "hello",
      arity: -1,
      flags: BEFORE_AUTH,
      group: "connection",
      since: "6.0.0",
      summary: "Chooses the protocol, and tells who the server is.",
      complexity: "O(1)",
      history: [["6.2.0", "Without a protocol version it only tells."]],
      arguments: [
        {
          name: "arguments",
          type: "block",
          optional: true,
          arguments: [
            { name: "protover", type: "integer" },
            {
              name: "auth",
              type: "block",
              token: "AUTH",
              optional: true,
              arguments: [
                { name: "username", type: "string" },
                { name: "password", type: "string" },
              ],
            },
            { name: "clientname", type: "string", token: "SETNAME", optional: true },
          ],
        },
      ],
      run: hello,
    },
  ];
}
