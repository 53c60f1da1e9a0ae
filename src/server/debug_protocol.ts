/**
 * DEBUG PROTOCOL: a reply of each kind that the protocol has, with Redis's own values, for those who test
 * a client.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

const ERR_TYPE = ascii(
  "ERR Wrong protocol type name. Please use one of the following: " +
    "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
const ERR_RESP3_ONLY = ascii("ERR RESP2 is not supported by this command");

/** Elements of an array, a set or a map. */
const ELEMENTS = 3;

const REPLIES: ReadonlyMap<string, (reply: ReplyWriter) => void> = new Map([
  ["STRING", (reply) => reply.bulkText("Hello World")],
  ["INTEGER", (reply) => reply.integer(12345)],
  ["DOUBLE", (reply) => reply.double(3.141)],
  ["BIGNUM", (reply) => reply.bigNumber("1234567999999999999999999999999999999")],
  ["NULL", (reply) => reply.nil()],
  ["ARRAY", (reply) => {
    reply.array(ELEMENTS);
    for (let i = 0; i < ELEMENTS; i++) reply.integer(i);
  }],
  ["SET", (reply) => {
    reply.set(ELEMENTS);
    for (let i = 0; i < ELEMENTS; i++) reply.integer(i);
  }],
  ["MAP", (reply) => {
    reply.map(ELEMENTS);
    for (let i = 0; i < ELEMENTS; i++) {
      reply.integer(i);
      reply.boolean(i === 1);
    }
  }],
  ["ATTRIB", attribute],
  ["PUSH", push],
  ["VERBATIM", (reply) => reply.verbatim("txt", "This is a verbatim\nstring")],
  ["TRUE", (reply) => reply.boolean(true)],
  ["FALSE", (reply) => reply.boolean(false)],
]);

/** Replies with a value of the kind that `name` says, in upper case. */
export function replyOfKind(reply: ReplyWriter, name: string): void {
  const write = REPLIES.get(name);
  if (write === undefined) reply.error(ERR_TYPE);
  else write(reply);
}

/** An attribute is no reply: one follows. RESP2 has that alone. */
function attribute(reply: ReplyWriter): void {
  if (reply.resp3) {
    reply.attribute(1);
    reply.bulkText("key-popularity");
    reply.array(2);
    reply.bulkText("key:123");
    reply.integer(90);
  }
  reply.bulkText("Some real reply following the attribute");
}

/** Nor is a push. */
function push(reply: ReplyWriter): void {
  if (!reply.resp3) return reply.error(ERR_RESP3_ONLY);
  reply.push(2);
  reply.bulkText("server-cpu-usage");
  reply.integer(42);
  reply.bulkText("Some real reply following the push reply");
}
