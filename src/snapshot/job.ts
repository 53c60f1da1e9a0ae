/**
 * One snapshot, seen from the main isolate: a frozen view goes to a worker, chunks of its image come
 * back and go to a sink, one after another, at the sink's pace.
 *
 * Backpressure: the worker may have `creditWindow` chunks out. A chunk's buffer goes back, and with
 * it the credit, when the sink has taken the chunk, so a slow sink slows the worker down and nothing
 * piles up anywhere.
 *
 * Failure: whatever happens to the worker, to the sink or to the view ends this job with a named
 * `SnapshotJobError` and nothing else. A worker that crashed is replaced by the pool; one that does
 * not answer is terminated.
 *
 * The view: `viewReleased` is called exactly once, as soon as the worker surely reads it no more,
 * which may be before the last chunks have gone to the sink.
 *
 * @module
 */

import { invariant, unreachable } from "../base/invariant.ts";
import type { FrozenViewData } from "./entries.ts";
import { CHUNK_BYTES, CREDIT_WINDOW, type FromWorker, type SnapshotSpec } from "./messages.ts";
import type { SnapshotWorkerPool, WorkerLease } from "./worker_pool.ts";

export { SnapshotWorkerPool } from "./worker_pool.ts";

/**
 * How long a worker may be silent while it has credits, in ms, before it is given up. A chunk takes
 * it a millisecond, the largest compressed value ten; this is for a machine that is out of breath.
 */
export const WORKER_STALL_MS = 30_000;

/** How long a worker may take to answer an abort, in ms, before it is terminated. */
export const ABORT_ANSWER_MS = 1_000;

/** Why a job came to no end. */
export type SnapshotJobFault =
  /** Somebody called `abort`. */
  | "aborted"
  /** The worker could not be started, e.g. because the sandbox does not let its file be read. */
  | "notStarted"
  /** The worker cannot write this view: its error's name and text are in the message. */
  | "unwritable"
  /** The worker crashed. */
  | "workerCrashed"
  /** The worker said nothing for too long. */
  | "workerSilent"
  /** The sink threw; its error is the cause. */
  | "sinkFailed";

/** A snapshot that was not finished. What its sink has received is worth nothing. */
export class SnapshotJobError extends Error {
  /** The error's name. */
  override readonly name = "SnapshotJobError";
  /** Why. */
  readonly fault: SnapshotJobFault;

  /** `because` completes the sentence "the snapshot was not finished: ...". */
  constructor(fault: SnapshotJobFault, because: string, cause?: unknown) {
    super(`the snapshot was not finished: ${because}`, cause === undefined ? {} : { cause });
    this.fault = fault;
  }
}

/** What a finished job made. */
export interface SnapshotTotals {
  /** Bytes of the image. */
  readonly bytes: number;
  /** Entries in it. */
  readonly keys: number;
  /** Chunks that the sink was given. */
  readonly chunks: number;
  /** CRC-64 of an RDB image, 16 hexadecimal digits; zeros where there is none. */
  readonly checksum: string;
}

/** What a job is given. */
export interface SnapshotJobOptions {
  /** The frozen view; it is kept frozen until `viewReleased`. */
  readonly view: FrozenViewData;
  /** The image to make of it. */
  readonly spec: SnapshotSpec;
  /**
   * Takes the next bytes of the image, at most `CHUNK_BYTES`; the buffer is its own until it returns
   * or its promise resolves. It is not called again before that.
   */
  readonly sink: (chunk: Uint8Array<ArrayBuffer>) => void | Promise<void>;
  /** Called once, when the worker reads the view no more. */
  readonly viewReleased?: () => void;
  /** Default `CREDIT_WINDOW`. */
  readonly creditWindow?: number;
  /** Default `WORKER_STALL_MS`. */
  readonly stallMs?: number;
  /** Default `ABORT_ANSWER_MS`. */
  readonly abortAnswerMs?: number;
}

let lastNumber = 0;

/** See the module's text. */
export class SnapshotJob {
  /**
   * Resolves when the sink has taken the whole image; rejects with `SnapshotJobError`. Either way the
   * view has been released by then. Nobody has to listen to it.
   */
  readonly done: Promise<SnapshotTotals>;
  /** Bytes that the sink has taken. */
  bytes = 0;
  /** Chunks that the sink has taken. */
  chunks = 0;
  /** Entries that the worker has written. */
  keys = 0;

  readonly #number = ++lastNumber;
  readonly #options: SnapshotJobOptions;
  readonly #settle: PromiseWithResolvers<SnapshotTotals> = Promise.withResolvers();
  readonly #arrived: (FromWorker & { kind: "chunk" })[] = [];
  #lease: WorkerLease | null = null;
  #viewHeld = true;
  #isSinking = false;
  #failure: SnapshotJobError | null = null;
  #totals: (FromWorker & { kind: "done" }) | null = null;
  /** Chunks that the worker may still send: while there are any, it must not be silent. */
  #credits = 0;
  #heard = true;
  #stallTimer: ReturnType<typeof setInterval> | undefined;
  #abortTimer: ReturnType<typeof setTimeout> | undefined;

  private constructor(options: SnapshotJobOptions) {
    this.#options = options;
    this.done = this.#settle.promise;
    this.done.catch(() => {}); // a job that nobody listens to is no unhandled rejection
  }

