import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { encodedStart } from "../../src/resp/as_encoded.ts";
import { REQUEST, RequestParser } from "../../src/resp/request_parser.ts";
import { Random, testSeed } from "../support/random.ts";
import { bytesOf } from "./support.ts";

/** RESP of the words, one char a byte. */
function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n` + words.map((w) => `$${w.length}\r\n${w}\r\n`).join("");
}

/** What `encodedStart` says of the request at the end of `wire`, whose first `before` bytes are another's. */
function startOf(wire: string, before: number): { start: number; words: string[] } | null {
  const buf = bytesOf(wire);
  const parser = new RequestParser();
  parser.at = before;
  if (parser.parse(buf, buf.length) !== REQUEST || parser.argc === 0) return null;
  const { starts, stops, argc } = parser;
  const words = Array.from({ length: argc }, (_, i) => latin1(buf, starts[i], stops[i]));
  return { start: encodedStart(new DataView(buf.buffer), starts, stops, argc), words };
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
    const request = encoded(["SET", "k".repeat(length), "v".repeat(length)]);
    for (const before of ["", "*", "PING\r\n"]) {
      assertEquals(startOf(before + request, before.length)?.start, before.length, `${length}`);
    }
  }
  for (let argc = 1; argc <= 9; argc++) {
    assertEquals(startOf(encoded(Array(argc).fill("word")), 0)?.start, 0, `${argc} words`);
  }
  assertEquals(startOf(encoded(["abcdefghi", "k"]), 0)?.start, 0);
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
      encoded(Array(10).fill("word")),
      encoded(["abcdefghij", "k"]),
    ]
  ) {
    assertEquals(startOf(request, 0)?.start, -1, JSON.stringify(request));
  }
});

Deno.test("whatever is changed in a request, what is taken as encoded encodes its words", () => {
  const random = new Random(testSeed(20_261_127));
  const bytes = ascii("\r\n*$0123456789 x");
  let taken = 0;
  let refused = 0;
  for (let round = 0; round < 100_000; round++) {
    const words = Array.from(
      { length: 1 + random.below(4) },
      () => "y".repeat(random.below(3) === 0 ? random.below(130) : random.below(4)),
    );
    const chars = [...encoded(words)];
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
      assert(wire.startsWith(encoded(outcome.words), outcome.start), JSON.stringify(wire));
    }
  }
  assert(taken > 10_000 && refused > 10_000, `${taken} taken, ${refused} refused`);
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
