/**
 * The file that a shard's frames go to: what was appended is written in order, one write at a time,
 * and synced as the policy says. It knows bytes and numbers of frames, not what they mean.
 *
 * ```text
 * appended    in memory, taken from the shard in the turn that made it
 * written     the system has it: it survives the end of this process
 * synced      the disk has it: it survives a loss of power
 * ```
 *
 * A write that fails is made again, from the last byte that is surely in the file; until then nothing
 * more is written and who waits goes on waiting. After a sync that failed nobody can say what the
 * disk has (the system drops what it could not write), so that file is given up: `isBroken` asks for
 * another one that begins with all the data there is.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { type StorageFile, writeAll } from "./storage.ts";

/** `appendfsync`: when what was written is synced. */
export type FsyncPolicy = "always" | "everysec" | "no";

/** How long after a failed write it is made again, in ms. */
export const RETRY_WRITE_MS = 1_000;
/** A sync that takes longer than this delays the ones behind it: `aof_delayed_fsync` counts it. */
export const SLOW_SYNC_MS = 2_000;
/** Time between syncs with `everysec`. */
const SYNC_EVERY_MS = 1_000;
/** First size of a buffer, and what is kept of it. */
const BUFFER_BYTES = 65_536;
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

/** What a log tells its owner. */
export interface AofLogHost {
  /** Monotonic ms. */
  nowMs(): number;
  /** Writing has failed (a reason), or goes well again (null). */
  statusChanged(reason: string | null): void;
}

/** A file that is written to. */
interface Part {
  readonly file: StorageFile;
  readonly path: string;
  /** Number of the frame that it begins with. */
  readonly firstFrame: number;
  /** Frames that are surely in it. */
  goodFrames: number;
  /** Bytes that are surely in the file. */
  goodBytes: number;
  /** Bytes to be written, and how many there are. */
  buf: Uint8Array<ArrayBuffer>;
  used: number;
  /** Frames among them. */
  frames: number;
}

/** Somebody who waits for frames to be synced, or for less to be pending. */
interface Waiter {
  readonly frames: number;
  readonly resolve: () => void;
}

/** Bytes that may be appended and not written before who appends has to wait: a slow disk. */
export const PENDING_BYTES_MAX: number = 64 * 1024 * 1024;

function newPart(file: StorageFile, path: string, goodBytes: number, firstFrame: number): Part {
  const buf = new Uint8Array(BUFFER_BYTES);
  return { file, path, firstFrame, goodFrames: 0, goodBytes, buf, used: 0, frames: 0 };
}

/** See the module's text. Frames are counted from the log's beginning. */
export class AofLog {
  /** When to sync; may be changed at any time. */
  policy: FsyncPolicy;
  /** Whether syncs are left out for the moment (`no-appendfsync-on-rewrite`). */
  sparesDisk = false;
  /** Frames appended. */
  appendedFrames = 0;
  /** Syncs that took too long. */
  delayedSyncs = 0;
  /** Why writing fails; null while it goes well. */
  failure: string | null = null;
  /** Whether the file must be replaced by a rewrite. */
  isBroken = false;
  /** Times that it came to be broken. */
  breaks = 0;
  /** Whether what is appended is dropped: a rewrite that is to come will have it. */
  isSuspended = false;

  readonly #host: AofLogHost;
  /** The file written to, and those that will follow it; never empty. */
  readonly #parts: Part[];
  #spare: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #running: Promise<void> | null = null;
  #synced = 0;
  /** Frames from here on are in a file that nobody would load yet. */
  #unlistedFrom = Infinity;
  #waiters: Waiter[] = [];
  #waitingForRoom: (() => void)[] = [];
  #lastSyncMs = 0;
  #syncBeganMs = -1;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosing = false;

  /** A log that goes on behind the first `bytes` of `file`, which is positioned there. */
  constructor(
    host: AofLogHost,
    policy: FsyncPolicy,
    file: StorageFile,
    path: string,
    bytes: number,
  ) {
    this.#host = host;
    this.policy = policy;
    this.#parts = [newPart(file, path, bytes, 0)];
    this.#lastSyncMs = host.nowMs();
  }

  /** Path of the file that frames are appended to. */
  get path(): string {
    return this.#parts[this.#parts.length - 1].path;
  }

  /** Frames that the end of the process does not take. */
  get writtenFrames(): number {
    const part = this.#parts[0];
    return part.firstFrame + part.goodFrames;
  }

