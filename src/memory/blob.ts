/**
 * Values too long for one block: chunks of 16 KiB behind an index, copy-on-write a chunk at a time.
 * So a byte set in the middle of half a gigabyte copies 16 KiB, and no value needs a long free run.
 *
 * ```text
 * root   LENGTH  CAPACITY  pointers...     up to 2044 chunks: the chunks themselves,
 *                                          more: index blocks of 2046 chunk addresses
 * chunk  16376 bytes; the last one is as large as it has to be
 * ```
 *
 * A blob is the address of its root; operations that may move it return it anew.
 *
 * @module
 */

import { type Arena, byteAt } from "./arena.ts";

/** Bytes of every chunk but the last. */
export const CHUNK_BYTES = 16_376;
const DIRECT_MAX = 2_044;
const INDEX_SLOTS = 2_046;
/** Up to so many bytes are written in a loop: it beats the call, and allocates nothing. */
const LOOP_COPY_BYTES_MAX = 96;

const B_LENGTH = 2;
const B_CAPACITY = 3;
const B_POINTERS = 4;

function chunksOf(length: number): number {
  return Math.ceil(length / CHUNK_BYTES);
}

function pointersOf(chunks: number): number {
  return chunks <= DIRECT_MAX ? chunks : Math.ceil(chunks / INDEX_SLOTS);
}

/** Operations on blobs of one arena. */
export class Blobs {
  readonly #arena: Arena;
  readonly #i32: Int32Array;

  /** Blobs in `arena`. */
  constructor(arena: Arena) {
    this.#arena = arena;
    this.#i32 = arena.i32;
  }

  /** A blob of `length` bytes, their contents undefined until written. */
  create(length: number): number {
    const root = this.#newRoot(pointersOf(chunksOf(length)));
    this.#i32[root * 2 + B_LENGTH] = 0;
    return this.#extend(root, length);
  }

  /** Bytes of the blob. */
  byteLength(root: number): number {
    return this.#i32[root * 2 + B_LENGTH];
  }

