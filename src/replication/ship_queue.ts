/**
 * The chunks of one snapshot between the worker and the socket. The worker makes a chunk for each
 * credit it is given; a credit comes back when its chunk has been written. So the memory of a ship is
 * a window of chunks, whatever the data's size and whoever is slow.
 *
 *     worker  --chunk-->  queue  --write-->  socket
 *        ^------------- credit ---------------+
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { CHUNK_HEAD_BYTES, CHUNK_TAIL_BYTES, frameChunk } from "./wire.ts";

/**
 * Chunks a link may have at the worker, in the message queue and in the socket together: 1 MiB, enough
 * to hide a message's way of 0.2 ms at 150 MB/s thirty times over.
 */
export const SHIP_CHUNKS_IN_FLIGHT_MAX = 16;

/** The window of one ship. */
export class ShipQueue {
  /** Bytes of the chunks that wait or are being written. */
  bytes = 0;
  /** Whether the last chunk has come. */
  ended = false;

  #chunks: Uint8Array[] = [];
  /** Credits at the worker. */
  #granted = 0;

  /** Chunks that wait or are being written. */
  get length(): number {
    return this.#chunks.length;
  }

  /** How many new credits the worker gets now; they count as given. */
  takeCredits(): number {
    if (this.ended) return 0;
    const credits = SHIP_CHUNKS_IN_FLIGHT_MAX - this.#granted - this.#chunks.length;
    this.#granted += credits;
    return credits;
  }

  /**
   * Takes a chunk whose image bytes are `buf[start..stop)`. It is framed in place when there is room
   * (`CHUNK_HEAD_BYTES` before, `CHUNK_TAIL_BYTES` behind), else copied.
   */
  push(buf: Uint8Array, start: number, stop: number): void {
    invariant(this.#granted > 0, "a chunk comes for a credit");
    this.#granted--;
    if (start < CHUNK_HEAD_BYTES || stop + CHUNK_TAIL_BYTES > buf.length) {
      const roomy = new Uint8Array(CHUNK_HEAD_BYTES + stop - start + CHUNK_TAIL_BYTES);
      roomy.set(buf.subarray(start, stop), CHUNK_HEAD_BYTES);
      stop += CHUNK_HEAD_BYTES - start;
      start = CHUNK_HEAD_BYTES;
      buf = roomy;
    }
    const chunk = buf.subarray(frameChunk(buf, start, stop), stop + CHUNK_TAIL_BYTES);
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** The chunk to write next, or null. */
  front(): Uint8Array | null {
    return this.#chunks.length > 0 ? this.#chunks[0] : null;
  }

  /** The front chunk is written. */
  shift(): void {
    this.bytes -= this.#chunks.shift()!.length;
  }
}
