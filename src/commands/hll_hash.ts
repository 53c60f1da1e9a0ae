/**
 * Where an element goes in a HyperLogLog: MurmurHash64A (Austin Appleby, public domain) with Redis's
 * seed, in 32-bit halves, so that nothing is allocated. The low 14 bits of the hash choose the
 * register; the trailing zeros of the others, plus one, are what it must be at least.
 *
 * @module
 */

const SEED = 0xadc83b19;
/** The multiplier 0xc6a4a7935bd1e995. */
const M_HIGH = 0xc6a4a793 | 0;
const M_LOW = 0x5bd1e995;
/** Bits of the hash that choose the register. */
const INDEX_BITS = 14;
/** Bits that are looked at for trailing zeros. */
const RANK_BITS = 50;

/** What `hashElement` found. */
export interface Placed {
  /** The register, from 0 to 16,383. */
  index: number;
  /** From 1 to 51. */
  rank: number;
}

let high = 0;
let low = 0;

/** `high:low` times the multiplier, modulo 2^64. */
function multiply(): void {
  const a = low & 0xffff;
  const b = low >>> 16;
  const c = M_LOW & 0xffff;
  const d = M_LOW >>> 16;
  const ac = Math.imul(a, c) >>> 0;
  const middle = Math.imul(b, c) >>> 0;
  const sum = middle + (ac >>> 16); // below 2^32
  const cross = Math.imul(a, d) >>> 0;
  const carry = (cross + (sum & 0xffff)) / 0x10000 >>> 0;
  const upper = (Math.imul(b, d) >>> 0) + Math.floor(sum / 0x10000) + carry;
  high = (upper + Math.imul(high, M_LOW) + Math.imul(low, M_HIGH)) | 0;
  low = Math.imul(low, M_LOW);
}

/** Writes the register and the rank of the element `buf[start..stop)` to `out`. */
export function hashElement(buf: Uint8Array, start: number, stop: number, out: Placed): void {
  high = 0;
  low = stop - start;
  multiply();
  let h = high;
  let l = low ^ SEED;
  let at = start;
  for (; at + 8 <= stop; at += 8) {
    low = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
    high = buf[at + 4] | (buf[at + 5] << 8) | (buf[at + 6] << 16) | (buf[at + 7] << 24);
    multiply();
    low ^= high >>> 15; // a shift by 47
    multiply();
    high ^= h;
    low ^= l;
    multiply();
    h = high;
    l = low;
  }
  if (at < stop) {
    for (let i = at; i < stop; i++) {
      const shift = (i - at) * 8;
      if (shift < 32) l ^= buf[i] << shift;
      else h ^= buf[i] << (shift - 32);
    }
    high = h;
    low = l;
    multiply();
    h = high;
    l = low;
  }
  high = h;
  low = l ^ (h >>> 15);
  multiply();
  low ^= high >>> 15;
  out.index = low & ((1 << INDEX_BITS) - 1);
  // The 50 bits above, a one behind them so that there is a last zero.
  const lower = (low >>> INDEX_BITS) | (high << (32 - INDEX_BITS));
  const upper = (high >>> INDEX_BITS) | (1 << (RANK_BITS - 32));
  out.rank = lower !== 0 ? trailingZeros(lower) + 1 : trailingZeros(upper) + 33;
}

function trailingZeros(n: number): number {
  return 31 - Math.clz32(n & -n);
}
