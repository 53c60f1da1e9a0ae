/**
 * LZF, the compression of RDB strings, compatible with liblzf in both directions.
 *
 * A compressed run is a sequence of two things:
 *
 * ```
 * literals   000nnnnn              then n + 1 bytes to copy as they are
 * short ref  nnnooooo oooooooo     n in 1..6: copy n + 2 bytes from o + 1 bytes back
 * long ref   111ooooo nnnnnnnn oooooooo   copy n + 9 bytes from o + 1 bytes back
 * ```
 *
 * A reference may reach into the bytes it is producing (o + 1 < length): that repeats a pattern.
 * There is no length and no checksum inside: both belong to the format around it.
 *
 * The compressor is greedy, with one candidate per hash of three bytes. It allocates nothing: the
 * hash table is shared by all calls, and an entry of an earlier call is known by its number.
 *
 * @module
 */

/** Most bytes that one byte of input can stand for: a long reference makes 264 of 3. */
export const LZF_EXPANSION_MAX = 88;

/** Farthest that a reference reaches back, and the most bytes that it copies. */
const DISTANCE_MAX = 8192;
const MATCH_MAX = 264;
const LITERALS_MAX = 32;

/**
 * Hash tables of 2^12 to 2^14 entries, by input length. The smallest is half of a first-level cache;
 * a smaller one makes small strings collide, which costs more than it saves. One larger than the
 * reach of a reference finds hardly more.
 */
const TABLE_BITS_MIN = 12;
const TABLE_BITS_MAX = 14;

/**
 * After 2^6 misses in a row the search looks at every second position only, after as many more at
 * every third, and so on: data without repeats is passed over ever faster.
 */
const SKIP_SHIFT = 6;

/** Position + `#base` of the last occurrence of a hash; anything below the base is from before. */
const table = new Int32Array(1 << TABLE_BITS_MAX);
let nextBase = 1;

/**
 * Compresses `src[start..stop)` into `dst[dstStart..dstStop)`. Returns the bytes written, or 0 when
 * the result does not fit: the caller gives less room than the input takes and so learns whether
 * compression pays. After a 0 the room holds leftovers. The inputs and outputs must not overlap.
 */
export function lzfCompress(
  src: Uint8Array,
  start: number,
  stop: number,
  dst: Uint8Array,
  dstStart: number,
  dstStop: number,
): number {
  const length = stop - start;
  if (length === 0) return 0;
  if (nextBase + length > 0x7fffffff) {
    table.fill(0);
    nextBase = 1;
  }
  const base = nextBase;
  nextBase += length;
  let bits = TABLE_BITS_MIN;
  while (bits < TABLE_BITS_MAX && length * 4 > 1 << bits) bits++;
  const shift = 32 - bits;

  const searchStop = length - 2;
  let at = 0, literalsFrom = 0, out = dstStart, misses = 0;
  while (at < searchStop) {
    const p = start + at;
    const word = src[p] | (src[p + 1] << 8) | (src[p + 2] << 16);
    const slot = Math.imul(word, 0x9e3779b1) >>> shift;
    const ref = table[slot] - base;
    table[slot] = at + base;
    if (ref >= 0 && at - ref <= DISTANCE_MAX) {
      const r = start + ref;
      if ((src[r] | (src[r + 1] << 8) | (src[r + 2] << 16)) === word) {
        let count = 3;
        const countMax = length - at < MATCH_MAX ? length - at : MATCH_MAX;
        while (count < countMax && src[r + count] === src[p + count]) count++;

        out = putLiterals(src, start + literalsFrom, p, dst, out, dstStop);
        const back = at - ref - 1, extra = count - 2;
        if (out < 0 || out + (extra < 7 ? 2 : 3) > dstStop) return 0;
        if (extra < 7) {
          dst[out++] = (extra << 5) | (back >> 8);
        } else {
          dst[out++] = (7 << 5) | (back >> 8);
          dst[out++] = extra - 7;
        }
        dst[out++] = back;

        // The last positions of the match stay findable; the inner ones would find no more.
        at += count;
        literalsFrom = at;
        misses = 0;
        if (at < searchStop) {
          for (let i = at - 2; i < at; i++) {
            const q = start + i;
            const w = src[q] | (src[q + 1] << 8) | (src[q + 2] << 16);
            table[Math.imul(w, 0x9e3779b1) >>> shift] = i + base;
          }
        }
        continue;
      }
    }
    at += 1 + (misses++ >> SKIP_SHIFT);
  }
  out = putLiterals(src, start + literalsFrom, stop, dst, out, dstStop);
  return out < 0 ? 0 : out - dstStart;
}

