import { assertEquals } from "@std/assert";
import { copyWords } from "../../src/base/copy.ts";

Deno.test("every length is copied whole, to and from every alignment, and nothing beside it", () => {
  const src = Uint8Array.from({ length: 160 }, (_, i) => 1 + i % 251);
  const view = new DataView(src.buffer);
  for (let length = 0; length <= 72; length++) {
    for (let from = 0; from < 9; from++) {
      for (let at = 0; at < 9; at++) {
        const out = new Uint8Array(96);
        copyWords(view, from, from + length, new DataView(out.buffer), at);
        const expected = new Uint8Array(96);
        expected.set(src.subarray(from, from + length), at);
        assertEquals(out, expected, `${length} bytes from ${from} to ${at}`);
      }
    }
  }
});
