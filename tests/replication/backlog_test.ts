import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  Backlog,
  type Cursor,
  CURSOR_LOST,
  NOT_HELD_BYTES_MAX,
  NOT_HELD_FRAMES_MAX,
  type Pin,
  SEGMENT_BYTES_MIN,
  SEGMENTS_PER_LIMIT_MIN,
} from "../../src/replication/backlog.ts";
import { multibulk } from "../resp/support.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 20_240_611;

function append(backlog: Backlog, ...args: string[]): number {
  const bytes = args.map(ascii);
  backlog.beginFrame(bytes.length, bytes.reduce((sum, b) => sum + b.length, 0));
  for (const b of bytes) backlog.arg(b, 0, b.length);
  return backlog.endFrame();
}

/** Everything from the cursor on, in views of at most `maxBytes`, as latin-1. */
function drain(backlog: Backlog, cursor: Cursor, maxBytes: number): string {
  let out = "";
  for (let view; (view = backlog.view(cursor, maxBytes)) !== null;) {
    out += latin1(view);
    backlog.advance(cursor, view.length);
  }
  return out;
}

Deno.test("a frame is encoded with its arguments and nothing else", () => {
  const backlog = new Backlog({ limitBytes: 4096, firstOffset: 41 });
  assertEquals(append(backlog, "SET", "k", ""), 41);
  backlog.beginFrame(3, 3 + 4 + 16);
  backlog.arg(ascii("xINCRBYx"), 1, 7);
  backlog.beginArg(4);
  backlog.argPart(ascii("ab"), 0, 2);
  backlog.argPart(ascii("cd"), 0, 2);
  backlog.endArg();
  backlog.argInteger(-9007199254740991);
  assertEquals(backlog.endFrame(), 42);
  const command = "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
  assertEquals(backlog.appendEncoded(ascii("--" + command), 2, 2 + command.length), 43);
  assertEquals(
    drain(backlog, backlog.cursorAt(41)!, 1 << 20),
    multibulk("SET", "k", "") + multibulk("INCRBY", "abcd", "-9007199254740991") + command,
  );
  assertEquals(
    latin1(backlog.newestBuf, backlog.newestStart, backlog.newestStop),
    command,
  );
});

Deno.test("an empty backlog has oldest = next and a cursor there that waits", () => {
  const backlog = new Backlog({ limitBytes: 4096, firstOffset: 7 });
  assertEquals([backlog.oldestOffset, backlog.nextOffset, backlog.sizeBytes], [7, 7, 0]);
  assertEquals(backlog.memoryBytes, 0);
  assertEquals(backlog.cursorAt(6), null);
  assertEquals(backlog.cursorAt(8), null);
  const cursor = backlog.cursorAt(7)!;
  assertEquals(backlog.readable(cursor), 0);
  assertEquals(backlog.view(cursor, 100), null);
  append(backlog, "PING");
  assertEquals(drain(backlog, cursor, 100), multibulk("PING"));
  assertEquals(cursor.offset, 8);
});

Deno.test("a frame begun and not ended leaves no trace", () => {
  const backlog = new Backlog({ limitBytes: 4096, firstOffset: 0 });
  append(backlog, "A");
  backlog.beginFrame(2, 2000);
  backlog.arg(ascii("GONE"), 0, 4);
  append(backlog, "B");
  assertEquals(drain(backlog, backlog.cursorAt(0)!, 1 << 20), multibulk("A") + multibulk("B"));
});

Deno.test("the newest frame is kept however small the limit is, and however large the frame", () => {
  const backlog = new Backlog({ limitBytes: 1000, firstOffset: 0 });
  for (let i = 0; i < 50; i++) {
    append(backlog, "SET", "k" + i, "v".repeat(i % 3 === 0 ? 100_000 : 10));
    const cursor = backlog.cursorAt(i)!;
    const start = multibulk("SET", "k" + i, "").slice(0, -"$0\r\n\r\n".length);
    assert(drain(backlog, cursor, 1 << 20).startsWith(start), `frame ${i}`);
    assertEquals(cursor.offset, i + 1);
    backlog.release(cursor);
  }
  backlog.limitBytes = 1;
  assertEquals(backlog.nextOffset - backlog.oldestOffset, 1);
});

