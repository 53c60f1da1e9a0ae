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
 * With `always` the file is filled ahead once several groups have been synced (`aof_seals.ts`): syncs take less
 * then. It is cut to what is in it when another policy is set, for a group that is too large, when another
 * file follows it, and at the end.
 *
 * A write that fails is made again, from the last byte that is surely in the file; until then nothing
 * more is written and who waits goes on waiting. After a sync that failed nobody can say what the
 * disk has (the system drops what it could not write), so that file is given up: `isBroken` asks for
 * another one that begins with all the data there is, and what is appended until then is dropped, since
 * the data has it.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { FILLED_BYTES, GROUP_BYTES_MAX } from "./aof_seals.ts";
import { FillingPace } from "./filling_pace.ts";
import { IncrementFile, type IncrementHandles } from "./increment_file.ts";

/** `appendfsync`: when what was written is synced. */
export type FsyncPolicy = "always" | "everysec" | "no";

/** How long after a failed write it is made again, in ms. */
export const RETRY_WRITE_MS = 1_000;
/** A sync that takes longer than this leaves more than it should unsynced: `aof_delayed_fsync`. */
export const SLOW_SYNC_MS = 2_000;
/** Bytes up to which a write is made in the turn that asks for it: more are better copied by a thread. */
const WRITE_NOW_BYTES_MAX = 16_384;
/** The same where replies wait for it. */
const AWAITED_WRITE_NOW_BYTES_MAX = 131_072;
/** Such a write that takes longer, in ms, is the last for a while: the disk does not keep up. */
const SLOW_WRITE_MS = 2;
/** How long that while is at first, in ms; it doubles from one slow write to the next. */
const SLOW_DISK_MS = 1_000;
const SLOW_DISK_MS_MAX = 60_000;
/** Time from the beginning of one sync to that of the next with `everysec`. */
const SYNC_EVERY_MS = 1_000;
/**
 * With `always`, syncs that lately took no longer than this, in ms, are made in the turn that asks for them:
 * telling a thread of one, and us of its end, takes a tenth of a ms more (measured). Others wait no longer
 * for such a sync than for any slice of work (`gate.ts`), unless the disk is slow just then.
 */
const SYNC_NOW_MS = 1;
/** Of how many of the latest syncs `#syncMs` is the mean, roughly. */
const SYNCS_OF_MEAN = 8;
/** Bytes that may be appended and not written before who appends has to wait: a slow disk. */
export const PENDING_BYTES_MAX: number = 64 * 1024 * 1024;

/** What a log tells its owner. */
export interface AofLogHost {
  /** Monotonic ms. */
  nowMs(): number;
  /** Writing has failed (a reason), or goes well again (null). */
  statusChanged(reason: string | null): void;
  /**
   * How much has been appended to this log and to those beside it, in any measure that grows with each
   * of their frames: `syncedMark` is told in it.
   */
  mark(): number;
  /** More may be synced than before. */
  synced(): void;
  /** A write has ended that nobody waited for: to `flush` soon, with what may still come until then. */
  flushSoon(): void;
  /** A sync that replies waited for has taken so many ms. */
  tookSync(ms: number): void;
}

/** All who wait for frames that one write takes. */
interface Waiting {
  /** The last of those frames. */
  frames: number;
  readonly synced: Promise<void>;
  readonly resolve: () => void;
}

/** See the module's text. Frames are counted from the log's beginning. */
export class AofLog {
  /** When to sync; may be changed at any time. */
  policy: FsyncPolicy;
  /** Whether syncs are left out for the moment (`no-appendfsync-on-rewrite`). */
  sparesDisk = false;
  /** Whether with `always` files are filled ahead (`aof-fill-ahead`); may be changed at any time. */
  fillsAhead = true;
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
  /** Whether a sync may be made in the turn that asks for it: no other log has one to make then. */
  maySyncNow = false;
  /** Whether what is appended is dropped: a rewrite that is to come will have it. */
  isSuspended = false;

