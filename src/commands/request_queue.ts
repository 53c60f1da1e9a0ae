/**
 * Requests put by to be run later, all together: what a client sends between MULTI and EXEC, what an
 * upstream sends between those frames. It keeps copies of the bytes, since the buffer that they came
 * in moves on, and knows nothing of what they mean.
 *
 *     chunk:   [ request | request | ..room ]      the next chunk is up to twice as large
 *     request: argc u32 | length u32 of each argument | bytes of each argument
 *
 * A request lies in one chunk and no chunk is ever copied, so a queue of any size grows without a
 * pause.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";

/** Bytes of the first chunk: most transactions are a few short commands. */
const FIRST_CHUNK_BYTES = 512;
/** Bytes up to which chunks double; a request that needs more has a chunk of its own. */
const CHUNK_BYTES_MAX = 1_048_576;
/** Arguments that `starts` and `stops` have room for at first. */
const FIRST_ARGUMENTS = 16;

/** A chunk and how much of it is filled. */
interface Chunk {
  readonly buf: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  used: number;
}

/** See the module's text. */
export class RequestQueue {
  /** Number of requests. */
  count = 0;
  /** Bytes that they take. */
  bytes = 0;
  /** Of the request that `next` came to: what its arguments are ranges of. */
  buf: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** A view of `buf`. */
  view: DataView<ArrayBuffer> = new DataView(this.buf.buffer);
  /** Number of its arguments. */
  argc = 0;
  /** First byte of each. */
  starts: Int32Array = new Int32Array(0);
  /** One past the last byte of each. */
  stops: Int32Array = new Int32Array(0);
  #chunks: Chunk[] = [];
  #chunk = 0;
  #at = 0;

  /** Bytes of memory: `bytes` and the unused ends of chunks. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const { buf } of this.#chunks) bytes += buf.length;
    return bytes;
  }

  /**
   * Takes a copy of a request of `argc` arguments `buf[starts[i]..stops[i])`. False, and nothing is
   * taken, when there would be more than `limitBytes`.
   */
  push(
    buf: Uint8Array,
    starts: Int32Array,
    stops: Int32Array,
    argc: number,
    limitBytes: number,
  ): boolean {
    let need = 4 + 4 * argc;
    for (let i = 0; i < argc; i++) need += stops[i] - starts[i];
    if (this.bytes + need > limitBytes) return false;
    const chunk = this.#room(need);
    const { view } = chunk;
    let head = chunk.used;
    view.setUint32(head, argc);
    let at = head + 4 + 4 * argc;
    for (let i = 0; i < argc; i++) {
      const start = starts[i];
      const stop = stops[i];
      view.setUint32(head += 4, stop - start);
      chunk.buf.set(buf.subarray(start, stop), at);
      at += stop - start;
    }
    chunk.used = at;
    this.bytes += need;
    this.count++;
    return true;
  }

  #room(need: number): Chunk {
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.buf.length - last.used >= need) return last;
    const usual = last === undefined
      ? FIRST_CHUNK_BYTES
      : Math.min(last.buf.length * 2, CHUNK_BYTES_MAX);
    const buf = new Uint8Array(Math.max(usual, need));
    const chunk = { buf, view: new DataView(buf.buffer), used: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }

  /** `next` begins with the first request again. */
  rewind(): void {
    this.#chunk = this.#at = 0;
  }

  /** Comes to the next request; false behind the last. */
  next(): boolean {
    let chunk = this.#chunks[this.#chunk];
    if (chunk !== undefined && this.#at === chunk.used) {
      chunk = this.#chunks[++this.#chunk];
      this.#at = 0;
    }
    if (chunk === undefined) return false;
    const { buf, view } = chunk;
    let head = this.#at;
    const argc = view.getUint32(head);
    if (this.starts.length < argc) {
      const room = Math.max(argc, FIRST_ARGUMENTS);
      this.starts = new Int32Array(room);
      this.stops = new Int32Array(room);
    }
    const { starts, stops } = this;
    let at = head + 4 + 4 * argc;
    for (let i = 0; i < argc; i++) {
      starts[i] = at;
      at += view.getUint32(head += 4);
      stops[i] = at;
    }
    invariant(at <= chunk.used, "a queued request ends in its chunk");
    this.buf = buf;
    this.view = view;
    this.argc = argc;
    this.#at = at;
    return true;
  }

  /** Forgets all requests and gives their memory back. */
  clear(): void {
    this.count = this.bytes = this.argc = 0;
    this.#chunks = [];
    this.buf = new Uint8Array(0);
    this.view = new DataView(this.buf.buffer);
    this.starts = this.stops = new Int32Array(0);
    this.rewind();
  }
}
