/**
 * CLIENT KILL and CLIENT UNBLOCK: what one client does to another.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import { ERR_SYNTAX, ERR_UNBLOCKED } from "../resp/errors.ts";
import { type ClientFilter, clientType, everybody, isLink, matches } from "./client_list.ts";
import { integerArgument, unknownOrWrong, word } from "./command_parts.ts";
import { DEFAULT_USER } from "./password.ts";
import type { Server } from "./server.ts";

const ERR_NO_CLIENT = ascii("ERR No such client");
const ERR_CLIENT_ID = ascii("ERR client-id should be greater than 0");
const ERR_AGE_INTEGER = ascii("ERR maxage is not an integer or out of range");
const ERR_AGE_RANGE = ascii("ERR maxage should be greater than 0");
const ERR_UNBLOCK_REASON = ascii("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");

/** Why the connection of a killed client, or a link of replication, ended, for the log. */
const KILLED = "killed by CLIENT KILL";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the conditions from argument 2 on; null, and the error is replied, when they do not parse. */
function readFilter(call: Call): { filter: ClientFilter; skipMe: boolean } | null {
  const { argc } = call;
  const refuse = (error: Uint8Array | string): null => {
    if (typeof error === "string") call.reply.errorText(error);
    else call.reply.error(error);
    return null;
  };
  const filter: Mutable<ClientFilter> = {};
  let skipMe = true;
  for (let i = 2; i < argc; i += 2) {
    const value = i + 1;
    if (value >= argc) return refuse(ERR_SYNTAX);
    switch (word(call, i)) {
      case "ID": {
        const id = integerArgument(call, value, ERR_CLIENT_ID);
        if (Number.isNaN(id)) return null;
        if (id < 1) return refuse(ERR_CLIENT_ID);
        filter.id = id;
        break;
      }
      case "MAXAGE": {
        const age = integerArgument(call, value, ERR_AGE_INTEGER);
        if (Number.isNaN(age)) return null;
        if (age < 1) return refuse(ERR_AGE_RANGE);
        filter.minAgeSeconds = age;
        break;
      }
      case "TYPE": {
        const type = clientType(call.text(value));
        if (type === null) {
          return refuse(`ERR Unknown client type '${call.text(value)}'`);
        }
        filter.type = type;
        break;
      }
      case "USER":
        if (call.text(value) !== DEFAULT_USER) {
          return refuse(`ERR No such user '${call.text(value)}'`);
        }
        filter.isOfUser = true;
        break;
      case "ADDR":
        filter.addr = call.text(value);
        break;
      case "LADDR":
        filter.laddr = call.text(value);
        break;
      case "SKIPME": {
        const answer = word(call, value);
        if (answer !== "YES" && answer !== "NO") return refuse(ERR_SYNTAX);
        skipMe = answer === "YES";
        break;
      }
      default:
        return refuse(ERR_SYNTAX);
    }
  }
  return { filter, skipMe };
}

/** CLIENT KILL, in its old form (an address alone) and its new one (conditions). */
export function clientKill(server: Server, call: Call): void {
  const isOldForm = call.argc === 3;
  const read = isOldForm ? { filter: { addr: call.text(2) }, skipMe: false } : readFilter(call);
  if (read === null) return;
  const { session, reply } = call;
  let killed = 0;
  for (const other of everybody(server)) {
    if (!matches(other, read.filter, call.nowMs)) continue;
    if (isLink(other)) server.replication.killLink(other.id, KILLED);
    else if (other !== session) server.clients.kill(other, KILLED);
    else if (read.skipMe) continue;
    else session.closing = true; // once it has its reply
    killed++;
  }
  if (!isOldForm) reply.integer(killed);
  else if (killed === 0) reply.error(ERR_NO_CLIENT);
  else reply.ok();
}

/** CLIENT UNBLOCK. */
export function clientUnblock(server: Server, call: Call): void {
  const { reply, argc } = call;
  if (argc > 4) return unknownOrWrong(call, "CLIENT");
  const reason = argc === 4 ? word(call, 3) : "TIMEOUT";
  if (reason !== "TIMEOUT" && reason !== "ERROR") return reply.error(ERR_UNBLOCK_REASON);
  const id = integerArgument(call, 2);
  if (Number.isNaN(id)) return;
  const other = server.clients.session(id);
  const suspension = other?.suspension ?? null;
  if (other === undefined || suspension === null || !suspension.unblockable) return reply.zero();
  other.resume((reply) => {
    if (reason === "TIMEOUT") suspension.expired(reply);
    else suspension.failed(reply, ERR_UNBLOCKED);
  });
  reply.one();
}