  readonly #host: AofLogHost;
  /** The file written to, and those that will follow it; never empty. */
  readonly #parts: IncrementFile[];
  /** The last of them. */
  #last: IncrementFile;
  #writing: Promise<void> | null = null;
  #syncing: Promise<void> | null = null;
  /** The file that could not be written to. */
  #failed: IncrementFile | null = null;
  #synced = 0;
  /** The host's mark when the latest write that is complete took what there was; -1 before. */
  #writtenMark = -1;
  /** That of the write that the latest sync covers. */
  #syncedMark = -1;
  /** Frames from here on are dropped. */
  #suspendedFrom = Infinity;
  /** Frames from here on are in no file, or in one that nobody would load yet. */
  #unlistedFrom = Infinity;
  #waiting: Waiting[] = [];
  #waitingForRoom: (() => void)[] = [];
  #lastSyncMs: number;
  /** How long syncs take of late, in ms, until we know of their end; the first ones are a thread's. */
  #syncMs = 2 * SYNC_NOW_MS;
  /** When the sync under way began, or was last told to be slow; -1 without one. */
  #syncBeganMs = -1;
  /** From when on writes may be made in the turn that asks for them. */
  #writeNowFromMs = -Infinity;
  #slowDiskMs = SLOW_DISK_MS;
  readonly #pace = new FillingPace();
  /** A filled file is being filled for more. */
  #fillingMore: Promise<void> | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #isClosing = false;

  /** A log that goes on behind the first `bytes` of the file at `path`. */
  constructor(
    host: AofLogHost,
    policy: FsyncPolicy,
    path: string,
    handles: IncrementHandles,
    bytes: number,
  ) {
    this.#host = host;
    this.policy = policy;
    this.#last = new IncrementFile(path, handles, bytes, 0);
    this.#parts = [this.#last];
    this.#lastSyncMs = host.nowMs();
  }

  /** Path of the file that frames are appended to. */
  get path(): string {
    return this.#last.path;
  }

  /** Frames that the end of the process does not take. */
  get writtenFrames(): number {
    return this.#parts[0].writtenFrames;
  }