Deno.test("a cursor in an evicted segment finishes it and is then lost", () => {
  const backlog = new Backlog({ limitBytes: 8192, firstOffset: 0 });
  append(backlog, "SET", "first", "x".repeat(300));
  const cursor = backlog.cursorAt(0)!;
  const view = backlog.view(cursor, 100)!;
  for (let i = 0; i < 2000; i++) append(backlog, "SET", "k", "y".repeat(100));
  assert(backlog.oldestOffset > 100);
  assert(latin1(view).startsWith("*3\r\n$3\r\nSET\r\n$5\r\nfirst\r\n"));
  backlog.advance(cursor, 60);
  assertEquals(backlog.offsetOf(cursor), 0);
  backlog.advance(cursor, 40);
  const rest = drain(backlog, cursor, 1000);
  assert(rest.includes("x".repeat(200)));
  assertEquals(backlog.readable(cursor), CURSOR_LOST);
  assert(backlog.offsetOf(cursor) < backlog.oldestOffset);
});

Deno.test("a full backlog that nobody reads reuses its segments", () => {
  const backlog = new Backlog({ limitBytes: 64 * 1024, firstOffset: 0 });
  const seen = new Set<ArrayBuffer>();
  for (let i = 0; i < 20_000; i++) {
    append(backlog, "SET", "key:" + i, "value");
    seen.add(backlog.newestBuf.buffer);
  }
  assert(seen.size <= 9, `${seen.size} buffers`);
});

Deno.test("a pin keeps its frames past the limit, until its own limit, and moves with its reader", () => {
  const backlog = new Backlog({ limitBytes: 10_000, pinLimitBytes: 50_000, firstOffset: 0 });
  append(backlog, "SET", "a", "b");
  const pin = backlog.pin(1)!;
  while (backlog.sizeBytes < 45_000) append(backlog, "SET", "k", "v".repeat(50));
  assert(backlog.holds(1));
  assert(!pin.overrun);
  backlog.movePin(pin, backlog.nextOffset - 10);
  append(backlog, "SET", "k", "v");
  assert(!backlog.holds(1));
  assert(backlog.sizeBytes <= 10_000);
  while (!pin.overrun) append(backlog, "SET", "k", "v".repeat(50));
  assert(backlog.memoryBytes <= 50_000 + 10_000, `${backlog.memoryBytes}`);
  assert(!backlog.holds(pin.offset));
  append(backlog, "SET", "k", "v");
  assert(backlog.sizeBytes <= 10_000);
  backlog.unpin(pin);
  assertEquals(backlog.pin(0), null);
});

Deno.test("what nobody needs is held to half of the limit; what somebody needs has all of it", () => {
  const held = (keepFrom: number) => {
    const backlog = new Backlog({ limitBytes: 80_000, firstOffset: 0 });
    backlog.keepFrom = keepFrom;
    let peak = 0;
    for (let i = 0; i < 5000; i++) {
      append(backlog, "SET", "k", "v".repeat(50));
      if (i > 2000) peak = Math.max(peak, backlog.sizeBytes);
    }
    return peak;
  };
  const unneeded = held(Infinity);
  const needed = held(0);
  assert(unneeded <= 40_000 && unneeded > 30_000, `${unneeded}`);
  assert(needed <= 80_000 && needed > 70_000, `${needed}`);
});