  /** Starts a job on the next free worker of `pool`. */
  static start(pool: SnapshotWorkerPool, options: SnapshotJobOptions): SnapshotJob {
    const job = new SnapshotJob(options);
    void job.#begin(pool);
    return job;
  }

  /**
   * Ends the job: its sink is not called again, `done` rejects as soon as the worker has stopped or
   * been terminated. Does nothing when the job has ended or is ending already.
   */
  abort(reason: string): void {
    this.#fail(new SnapshotJobError("aborted", reason));
  }

  async #begin(pool: SnapshotWorkerPool): Promise<void> {
    const { view, spec, creditWindow: credits = CREDIT_WINDOW } = this.#options;
    invariant(credits > 0, "a job without credits never sends anything");
    try {
      this.#lease = await pool.acquire({
        receive: (message) => this.#receive(message),
        lost: (why, hadStarted) => {
          const fault = hadStarted ? "workerCrashed" : "notStarted";
          this.#workerEnded(new SnapshotJobError(fault, why));
        },
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#workerEnded(new SnapshotJobError("notStarted", why, error));
      return;
    }
    if (this.#failure !== null) {
      this.#workerStopped();
      return;
    }
    this.#credits = credits;
    this.#lease.post({
      kind: "start",
      job: this.#number,
      view,
      spec,
      credits,
      chunkBytes: CHUNK_BYTES,
    });
    const stallMs = this.#options.stallMs ?? WORKER_STALL_MS;
    this.#stallTimer = setInterval(() => this.#checkStall(stallMs), stallMs);
  }

  #receive(message: FromWorker): void {
    if (message.job !== this.#number) return;
    this.#heard = true;
    switch (message.kind) {
      case "chunk":
        this.#credits--;
        this.keys = message.keys;
        this.#arrived.push(message);
        if (!this.#isSinking) void this.#sinkArrived();
        break;
      case "done":
        this.keys = message.keys;
        this.#totals = message;
        this.#workerStopped();
        break;
      case "failed":
        this.#failure ??= new SnapshotJobError("unwritable", `${message.name}: ${message.message}`);
        this.#workerStopped();
        break;
      case "aborted":
        this.#workerStopped();
        break;
      default:
        unreachable(message);
    }
  }

  /** Gives the sink what has arrived, one chunk at a time and in order. */
  async #sinkArrived(): Promise<void> {
    this.#isSinking = true;
    while (this.#failure === null && this.#arrived.length > 0) {
      const { buffer, bytes } = this.#arrived.shift()!;
      try {
        await this.#options.sink(new Uint8Array(buffer, 0, bytes));
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        this.#fail(new SnapshotJobError("sinkFailed", why, error));
        break;
      }
      this.bytes += bytes;
      this.chunks++;
      this.#giveBack(buffer);
    }
    this.#isSinking = false;
    this.#settleIfOver();
  }

  #giveBack(buffer: ArrayBuffer): void {
    if (this.#lease === null) return; // the worker has done its part and may serve another job
    this.#credits++;
    // A sink may have given the buffer away; the credit counts all the same.
    if (buffer.detached) this.#lease.post({ kind: "credit", job: this.#number, buffer: null });
    else this.#lease.post({ kind: "credit", job: this.#number, buffer }, [buffer]);
  }

  #checkStall(stallMs: number): void {
    if (!this.#heard && this.#credits > 0 && this.#failure === null) {
      const why = `the worker has been silent for ${stallMs} ms`;
      this.#failure = new SnapshotJobError("workerSilent", why);
      this.#giveUpWorker();
    }
    this.#heard = false;
  }

  /** Stops the worker because of `failure`, unless another failure was first or all is over. */
  #fail(failure: SnapshotJobError): void {
    if (this.#failure !== null || this.#isOver()) return;
    this.#failure = failure;
    this.#arrived.length = 0;
    if (this.#lease === null) { // in line for a worker, or the worker has done its part
      this.#released();
      return;
    }
    this.#lease.post({ kind: "abort", job: this.#number });
    const answerMs = this.#options.abortAnswerMs ?? ABORT_ANSWER_MS;
    this.#abortTimer = setTimeout(() => this.#giveUpWorker(), answerMs);
  }

  #giveUpWorker(): void {
    const lease = this.#lease;
    this.#lease = null;
    lease?.terminate();
    this.#released();
  }

  /** The worker has ended by itself, or never began. */
  #workerEnded(failure: SnapshotJobError): void {
    this.#lease = null;
    this.#failure ??= failure;
    this.#released();
  }

  /** The worker has said its last about this job. */
  #workerStopped(): void {
    const lease = this.#lease;
    this.#lease = null;
    lease?.release();
    this.#released();
  }

  #released(): void {
    clearInterval(this.#stallTimer);
    clearTimeout(this.#abortTimer);
    if (this.#viewHeld) {
      this.#viewHeld = false;
      this.#options.viewReleased?.();
    }
    this.#settleIfOver();
  }

  #isOver(): boolean {
    return !this.#viewHeld && !this.#isSinking && this.#arrived.length === 0;
  }

  #settleIfOver(): void {
    if (this.#viewHeld) return;
    if (this.#failure !== null) {
      this.#settle.reject(this.#failure);
      return;
    }
    if (!this.#isOver()) return;
    const totals = this.#totals!;
    const { bytes, chunks } = this;
    invariant(bytes === totals.bytes, `the sink took ${bytes} bytes of ${totals.bytes}`);
    this.#settle.resolve({ bytes, chunks, keys: totals.keys, checksum: totals.checksum });
  }
}