  /** Frames that a loss of power does not take. */
  get syncedFrames(): number {
    return Math.min(this.#synced, this.#unlistedFrom);
  }

  /**
   * A mark of the host's at which everything appended here, and all data that were replaced before, is
   * safe from a loss of power by now; -1 before there is one.
   */
  get syncedMark(): number {
    const isClean = !this.isUnlisted && this.syncedFrames >= this.appendedFrames;
    return isClean ? this.#host.mark() : this.#syncedMark;
  }

  /** Bytes appended and not surely written. */
  get pendingBytes(): number {
    let bytes = 0;
    for (let i = 0; i < this.#parts.length; i++) bytes += this.#parts[i].pendingBytes;
    return bytes;
  }

  /** Bytes of the file that frames are appended to, those to be written included. */
  get fileBytes(): number {
    return this.#last.goodBytes + this.#last.pendingBytes;
  }

  /** Bytes that the file is longer than that: it is filled ahead. */
  get filledAheadBytes(): number {
    return this.#last.filledAheadBytes;
  }

  /** Whether a sync is under way. */
  get isSyncing(): boolean {
    return this.#syncBeganMs >= 0;
  }

  /** Whether it may be long before what is appended now is safe. */
  get isStalled(): boolean {
    return this.failure !== null || this.isUnlisted;
  }

  /** Whether what is appended now counts only once a rewrite is complete. */
  get isUnlisted(): boolean {
    return this.#unlistedFrom !== Infinity;
  }

  /**
   * Appends `src[start..stop)`: the payload of one frame, or bytes that are none (an annotation).
   * `view` is a view of `src`, if there is one.
   */
  append(
    src: Uint8Array,
    view: DataView | null,
    start: number,
    stop: number,
    frames: number,
  ): void {
    this.appendedFrames += frames;
    if (!this.isSuspended) this.#last.append(src, view, start, stop, frames);
  }

  /** As `append`, of one frame whose bytes stay as they are until `settle` is called. */
  appendLate(src: Uint8Array, view: DataView | null, start: number, stop: number): void {
    this.appendedFrames++;
    if (!this.isSuspended) this.#last.appendLate(src, view, start, stop);
  }

  /** Copies what `appendLate` was given: its bytes may change now. */
  settle(): void {
    this.#last.settle();
  }

  // ---- one file after another ----------------------------------------------------------------

  /**
   * The data has become another than frames tell: from here on nothing is appended, until a rewrite
   * of all that is there continues in a file of its own. What is listed stays as it is meanwhile.
   */
  suspend(): void {
    if (this.isSuspended) return;
    // The data that there are from now on are not in the file, although no frame has come since.
    this.#syncedMark = Math.min(this.syncedMark, this.#host.mark() - 1);
    this.isSuspended = true;
    this.#suspendedFrom = this.appendedFrames;
    this.#unlistedFrom = Math.min(this.#unlistedFrom, this.appendedFrames);
  }

  #unsuspend(): void {
    this.isSuspended = false;
    this.#suspendedFrom = Infinity;
  }

  /** Ends what `suspend` began, in the file there is: nothing was ever written to it. */
  resume(): void {
    const part = this.#last;
    const isFresh = this.#parts.length === 1 && part.goodBytes + part.pendingBytes === 0;
    invariant(isFresh, "a file is resumed that was written to");
    part.firstFrame = this.appendedFrames;
    this.#unsuspend();
  }

  /**
   * What is appended from here on goes to another file, which is empty. The one before is synced
   * first. With `isListed` false the new file counts for nothing before `forgetBefore`.
   */
  continueIn(path: string, handles: IncrementHandles, isListed: boolean): void {
    if (!isListed) this.#unlistedFrom = Math.min(this.#unlistedFrom, this.appendedFrames);
    this.#unsuspend();
    this.settle();
    this.#last = new IncrementFile(path, handles, 0, this.appendedFrames);
    this.#parts.push(this.#last);
    this.#pace.isPlain();
    this.flush();
  }

  /** The rewrite that would have listed the last file came to nothing: what it has is dropped. */
  abandonLast(): void {
    const part = this.#last;
    part.dropPending();
    if (this.#parts.length > 1) {
      this.#parts.pop();
      this.#last = this.#parts[this.#parts.length - 1];
      part.close();
      this.#forgetFailureOf(part);
    }
    this.suspend();
    this.#makeRoom();
  }

  /**
   * A rewrite has put all data that there were `frames` frames ago, and before, into another file:
   * files before the last are of no use any more, and whatever was wrong with them is forgotten.
   */
  forgetBefore(frames: number): void {
    for (const part of this.#parts.splice(0, this.#parts.length - 1)) {
      part.close();
      this.#forgetFailureOf(part);
    }
    this.#synced = Math.max(this.#synced, frames);
    // Had the data been replaced since, the rewrite would be of what it was before.
    if (this.#unlistedFrom <= frames) this.#unlistedFrom = this.#suspendedFrom;
    this.#makeRoom();
    this.#release();
    this.flush();
  }

  #forgetFailureOf(part: IncrementFile): void {
    if (this.#failed !== part) return;
    this.#failed = null;
    clearTimeout(this.#retryTimer);
    if (!this.isBroken) this.#setFailure(null);
  }

  /** The replacement of a broken file counts now: all goes on as before. */
  mended(): void {
    invariant(this.isBroken, "a file is mended that is not broken");
    this.isBroken = false;
    this.#setFailure(null);
    this.flush();
  }

  // ---- who waits -----------------------------------------------------------------------------

  /** Resolves when the first `frames` frames are synced, which `flush` sees to; null when they are. */
  whenSynced(frames: number): Promise<void> | null {
    if (this.syncedFrames >= frames) return null;
    const last = this.#waiting.at(-1);
    // Frames that no write has taken yet will be taken by one; those that are dropped, by a rewrite.
    const taken = this.isSuspended ? this.#suspendedFrom : this.#last.takenFrames;
    if (last !== undefined && (last.frames === frames || Math.min(last.frames, frames) > taken)) {
      last.frames = Math.max(last.frames, frames);
      return last.synced;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ frames, synced: promise, resolve });
    return promise;
  }

  /** Resolves when no more than `PENDING_BYTES_MAX` waits to be written; null when that is so. */
  whenRoom(): Promise<void> | null {
    if (this.pendingBytes <= PENDING_BYTES_MAX) return null;
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** Nobody waits any longer, whatever is synced. */
  endWaits(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }

  #release(): void {
    this.#host.synced();
    if (this.#waiting.length === 0) return;
    const { syncedFrames } = this;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ frames }) => frames > syncedFrames);
    for (const { frames, resolve } of waiting) if (frames <= syncedFrames) resolve();
  }

