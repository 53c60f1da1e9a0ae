import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { ascii } from "../../src/base/ascii.ts";
import { Sha1, SHA1_BYTES } from "../../src/base/sha1.ts";
import { Random, testSeed } from "../support/random.ts";

function sha1(pieces: readonly Uint8Array[]): string {
  const hash = new Sha1();
  const out = new Uint8Array(SHA1_BYTES);
  hash.begin();
  for (const piece of pieces) hash.update(piece, 0, piece.length);
  hash.end(out, 0);
  return out.toHex();
}

Deno.test("SHA-1 of the standard's examples", () => {
  assertEquals(sha1([]), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  assertEquals(sha1([ascii("abc")]), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assertEquals(
    sha1([ascii("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")]),
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
  );
});

Deno.test("SHA-1 of any length, in any pieces, is the runtime's", () => {
  const seed = testSeed(31);
  const random = new Random(seed);
  for (let length = 0; length < 300; length++) {
    const bytes = random.bytes(length);
    const expected = createHash("sha1").update(bytes).digest("hex");
    assertEquals(sha1([bytes]), expected, `${length} bytes, seed ${seed}`);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < length;) {
      const stop = Math.min(length, at + random.below(90));
      pieces.push(bytes.subarray(at, stop));
      at = stop;
    }
    assertEquals(sha1(pieces), expected, `${length} bytes in pieces, seed ${seed}`);
  }
});

Deno.test("a digest may replace its own input", () => {
  const hash = new Sha1();
  const digest = new Uint8Array(SHA1_BYTES);
  for (let i = 0; i < 3; i++) {
    hash.begin();
    hash.update(digest, 0, SHA1_BYTES);
    hash.end(digest, 0);
  }
  let expected = new Uint8Array(SHA1_BYTES);
  for (let i = 0; i < 3; i++) {
    expected = new Uint8Array(createHash("sha1").update(expected).digest());
  }
  assertEquals(digest, expected);
});
