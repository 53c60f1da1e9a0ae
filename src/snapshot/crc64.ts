/**
 * CRC-64/Jones (`CRC-64/REDIS` in the catalogue of parametrised CRC algorithms): polynomial
 * 0xad93d23594c935a9, bits reflected, initial value 0, nothing added at the end. RDB files and DUMP
 * payloads end with it, little-endian. The check value of "123456789" is e9c6d914c4b8d9ca.
 *
 * Eight bytes a step through eight tables. A 64-bit value is two 32-bit halves, because a BigInt
 * would be allocated at every step. What the files do with the value is theirs: rdb_writer.ts,
 * rdb_reader.ts, dump_payload.ts.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import { littleEndian32, putLittleEndian32 } from "./bytes.ts";

/** Bytes that a stored checksum takes. */
export const CRC64_BYTES = 8;

/** 0xad93d23594c935a9 with its 64 bits in reverse order, as two halves. */
const POLYNOMIAL_LOW = 0xac4bc9b5;
const POLYNOMIAL_HIGH = 0x95ac9329;

/** Table k (entries 256k to 256k+255): what a byte does that is followed by k zero bytes. */
const LOW = new Int32Array(8 * 256);
const HIGH = new Int32Array(8 * 256);

for (let byte = 0; byte < 256; byte++) {
  let low = byte, high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const out = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (out === 1) {
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }
  }
  LOW[byte] = low;
  HIGH[byte] = high;
}
for (let i = 256; i < LOW.length; i++) {
  const low = LOW[i - 256], high = HIGH[i - 256];
  LOW[i] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255];
  HIGH[i] = (high >>> 8) ^ HIGH[low & 255];
}

/** Digits of a value in hexadecimal. */
export const HEX_DIGITS = 16;

/** A running CRC-64 of the bytes given so far. */
export class Crc64 {
  /** Bits 0 to 31, as a signed 32-bit integer. */
  low = 0;
  /** Bits 32 to 63, as a signed 32-bit integer. */
  high = 0;

  /** Back to the state before the first byte. */
  reset(): void {
    this.low = 0;
    this.high = 0;
  }

  /** Goes on behind the bytes whose value is `hex`, as `hex()` gives it. */
  resume(hex: string): void {
    this.high = parseInt(hex.slice(0, 8), 16) | 0;
    this.low = parseInt(hex.slice(8), 16) | 0;
  }

  /** Takes in `buf[start..stop)`; how the bytes are cut into calls makes no difference. */
  update(buf: Uint8Array, start: number, stop: number): void {
    let low = this.low, high = this.high, i = start;
    for (const last = stop - 8; i <= last; i += 8) {
      low ^= buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24);
      high ^= buf[i + 4] | (buf[i + 5] << 8) | (buf[i + 6] << 16) | (buf[i + 7] << 24);
      const a = 1792 | (low & 255), b = 1536 | ((low >>> 8) & 255);
      const c = 1280 | ((low >>> 16) & 255), d = 1024 | (low >>> 24);
      const e = 768 | (high & 255), f = 512 | ((high >>> 8) & 255);
      const g = 256 | ((high >>> 16) & 255), h = high >>> 24;
      low = LOW[a] ^ LOW[b] ^ LOW[c] ^ LOW[d] ^ LOW[e] ^ LOW[f] ^ LOW[g] ^ LOW[h];
      high = HIGH[a] ^ HIGH[b] ^ HIGH[c] ^ HIGH[d] ^ HIGH[e] ^ HIGH[f] ^ HIGH[g] ^ HIGH[h];
    }
    for (; i < stop; i++) {
      const x = (low ^ buf[i]) & 255;
      low = ((low >>> 8) | (high << 24)) ^ LOW[x];
      high = (high >>> 8) ^ HIGH[x];
    }
    this.low = low;
    this.high = high;
  }

  /** Writes the value little-endian at `out[at..at+8)` and returns the position behind it. */
  put(out: Uint8Array, at: number): number {
    return putLittleEndian32(out, putLittleEndian32(out, at, this.low), this.high);
  }

  /** Whether `buf[at..at+8)` holds this value, little-endian. */
  matches(buf: Uint8Array, at: number): boolean {
    return littleEndian32(buf, at) === this.low && littleEndian32(buf, at + 4) === this.high;
  }

  /** The value as 16 lower-case hexadecimal digits, highest first; for logs and errors. */
  hex(): string {
    const digits = new Uint8Array(HEX_DIGITS);
    this.putHex(digits, 0);
    return latin1(digits);
  }

  /** Writes what `hex()` gives at `out[at..at+HEX_DIGITS)` and returns the position behind it. */
  putHex(out: Uint8Array, at: number): number {
    for (let i = 0; i < HEX_DIGITS; i++) {
      const digit = ((i < 8 ? this.high : this.low) >>> (28 - (i & 7) * 4)) & 15;
      out[at++] = digit < 10 ? 48 + digit : 87 + digit;
    }
    return at;
  }
}
