/**
 * One increment of an append-only file that is being written: the bytes that wait for it, and how many
 * are surely in it.
 *
 * Two buffers take turns, so that what is appended while a write is under way waits in the other one;
 * and the file is open twice, so that a sync does not keep writes from the system: they wait for
 * nothing then, and survive the end of the process.
 *
 * The file may be filled ahead (`aof_seals.ts`): then each write is a group with a seal, which its owner lets
 * be written only when the one before it is synced and it `fits`.
 *
 * @module
 */

import { copyRange } from "../base/copy.ts";
import { LateCopy } from "../base/late_copy.ts";
import {
  FILLED_BYTES,
  filling,
  GROUP_BYTES_MAX,
  putSeal,
  SEAL_BYTES_MAX,
  unsealedLine,
} from "./aof_seals.ts";
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
  /** What waits in `#pending` and is not there yet. */
  readonly #late = new LateCopy();
  /** Bytes of the write under way, unless they are dropped. */
  #writingBytes = 0;
  #isFilled = false;
  /** Whether there may be filling behind what is in it. */
  #hasFilling = false;
  /** Where the filling ends, in a filled file. */
  #filledBytes = 0;
  /** Whether the next write begins behind where it has to. */
  #isMisplaced = false;

  /** A file whose first `bytes` count. */
  constructor(path: string, handles: IncrementHandles, bytes: number, firstFrame: number) {
    this.path = path;
    this.#handles = handles;
    this.goodBytes = this.syncedBytes = bytes;
    this.firstFrame = firstFrame;
    // It may have been filled when it was written last.
    if (bytes > 0) this.#sayUnsealed();
  }

  /** Bytes appended that are not surely in the file. */
  get pendingBytes(): number {
    return this.#pending.bytes + this.#writingBytes;
  }

  /** Bytes in the file that a loss of power may take. */
  get unsyncedBytes(): number {
    return this.goodBytes - this.syncedBytes;
  }

  /** Whether there are any. */
  get isUnsynced(): boolean {
    return this.unsyncedBytes > 0;
  }

  /** Whether the file is filled ahead. */
  get isFilled(): boolean {
    return this.#isFilled;
  }

  /** Bytes that the file is longer than what is in it. */
  get filledAheadBytes(): number {
    return this.#isFilled ? this.#filledBytes - this.goodBytes : 0;
  }

  /** Whether what waits is one group at most, and lies within the filling. */
  get fits(): boolean {
    const bytes = this.#pending.bytes;
    return bytes <= GROUP_BYTES_MAX && bytes + SEAL_BYTES_MAX <= this.filledAheadBytes;
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
    const at = this.#take(stop - start, frames);
    const { buf, view: to } = this.#pending;
    copyRange(src, view, start, stop, buf, to, at);
  }

  /** As `append`, of one frame whose bytes stay as they are until `settle` is called. */
  appendLate(src: Uint8Array, view: DataView | null, start: number, stop: number): void {
    const at = this.#take(stop - start, 1);
    const { buf, view: to } = this.#pending;
    this.#late.put(src, view, start, stop, buf, to, at);
  }

  /** Copies what `appendLate` was given. */
  settle(): void {
    this.#late.settle();
  }

  /** Room for so many bytes more; where they begin. */
  #take(bytes: number, frames: number): number {
    const pending = this.#pending;
    const at = pending.bytes;
    const end = at + bytes;
    if (end > pending.buf.length) {
      this.#late.settle();
      grow(pending, end);
    }
    pending.bytes = end;
    pending.frames += frames;
    return at;
  }

  /**
   * Writes what waits. When it throws, nothing is lost: all of it waits again (unless it was dropped
   * meanwhile), and `cut` must be called before the next write.
   */
  async write(): Promise<void> {
    this.#late.settle();
    const run = this.#pending;
    const stop = this.#seal(run);
    const { writing } = this.#handles;
    this.#pending = this.#other;
    this.#other = run;
    this.#writingBytes = stop;
    try {
      if (this.#isMisplaced) await writing.seek(this.goodBytes);
      this.#isMisplaced = false;
      await writeAll(writing, run.buf.subarray(0, stop));
      this.goodBytes += stop;
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
    if (this.#isMisplaced) return false;
    this.#late.settle();
    const run = this.#pending;
    const stop = this.#seal(run);
    const { writing } = this.#handles;
    let at = 0;
    while (at < stop) {
      const written = writing.writeNow(run.buf.subarray(at, stop));
      if (written === 0) break;
      at += written;
    }
    if (at < stop) {
      // A group is there as a whole, or not: it is written over what there is of it.
      if (this.#isFilled) this.#isMisplaced = at > 0;
      else this.#drop(run, at);
      return false;
    }
    this.goodBytes += stop;
    this.goodFrames += run.frames;
    if (run.buf.length > KEPT_BYTES_MAX) this.#pending = newPending(BUFFER_BYTES);
    else run.bytes = run.frames = 0;
    return true;
  }

  /** The first `bytes` of what waits are in the file. */
  #drop(run: Pending, bytes: number): void {
    this.goodBytes += bytes;
    run.buf.copyWithin(0, bytes, run.bytes);
    run.bytes -= bytes;
  }

  /** In a filled file, puts a seal behind what is to be written; where all that ends. */
  #seal(run: Pending): number {
    if (!this.#isFilled || run.bytes === 0) return run.bytes;
    if (run.bytes + SEAL_BYTES_MAX > run.buf.length) grow(run, run.bytes + SEAL_BYTES_MAX);
    return putSeal(run.buf, 0, run.bytes, this.goodBytes);
  }

  /** What could not be written goes before what was appended meanwhile. */
  #putBack(run: Pending): void {
    this.#prepend(run.buf.subarray(0, run.bytes), run.frames);
  }

  #prepend(before: Uint8Array, beforeFrames: number): void {
    this.#late.settle();
    const { buf, bytes, frames } = this.#pending;
    const all = newPending(Math.max(BUFFER_BYTES, before.length + bytes));
    all.buf.set(before);
    all.buf.set(buf.subarray(0, bytes), before.length);
    all.bytes = before.length + bytes;
    all.frames = beforeFrames + frames;
    this.#pending = all;
  }

  #sayUnsealed(): void {
    this.#prepend(unsealedLine(this.goodBytes), 0);
  }

  /** Forgets what waits to be written; nor does it matter any more what becomes of a write under way. */
  dropPending(): void {
    this.#late.forget();
    this.#pending = newPending(BUFFER_BYTES);
    this.#writingBytes = 0;
  }

  /**
   * Cuts off what a failed write may have left, and any filling, and goes on behind what is good.
   */
  async cut(): Promise<void> {
    const hadFilling = this.#hasFilling;
    await this.unfill();
    await this.#handles.writing.seek(this.goodBytes);
    this.#isMisplaced = false;
    if (hadFilling) this.#sayUnsealed();
  }

  // ---- filling -------------------------------------------------------------------------------

  /**
   * Fills the file ahead. All that is in it is synced, nothing is being written. When it throws, `cut` must
   * be called before the next write.
   */
  async fill(): Promise<void> {
    const { writing, syncing } = this.#handles;
    const start = this.goodBytes;
    const line = new Uint8Array(SEAL_BYTES_MAX);
    const sealBytes = putSeal(line, 0, 0, start);
    this.#hasFilling = true;
    await syncing.seek(start);
    await writeAll(syncing, line.subarray(0, sealBytes));
    await writeAll(syncing, filling());
    await syncing.sync();
    await writing.seek(start + sealBytes);
    this.goodBytes = this.syncedBytes = start + sealBytes;
    this.#filledBytes = this.goodBytes + FILLED_BYTES;
    this.#isFilled = true;
  }

  /**
   * Fills a filled file for more; writes may go on. It counts when `syncFilling` has followed. When it throws,
   * nothing has changed.
   */
  async fillMore(): Promise<void> {
    const { syncing } = this.#handles;
    await syncing.seek(this.#filledBytes);
    await writeAll(syncing, filling());
  }

  /** Ends `fillMore`. When it throws, groups may not be on disk of which nobody else is told. */
  async syncFilling(): Promise<void> {
    await this.#handles.syncing.sync();
    this.#filledBytes += FILLED_BYTES;
  }

  /** Takes the filling away, safely. No `fillMore` is under way. */
  async unfill(): Promise<void> {
    await this.#handles.writing.truncate(this.goodBytes);
    if (!this.#hasFilling) return;
    await this.#handles.syncing.sync();
    this.syncedBytes = this.goodBytes;
    this.#isFilled = this.#hasFilling = false;
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

  /**
   * Changes buffers with the file before, all of which is written, where its are larger: one's own would
   * grow to the same size, in fresh memory, and leave as much garbage. Nothing is being written.
   */
  inherit(before: IncrementFile): void {
    const other = this.#other, pending = this.#pending;
    if (before.#other.buf.length > other.buf.length) {
      this.#other = before.#other;
      before.#other = other;
    }
    if (before.#pending.buf.length > pending.buf.length) {
      this.#late.settle();
      this.#pending = before.#pending;
      before.#pending = pending;
      this.#pending.buf.set(pending.buf.subarray(0, pending.bytes));
      this.#pending.bytes = pending.bytes;
      this.#pending.frames = pending.frames;
      pending.bytes = pending.frames = 0;
    }
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
