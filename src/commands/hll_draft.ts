/**
 * A HyperLogLog taken out of the keyspace to be read or changed: Redis's string, byte for byte.
 *
 * ```text
 * bytes 0  "HYLL" | encoding u8: 0 dense, 1 sparse | 3 unused
 *       8  cached cardinality u64, little-endian; its highest bit says that it no longer holds
 *      16  dense: 16,384 registers of 6 bits, the first in the low bits of the first byte
 *          sparse: runs of registers, in order, that cover all of them
 *            00xxxxxx           x + 1 registers are zero
 *            01xxxxxx yyyyyyyy  xy + 1 registers are zero
 *            1vvvvvxx           x + 1 registers are v + 1
 * ```
 *
 * Runs are split and joined as Redis does it, so that equal histories make equal bytes. A draft has
 * room for any string that can be a HyperLogLog; `hyperloglog.ts` keeps one.
 *
 * @module
 */

/** Bytes of the header. */
export const HLL_HEADER_BYTES = 16;
/** Number of registers. */
export const HLL_REGISTERS = 16_384;
/** Bytes of the dense encoding, header included. */
export const HLL_DENSE_BYTES: number = HLL_HEADER_BYTES + (HLL_REGISTERS * 6) / 8;
/** Header byte of the encoding. */
export const HLL_ENCODING_AT = 4;
/** First header byte of the cached cardinality. */
export const HLL_CARD_AT = 8;
/** Header byte whose highest bit says that the cached cardinality does not hold. */
export const HLL_STALE_AT = 15;
/** The encodings. */
export const HLL_DENSE = 0;
/** See `HLL_DENSE`. */
export const HLL_SPARSE = 1;
/** Longest string that can be a HyperLogLog: two bytes a register. Longer ones are corrupt. */
export const HLL_BYTES_MAX: number = HLL_HEADER_BYTES + 2 * HLL_REGISTERS;

/** Greatest register in a run. */
const RUN_VALUE_MAX = 32;
/** Longest run of registers that are not zero. */
const RUN_LENGTH_MAX = 4;
/** Longest run of zeros in one byte. */
const ZEROS_MAX = 64;
/** Runs looked at for joining, from the one before a change on. */
const JOIN_SCAN = 5;

/** Whether the run that begins with `byte` has a second byte. */
function isLong(byte: number): boolean {
  return (byte & 0xc0) === 0x40;
}

/** What `set` did: the register was that great already. */
export const UNCHANGED = 0;
/** What `set` did: the register is greater now. */
export const RAISED = 1;
/** What `set` found: the runs do not cover the registers. */
export const CORRUPT: -1 = -1;

/** See the module's text. */
export class HllDraft {
  /** The string, with room behind it for one more split. */
  readonly bytes: Uint8Array = new Uint8Array(HLL_BYTES_MAX + 8);
  /** Bytes of the string. */
  length = 0;
  readonly #registers = new Uint8Array(HLL_REGISTERS);
  readonly #split = new Uint8Array(5);
  /** A run before the last change and its first register, for changes in ascending order. */
  #restartAt = HLL_HEADER_BYTES;
  #restartFirst = 0;

  /** Makes it a new, empty one: sparse, its cached cardinality 0. */
  clear(): void {
    const { bytes } = this;
    bytes.fill(0, 0, HLL_HEADER_BYTES);
    bytes[0] = 72; // HYLL
    bytes[1] = 89;
    bytes[2] = 76;
    bytes[3] = 76;
    bytes[HLL_ENCODING_AT] = HLL_SPARSE;
    bytes[HLL_HEADER_BYTES] = 0x40 | ((HLL_REGISTERS - 1) >> 8);
    bytes[HLL_HEADER_BYTES + 1] = (HLL_REGISTERS - 1) & 0xff;
    this.loaded(HLL_HEADER_BYTES + 2);
  }

  /** The first `length` of `bytes` have been written. */
  loaded(length: number): void {
    this.length = length;
    this.bytes[length] = 0; // read where the second byte of a run is missing, as in Redis
    this.restart();
  }

  /** Registers given to `set` from now on need not be greater than those before. */
  restart(): void {
    this.#restartAt = HLL_HEADER_BYTES;
    this.#restartFirst = 0;
  }