  #newRoot(pointers: number): number {
    const root = this.#arena.allocate(8 + pointers * 4);
    this.#i32[root * 2 + B_CAPACITY] = (this.#arena.capacity(root) - 8) >>> 2;
    return root;
  }

  /** Address of chunk `i`. */
  #chunk(root: number, i: number): number {
    const i32 = this.#i32;
    const r = root * 2;
    if (chunksOf(i32[r + B_LENGTH]) <= DIRECT_MAX) return i32[r + B_POINTERS + i];
    const index = i32[r + B_POINTERS + Math.floor(i / INDEX_SLOTS)];
    return i32[index * 2 + 2 + (i % INDEX_SLOTS)];
  }

  /** `root` is owned. */
  #setChunk(root: number, i: number, chunk: number): void {
    const i32 = this.#i32;
    const r = root * 2;
    if (chunksOf(i32[r + B_LENGTH]) <= DIRECT_MAX) {
      i32[r + B_POINTERS + i] = chunk;
      return;
    }
    const at = r + B_POINTERS + Math.floor(i / INDEX_SLOTS);
    const index = this.#arena.own(i32[at]);
    i32[at] = index;
    i32[index * 2 + 2 + (i % INDEX_SLOTS)] = chunk;
  }

  /** Grows to `length` bytes, the new ones undefined. Returns the root, owned. */
  #extend(root: number, length: number): number {
    const i32 = this.#i32;
    root = this.#arena.own(root);
    const before = i32[root * 2 + B_LENGTH];
    const hadChunks = chunksOf(before);
    const chunks = chunksOf(length);
    const wasDirect = hadChunks <= DIRECT_MAX;
    const isDirect = chunks <= DIRECT_MAX;
    if (pointersOf(chunks) > i32[root * 2 + B_CAPACITY] || wasDirect !== isDirect) {
      root = this.#regrow(root, hadChunks, chunks);
    } else if (!isDirect) {
      this.#newIndexes(root, pointersOf(hadChunks), chunks);
    }
    // The old last chunk becomes a whole one, or a larger last one.
    if (hadChunks > 0) {
      const last = hadChunks - 1;
      i32[root * 2 + B_LENGTH] = length;
      const want = last === chunks - 1 ? length - last * CHUNK_BYTES : CHUNK_BYTES;
      const chunk = this.#chunk(root, last);
      if (this.#arena.capacity(chunk) < want) {
        const fresh = this.#arena.allocate(want);
        const held = before - last * CHUNK_BYTES;
        this.#copyPayload(chunk, fresh, held);
        this.#arena.release(chunk);
        this.#setChunk(root, last, fresh);
      }
    }
    i32[root * 2 + B_LENGTH] = length;
    for (let i = hadChunks; i < chunks; i++) {
      const bytes = i === chunks - 1 ? length - i * CHUNK_BYTES : CHUNK_BYTES;
      this.#setChunk(root, i, this.#arena.allocate(bytes));
    }
    return root;
  }

  /** A root with room for `chunks`, its pointers those of the old one, in the form that `chunks` asks for. */
  #regrow(root: number, hadChunks: number, chunks: number): number {
    const i32 = this.#i32;
    const fresh = this.#newRoot(pointersOf(chunks));
    const from = root * 2 + B_POINTERS;
    const to = fresh * 2 + B_POINTERS;
    i32[fresh * 2 + B_LENGTH] = i32[root * 2 + B_LENGTH];
    const wasDirect = hadChunks <= DIRECT_MAX;
    if (chunks <= DIRECT_MAX || !wasDirect) {
      i32.copyWithin(to, from, from + pointersOf(hadChunks));
      this.#newIndexes(fresh, wasDirect ? pointersOf(chunks) : pointersOf(hadChunks), chunks);
    } else {
      this.#newIndexes(fresh, 0, chunks);
      for (let i = 0; i < hadChunks; i++) {
        const index = i32[to + Math.floor(i / INDEX_SLOTS)];
        i32[index * 2 + 2 + (i % INDEX_SLOTS)] = i32[from + i];
      }
    }
    this.#arena.release(root);
    return fresh;
  }

  #newIndexes(root: number, first: number, chunks: number): void {
    if (chunks <= DIRECT_MAX) return;
    for (let b = first; b < pointersOf(chunks); b++) {
      this.#i32[root * 2 + B_POINTERS + b] = this.#arena.allocate(INDEX_SLOTS * 4);
    }
  }

  /**
   * Makes the blob `length` bytes, which is no less than it has; new bytes are zero. Returns the
   * root.
   */
  grow(root: number, length: number): number {
    const before = this.byteLength(root);
    if (length === before) return root;
    root = this.#extend(root, length);
    for (let at = before; at < length;) {
      const i = Math.floor(at / CHUNK_BYTES);
      const stop = Math.min(length, (i + 1) * CHUNK_BYTES);
      const chunk = this.#ownChunk(root, i);
      const base = byteAt(chunk) + 8 - i * CHUNK_BYTES;
      this.#arena.bytes(chunk).fill(0, base + at, base + stop);
      at = stop;
    }
    return root;
  }

  /** `root` is owned. */
  #ownChunk(root: number, i: number): number {
    const chunk = this.#chunk(root, i);
    const owned = this.#arena.own(chunk);
    if (owned !== chunk) this.#setChunk(root, i, owned);
    return owned;
  }

  /** Writes `src[start..stop)` at byte `offset`; the blob is long enough. Returns the root. */
  write(root: number, offset: number, src: Uint8Array, start: number, stop: number): number {
    root = this.#arena.own(root);
    while (start < stop) {
      const i = Math.floor(offset / CHUNK_BYTES);
      const within = offset - i * CHUNK_BYTES;
      const bytes = Math.min(CHUNK_BYTES - within, stop - start);
      const chunk = this.#ownChunk(root, i);
      const out = this.#arena.bytes(chunk);
      const at = byteAt(chunk) + 8 + within;
      if (bytes <= LOOP_COPY_BYTES_MAX) {
        for (let j = 0; j < bytes; j++) out[at + j] = src[start + j];
      } else {
        out.set(src.subarray(start, start + bytes), at);
      }
      start += bytes;
      offset += bytes;
    }
    return root;
  }

  /**
   * Writes `src[start..stop)` behind the blob's bytes. The last chunk is a whole one meanwhile, so that
   * many short pieces copy none of what is there; `trim` ends that. Returns the root.
   */
  append(root: number, src: Uint8Array, start: number, stop: number): number {
    const before = this.byteLength(root);
    const length = before + stop - start;
    root = this.#extend(root, chunksOf(length) * CHUNK_BYTES);
    this.#i32[root * 2 + B_LENGTH] = length;
    return this.write(root, before, src, start, stop);
  }

  /** Makes the last chunk as large as it has to be, after `append`. Returns the root. */
  trim(root: number): number {
    const length = this.byteLength(root);
    if (length === 0) return root;
    root = this.#arena.own(root);
    const last = chunksOf(length) - 1;
    const bytes = length - last * CHUNK_BYTES;
    const chunk = this.#chunk(root, last);
    const fresh = this.#arena.allocate(bytes);
    this.#copyPayload(chunk, fresh, bytes);
    this.#arena.release(chunk);
    this.#setChunk(root, last, fresh);
    return root;
  }

  /** Copies the blob's bytes `[from, to)` to `out` at `at`. */
  read(root: number, from: number, to: number, out: Uint8Array, at: number): void {
    while (from < to) {
      const i = Math.floor(from / CHUNK_BYTES);
      const within = from - i * CHUNK_BYTES;
      const bytes = Math.min(CHUNK_BYTES - within, to - from);
      const chunk = this.#chunk(root, i);
      const base = byteAt(chunk) + 8 + within;
      out.set(this.#arena.bytes(chunk).subarray(base, base + bytes), at);
      from += bytes;
      at += bytes;
    }
  }

  /** A second blob with the same bytes. */
  copy(root: number): number {
    const length = this.byteLength(root);
    const twin = this.create(length);
    for (let i = 0; i * CHUNK_BYTES < length; i++) {
      const bytes = Math.min(CHUNK_BYTES, length - i * CHUNK_BYTES);
      this.#copyPayload(this.#chunk(root, i), this.#chunk(twin, i), bytes);
    }
    return twin;
  }

  #copyPayload(from: number, to: number, bytes: number): void {
    const start = byteAt(from) + 8;
    const payload = this.#arena.bytes(from).subarray(start, start + bytes);
    this.#arena.bytes(to).set(payload, byteAt(to) + 8);
  }

  /** Number of pieces the bytes lie in. */
  pieces(root: number): number {
    return chunksOf(this.byteLength(root));
  }

  /** Address of the block that holds piece `i`: `pieceBytes(root, i)` bytes from its payload's start. */
  pieceBlock(root: number, i: number): number {
    return this.#chunk(root, i);
  }

  /** Bytes of piece `i`. */
  pieceBytes(root: number, i: number): number {
    return Math.min(CHUNK_BYTES, this.byteLength(root) - i * CHUNK_BYTES);
  }

  /** Frees the blob. O(chunks). */
  release(root: number): void {
    const i32 = this.#i32;
    const chunks = chunksOf(this.byteLength(root));
    for (let i = 0; i < chunks; i++) this.#arena.release(this.#chunk(root, i));
    if (chunks > DIRECT_MAX) {
      for (let b = 0; b < pointersOf(chunks); b++) {
        this.#arena.release(i32[root * 2 + B_POINTERS + b]);
      }
    }
    this.#arena.release(root);
  }

  /** Bytes of all its blocks. O(chunks). */
  memoryBytes(root: number): number {
    const arena = this.#arena;
    const chunks = chunksOf(this.byteLength(root));
    let bytes = arena.blockBytes(root);
    for (let i = 0; i < chunks; i++) bytes += arena.blockBytes(this.#chunk(root, i));
    if (chunks > DIRECT_MAX) {
      for (let b = 0; b < pointersOf(chunks); b++) {
        bytes += arena.blockBytes(this.#i32[root * 2 + B_POINTERS + b]);
      }
    }
    return bytes;
  }
}

/** Address of the block that holds piece `i`, for readers that have only the shared memory. */
export function frozenPieceBlock(i32: Int32Array, root: number, i: number): number {
  const r = root * 2;
  if (chunksOf(i32[r + B_LENGTH]) <= DIRECT_MAX) return i32[r + B_POINTERS + i];
  const index = i32[r + B_POINTERS + Math.floor(i / INDEX_SLOTS)];
  return i32[index * 2 + 2 + (i % INDEX_SLOTS)];
}

/** Bytes of a frozen blob. */
export function frozenBlobBytes(i32: Int32Array, root: number): number {
  return i32[root * 2 + B_LENGTH];
}
