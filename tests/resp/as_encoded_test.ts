import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { encodedStart, plainStart } from "../../src/resp/as_encoded.ts";
import { REQUEST, RequestParser } from "../../src/resp/request_parser.ts";
import { Random, testSeed } from "../support/random.ts";
import { bytesOf, multibulk } from "./support.ts";

/** What is said of a request: by `encodedStart`; by `plainStart`, or null when the parser does not call it plain. */
interface Outcome {
  readonly start: number;
  readonly plain: number | null;
  readonly words: string[];
}

/**
 * Of the request at the end of `wire`, whose first `before` bytes are another's. Before it the parser has
 * taken one that was plain; the request comes in two pieces, the first up to `cut`.
 */
function startOf(wire: string, before: number, cut = wire.length): Outcome | null {
  const buf = bytesOf(wire);
  const parser = new RequestParser();
  const ping = bytesOf(multibulk("PING"));
  assertEquals([parser.parse(ping, ping.length), parser.isPlain], [REQUEST, true]);
  parser.at = before;
  let outcome = parser.parse(buf, cut);
  if (outcome !== REQUEST && cut < buf.length) outcome = parser.parse(buf, buf.length);
  if (outcome !== REQUEST || parser.argc === 0) return null;
  const { starts, stops, argc } = parser;
  const words = Array.from({ length: argc }, (_, i) => latin1(buf, starts[i], stops[i]));
  const view = new DataView(buf.buffer);
  return {
    start: encodedStart(view, starts, stops, argc),
    plain: parser.isPlain ? plainStart(view, starts, stops, argc) : null,
    words,
  };
}

const LENGTHS = [
  0,
  1,
  9,
  10,
  11,
  19,
  99,
  100,
  101,
  109,
  110,
  999,
  1000,
  1009,
  1100,
  12_345,
  100_000,
];

Deno.test("a request as an encoder spells it is known by its first byte, at every length", () => {
  for (const length of LENGTHS) {
    const request = multibulk("SET", "k".repeat(length), "v".repeat(length));
    for (const before of ["", "*", "PING\r\n"]) {
      assertEquals(startOf(before + request, before.length)?.start, before.length, `${length}`);
    }
  }
  for (let argc = 1; argc <= 9; argc++) {
    assertEquals(startOf(multibulk(...Array(argc).fill("word")), 0)?.start, 0, `${argc} words`);
  }
  assertEquals(startOf(multibulk("abcdefghi", "k"), 0)?.start, 0);
});

Deno.test("other spellings are not: inline, padded, too many words, a long name", () => {
  for (
    const request of [
      "SET key value\r\n",
      "        SET key value\r\n",
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\rx",
      "*3\r\n$3\r\nSET\r\n$1\r\nkxx$1\r\nv\r\n",
      "*3\rx$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
      "*3\r\n$3\rxSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
      "*3\r\n$3\r\nSET\r\n$1\rxk\r\n$1\r\nv\r\n",
      multibulk(...Array(10).fill("word")),
      multibulk("abcdefghij", "k"),
    ]
  ) {
    assertEquals(startOf(request, 0)?.start, -1, JSON.stringify(request));
  }
});

Deno.test("a request that the parser takes at sight is plain, wherever what is before it ends", () => {
  for (const length of [0, 1, 9, 10, 99]) {
    for (const name of ["X", "abcdefghi", "abcdefghij", "n".repeat(99)]) {
      const request = multibulk(name, "k".repeat(length), "v".repeat(length));
      for (const before of ["", "*", "PING\r\n"]) {
        const { plain, words } = startOf(before + request, before.length)!;
        assertEquals(plain, before.length, `${name} ${length}`);
        assertEquals(words.length, 3);
      }
    }
  }
  for (let argc = 1; argc <= 9; argc++) {
    assertEquals(startOf(multibulk(...Array(argc).fill("word")), 0)?.plain, 0, `${argc} words`);
  }
});

