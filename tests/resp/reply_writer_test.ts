import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { InvariantError } from "../../src/base/invariant.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { bytesOf } from "./support.ts";

/** What `write` writes, as latin-1. */
function written(resp3: boolean, write: (reply: ReplyWriter) => void): string {
  // One byte of room at first: every method must make its own.
  const reply = new ReplyWriter(1);
  reply.resp3 = resp3;
  write(reply);
  return latin1(reply.buf, 0, reply.at);
}

const HELLO = ascii("<hello>");

/** Name, what to write, its bytes in RESP2 and, where they differ, in RESP3. */
const REPLIES: [string, (reply: ReplyWriter) => void, string, string?][] = [
  ["ok", (r) => r.ok(), "+OK\r\n"],
  ["pong", (r) => r.pong(), "+PONG\r\n"],
  ["queued", (r) => r.queued(), "+QUEUED\r\n"],
  ["nil", (r) => r.nil(), "$-1\r\n", "_\r\n"],
  ["nilArray", (r) => r.nilArray(), "*-1\r\n", "_\r\n"],
  ["emptyArray", (r) => r.emptyArray(), "*0\r\n"],
  ["zero", (r) => r.zero(), ":0\r\n"],
  ["one", (r) => r.one(), ":1\r\n"],
  ["minusOne", (r) => r.minusOne(), ":-1\r\n"],
  ["minusTwo", (r) => r.minusTwo(), ":-2\r\n"],
  ["bigint", (r) => r.bigint(-(2n ** 63n)), ":-9223372036854775808\r\n"],
  ["status", (r) => r.status(ascii("string")), "+string\r\n"],
  ["bulk", (r) => r.bulk(HELLO, 1, 6), "$5\r\nhello\r\n"],
  ["empty bulk", (r) => r.bulk(HELLO, 3, 3), "$0\r\n\r\n"],
  ["bulkText", (r) => r.bulkText("é"), "$2\r\n\xc3\xa9\r\n"],
  ["double", (r) => r.double(3.25), "$4\r\n3.25\r\n", ",3.25\r\n"],
  ["whole double", (r) => r.double(-7), "$2\r\n-7\r\n", ",-7\r\n"],
  ["infinity", (r) => r.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
  ["true", (r) => r.boolean(true), ":1\r\n", "#t\r\n"],
  ["false", (r) => r.boolean(false), ":0\r\n", "#f\r\n"],
  ["array", (r) => r.array(3), "*3\r\n"],
  ["map", (r) => r.map(30), "*60\r\n", "%30\r\n"],
  ["set", (r) => r.set(2), "*2\r\n", "~2\r\n"],
  ["push", (r) => r.push(2), "*2\r\n", ">2\r\n"],
  [
    "big number",
    (r) => r.bigNumber("-12345678901234567890"),
    "$21\r\n-12345678901234567890\r\n",
    "(-12345678901234567890\r\n",
  ],
  ["verbatim", (r) => r.verbatim("txt", "a\nb"), "$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n"],
  ["error", (r) => r.error(ascii("ERR syntax error")), "-ERR syntax error\r\n"],
  ["errorText", (r) => r.errorText("ERR é"), "-ERR \xc3\xa9\r\n"],
  ["errorText of lines", (r) => r.errorText("\r\nERR a\r\nb\nc\n"), "-ERR a  b c\r\n"],
  ["pieces", (r) => {
    r.bulkHeader(5);
    r.raw(HELLO, 1, 3);
    r.raw(HELLO, 3, 6);
    r.crlf();
  }, "$5\r\nhello\r\n"],
];

for (const [name, write, resp2, resp3] of REPLIES) {
  Deno.test(`reply writer: ${name} in both protocols`, () => {
    assertEquals(written(false, write), resp2);
    assertEquals(written(true, write), resp3 ?? resp2);
  });
}

Deno.test("reply writer: integers of every length, as numbers and as bulks", () => {
  const edges = [0, 9, 10, 99, 100, 101, 999, 1000, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1];
  for (const n of edges.flatMap((n) => [n, -n])) {
    const digits = String(n === 0 ? 0 : n);
    assertEquals(written(false, (r) => r.integer(n === 0 ? 0 : n)), `:${digits}\r\n`);
    assertEquals(
      written(false, (r) => r.bulkInteger(n === 0 ? 0 : n)),
      `$${digits.length}\r\n${digits}\r\n`,
    );
  }
});

Deno.test("reply writer: bulks of every length up to 1000 and some beyond, from their place", () => {
  const src = Uint8Array.from({ length: 200_000 }, (_, i) => i * 31);
  const reply = new ReplyWriter();
  const lengths = Array.from({ length: 1001 }, (_, i) => i).concat(4095, 65_536, 150_000);
  let at = 0;
  for (const length of lengths) {
    reply.bulk(src, 7, 7 + length);
    const header = `$${length}\r\n`;
    const bytes = reply.buf.subarray(at, reply.at);
    assertEquals(bytes.length, header.length + length + 2);
    assertEquals(latin1(bytes, 0, header.length), header);
    assert(bytes.subarray(header.length, -2).every((b, i) => b === src[7 + i]), `length ${length}`);
    assertEquals(latin1(bytes.subarray(-2)), "\r\n");
    at = reply.at;
  }
});

Deno.test("reply writer: a bulk comes from shared memory as well", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(300));
  shared.fill(65);
  const reply = new ReplyWriter();
  reply.bulk(shared, 0, 2);
  reply.bulk(shared, 0, 300);
  assertEquals(latin1(reply.buf, 0, reply.at), `$2\r\nAA\r\n$300\r\n${"A".repeat(300)}\r\n`);
});