  #makeRoom(): void {
    if (this.#waitingForRoom.length === 0 || this.pendingBytes > PENDING_BYTES_MAX) return;
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }

  // ---- writing -------------------------------------------------------------------------------

  /** Begins to write what is appended, and to sync what is due, unless that is being done. */
  flush(): void {
    if (!this.#isWell) return;
    if (this.#isFillingDue) this.#startFilling();
    if (this.#writing === null && this.#hasUnwritten && !this.#writeNow()) {
      this.#startWriting(this.#writeAll());
    }
    if (this.#isWell && this.#syncing === null && this.#isSyncDue && !this.#syncNow()) {
      void this.#startSync(this.#parts[0]);
    }
  }

  /**
   * Writes the little that waits at once: telling a thread of it would take longer. Not during a sync,
   * which might hold it up; with `always` it is left to the sync's end then, so that all that came
   * meanwhile is one write. Whether no other write is to begin.
   */
  #writeNow(): boolean {
    const part = this.#last;
    const isAwaited = this.policy === "always";
    const bytesMax = isAwaited ? AWAITED_WRITE_NOW_BYTES_MAX : WRITE_NOW_BYTES_MAX;
    const mayWrite = this.#parts.length === 1 && part.pendingBytes <= bytesMax;
    const beganMs = this.#host.nowMs();
    if (!mayWrite || beganMs < this.#writeNowFromMs) return false;
    if (this.#syncing !== null) return isAwaited;
    if (part.isFilled && !this.#mayWriteGroup(part)) return false;
    try {
      const isWhole = part.writeNow();
      const nowMs = this.#host.nowMs();
      if (nowMs - beganMs <= SLOW_WRITE_MS) {
        this.#slowDiskMs = SLOW_DISK_MS;
      } else {
        this.#writeNowFromMs = nowMs + this.#slowDiskMs;
        this.#slowDiskMs = Math.min(this.#slowDiskMs * 2, SLOW_DISK_MS_MAX);
      }
      if (isWhole) {
        this.#writtenMark = this.#host.mark();
        this.#makeRoom();
      }
      return isWhole;
    } catch (error) {
      this.#fail(part, error);
      return true;
    }
  }

  /**
   * With `always` and a disk that is fast of late, syncs at once. Whether no other sync is to begin.
   */
  #syncNow(): boolean {
    const mayHoldUp = this.policy === "always" && this.#syncMs <= SYNC_NOW_MS && this.maySyncNow;
    const isInOrder = this.#parts.length === 1 && this.#writing === null && !this.#isClosing;
    if (!mayHoldUp || !isInOrder || this.#fillingMore !== null) return false;
    const part = this.#last;
    const beganMs = this.#lastSyncMs = this.#host.nowMs();
    const { unsyncedBytes } = part;
    try {
      if (!part.syncNow()) return false;
      this.#covered(part.writtenFrames, this.#writtenMark);
    } catch (error) {
      this.#break(error);
    }
    if (this.#tookSync(beganMs, unsyncedBytes) > SLOW_SYNC_MS) this.delayedSyncs++;
    this.#release();
    return true;
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

  /** Writes and syncs all that was appended, whatever the policy, and closes the files. */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#retryTimer);
    if (this.#failed !== null) this.#retry(this.#failed);
    this.flush();
    while (this.#writing !== null || this.#syncing !== null || this.#fillingMore !== null) {
      await this.#writing;
      await this.#syncing;
      await this.#fillingMore;
    }
    for (const part of this.#parts) {
      // A start cuts it off as well.
      if (part.isFilled && this.#isWell) await part.unfill().catch(() => {});
      part.close();
    }
    this.endWaits();
  }

  /** Whether what came during a write waits for more: nobody waits for it, and a large write takes less. */
  get #gathers(): boolean {
    return this.policy !== "always" && this.#parts.length === 1 && !this.#isClosing;
  }

  get #isWell(): boolean {
    return this.failure === null && !this.isBroken;
  }

  get #hasUnwritten(): boolean {
    return this.#parts.length > 1 || this.#last.pendingBytes > 0;
  }

  get #isSyncDue(): boolean {
    const [part] = this.#parts;
    if (this.#isClosing || part.isFilled) return part.isUnsynced;
    if (this.#synced >= part.writtenFrames) return false;
    // Who waits came while the policy was `always`; it may be another by now.
    if (this.policy === "always" || this.#waiting.length > 0) return true;
    if (this.policy === "no" || this.sparesDisk) return false;
    return this.#host.nowMs() - this.#lastSyncMs >= SYNC_EVERY_MS;
  }

  #startWriting(work: Promise<void>): void {
    this.#writing = work.finally(() => {
      this.#writing = null;
      if (this.#gathers) this.#host.flushSoon();
      else this.flush();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#isWell) {
      const [part] = this.#parts;
      if (part.pendingBytes > 0) {
        if (part.isFilled && !this.#mayWriteGroup(part)) await this.#beforeGroup(part);
        else await this.#write(part);
        if (this.#isWell && this.#syncing === null && this.#isSyncDue) {
          void this.#startSync(this.#parts[0]);
        }
        if (this.#gathers) return;
      } else if (this.#parts.length > 1) {
        await this.#finish(part);
      } else {
        return;
      }
    }
  }

  async #write(part: IncrementFile): Promise<void> {
    try {
      await this.#writeMarked(part);
      this.#makeRoom();
    } catch (error) {
      if (this.#parts.includes(part) && !this.isBroken) this.#fail(part, error);
    }
  }

  async #writeMarked(part: IncrementFile): Promise<void> {
    // What waits for a file behind this one is not taken by this write.
    const mark = part === this.#last ? this.#host.mark() : this.#writtenMark;
    await part.write();
    this.#writtenMark = mark;
  }

  /** Nothing is written to a file before the one before it is on disk: only the last may be torn. */
  async #finish(part: IncrementFile): Promise<void> {
    while (this.#syncing !== null) await this.#syncing;
    if (this.#parts[0] === part && part.isUnsynced) await this.#startSync(part);
    if (!this.#isWell || this.#parts[0] !== part || part.isUnsynced) return;
    // The rewrite may have come to nothing meanwhile: then it is the last again.
    if (this.#parts.length === 1) return;
    if (part.isFilled) return await this.#cutFilling(part);
    part.close();
    this.#parts.shift();
    this.#parts[0].inherit(part);
  }

  // ---- filling -------------------------------------------------------------------------------

  get #mayFill(): boolean {
    return this.policy === "always" && this.fillsAhead;
  }

  /** Whether what waits may be written to a filled file: all that is in it is synced, and that fits. */
  #mayWriteGroup(part: IncrementFile): boolean {
    return this.#mayFill && !part.isUnsynced && this.#syncing === null && part.fits;
  }

  /** Does one thing that is to be done before; not all, when it failed or the file counts no more. */
  async #beforeGroup(part: IncrementFile): Promise<void> {
    const isTooLarge = part.pendingBytes > GROUP_BYTES_MAX;
    if (this.#syncing !== null) return await this.#syncing;
    if (part.isUnsynced) return await this.#startSync(part);
    if (this.#mayFill && !isTooLarge && this.#fillingMore !== null) return await this.#fillingMore;
    if (isTooLarge) this.#pace.wasTooLarge();
    await this.#cutFilling(part);
  }

  async #cutFilling(part: IncrementFile): Promise<void> {
    await this.#fillingMore;
    try {
      await this.#cut(part);
    } catch (error) {
      if (this.#parts.includes(part) && !this.isBroken) this.#fail(part, error);
    }
  }

  async #cut(part: IncrementFile): Promise<void> {
    await part.cut();
    this.#pace.isPlain();
  }

  get #isFillingDue(): boolean {
    const part = this.#last;
    const isInOrder = this.#parts.length === 1 && this.#fillingMore === null && !this.#isClosing;
    if (!this.#mayFill || !isInOrder || this.isSuspended) return false;
    const nowMs = this.#host.nowMs();
    if (part.isFilled) {
      return part.filledAheadBytes < FILLED_BYTES / 2 && this.#pace.isDueForMore(nowMs);
    }
    const isIdle = this.#writing === null && this.#syncing === null && !part.isUnsynced;
    return isIdle && this.#pace.isDue(nowMs);
  }

  #startFilling(): void {
    const part = this.#last;
    if (!part.isFilled) return this.#startWriting(this.#fill(part));
    this.#fillingMore = this.#fillMore(part).finally(() => {
      this.#fillingMore = null;
      this.flush();
    });
  }

  async #fill(part: IncrementFile): Promise<void> {
    try {
      await part.fill();
    } catch {
      this.#fillingFailed(part);
      await this.#cutFilling(part);
    }
  }

  async #fillMore(part: IncrementFile): Promise<void> {
    try {
      await part.fillMore();
    } catch {
      // Groups go on as long as there is room for them.
      return this.#fillingFailed(part);
    }
    try {
      await part.syncFilling();
      this.#pace.wasUsed();
    } catch (error) {
      if (this.#parts.includes(part) && !this.isBroken) this.#break(error);
    }
  }

  #fillingFailed(part: IncrementFile): void {
    if (this.#parts.includes(part)) this.#pace.failed(this.#host.nowMs());
  }

  #startSync(part: IncrementFile): Promise<void> {
    return this.#syncing = this.#sync(part);
  }

  async #sync(part: IncrementFile): Promise<void> {
    const frames = part.writtenFrames;
    const mark = this.#writtenMark;
    const { unsyncedBytes } = part;
    this.#lastSyncMs = this.#syncBeganMs = this.#host.nowMs();
    const beganMs = this.#syncBeganMs;
    let failure: unknown;
    try {
      await part.sync();
      this.#covered(frames, mark);
    } catch (error) {
      failure = error ?? "the sync failed";
    }
    this.#syncBeganMs = -1;
    this.#syncing = null;
    if (failure !== undefined && this.#parts.includes(part)) this.#break(failure);
    this.#tookSync(beganMs, unsyncedBytes);
    // The next sync first: it goes on while those who waited for this one take their turns.
    this.flush();
    this.#release();
  }

  /** A sync has put frames before `frames` on disk, and what others had when the host's mark was `mark`. */
  #covered(frames: number, mark: number): void {
    this.#synced = Math.max(this.#synced, frames);
    // While a file counts for nothing, what it has does not either.
    if (!this.isUnlisted) this.#syncedMark = Math.max(this.#syncedMark, mark);
  }

  /** A sync of so many bytes has ended. Returns how long it took, in ms. */
  #tookSync(beganMs: number, bytes: number): number {
    const ms = this.#host.nowMs() - beganMs;
    this.#syncMs += (ms - this.#syncMs) / SYNCS_OF_MEAN;
    this.#pace.synced(bytes);
    if (this.policy === "always") this.#host.tookSync(ms);
    return ms;
  }

