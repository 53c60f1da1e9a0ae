import { assert } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Backlog, type Cursor } from "../../src/replication/backlog.ts";
import { NUMBERED_VIEW_BYTES_MAX, NumberedFrames } from "../../src/replication/numbered_frames.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 20_261_129;

/** A frame of one argument of `length` bytes, as it is kept. */
function frameOf(length: number): string {
  return `*1\r\n$${length}\r\n${"x".repeat(length)}\r\n`;
}

function append(backlog: Backlog, frames: readonly string[]): void {
  for (const frame of frames) backlog.appendEncoded(ascii(frame), 0, frame.length);
}

/** The frames from the cursor on as a link sends them, in views of at most `maxBytes`. */
function numbered(
  { backlog, cursor, maxBytes, each }: {
    backlog: Backlog;
    cursor: Cursor;
    maxBytes: number;
    each?: (bytes: Uint8Array) => void;
  },
): string {
  const frames = new NumberedFrames();
  let out = "";
  for (let view; (view = backlog.view(cursor, maxBytes)) !== null;) {
    const { segment, byte, viewStop, offset } = cursor;
    const bytes = frames.encode(segment.buf, segment.view, byte, viewStop, offset);
    each?.(bytes);
    out += latin1(bytes);
    backlog.advance(cursor, view.length);
  }
  return out;
}

function inEnvelopes(frames: readonly string[], from: number): string {
  return frames.map((frame, i) => `*2\r\n:${from + i}\r\n${frame}`).join("");
}

Deno.test("frames of any size are numbered alike, whatever the views", () => {
  const seed = testSeed(SEED);
  const random = new Random(seed);
  for (let round = 0; round < 40; round++) {
    const frames = Array.from(
      { length: 60 },
      () => frameOf(random.below(random.below(4) === 0 ? 20_000 : 200)),
    );
    const backlog = new Backlog({ limitBytes: 1 << 22, firstOffset: 95 });
    append(backlog, frames);
    const maxBytes = 1 + random.below(round % 2 === 0 ? 64 : 30_000);
    const cursor = backlog.cursorAt(95)!;
    const sent = numbered({ backlog, cursor, maxBytes });
    assert(sent === inEnvelopes(frames, 95), `seed ${seed}, round ${round}`);
  }
});

Deno.test("a frame as large as a view, and one byte larger, is in one envelope", () => {
  const atMost = NUMBERED_VIEW_BYTES_MAX - "*1\r\n$65000\r\n\r\n".length;
  for (const length of [atMost - 1, atMost, atMost + 1]) {
    const frames = [frameOf(30), frameOf(length), frameOf(30)];
    const backlog = new Backlog({ limitBytes: 1 << 22, firstOffset: 1 });
    append(backlog, frames);
    const views: number[] = [];
    const sent = numbered({
      backlog,
      cursor: backlog.cursorAt(1)!,
      maxBytes: NUMBERED_VIEW_BYTES_MAX,
      each: (view) => views.push(view.length),
    });
    assert(sent === inEnvelopes(frames, 1), `${length} bytes`);
    assert(Math.max(...views) <= NUMBERED_VIEW_BYTES_MAX + 2 * "*2\r\n:2\r\n".length);
  }
});

Deno.test("a link's numbered frames take at most four times a view, with the smallest frames and the greatest numbers", () => {
  const smallest = frameOf(0);
  const count = Math.ceil(2 * NUMBERED_VIEW_BYTES_MAX / smallest.length);
  const from = Number.MAX_SAFE_INTEGER - 2 * count;
  const frames = Array<string>(count).fill(smallest);
  const backlog = new Backlog({ limitBytes: 1 << 22, firstOffset: from });
  append(backlog, frames);
  let bufferBytes = 0;
  const sent = numbered({
    backlog,
    cursor: backlog.cursorAt(from)!,
    maxBytes: NUMBERED_VIEW_BYTES_MAX,
    each: (view) => bufferBytes = Math.max(bufferBytes, view.buffer.byteLength),
  });
  assert(sent === inEnvelopes(frames, from), "envelopes that differ"); // their difference takes minutes
  assert(bufferBytes <= 4 * NUMBERED_VIEW_BYTES_MAX, `${bufferBytes} bytes`);
});