Deno.test("a smaller limit evicts at once and keeps the newest frame", () => {
  const backlog = new Backlog({ limitBytes: 8 << 20, firstOffset: 0 });
  for (let i = 0; i < 20_000; i++) append(backlog, "SET", "k" + i, "v".repeat(50));
  assert(backlog.holds(0));
  const cursor = backlog.cursorAt(19_990)!;
  backlog.limitBytes = 100_000;
  assert(backlog.holds(19_999));
  for (let i = 20_000; i < 22_000; i++) append(backlog, "SET", "k" + i, "v".repeat(50));
  assert(backlog.memoryBytes <= 130_000, `${backlog.memoryBytes}`);
  // The segment it stood in is gone: it is told so after the bytes it still has.
  drain(backlog, cursor, 1 << 20);
  assertEquals(backlog.readable(cursor), CURSOR_LOST);
});

/** What the frame appended last holds, as an append-only file gets it. */
function newest(backlog: Backlog): string {
  return latin1(backlog.newestBuf, backlog.newestStart, backlog.newestStop);
}

Deno.test("a backlog that holds nothing gives numbers, and each frame is seen until the next", () => {
  const backlog = new Backlog({ limitBytes: 4096, firstOffset: 7 });
  append(backlog, "SET", "a", "1");
  const cursor = backlog.cursorAt(7)!;
  const pin = backlog.pin(7)!;
  backlog.holdNothing();
  assertEquals([backlog.oldestOffset, backlog.nextOffset, backlog.sizeBytes], [8, 8, 0]);
  assert(pin.overrun);
  // A reader still has the bytes of its segment.
  assertEquals(drain(backlog, cursor, 100), multibulk("SET", "a", "1"));
  assertEquals(backlog.readable(cursor), CURSOR_LOST);
  backlog.release(cursor);

  assertEquals(append(backlog, "SET", "b", "2"), 8);
  assertEquals(newest(backlog), multibulk("SET", "b", "2"));
  assert(backlog.newestView.buffer === backlog.newestBuf.buffer);
  backlog.skip();
  assertEquals(append(backlog, "DEL", "b"), 10);
  assertEquals(newest(backlog), "*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n");
  assertEquals([backlog.oldestOffset, backlog.nextOffset, backlog.sizeBytes], [11, 11, 0]);
  assertEquals([backlog.holds(11), backlog.cursorAt(11), backlog.pin(11)], [false, null, null]);

  backlog.hold();
  assertEquals([backlog.oldestOffset, backlog.nextOffset, backlog.sizeBytes], [11, 11, 0]);
  const later = backlog.cursorAt(11)!;
  append(backlog, "SET", "c", "3");
  assertEquals(drain(backlog, later, 100), multibulk("SET", "c", "3"));
});

Deno.test("of a large frame that is not held nothing is left with the next", () => {
  const backlog = new Backlog({ limitBytes: 1, firstOffset: 0 });
  backlog.holdNothing();
  const overhead = 100;
  append(backlog, "x".repeat(NOT_HELD_BYTES_MAX - overhead));
  append(backlog, "PING");
  assert(
    backlog.memoryBytes >= NOT_HELD_BYTES_MAX - overhead,
    "a buffer of the usual size is kept",
  );
  append(backlog, "x".repeat(NOT_HELD_BYTES_MAX + 1));
  assert(backlog.memoryBytes > NOT_HELD_BYTES_MAX);
  append(backlog, "PING");
  assertEquals(backlog.memoryBytes, SEGMENT_BYTES_MIN);
});

Deno.test("numbers go on when the count of frames that are not held begins anew", () => {
  for (const isSkipped of [true, false]) {
    const first = 999_999_000;
    const backlog = new Backlog({ limitBytes: 4096, firstOffset: first });
    backlog.holdNothing();
    for (let i = 0; i < NOT_HELD_FRAMES_MAX; i++) backlog.skip();
    for (let i = 0; i < 2; i++) {
      if (isSkipped) backlog.skip();
      else append(backlog, "PING");
      assertEquals(backlog.nextOffset, first + NOT_HELD_FRAMES_MAX + i + 1);
    }
    backlog.hold();
    const offset = append(backlog, "PING");
    const cursor = backlog.cursorAt(offset)!;
    assertEquals(drain(backlog, cursor, 100), multibulk("PING"));
    assertEquals(cursor.offset, first + NOT_HELD_FRAMES_MAX + 3);
  }
});