Deno.test("reply writer: an array whose length is known last", () => {
  for (const count of [0, 5, 12, 12_345]) {
    const reply = new ReplyWriter(1);
    reply.ok();
    const outer = reply.deferArray();
    const inner = reply.deferArray();
    for (let i = 0; i < count; i++) reply.one();
    reply.finishArray(inner, count);
    reply.finishArray(outer, 1);
    reply.pong();
    const wanted = `+OK\r\n*1\r\n*${count}\r\n${":1\r\n".repeat(count)}+PONG\r\n`;
    assertEquals(latin1(reply.buf, 0, reply.at), wanted);
  }
});

Deno.test("reply writer: closing an array keeps its body however full the buffer is", () => {
  for (let initialBytes = 1; initialBytes < 80; initialBytes++) {
    for (let count = 0; count < 12; count++) {
      const reply = new ReplyWriter(initialBytes);
      const mark = reply.deferArray();
      for (let i = 0; i < count; i++) reply.one();
      reply.finishArray(mark, count);
      assertEquals(latin1(reply.buf, 0, reply.at), `*${count}\r\n${":1\r\n".repeat(count)}`);
    }
  }
});

Deno.test("reply writer: errors are counted and the last one can be found", () => {
  const reply = new ReplyWriter();
  reply.ok();
  assertEquals(reply.errors, 0);
  reply.error(ascii("WRONGTYPE no"));
  reply.array(1);
  const before = reply.at;
  reply.errorText("ERR yes");
  assertEquals(reply.errors, 2);
  assertEquals(reply.lastErrorAt, before);
  assertEquals(reply.buf[reply.lastErrorAt], 45);
});

Deno.test("reply writer: an attribute goes to RESP3 clients only", () => {
  assertEquals(written(true, (r) => r.attribute(1)), "|1\r\n");
  assertThrows(() => written(false, (r) => r.attribute(1)), InvariantError);
});

Deno.test("reply writer: the owner drains and the room stays", () => {
  const reply = new ReplyWriter(16);
  reply.raw(bytesOf("x".repeat(1000)), 0, 1000);
  const room = reply.buf.length;
  reply.at = 0;
  reply.ok();
  assertEquals(reply.buf.length, room);
  assertEquals(latin1(reply.buf, 0, reply.at), "+OK\r\n");
});
