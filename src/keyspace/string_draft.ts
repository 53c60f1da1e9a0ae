/**
 * A long string whose bytes come in pieces: they go straight into a blob, so that no step copies more
 * than a piece and the string is in memory once. As a `CollectionKind`'s, its `form` and `root` say
 * where the value is.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { Blobs } from "../memory/blob.ts";
import { BLOB, INLINE_BYTES_MAX } from "./entry.ts";

/** One string at a time. */
export class StringDraft {
  /** Form of the value. */
  readonly form: typeof BLOB = BLOB;
  /** Root of the value at hand, 0 before the first. */
  root = 0;
  readonly #blobs: Blobs;

  /** Strings in the memory of `blobs`. */
  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** A string begins, empty. */
  begin(): void {
    this.root = this.#blobs.create(0);
  }

  /** The next bytes of it. */
  append(u8: Uint8Array, start: number, stop: number): void {
    this.root = this.#blobs.append(this.root, u8, start, stop);
  }

  /** There are no more bytes. A string that fits into its entry is no blob, and comes another way. */
  end(): void {
    const bytes = this.#blobs.byteLength(this.root);
    invariant(bytes > INLINE_BYTES_MAX, `a string of ${bytes} bytes does not come in pieces`);
    this.root = this.#blobs.trim(this.root);
  }
}
