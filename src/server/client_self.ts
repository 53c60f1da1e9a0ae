/**
 * What a client says of itself with CLIENT: its name, its library, whether it wants replies.
 *
 * @module
 */

import type { Call } from "../commands/call.ts";
import { REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT } from "../commands/session.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { clientName, ERR_CLIENT_NAME } from "./client_names.ts";
import { word } from "./command_parts.ts";

/** CLIENT SETNAME. */
export function setName(call: Call): void {
  const name = clientName(call, 2);
  if (typeof name !== "string") return call.reply.error(name);
  call.session.name = name;
  call.reply.ok();
}

/** CLIENT GETNAME. */
export function getName(call: Call): void {
  if (call.session.name === "") call.reply.nil();
  else call.reply.bulkText(call.session.name);
}

/** CLIENT SETINFO. */
export function setInfo(call: Call): void {
  const { session, reply } = call;
  const attribute = word(call, 2);
  if (attribute !== "LIB-NAME" && attribute !== "LIB-VER") {
    return reply.errorText(`ERR Unrecognized option '${call.text(2)}'`);
  }
  const value = clientName(call, 3);
  if (value === ERR_CLIENT_NAME) {
    return reply.errorText(
      `ERR ${call.text(2)} cannot contain spaces, newlines or special characters.`,
    );
  }
  if (typeof value !== "string") return reply.error(value);
  if (attribute === "LIB-NAME") session.libName = value;
  else session.libVersion = value;
  reply.ok();
}

/** CLIENT REPLY. The executor drops what this asks it to drop. */
export function replyMode(call: Call): void {
  const { session, reply } = call;
  switch (word(call, 2)) {
    case "ON":
      session.replyState = REPLY_ON;
      return reply.ok();
    case "OFF":
      session.replyState = REPLY_OFF;
      return;
    case "SKIP":
      if (session.replyState !== REPLY_OFF) session.replyState = REPLY_SKIP_NEXT;
      return;
    default:
      reply.error(ERR_SYNTAX);
  }
}

/** ON or OFF in argument 2; null, and the error is replied, for anything else. */
function onOrOff(call: Call): boolean | null {
  const answer = word(call, 2);
  if (answer === "ON" || answer === "OFF") return answer === "ON";
  call.reply.error(ERR_SYNTAX);
  return null;
}

/** CLIENT NO-EVICT. */
export function noEvict(call: Call): void {
  const on = onOrOff(call);
  if (on === null) return;
  call.session.noEvict = on;
  call.reply.ok();
}

/** CLIENT NO-TOUCH. */
export function noTouch(call: Call): void {
  const on = onOrOff(call);
  if (on === null) return;
  call.session.noTouch = on;
  call.reply.ok();
}
