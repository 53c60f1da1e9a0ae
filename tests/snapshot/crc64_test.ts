import { assert, assertEquals } from "@std/assert";
import { Crc64, HEX_DIGITS } from "../../src/snapshot/crc64.ts";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Random } from "./support.ts";

/** One bit at a time with BigInt: slow and evidently the definition. */
function plainCrc64(bytes: Uint8Array): string {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
    }
  }
  return crc.toString(16).padStart(16, "0");
}

Deno.test("crc64 of 123456789 is the catalogue's check value", () => {
  const crc = new Crc64();
  crc.update(ascii("123456789"), 0, 9);
  assertEquals(crc.hex(), "e9c6d914c4b8d9ca");
});

Deno.test("crc64 equals the bitwise definition however the bytes are cut", () => {
  const seed = 11;
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const bytes = random.bytes(random.below(100));
    const crc = new Crc64();
    for (let at = 0; at < bytes.length;) {
      const next = Math.min(bytes.length, at + random.below(20));
      crc.update(bytes, at, next);
      at = next;
    }
    assertEquals(crc.hex(), plainCrc64(bytes), `seed ${seed} round ${round}`);
  }
});

Deno.test("crc64 in digits goes where it is to be, and nowhere else", () => {
  const crc = new Crc64();
  crc.update(ascii("123456789"), 0, 9);
  const out = ascii("<" + "x".repeat(HEX_DIGITS) + ">");
  assertEquals(crc.putHex(out, 1), 1 + HEX_DIGITS);
  assertEquals(latin1(out), "<e9c6d914c4b8d9ca>");
  crc.reset();
  assertEquals(crc.hex(), "0".repeat(HEX_DIGITS));
});

Deno.test("crc64 is stored little-endian and recognised again", () => {
  const crc = new Crc64();
  crc.update(ascii("123456789"), 0, 9);
  const stored = new Uint8Array(10);
  assertEquals(crc.put(stored, 1), 9);
  assertEquals(stored, Uint8Array.of(0, 0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9, 0));
  assert(crc.matches(stored, 1));
  stored[8] ^= 1;
  assert(!crc.matches(stored, 1));
});