  // ---- failures ------------------------------------------------------------------------------

  #break(error: unknown): void {
    this.isBroken = true;
    this.breaks++;
    for (const part of this.#parts) part.dropPending();
    this.suspend();
    this.#makeRoom();
    this.#setFailure(reasonOf(error));
  }

  #fail(part: IncrementFile, error: unknown): void {
    this.#failed = part;
    this.#setFailure(reasonOf(error));
    if (this.#isClosing) return;
    this.#retryTimer = setTimeout(() => this.#retry(part), RETRY_WRITE_MS);
  }

  #retry(part: IncrementFile): void {
    if (this.#failed !== part || this.isBroken || this.#writing !== null) return;
    this.#startWriting(this.#writeAgain(part));
  }

  /** Whether there is room is known when a write succeeds: of what is due, or nothing is due. */
  async #writeAgain(part: IncrementFile): Promise<void> {
    try {
      await this.#fillingMore; // or it would write behind what is cut off
      await this.#cut(part);
      if (part.pendingBytes > 0) await this.#writeMarked(part);
    } catch (error) {
      if (this.#failed === part && !this.isBroken) this.#fail(part, error);
      return;
    }
    if (this.#failed !== part) return;
    this.#failed = null;
    this.#makeRoom();
    if (!this.isBroken) this.#setFailure(null);
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
