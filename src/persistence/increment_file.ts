/**
 * One increment of an append-only file that is being written: the bytes that wait for it, and how many
 * are surely in it.
 *
 * Two buffers take turns, so that what is appended while a write is under way waits in the other one;
 * and the file is open twice, so that a sync does not keep writes from the system: they wait for
 * nothing then, and survive the end of the process.
 *
 * @module
 */

import { COPY_WORDS_MAX, copyWords } from "../base/copy.ts";
import { type StorageFile, writeAll } from "./storage.ts";

/** First size of a buffer. */
const BUFFER_BYTES = 65_536;
/** A buffer that has grown beyond this is given up when it is written. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** A file opened for an `IncrementFile`. */
export interface IncrementHandles {
  /** Where bytes are written, positioned behind the last that counts. */
  readonly writing: StorageFile;
  /** Of the same file: where it is synced. */
  readonly syncing: StorageFile;
}

/** Bytes that wait, in the order in which they came. */
interface Pending {
  buf: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  bytes: number;
  frames: number;
}

function newPending(bytes: number): Pending {
  const buf = new Uint8Array(bytes);
  return { buf, view: new DataView(buf.buffer), bytes: 0, frames: 0 };
}

/** See the module's text. */
export class IncrementFile {
  /** Its path. */
  readonly path: string;
  /** Number, in the log, of the frame that it begins with. */
  firstFrame: number;
  /** Frames that are surely in it, written by us. */
  goodFrames = 0;
  /** Bytes that are surely in it. */
  goodBytes: number;
  /** Bytes of those that survive a loss of power. */
  syncedBytes: number;
  readonly #handles: IncrementHandles;
  #pending = newPending(BUFFER_BYTES);
  /** Those of the write under way; empty without one. */
  #other = newPending(BUFFER_BYTES);
  /** Bytes of the write under way, unless they are dropped. */
  #writingBytes = 0;

  /** A file whose first `bytes` count. */
  constructor(path: string, handles: IncrementHandles, bytes: number, firstFrame: number) {
    this.path = path;
    this.#handles = handles;
    this.goodBytes = this.syncedBytes = bytes;
    this.firstFrame = firstFrame;
  }

  /** Bytes appended that are not surely in the file. */
  get pendingBytes(): number {
    return this.#pending.bytes + this.#writingBytes;
  }

  /** Whether bytes are in the file that a loss of power may take. */
  get isUnsynced(): boolean {
    return this.syncedBytes < this.goodBytes;
  }

  /** Number of the frame behind those that are surely in the file. */
  get writtenFrames(): number {
    return this.firstFrame + this.goodFrames;
  }

  /** Number of the frame behind those that are in the file or in the write under way. */
  get takenFrames(): number {
    return this.writtenFrames + this.#other.frames;
  }

  /** Appends `src[start..stop)`; `view` is a view of `src`, if there is one. */
  append(
    src: Uint8Array,
    view: DataView | null,
    start: number,
    stop: number,
    frames: number,
  ): void {
    const pending = this.#pending;
    const at = pending.bytes;
    const end = at + stop - start;
    if (end > pending.buf.length) grow(pending, end);
    if (view !== null && stop - start <= COPY_WORDS_MAX) {
      copyWords(view, start, stop, pending.view, at);
    } else {
      pending.buf.set(src.subarray(start, stop), at);
    }
    pending.bytes = end;
    pending.frames += frames;
  }

  /**
   * Writes what waits. When it throws, nothing is lost: all of it waits again (unless it was dropped
   * meanwhile), and `cut` must be called before the next write.
   */
  async write(): Promise<void> {
    const run = this.#pending;
    this.#pending = this.#other;
    this.#other = run;
    this.#writingBytes = run.bytes;
    try {
      await writeAll(this.#handles.writing, run.buf.subarray(0, run.bytes));
      this.goodBytes += run.bytes;
      this.goodFrames += run.frames;
    } catch (error) {
      if (this.#writingBytes > 0) this.#putBack(run);
      throw error;
    } finally {
      this.#writingBytes = 0;
      if (run.buf.length > KEPT_BYTES_MAX) this.#other = newPending(BUFFER_BYTES);
      else run.bytes = run.frames = 0;
    }
  }

  /**
   * Writes what waits, in the caller's turn. False when some of it still waits: for `write`. When it
   * throws, as when that does.
   */
  writeNow(): boolean {
    const run = this.#pending;
    const { writing } = this.#handles;
    let at = 0;
    while (at < run.bytes) {
      const written = writing.writeNow(run.buf.subarray(at, run.bytes));
      if (written === 0) break;
      at += written;
    }
    this.goodBytes += at;
    if (at < run.bytes) {
      run.buf.copyWithin(0, at, run.bytes);
      run.bytes -= at;
      return false;
    }
    this.goodFrames += run.frames;
    if (run.buf.length > KEPT_BYTES_MAX) this.#pending = newPending(BUFFER_BYTES);
    else run.bytes = run.frames = 0;
    return true;
  }

  /** What could not be written goes before what was appended meanwhile. */
  #putBack(run: Pending): void {
    const { buf, bytes, frames } = this.#pending;
    const all = newPending(Math.max(BUFFER_BYTES, run.bytes + bytes));
    all.buf.set(run.buf.subarray(0, run.bytes));
    all.buf.set(buf.subarray(0, bytes), run.bytes);
    all.bytes = run.bytes + bytes;
    all.frames = run.frames + frames;
    this.#pending = all;
  }

  /** Forgets what waits to be written; nor does it matter any more what becomes of a write under way. */
  dropPending(): void {
    this.#pending = newPending(BUFFER_BYTES);
    this.#writingBytes = 0;
  }

  /** Cuts off what a failed write may have left, and goes on behind what is good. */
  async cut(): Promise<void> {
    const { writing } = this.#handles;
    await writing.truncate(this.goodBytes);
    await writing.seek(this.goodBytes);
  }

  /** Returns when what is in the file now survives a loss of power. */
  async sync(): Promise<void> {
    const bytes = this.goodBytes;
    await this.#handles.syncing.sync();
    this.syncedBytes = Math.max(this.syncedBytes, bytes);
  }

  /** As `sync`, in the caller's turn; false when that is not possible now. */
  syncNow(): boolean {
    if (!this.#handles.syncing.syncNow()) return false;
    this.syncedBytes = this.goodBytes;
    return true;
  }

  /** Closes the file; what waits is not written. */
  close(): void {
    closeHandles(this.#handles);
  }
}

/** Closes what was opened for an increment; never throws. */
export function closeHandles({ writing, syncing }: IncrementHandles): void {
  for (const file of [writing, syncing]) {
    try {
      file.close();
    } catch {
      // It is closed.
    }
  }
}

function grow(pending: Pending, bytes: number): void {
  let size = pending.buf.length * 2;
  while (size < bytes) size *= 2;
  const { buf, view } = newPending(size);
  buf.set(pending.buf.subarray(0, pending.bytes));
  pending.buf = buf;
  pending.view = view;
}
