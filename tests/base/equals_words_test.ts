import { assert, assertEquals } from "@std/assert";
import { equalsWords } from "../../src/base/ascii.ts";

Deno.test("ranges of every length and alignment are the same until any byte of them differs, and only then", () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => 1 + i * 37 % 251);
  const a = new DataView(bytes.buffer);
  for (let length = 0; length <= 21; length++) {
    for (let aStart = 0; aStart < 5; aStart++) {
      for (let bStart = 0; bStart < 5; bStart++) {
        const copy = new Uint8Array(64);
        copy.set(bytes.subarray(aStart, aStart + length), bStart);
        const b = new DataView(copy.buffer);
        assert(equalsWords(a, aStart, b, bStart, length));
        for (let i = 0; i < copy.length; i++) {
          copy[i] ^= 0x80;
          const isBeside = i < bStart || i >= bStart + length;
          assertEquals(
            equalsWords(a, aStart, b, bStart, length),
            isBeside,
            `${length} bytes, ${i}`,
          );
          copy[i] ^= 0x80;
        }
      }
    }
  }
});