  /** Frames that a loss of power does not take. */
  get syncedFrames(): number {
    return Math.min(this.#synced, this.#unlistedFrom);
  }

  /** Bytes appended and not written. */
  get pendingBytes(): number {
    let bytes = 0;
    for (const part of this.#parts) bytes += part.used;
    return bytes;
  }

  /** Bytes of the file that frames are appended to, those to be written included. */
  get fileBytes(): number {
    const part = this.#parts[this.#parts.length - 1];
    return part.goodBytes + part.used;
  }

  /** Whether a sync is under way. */
  get isSyncing(): boolean {
    return this.#syncBeganMs >= 0;
  }

  /** Appends bytes that are no frame (an annotation), or the payload of one frame. */
  append(src: Uint8Array, start: number, stop: number, frames: number): void {
    this.appendedFrames += frames;
    if (this.isSuspended) return;
    const part = this.#parts[this.#parts.length - 1];
    const need = part.used + stop - start;
    if (need > part.buf.length) {
      let size = part.buf.length * 2;
      while (size < need) size *= 2;
      const larger = new Uint8Array(size);
      larger.set(part.buf.subarray(0, part.used));
      part.buf = larger;
    }
    if (stop - start > 96) part.buf.set(src.subarray(start, stop), part.used);
    else {
      const { buf } = part;
      for (let at = part.used; start < stop;) buf[at++] = src[start++];
    }
    part.used = need;
    part.frames += frames;
  }

  /**
   * The data has become another than frames tell: from here on nothing is appended, until a rewrite
   * of all that is there continues in a file of its own. What is listed stays as it is meanwhile.
   */
  suspend(): void {
    this.isSuspended = true;
    this.#unlistedFrom = Math.min(this.#unlistedFrom, this.appendedFrames);
  }

  /** Ends what `suspend` began, in the file there is: nothing was ever written to it. */
  resume(): void {
    const [part] = this.#parts;
    invariant(this.#parts.length === 1 && part.goodBytes + part.used === 0, "a file is resumed");
    this.#parts[0] = newPart(part.file, part.path, 0, this.appendedFrames);
    this.isSuspended = false;
  }

  /**
   * What is appended from here on goes to another file, which is empty. The one before is synced
   * first. With `isListed` false the new file counts for nothing before `forgetBefore`.
   */
  continueIn(file: StorageFile, path: string, isListed: boolean): void {
    if (!isListed) this.#unlistedFrom = Math.min(this.#unlistedFrom, this.appendedFrames);
    this.isSuspended = false;
    this.#parts.push(newPart(file, path, 0, this.appendedFrames));
    this.flush();
  }

  /**
   * A rewrite has put all data that there were `frames` frames ago, and before, into another file:
   * files before the last are of no use any more, and whatever was wrong with them is forgotten.
   */
  forgetBefore(frames: number): void {
    const last = this.#parts[this.#parts.length - 1];
    for (const part of this.#parts) {
      if (part === last) break;
      closeQuietly(part.file);
    }
    this.#parts.splice(0, this.#parts.length - 1);
    this.#synced = Math.max(this.#synced, frames);
    // Had the data been replaced since, that rewrite would be of the old.
    if (this.#unlistedFrom <= frames) this.#unlistedFrom = Infinity;
    this.#release();
  }

  /** Begins to write what is appended, unless it is being done. */
  flush(): void {
    if (this.#running !== null || this.isBroken || this.failure !== null) return;
    if (!this.#hasWork()) return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      if (this.#hasWork()) this.flush();
    });
  }

  /** Resolves when the first `frames` frames are synced; null when they are. */
  whenSynced(frames: number): Promise<void> | null {
    if (this.syncedFrames >= frames) return null;
    this.flush();
    return new Promise((resolve) => this.#waiters.push({ frames, resolve }));
  }

  /** Resolves when no more than `PENDING_BYTES_MAX` waits to be written; null when that is so. */
  whenRoom(): Promise<void> | null {
    if (this.pendingBytes <= PENDING_BYTES_MAX) return null;
    this.flush();
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** Once in a while: syncs that are due. */
  tick(): void {
    const nowMs = this.#host.nowMs();
    if (this.#syncBeganMs >= 0 && nowMs - this.#syncBeganMs > SLOW_SYNC_MS) {
      this.delayedSyncs++;
      this.#syncBeganMs = nowMs;
    }
    this.flush();
  }

  /** Writes and syncs all that was appended, whatever the policy, and closes the file. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#retryTimer);
    this.flush();
    while (this.#running !== null) await this.#running;
    for (const part of this.#parts) closeQuietly(part.file);
    this.#waiters = [];
  }

  #hasWork(): boolean {
    if (this.isBroken || this.failure !== null) return false;
    return this.#parts.length > 1 || this.#parts[0].used > 0 || this.#isSyncDue();
  }

  #isSyncDue(): boolean {
    if (this.#synced >= this.writtenFrames) return false;
    if (this.#isClosing || this.policy === "always") return true;
    if (this.policy === "no" || this.sparesDisk) return false;
    return this.#host.nowMs() - this.#lastSyncMs >= SYNC_EVERY_MS;
  }

  async #run(): Promise<void> {
    while (this.#hasWork()) {
      const part = this.#parts[0];
      if (part.used > 0 && !await this.#write(part)) return;
      const isDone = this.#parts.length > 1 && part.used === 0;
      if ((isDone || this.#isSyncDue()) && !await this.#sync(part)) return;
      if (!isDone || this.#parts[0] !== part) continue;
      closeQuietly(part.file);
      this.#parts.shift();
    }
  }

  async #write(part: Part): Promise<boolean> {
    const { buf, used, frames } = part;
    part.buf = this.#spare.length > 0 ? this.#spare : new Uint8Array(BUFFER_BYTES);
    this.#spare = new Uint8Array(0);
    part.used = part.frames = 0;
    try {
      await writeAll(part.file, buf.subarray(0, used));
    } catch (error) {
      this.#putBack(part, buf, used, frames);
      if (this.#parts.includes(part)) this.#fail(part, error);
      return false;
    }
    part.goodBytes += used;
    part.goodFrames += frames;
    if (buf.length <= KEPT_BYTES_MAX) this.#spare = buf;
    if (this.#waitingForRoom.length > 0 && this.pendingBytes <= PENDING_BYTES_MAX) {
      for (const resolve of this.#waitingForRoom.splice(0)) resolve();
    }
    return true;
  }

  /** What could not be written goes before what was appended meanwhile. */
  #putBack(part: Part, buf: Uint8Array<ArrayBuffer>, used: number, frames: number): void {
    const later = part.buf.subarray(0, part.used);
    const all = new Uint8Array(Math.max(BUFFER_BYTES, (used + later.length) * 2));
    all.set(buf.subarray(0, used));
    all.set(later, used);
    part.buf = all;
    part.used = used + later.length;
    part.frames += frames;
  }

  async #sync(part: Part): Promise<boolean> {
    const written = part.firstFrame + part.goodFrames;
    this.#syncBeganMs = this.#host.nowMs();
    try {
      await part.file.sync();
    } catch (error) {
      if (this.#parts.includes(part)) {
        this.isBroken = true;
        this.breaks++;
        this.#setFailure(reasonOf(error));
      }
      return false;
    } finally {
      this.#syncBeganMs = -1;
    }
    this.#lastSyncMs = this.#host.nowMs();
    this.#synced = Math.max(this.#synced, written);
    this.#release();
    return true;
  }

  #release(): void {
    if (this.#waiters.length === 0) return;
    const { syncedFrames } = this;
    const waiting = this.#waiters;
    this.#waiters = waiting.filter(({ frames }) => frames > syncedFrames);
    for (const { frames, resolve } of waiting) if (frames <= syncedFrames) resolve();
  }

  #fail(part: Part, error: unknown): void {
    this.#setFailure(reasonOf(error));
    if (this.#isClosing) return;
    this.#retryTimer = setTimeout(() => void this.#retry(part), RETRY_WRITE_MS);
  }

  /** Cuts off what a failed write left, and tries again. */
  async #retry(part: Part): Promise<void> {
    if (this.#isClosing || !this.#parts.includes(part)) return;
    try {
      await part.file.truncate(part.goodBytes);
      await part.file.seek(part.goodBytes);
      // Whether there is room is known when a write succeeds: of what is due, or nothing is due.
      if (part.used > 0 && !await this.#write(part)) return;
    } catch (error) {
      this.#fail(part, error);
      return;
    }
    this.#setFailure(null);
    this.flush();
  }

  /** The replacement of a broken file counts now: all goes on as before. */
  mended(): void {
    invariant(this.isBroken, "a file is mended that is not broken");
    this.isBroken = false;
    this.#setFailure(null);
    this.flush();
  }

  #setFailure(reason: string | null): void {
    if (reason === this.failure) return;
    this.failure = reason;
    this.#host.statusChanged(reason);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function closeQuietly(file: StorageFile): void {
  try {
    file.close();
  } catch {
    // It is closed.
  }
}
