/**
 * The half of a snapshot writer that both formats share: filling chunks of any size, and going on in
 * the next chunk in the middle of whatever did not fit.
 *
 * A writer is pulled: nothing happens until somebody brings a chunk, so the pace is the reader's.
 * What is small is written straight into the chunk; what does not fit is named as a range
 * (`pend`), and the range is drained over as many chunks as it takes.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { copyBytes, roundUp } from "./bytes.ts";
import type { SnapshotEntries } from "./entries.ts";

const NOTHING = new Uint8Array(0);

/** A writer of one snapshot image. */
export abstract class PullWriter {
  /** Entries written so far. */
  keys = 0;
  /** Bytes written so far. */
  bytes = 0;
  /** The chunk being filled. */
  protected chunk: Uint8Array = NOTHING;
  /** Where its next byte goes. */
  protected at = 0;

  #source: Uint8Array = NOTHING;
  #from = 0;
  #to = 0;
  #gathered: Uint8Array = NOTHING;

  /**
   * Writes the next bytes of the image to `chunk` from its start, and returns how many: all of it,
   * except at the end of the image; 0 when there are no more.
   */
  fill(chunk: Uint8Array): number {
    invariant(chunk.length > 0, "a chunk has room for at least one byte");
    this.chunk = chunk;
    this.at = 0;
    do this.#drain(); while (this.at < chunk.length && this.step());
    this.filled();
    this.chunk = NOTHING;
    this.bytes += this.at;
    return this.at;
  }

  /** The checksum of the bytes so far, 16 hexadecimal digits; zeros where there is none. */
  abstract checksum(): string;

  /** Writes something at `at` or pends a range; false when the image is complete. */
  protected abstract step(): boolean;

  /** Called when the chunk's bytes up to `at` are final. */
  protected abstract filled(): void;

  /** Sends `source[from..to)` next; nothing may be pending. It must stay as it is until drained. */
  protected pend(source: Uint8Array, from: number, to: number): void {
    this.#source = source;
    this.#from = from;
    this.#to = to;
  }

  #drain(): void {
    const bytes = Math.min(this.#to - this.#from, this.chunk.length - this.at);
    if (bytes === 0) return;
    this.at = copyBytes(this.#source, this.#from, this.#from + bytes, this.chunk, this.at);
    this.#from += bytes;
  }

  /** Puts the pieces of the entry's value in a row; valid until the next call. */
  protected gather(entries: SnapshotEntries): Uint8Array {
    const bytes = entries.valueBytes;
    if (this.#gathered.length < bytes) this.#gathered = new Uint8Array(roundUp(bytes));
    let at = 0;
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      at = copyBytes(entries.u8, entries.pieceStart, entries.pieceStop, this.#gathered, at);
    }
    invariant(at === bytes, `the pieces of a value have ${at} bytes instead of ${bytes}`);
    return this.#gathered;
  }
}
