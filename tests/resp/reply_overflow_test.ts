import { assert, assertEquals } from "@std/assert";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";

const LARGE = new Uint8Array(1_000_000).fill(120);

Deno.test("a reply of the limit is kept, one byte more drops everything", () => {
  const limitBytes = LARGE.length + 64;
  const kept = new ReplyWriter();
  kept.limitBytes = limitBytes;
  kept.bulk(LARGE, 0, LARGE.length);
  assertEquals(kept.overflowed, false);
  assertEquals(kept.at, "$1000000\r\n\r\n".length + LARGE.length);
  kept.raw(LARGE, 0, limitBytes - kept.at);
  assertEquals([kept.overflowed, kept.at, kept.buf.length], [false, limitBytes, limitBytes]);
  kept.one();
  assertEquals(kept.overflowed, true);
});

Deno.test("after the limit everything may be written, and takes no memory", () => {
  const writer = new ReplyWriter();
  writer.limitBytes = 100_000;
  writer.resp3 = true;
  const mark = writer.deferArray();
  writer.raw(LARGE, 0, 50_000);
  const most: number[] = [];
  for (let i = 0; i < 1_000; i++) {
    writer.bulk(LARGE, 0, LARGE.length);
    writer.bulk(LARGE, 0, i % 100);
    writer.bulkFrom(LARGE, new DataView(LARGE.buffer), 0, i);
    writer.bulkHeader(LARGE.length);
    writer.raw(LARGE, 0, LARGE.length);
    writer.crlf();
    writer.bulkText("x".repeat(i));
    writer.bulkInteger(-i);
    writer.verbatim("txt", "x".repeat(5_000));
    writer.error(LARGE);
    writer.errorText("ERR " + "x".repeat(5_000));
    writer.status(LARGE);
    writer.integer(i);
    writer.bigint(2n ** 60n);
    writer.double(1 / 3);
    writer.map(3);
    writer.push(3);
    writer.nil();
    const inner = writer.deferArray();
    writer.finishArray(inner, 3);
    assert(writer.at <= writer.buf.length);
    most.push(writer.buf.length);
  }
  writer.finishArray(mark, 1);
  assertEquals(writer.overflowed, true);
  assert(Math.max(...most) <= 1_024, `${Math.max(...most)} bytes`);
  assert(writer.lastErrorAt <= writer.at);
});

Deno.test("what fits is neither dropped nor the end of the connection", () => {
  const writer = new ReplyWriter();
  writer.limitBytes = 1_000;
  writer.raw(LARGE, 0, 400);
  assertEquals([writer.fits(600), writer.fits(601)], [true, false]);
  writer.closingBytes = 500;
  assertEquals([writer.fits(100), writer.fits(101)], [true, false]);
  writer.isUnread = true;
  assertEquals(writer.fits(10_000), true);
  writer.isUnread = false;
  writer.raw(LARGE, 0, 700);
  assertEquals([writer.overflowed, writer.fits(1)], [true, false]);
});