Deno.test("a request that is not taken at sight is not called plain, and one that came in pieces", () => {
  for (
    const request of [
      "SET key value\r\n",
      multibulk(...Array(10).fill("word")),
      multibulk("SET", "k", "v".repeat(100)),
    ]
  ) {
    assertEquals(startOf(request, 0)?.plain, null, JSON.stringify(request));
  }
  const request = multibulk("SET", "k", "v");
  for (let cut = 0; cut < request.length; cut++) {
    const { plain, start } = startOf(request, 0, cut)!;
    // Before the first line is whole nothing is known: the request is taken at sight when it is there.
    assertEquals(plain, cut < "*3\r\n".length ? 0 : null, `cut at ${cut}`);
    assertEquals(start, 0);
  }
});

Deno.test("what the parser did not look at keeps a plain request from being its own encoding", () => {
  for (
    const request of [
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\rx",
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nvx\n",
      "*3\r\n$3\r\nSET\r\n$1\r\nkxx$1\r\nv\r\n",
      "*3\rx$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
      "*3\r\n$3\rxSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
      "*3\r\n$3\r\nSET\r\n$1\rxk\r\n$1\r\nv\r\n",
    ]
  ) {
    assertEquals(startOf(request, 0)?.plain, -1, JSON.stringify(request));
  }
});

Deno.test("whatever is changed in a request, what is taken as encoded encodes its words", () => {
  const random = new Random(testSeed(20_261_127));
  const bytes = ascii("\r\n*$0123456789 x");
  let taken = 0;
  let refused = 0;
  let plain = 0;
  let notPlain = 0;
  for (let round = 0; round < 100_000; round++) {
    const words = Array.from(
      { length: 1 + random.below(4) },
      () => "y".repeat(random.below(3) === 0 ? random.below(130) : random.below(4)),
    );
    const chars = [...multibulk(...words)];
    for (let n = random.below(3); n > 0; n--) {
      const at = random.below(chars.length);
      chars[at] = String.fromCharCode(bytes[random.below(bytes.length)]);
    }
    const wire = chars.join("");
    const outcome = startOf(wire, 0);
    if (outcome === null) continue;
    if (outcome.start < 0) refused++;
    else {
      taken++;
      assert(wire.startsWith(multibulk(...outcome.words), outcome.start), JSON.stringify(wire));
    }
    if (outcome.plain === null) continue;
    // Longer names are for `plainStart` only.
    if (outcome.words[0].length < 10) assertEquals(outcome.plain, outcome.start);
    if (outcome.plain < 0) notPlain++;
    else {
      plain++;
      assert(wire.startsWith(multibulk(...outcome.words), outcome.plain), JSON.stringify(wire));
    }
  }
  assert(taken > 10_000 && refused > 10_000, `${taken} taken, ${refused} refused`);
  assert(plain > 10_000 && notPlain > 1_000, `${plain} plain, ${notPlain} of them not`);
});

Deno.test("words that were put by are not, whatever bytes are before them and however close the end", () => {
  for (const length of [3, 9, 10, 99, 100, 101, 1_000_000]) {
    const word = "v".repeat(Math.min(length, 2_000));
    // The beginning is right; the buffer ends anywhere in or behind the lines of the second word.
    const wire = bytesOf(`*2\r\n$3\r\nSET\r\n$${length}\r\n${word}\r\n`);
    for (let bytes = 11; bytes < wire.length; bytes++) {
      const view = new DataView(wire.buffer, 0, bytes);
      for (const stop of [bytes, bytes - 1, bytes + 5]) {
        for (const start of [stop, stop - 3, Math.max(0, stop - 100), Math.max(0, stop - 1_000)]) {
          const found = encodedStart(view, Int32Array.of(8, start), Int32Array.of(11, stop), 2);
          assertEquals(found, -1, `${length}, ${bytes} bytes, ${start} to ${stop}`);
        }
      }
    }
  }
});