  /** Whether it is dense. */
  get isDense(): boolean {
    return this.bytes[HLL_ENCODING_AT] === HLL_DENSE;
  }

  /** Marks the cached cardinality as no longer holding. */
  makeStale(): void {
    this.bytes[HLL_STALE_AT] |= 0x80;
  }

  /**
   * Raises register `index` to `value`, which is at least 1. A sparse one that would grow past
   * `sparseBytesMax` becomes dense. `index` is greater than in the call before, or `restart` was
   * called.
   */
  set(index: number, value: number, sparseBytesMax: number): number {
    if (this.isDense) return this.#setDense(index, value);
    if (value > RUN_VALUE_MAX) return this.#promote(index, value);
    return this.#setSparse(index, value, sparseBytesMax);
  }

  #setDense(index: number, value: number): number {
    const { bytes } = this;
    const at = HLL_HEADER_BYTES + ((index * 6) >> 3);
    const shift = (index * 6) & 7;
    const pair = bytes[at] | (bytes[at + 1] << 8);
    if (((pair >> shift) & 63) >= value) return UNCHANGED;
    const next = (pair & ~(63 << shift)) | (value << shift);
    bytes[at] = next;
    bytes[at + 1] = next >> 8;
    return RAISED;
  }

  #promote(index: number, value: number): number {
    if (!this.makeDense()) return CORRUPT;
    this.#setDense(index, value);
    return RAISED;
  }

  #setSparse(index: number, value: number, sparseBytesMax: number): number {
    const { bytes, length: end } = this;
    let at = this.#restartAt;
    let first = this.#restartFirst;
    let before = -1;
    let beforeFirst = 0;
    let span = 0;
    while (at < end) {
      const byte = bytes[at];
      span = byte >= 0x80 ? (byte & 3) + 1 : (byte & 63) + 1;
      if (isLong(byte)) span = (((byte & 63) << 8) | bytes[at + 1]) + 1;
      if (index < first + span) break;
      before = at;
      beforeFirst = first;
      at += isLong(byte) ? 2 : 1;
      first += span;
    }
    if (at >= end || (isLong(bytes[at]) && at + 1 === end)) return CORRUPT;
    if (before < 0 && at !== HLL_HEADER_BYTES) {
      // Found where the search began, in the middle: who comes before is not known.
      this.restart();
      return this.#setSparse(index, value, sparseBytesMax);
    }
    this.#restartAt = before < 0 ? HLL_HEADER_BYTES : before;
    this.#restartFirst = before < 0 ? 0 : beforeFirst;
    const byte = bytes[at];
    const held = byte >= 0x80 ? ((byte >> 2) & 31) + 1 : 0;
    if (held >= value) return UNCHANGED;
    if (span === 1 && !isLong(byte)) {
      bytes[at] = runOf(value, 1);
    } else {
      const split = this.#split;
      let n = putRun(split, 0, held, index - first);
      split[n++] = runOf(value, 1);
      n = putRun(split, n, held, first + span - 1 - index);
      const old = isLong(byte) ? 2 : 1;
      if (n > old && end + n - old > Math.min(sparseBytesMax, HLL_BYTES_MAX)) {
        return this.#promote(index, value);
      }
      bytes.copyWithin(at + n, at + old, end);
      for (let i = 0; i < n; i++) bytes[at + i] = split[i];
      this.length = end + n - old;
    }
    this.#join(this.#restartAt);
    bytes[this.length] = 0;
    return RAISED;
  }

  /** Joins runs of the same value beside each other, from `at` on. */
  #join(at: number): void {
    const { bytes } = this;
    for (let scan = JOIN_SCAN; at < this.length && scan > 0; scan--) {
      const byte = bytes[at];
      if (byte < 0x80) {
        at += isLong(byte) ? 2 : 1;
        continue;
      }
      const next = bytes[at + 1];
      const length = (byte & 3) + (next & 3) + 2;
      const isSame = at + 1 < this.length && (byte & 0xfc) === (next & 0xfc);
      if (isSame && length <= RUN_LENGTH_MAX) {
        bytes[at + 1] = (byte & 0xfc) | (length - 1);
        bytes.copyWithin(at, at + 1, this.length);
        this.length--;
      } else {
        at++;
      }
    }
  }

  /** Makes it dense; false, with nothing changed, when it is corrupt. */
  makeDense(): boolean {
    if (this.isDense) return true;
    const registers = this.#registers;
    registers.fill(0);
    if (!this.mergeInto(registers)) return false;
    const { bytes } = this;
    let at = HLL_HEADER_BYTES;
    for (let i = 0; i < HLL_REGISTERS; i += 4) {
      const four = registers[i] | (registers[i + 1] << 6) | (registers[i + 2] << 12) |
        (registers[i + 3] << 18);
      bytes[at++] = four;
      bytes[at++] = four >> 8;
      bytes[at++] = four >> 16;
    }
    bytes[HLL_ENCODING_AT] = HLL_DENSE;
    this.loaded(HLL_DENSE_BYTES);
    return true;
  }

  /** Raises each of `registers` to what it is here; false when this is corrupt. */
  mergeInto(registers: Uint8Array): boolean {
    const { bytes, length } = this;
    if (this.isDense) {
      for (let i = 0, at = HLL_HEADER_BYTES; i < HLL_REGISTERS; i += 4, at += 3) {
        const four = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16);
        for (let j = 0; j < 4; j++) {
          const value = (four >> (6 * j)) & 63;
          if (value > registers[i + j]) registers[i + j] = value;
        }
      }
      return true;
    }
    let index = 0;
    for (let at = HLL_HEADER_BYTES; at < length; at++) {
      const byte = bytes[at];
      if (byte >= 0x80) {
        const run = (byte & 3) + 1;
        const value = ((byte >> 2) & 31) + 1;
        if (index + run > HLL_REGISTERS) return false;
        for (let i = 0; i < run; i++, index++) {
          if (value > registers[index]) registers[index] = value;
        }
      } else {
        index += isLong(byte) ? (((byte & 63) << 8) | bytes[++at]) + 1 : (byte & 63) + 1;
      }
    }
    return index === HLL_REGISTERS;
  }

  /** Counts in `counts[v]` the registers that are v, for v from 0 to 63; false when this is corrupt. */
  histogram(counts: Float64Array): boolean {
    counts.fill(0);
    if (this.isDense) {
      const registers = this.#registers;
      registers.fill(0);
      this.mergeInto(registers);
      countRegisters(registers, counts);
      return true;
    }
    const { bytes, length } = this;
    let registers = 0;
    for (let at = HLL_HEADER_BYTES; at < length; at++) {
      const byte = bytes[at];
      let run = byte >= 0x80 ? (byte & 3) + 1 : (byte & 63) + 1;
      if (isLong(byte)) run = (((byte & 63) << 8) | bytes[++at]) + 1;
      counts[byte >= 0x80 ? ((byte >> 2) & 31) + 1 : 0] += run;
      registers += run;
    }
    return registers === HLL_REGISTERS;
  }

  /** The runs of a sparse one as text: `z:` and `Z:` zeros, `v:value,length` (PFDEBUG DECODE). */
  runsAsText(): string {
    const { bytes, length } = this;
    const runs: string[] = [];
    for (let at = HLL_HEADER_BYTES; at < length; at++) {
      const byte = bytes[at];
      if (byte >= 0x80) runs.push(`v:${((byte >> 2) & 31) + 1},${(byte & 3) + 1}`);
      else if (isLong(byte)) runs.push(`Z:${(((byte & 63) << 8) | bytes[++at]) + 1}`);
      else runs.push(`z:${(byte & 63) + 1}`);
    }
    return runs.join(" ");
  }
}

/** Adds to `counts[v]` the registers that are v. */
export function countRegisters(registers: Uint8Array, counts: Float64Array): void {
  for (let i = 0; i < HLL_REGISTERS; i++) counts[registers[i]]++;
}

/** A run of registers that are not zero. */
function runOf(value: number, length: number): number {
  return 0x80 | ((value - 1) << 2) | (length - 1);
}

/** Writes a run of `length` registers, 0 for none, and returns the position behind it. */
function putRun(out: Uint8Array, at: number, value: number, length: number): number {
  if (length === 0) return at;
  if (value > 0) {
    out[at++] = runOf(value, length);
  } else if (length <= ZEROS_MAX) {
    out[at++] = length - 1;
  } else {
    out[at++] = 0x40 | ((length - 1) >> 8);
    out[at++] = (length - 1) & 0xff;
  }
  return at;
}
