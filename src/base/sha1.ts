/**
 * SHA-1 (FIPS 180-4) for many short inputs: digests of a data set need several hashes of a few bytes
 * a key, for which a call into the runtime costs ten times the hash. Not for anything secret.
 *
 * @module
 */

/** Bytes of a digest. */
export const SHA1_BYTES = 20;

const BLOCK_BYTES = 64;
/** Where the bit length begins in the last block. */
const LENGTH_AT = 56;

// The constants of the four rounds, as int32s.
const K0 = 0x5a827999;
const K1 = 0x6ed9eba1;
const K2 = 0x8f1bbcdc | 0;
const K3 = 0xca62c1d6 | 0;

/** Hashes one input after the other; nothing is allocated but at construction. */
export class Sha1 {
  readonly #state = new Int32Array(5);
  readonly #words = new Int32Array(80);
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  #length = 0;

  /** Begins an input. */
  begin(): void {
    const state = this.#state;
    state[0] = 0x67452301;
    state[1] = 0xefcdab89 | 0;
    state[2] = 0x98badcfe | 0;
    state[3] = 0x10325476;
    state[4] = 0xc3d2e1f0 | 0;
    this.#filled = 0;
    this.#length = 0;
  }

  /** The input goes on with `buf[start..stop)`. */
  update(buf: Uint8Array, start: number, stop: number): void {
    this.#length += stop - start;
    const block = this.#block;
    let filled = this.#filled;
    if (filled > 0) {
      while (filled < BLOCK_BYTES && start < stop) block[filled++] = buf[start++];
      if (filled === BLOCK_BYTES) {
        this.#compress(block, 0);
        filled = 0;
      }
    }
    for (; stop - start >= BLOCK_BYTES; start += BLOCK_BYTES) this.#compress(buf, start);
    while (start < stop) block[filled++] = buf[start++];
    this.#filled = filled;
  }

  /** Ends the input; its digest goes to `out` at `at`, which may be where the input was. */
  end(out: Uint8Array, at: number): void {
    const block = this.#block;
    let filled = this.#filled;
    block[filled++] = 0x80;
    if (filled > LENGTH_AT) {
      block.fill(0, filled);
      this.#compress(block, 0);
      filled = 0;
    }
    block.fill(0, filled, LENGTH_AT);
    const high = Math.floor(this.#length / 0x20000000);
    const low = this.#length << 3;
    for (let i = 0; i < 4; i++) {
      block[LENGTH_AT + i] = high >>> (24 - 8 * i);
      block[LENGTH_AT + 4 + i] = low >>> (24 - 8 * i);
    }
    this.#compress(block, 0);
    const state = this.#state;
    for (let i = 0; i < 5; i++) {
      const word = state[i];
      out[at++] = word >>> 24;
      out[at++] = word >>> 16;
      out[at++] = word >>> 8;
      out[at++] = word;
    }
  }

  #compress(buf: Uint8Array, at: number): void {
    const w = this.#words;
    const state = this.#state;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3];
    }
    for (let i = 16; i < 80; i++) {
      const x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
      w[i] = (x << 1) | (x >>> 31);
    }
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let i = 0;
    for (; i < 20; i++) {
      const t = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + w[i] + K0) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (; i < 40; i++) {
      const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[i] + K1) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (; i < 60; i++) {
      const t = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + w[i] + K2) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    for (; i < 80; i++) {
      const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[i] + K3) | 0;
      e = d;
      d = c;
      c = (b << 30) | (b >>> 2);
      b = a;
      a = t;
    }
    state[0] = (state[0] + a) | 0;
    state[1] = (state[1] + b) | 0;
    state[2] = (state[2] + c) | 0;
    state[3] = (state[3] + d) | 0;
    state[4] = (state[4] + e) | 0;
  }
}
