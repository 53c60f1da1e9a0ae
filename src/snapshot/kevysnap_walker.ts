/**
 * Reads a KEVYSNAP value of any shape to its end, an element at a time, and checks it: a value of any
 * size passes with the memory of one element.
 *
 * @module
 */

import { littleEndian32 } from "./bytes.ts";
import { KevySnapError } from "./errors.ts";
import type { KevySnapShape } from "./kevysnap_format.ts";
import type { PushInput } from "./push_input.ts";

/** A shape that is being read, `left` times more; `next` is the field that comes next. */
interface Level {
  readonly shape: KevySnapShape;
  left: number;
  next: number;
}

/** See the module's text. */
export class KevySnapWalker {
  readonly #bytesMax: number;
  /** From the value itself to the innermost list being read; as deep as the shape, which is data. */
  readonly #levels: Level[] = [];

  /** Elements of at most `bytesMax` bytes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** A value of this shape begins at the input's position. */
  begin(shape: KevySnapShape): void {
    this.#levels.push({ shape, left: 1, next: 0 });
  }

  /** Reads what is there; true when the value is complete. */
  step(input: PushInput): boolean {
    const levels = this.#levels;
    while (levels.length > 0) {
      const level = levels[levels.length - 1];
      if (level.next === level.shape.length) {
        level.left--;
        level.next = 0;
      }
      if (level.left === 0) {
        levels.pop();
        continue;
      }
      const field = level.shape[level.next];
      if (typeof field === "string") {
        if (!this.#read(input, field)) return false;
      } else {
        if (!input.want(4)) return false;
        levels.push({ shape: field, left: littleEndian32(input.buf, input.at) >>> 0, next: 0 });
        input.at += 4;
      }
      level.next++;
      input.unitDone();
    }
    return true;
  }

  #read(input: PushInput, field: "bytes" | "u32" | "u64" | "score"): boolean {
    if (field === "bytes") {
      const bytes = wantBytes(input, this.#bytesMax);
      if (bytes < 0) return false;
      input.at += bytes;
      return true;
    }
    const bytes = field === "u32" ? 4 : 8;
    if (!input.want(bytes)) return false;
    if (field === "score") checkScore(input);
    input.at += bytes;
    return true;
  }
}

/** A score is any double but NaN, which has no place in an order. */
function checkScore(input: PushInput): void {
  const low = littleEndian32(input.buf, input.at), high = littleEndian32(input.buf, input.at + 4);
  const exponentFull = (high & 0x7ff00000) === 0x7ff00000;
  if (exponentFull && ((high & 0xfffff) !== 0 || low !== 0)) {
    throw new KevySnapError("corrupt", input.offset, "a score that is not a number");
  }
}

/**
 * Reads the length of a `bytes` field and makes sure that the bytes are there: their number, or -1
 * when they are not. Throws `KevySnapError` on a length above `bytesMax`.
 */
export function wantBytes(input: PushInput, bytesMax: number): number {
  if (!input.want(4)) return -1;
  const bytes = littleEndian32(input.buf, input.at) >>> 0;
  if (bytes > bytesMax) {
    const found = `${bytes} bytes in one field are more than the ${bytesMax} allowed`;
    throw new KevySnapError("tooLarge", input.offset, found);
  }
  input.at += 4;
  return input.want(bytes) ? bytes : -1;
}
