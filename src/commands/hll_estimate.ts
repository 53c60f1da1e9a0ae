/**
 * How many elements a HyperLogLog has seen, from how often each value stands in its registers: Otmar
 * Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv 1702.01284), as Redis
 * has used it since 5.0. Doubles in the same order, so that the numbers are the same.
 *
 * @module
 */

import { HLL_REGISTERS } from "./hll_draft.ts";

/** Bits of the hash that are ranked. */
const Q = 50;
/** 1 / (2 ln 2). */
const ALPHA_INFINITY = 0.7213475204444817;

/**
 * The estimate, a whole number; `counts[v]` of the 16,384 registers are v. It is infinite where
 * every register is greater than hashes can make it.
 */
export function estimate(counts: Float64Array): number {
  const m = HLL_REGISTERS;
  let z = m * tau((m - counts[Q + 1]) / m);
  for (let j = Q; j >= 1; j--) {
    z += counts[j];
    z *= 0.5;
  }
  z += m * sigma(counts[0] / m);
  return Math.round(ALPHA_INFINITY * m * m / z);
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let y = 1;
  let z = 1 - x;
  let before: number;
  do {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (before !== z);
  return z / 3;
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let y = 1;
  let z = x;
  let before: number;
  do {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  } while (before !== z);
  return z;
}
