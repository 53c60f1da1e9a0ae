/**
 * The chunks of one snapshot between the worker and the socket. There is credit for as many as fit in
 * what may wait for the socket (`repl-output-limit`); without it the worker does not get its buffer back
 * before a chunk has been written. So the memory of a ship is a window of chunks, whatever the data's
 * size and whoever is slow.
 *
 *     worker  --chunk-->  queue  --write-->  socket
 *        ^------------- credit ---------------+
 *
 * @module
 */

import { CHUNK_BYTES_MAX, CHUNK_HEAD_BYTES, CHUNK_TAIL_BYTES, frameChunk } from "./wire.ts";

/** The most that a chunk takes of the queue. */
export const QUEUED_CHUNK_BYTES_MAX: number = CHUNK_HEAD_BYTES + CHUNK_BYTES_MAX + CHUNK_TAIL_BYTES;

/** The chunks of one ship. */
export class ShipQueue {
  /** Bytes of the chunks that wait or are being written. */
  bytes = 0;
  /** Whether the last chunk has come. */
  ended = false;

  #chunks: Uint8Array[] = [];

  /** Chunks that wait or are being written. */
  get length(): number {
    return this.#chunks.length;
  }

  /**
   * Takes a chunk whose image bytes are `buf[start..stop)`. It is framed in place when there is room
   * (`CHUNK_HEAD_BYTES` before, `CHUNK_TAIL_BYTES` behind), else copied.
   */
  push(buf: Uint8Array, start: number, stop: number): void {
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
