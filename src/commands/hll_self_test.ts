/**
 * The self test of HyperLogLogs that PFSELFTEST runs, as Redis has it but short: whether registers keep
 * what they are given in both encodings, and whether counts are as near as they should be.
 *
 * It takes some hundredths of a second and has no chance in it: what it finds, it finds each time.
 *
 * @module
 */

import { putInteger } from "../base/ascii.ts";
import { CORRUPT, HLL_REGISTERS, HllDraft, UNCHANGED } from "./hll_draft.ts";
import { estimate } from "./hll_estimate.ts";
import { hashElement, type Placed } from "./hll_hash.ts";

/** Passes over the registers, each of which raises some of them. */
const PASSES = 8;
/** Greatest register of the sparse encoding, and of the dense one. */
const SPARSE_MAX = 32, DENSE_MAX = 63;
/** Of so many registers one is raised in a pass over sparse ones. */
const SPARSE_GAP = 37;
/** Elements counted at most. */
const ELEMENTS = 100_000;
/** Where a sparse one becomes dense, by default. */
const SPARSE_BYTES_MAX = 3_000;
/** Standard error of a count. */
const RELATIVE_ERROR: number = 1.04 / Math.sqrt(HLL_REGISTERS);
/** So many standard errors are allowed. */
const ERRORS_ALLOWED = 6;

const held = new Uint8Array(HLL_REGISTERS);
const counts = new Float64Array(64);
const digits = new Uint8Array(24);
const placed: Placed = { index: 0, rank: 0 };

/** Numbers without pattern, the same each time: a linear congruential generator. */
class Numbers {
  #state = 1;

  /** The next, from 0 to `below` - 1. */
  next(below: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * below);
  }
}

/**
 * Runs the test. Returns what is wrong, or null. `sparse` and `dense` are taken for it, and `place` for
 * where elements go: those of the commands, unless the test is being tested.
 */
export function findHllFault(
  sparse: HllDraft = new HllDraft(),
  dense: HllDraft = new HllDraft(),
  place: typeof hashElement = hashElement,
): string | null {
  sparse.clear();
  dense.clear();
  if (!dense.makeDense()) return "an empty HyperLogLog cannot be made dense";
  return registersFault(sparse, SPARSE_GAP, SPARSE_MAX) ?? registersFault(dense, 1, DENSE_MAX) ??
    encodingFault(sparse) ??
    countsFault(sparse, dense, place);
}

/** Raises every `gap`-th register or so to at most `max`, and looks at all after each pass. */
function registersFault(draft: HllDraft, gap: number, max: number): string | null {
  const numbers = new Numbers();
  const wanted = new Uint8Array(HLL_REGISTERS);
  for (let pass = 0; pass < PASSES; pass++) {
    draft.restart();
    for (let i = 0; i < HLL_REGISTERS; i += 1 + numbers.next(2 * gap - 1)) {
      const value = 1 + numbers.next(max);
      const outcome = draft.set(i, value, Infinity);
      if (outcome === CORRUPT) return `Register ${i} is not covered`;
      if ((outcome === UNCHANGED) !== (value <= wanted[i])) {
        const was = outcome === UNCHANGED ? "was not" : "was";
        return `Register ${i} of ${wanted[i]} ${was} raised to ${value}`;
      }
      if (value > wanted[i]) wanted[i] = value;
    }
    const fault = differenceFault(draft, wanted);
    if (fault !== null) return fault;
  }
  return null;
}

/** The first register that is not as it should be. */
function differenceFault(draft: HllDraft, wanted: Uint8Array): string | null {
  held.fill(0);
  if (!draft.mergeInto(held)) return "the registers are not covered";
  for (let i = 0; i < HLL_REGISTERS; i++) {
    if (held[i] !== wanted[i]) {
      return `Register ${i} should be ${wanted[i]} but is ${held[i]}`;
    }
  }
  return null;
}

/** Whether a sparse one has the same registers when it is made dense. */
function encodingFault(sparse: HllDraft): string | null {
  if (sparse.isDense) return "Sparse encoding not used";
  const wanted = new Uint8Array(HLL_REGISTERS);
  sparse.mergeInto(wanted);
  if (!sparse.makeDense()) return "the registers are not covered";
  return differenceFault(sparse, wanted);
}

/** Counts elements in both encodings, and looks at the counts at each power of ten. */
function countsFault(
  sparse: HllDraft,
  dense: HllDraft,
  place: typeof hashElement,
): string | null {
  sparse.clear();
  dense.clear();
  dense.makeDense();
  let checkpoint = 1;
  for (let added = 1; added <= ELEMENTS; added++) {
    place(digits, 0, putInteger(digits, 0, added), placed);
    for (const draft of [sparse, dense]) {
      draft.restart();
      if (draft.set(placed.index, placed.rank, SPARSE_BYTES_MAX) === CORRUPT) {
        return `Register ${placed.index} is not covered`;
      }
    }
    if (added !== checkpoint) continue;
    const fault = checkpointFault(sparse, dense, added);
    if (fault !== null) return fault;
    checkpoint *= 10;
  }
  return null;
}

function checkpointFault(sparse: HllDraft, dense: HllDraft, added: number): string | null {
  if (!sparse.histogram(counts)) return "the registers are not covered";
  const count = estimate(counts);
  dense.histogram(counts);
  const other = estimate(counts);
  if (other !== count) return `dense/sparse disagree: ${other} and ${count} of ${added}`;
  // Ten elements may well share a register.
  const most = added === 10 ? 1 : Math.ceil(RELATIVE_ERROR * ERRORS_ALLOWED * added);
  const error = Math.abs(count - added);
  return error <= most ? null : `Too big error. card:${added} abserr:${error}`;
}