/** A plain list of every frame ever appended answers beside the backlog. */
function runModel(rnd: Random, steps: number, note: string): void {
  const limitBytes = 2000 + rnd.below(60_000);
  const pinLimitBytes = limitBytes * (1 + rnd.below(3));
  const first = rnd.below(1000);
  const backlog = new Backlog({ limitBytes, pinLimitBytes, firstOffset: first });
  /** Every frame's bytes in one text, and where each frame begins in it (and the last one ends). */
  let stream = "";
  const starts = [0];
  const pins: Pin[] = [];
  const readers: { cursor: Cursor; position: number }[] = [];
  /** The first frame since frames were held again. */
  let heldFrom = 0;
  /** A client's buffer, whose frames are appended from where they are. */
  const requests = new Uint8Array(100_000);
  const requestsView = new DataView(requests.buffer);
  let requestsStop = 0;

  for (let step = 0; step < steps; step++) {
    const where = `${note} step ${step}`;
    const dice = rnd.below(100);
    if (dice < 40) appendOne(where);
    else if (dice < 63) appendLate();
    else if (dice < 65) endTurn();
    else if (dice < 70) openReader(where);
    else if (dice < 93 && readers.length > 0) readSome(rnd.pick(readers), where);
    else if (dice < 95 && readers.length > 4) backlog.release(readers.shift()!.cursor);
    else if (dice < 96) {
      const pin = backlog.pin(backlog.oldestOffset + rnd.below(5));
      if (pin !== null) pins.push(pin);
    } else if (dice < 97 && pins.length > 0) {
      const pin = rnd.pick(pins);
      backlog.movePin(pin, Math.max(pin.offset, backlog.nextOffset - rnd.below(300)));
    } else if (dice < 98 && pins.length > 0) backlog.unpin(pins.shift()!);
    else if (dice < 99) backlog.limitBytes = limitBytes >> rnd.below(3);
    else if (rnd.below(4) === 0) holdNothingForAWhile(where);
    else backlog.keepFrom = rnd.below(2) === 0 ? Infinity : backlog.nextOffset - rnd.below(100);
    check(where);
  }

  function appendOne(where: string): void {
    const args = ["SET"];
    for (let n = rnd.below(6); n > 0; n--) {
      args.push("x".repeat(rnd.below(100) === 0 ? rnd.below(limitBytes * 2) : rnd.below(200)));
    }
    const offset = append(backlog, ...args);
    assertEquals(offset, first + starts.length - 1, where);
    stream += multibulk(...args);
    starts.push(stream.length);
  }

  /** A frame whose bytes are good until the turn ends, most often behind the one before it. */
  function appendLate(): void {
    const frame = multibulk("SET", "y".repeat(rnd.below(rnd.below(20) === 0 ? 3000 : 200)));
    if (rnd.below(10) === 0) requestsStop += 3;
    if (requestsStop + frame.length > requests.length) endTurn();
    const start = requestsStop;
    requests.set(ascii(frame), start);
    requestsStop += frame.length;
    backlog.appendLate(requests, rnd.below(2) ? requestsView : null, start, requestsStop);
    stream += frame;
    starts.push(stream.length);
  }

  function endTurn(): void {
    backlog.settle();
    requests.fill(rnd.below(256));
    requestsStop = 0;
  }

  /** Frames that are not held have numbers and no bytes. */
  function holdNothingForAWhile(where: string): void {
    for (const { cursor } of readers.splice(0)) backlog.release(cursor);
    backlog.holdNothing();
    for (const pin of pins) assert(pin.overrun, where);
    for (let n = rnd.below(20); n > 0; n--) {
      if (rnd.below(2) === 0) backlog.skip();
      else append(backlog, "SET", "x".repeat(rnd.below(limitBytes)));
      starts.push(stream.length);
      if (rnd.below(4) === 0) backlog.limitBytes = limitBytes >> rnd.below(3);
      assertEquals(backlog.nextOffset, first + starts.length - 1, where);
      assertEquals([backlog.oldestOffset, backlog.sizeBytes], [backlog.nextOffset, 0], where);
    }
    backlog.hold();
    heldFrom = backlog.nextOffset;
  }

  function openReader(where: string): void {
    const offset = backlog.oldestOffset - 2 +
      rnd.below(backlog.nextOffset - backlog.oldestOffset + 4);
    const cursor = backlog.cursorAt(offset);
    assertEquals(cursor !== null, backlog.holds(offset), where);
    if (cursor !== null) readers.push({ cursor, position: starts[offset - first] });
  }

  function readSome(reader: { cursor: Cursor; position: number }, where: string): void {
    const { cursor } = reader;
    assertEquals(backlog.lagBytes(cursor), stream.length - reader.position, where);
    if (backlog.readable(cursor) === CURSOR_LOST) {
      const lost = starts.indexOf(reader.position);
      assert(lost >= 0 && first + lost < backlog.oldestOffset, where);
      backlog.release(cursor);
      readers.splice(readers.indexOf(reader), 1);
      return;
    }
    const maxBytes = 1 + rnd.below(rnd.below(2) === 0 ? 100 : 20_000);
    const view = backlog.view(cursor, maxBytes);
    assertEquals(view === null, reader.position === stream.length, where);
    if (view === null) return;
    assert(view.length <= maxBytes, where);
    assert(latin1(view) === stream.slice(reader.position, reader.position + view.length), where);
    if (maxBytes > 4096 + 10 * 220 && starts.includes(reader.position)) {
      const cut = reader.position + view.length;
      const next = starts.find((s) => s > reader.position)!;
      assert(starts.includes(cut) || next - reader.position > maxBytes - 8192, `${where}: cut`);
    }
    const taken = rnd.below(3) === 0 ? rnd.below(view.length + 1) : view.length;
    backlog.advance(cursor, taken);
    reader.position += taken;
    const whole = starts.findLastIndex((s) => s <= reader.position);
    assertEquals(backlog.offsetOf(cursor), first + whole, where);
    assert(cursor.offset <= first + whole, where);
  }

  function check(where: string): void {
    const oldest = backlog.oldestOffset - first;
    assertEquals(backlog.nextOffset, first + starts.length - 1, where);
    assertEquals(backlog.sizeBytes, stream.length - starts[oldest], where);
    assertEquals(backlog.appendedBytes, stream.length, where);
    if (starts.length > 1 && backlog.nextOffset > heldFrom) {
      assert(backlog.nextOffset > backlog.oldestOffset, where);
    }
    for (const pin of pins) assert(pin.overrun || backlog.holds(pin.offset), where);
    const pinned = pins.some((pin) => !pin.overrun);
    const allowed = pinned ? Math.max(backlog.limitBytes, pinLimitBytes) : backlog.limitBytes;
    // The segment of the newest frame stays whole: it was opened under a larger limit, or for a
    // large frame with a few bytes to spare, into which small ones went.
    const sizes = starts.slice(-10).map((start, i, all) => i === 0 ? 0 : start - all[i - 1]);
    const segment = Math.max(...sizes, limitBytes / SEGMENTS_PER_LIMIT_MIN, SEGMENT_BYTES_MIN);
    const bound = allowed + segment;
    assert(backlog.sizeBytes <= bound, `${where}: ${backlog.sizeBytes} of ${bound}`);
  }
}

Deno.test("a backlog answers like a list of all its frames", () => {
  for (let round = 0; round < 12; round++) {
    const seed = testSeed(SEED) + round;
    runModel(new Random(seed), 3000, `seed ${seed}`);
  }
});