/** Appends `src[from..to)` as runs of literals; -1 when they do not fit. */
function putLiterals(
  src: Uint8Array,
  from: number,
  to: number,
  dst: Uint8Array,
  out: number,
  dstStop: number,
): number {
  let left = to - from;
  if (out + left + Math.ceil(left / LITERALS_MAX) > dstStop) return -1;
  while (left > 0) {
    const run = left < LITERALS_MAX ? left : LITERALS_MAX;
    dst[out++] = run - 1;
    for (let i = 0; i < run; i++) dst[out++] = src[from++];
    left -= run;
  }
  return out;
}

/**
 * Expands `src[start..stop)` into `dst[dstStart..dstStop)`, which must be filled exactly. Returns
 * whether the input was sound: it ended with a whole token, reached back to no byte before
 * `dstStart` and produced exactly the room's size. Nothing outside the room is ever written.
 */
export function lzfDecompress(
  src: Uint8Array,
  start: number,
  stop: number,
  dst: Uint8Array,
  dstStart: number,
  dstStop: number,
): boolean {
  let at = start, out = dstStart;
  while (at < stop) {
    const control = src[at++];
    if (control < LITERALS_MAX) {
      const to = at + control + 1;
      if (to > stop || out + control + 1 > dstStop) return false;
      while (at < to) dst[out++] = src[at++];
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (at >= stop) return false;
      count += src[at++];
    }
    if (at >= stop) return false;
    let ref = out - 1 - (((control & 31) << 8) | src[at++]);
    const to = out + count;
    if (ref < dstStart || to > dstStop) return false;
    while (out < to) dst[out++] = dst[ref++];
  }
  return out === dstStop;
}

/** Bytes that an `LzfExpander` gives at once, at most. */
const PIECE_BYTES_MAX = 65_536;

/**
 * Expands a run that comes in pieces, and gives what it makes in pieces: it holds one of them and as
 * much of what was made before as a reference reaches back. One run at a time.
 */
export class LzfExpander {
  /** What was made last. */
  #out: Uint8Array = new Uint8Array(0);
  /** Where in `#out` the bytes begin that were not given, and where they end. */
  #from = 0;
  #to = 0;
  /** Bytes of the run to come. */
  #inLeft = 0;
  /** Bytes to be made of them. */
  #outLeft = 0;

  /** Bytes of memory held. */
  get heldBytes(): number {
    return this.#out.length;
  }

  /** Bytes of the run that were not read. */
  get left(): number {
    return this.#inLeft;
  }

  /** A run of `compressed` bytes begins, which are to make `bytes`. */
  begin(compressed: number, bytes: number): void {
    if (this.#out.length === 0) this.#out = new Uint8Array(DISTANCE_MAX + PIECE_BYTES_MAX);
    this.#from = this.#to = 0;
    this.#inLeft = compressed;
    this.#outLeft = bytes;
  }

  /**
   * Reads whole tokens of `src[start..stop)`, where the run goes on; what lies behind its end is left
   * alone. `give` is told of bytes whenever a piece is full, and of the rest at the run's end. Returns
   * the position behind the last token read, which need not be `stop`: see `lzfTokenBytes`. -1 if the
   * run is unsound, as `lzfDecompress` has it.
   */
  expand(
    src: Uint8Array,
    start: number,
    stop: number,
    give: (u8: Uint8Array, start: number, stop: number) => void,
  ): number {
    const out = this.#out;
    const runStop = start + this.#inLeft;
    const end = Math.min(stop, runStop);
    let at = start, to = this.#to, outLeft = this.#outLeft;
    while (at < end) {
      const control = src[at];
      const tokenBytes = lzfTokenBytes(control);
      if (at + tokenBytes > end) {
        if (at + tokenBytes > runStop) return -1;
        break;
      }
      const count = control < LITERALS_MAX
        ? control + 1
        : tokenBytes === 3
        ? 9 + src[at + 1]
        : (control >> 5) + 2;
      if (count > outLeft) return -1;
      if (to + count > out.length) {
        give(out, this.#from, to);
        out.copyWithin(0, to - DISTANCE_MAX, to);
        this.#from = to = DISTANCE_MAX;
      }
      if (control < LITERALS_MAX) {
        for (let i = at + 1; i < at + tokenBytes; i++) out[to++] = src[i];
      } else {
        let ref = to - 1 - (((control & 31) << 8) | src[at + tokenBytes - 1]);
        if (ref < 0) return -1;
        for (let i = count; i > 0; i--) out[to++] = out[ref++];
      }
      outLeft -= count;
      at += tokenBytes;
    }
    this.#inLeft = runStop - at;
    this.#outLeft = outLeft;
    this.#to = to;
    if (this.#inLeft > 0) return at;
    if (outLeft > 0) return -1;
    give(out, this.#from, to);
    this.#from = to;
    return at;
  }
}

/** Bytes of the token that begins with `control`. */
export function lzfTokenBytes(control: number): number {
  if (control < LITERALS_MAX) return control + 2;
  return control >> 5 === 7 ? 3 : 2;
}
