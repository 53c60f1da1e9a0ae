/**
 * Snapshot workers: started when the first job needs one, kept warm for a while after the last, each
 * doing one job at a time. Who finds all of them busy waits in line.
 *
 * Since a worker is there anyway, it also touches fresh memory ahead of its use (`memory/prefault.ts`).
 *
 * A worker that crashed or was given up is never used again; the next job gets a new one.
 *
 * Where the permissions do not let a worker be loaded (`worker_source.ts`), the job fails with Deno's own
 * words.
 *
 * @module
 */

import type { FromWorker, ToWorker, WorkerReady } from "./messages.ts";
import { WORKER_URL } from "./worker_source.ts";

/**
 * Workers at once. Each is a thread with about 8 MB; a shard freezes once at a time, so this many
 * shards can be saved and shipped at the same time, and the others wait.
 */
export const WORKERS_MAX = 8;

/** How long an idle worker stays, in ms: starting one takes 20 to 30 ms, a full sync comes rarely. */
export const WORKER_IDLE_MS = 10_000;

/** How a pool behaves. */
export interface WorkerPoolOptions {
  /** Default `WORKERS_MAX`. */
  readonly workersMax?: number;
  /** Default `WORKER_IDLE_MS`. */
  readonly idleMs?: number;
  /** Starts a worker; tests bring their own. */
  readonly spawn?: () => Worker;
}

/** Who has a worker hears from it. */
export interface WorkerUser {
  /** A message from the worker. */
  receive(message: FromWorker): void;
  /**
   * The worker is gone, through no doing of the user; it need not be given back. `hadStarted` is
   * false when its code was never loaded.
   */
  lost(why: string, hadStarted: boolean): void;
}

/** A worker that somebody has. */
export interface WorkerLease {
  /** Sends a message; the buffers in `transfer` are given away. Does nothing once the worker ended. */
  post(message: ToWorker, transfer?: ArrayBuffer[]): void;
  /** Gives the worker back: it waits for messages and does nothing else. */
  release(): void;
  /** Ends the worker: it does not answer, or is not to be trusted. */
  terminate(): void;
}

function spawnWorker(): Worker {
  return new Worker(WORKER_URL, {
    type: "module",
    name: "shoal-snapshot",
    deno: { permissions: "none" },
  });
}

/** See the module's text. */
export class SnapshotWorkerPool {
  /** Workers started. */
  started = 0;
  /** Workers that crashed. */
  crashed = 0;
  /** Workers ended because they did not answer. */
  terminated = 0;

  readonly #workersMax: number;
  readonly #idleMs: number;
  readonly #spawn: () => Worker;
  readonly #workers = new Set<PooledWorker>();
  readonly #idle: PooledWorker[] = [];
  readonly #waiting: Waiting[] = [];
  #closed = false;
  #keepsOne = false;

  /** A pool without workers. */
  constructor(options: WorkerPoolOptions = {}) {
    this.#workersMax = options.workersMax ?? WORKERS_MAX;
    this.#idleMs = options.idleMs ?? WORKER_IDLE_MS;
    this.#spawn = options.spawn ?? spawnWorker;
  }

  /** Workers that run. */
  get running(): number {
    return this.#workers.size;
  }

  /** How many wait for a worker. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves with a worker for `user`; rejects when none can be started, or the pool was closed. */
  acquire(user: WorkerUser): Promise<WorkerLease> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ user, resolve, reject });
      this.#serve();
    });
  }

  /**
   * Has a worker ready from now on: starting one keeps the main isolate for some 20 ms (measured),
   * which is better spent when nobody waits. Throws what starting it throws.
   */
  warm(): void {
    this.#keepsOne = true;
    if (this.#workers.size === 0 && !this.#closed) this.#start().release();
  }

  /**
   * Has a worker touch bytes `start..stop` of `memory` (`memory/prefault.ts`), rather one that is idle;
   * false when none runs.
   */
  touch(memory: SharedArrayBuffer, start: number, stop: number): boolean {
    const worker = this.#idle.at(-1) ?? this.#workers.values().next().value;
    worker?.post({ kind: "touch", memory, start, stop });
    return worker !== undefined;
  }

  /** Ends all workers; those who have or await one are told. For the end of the program and of tests. */
  close(): void {
    this.#closed = true;
    for (const worker of [...this.#workers]) worker.end("the snapshot workers were shut down");
    this.#serve();
  }

  /** Hands workers to those who wait, as far as there are any. */
  #serve(): void {
    while (this.#waiting.length > 0) {
      if (this.#closed) {
        this.#waiting.shift()!.reject(new Error("the snapshot workers are shut down"));
        continue;
      }
      let worker = this.#idle.pop();
      if (worker === undefined && this.#workers.size >= this.#workersMax) return;
      const { user, resolve, reject } = this.#waiting.shift()!;
      try {
        worker ??= this.#start();
        worker.lend(user);
        resolve(worker);
      } catch (error) {
        reject(error);
      }
    }
  }

  #start(): PooledWorker {
    const worker = new PooledWorker(this.#spawn(), this.#idleMs, {
      idle: () => {
        this.#idle.push(worker);
        this.#serve();
      },
      mayRetire: () => !this.#keepsOne || this.#workers.size > 1,
      ended: (how) => {
        if (how === "crashed") this.crashed++;
        if (how === "terminated") this.terminated++;
        this.#workers.delete(worker);
        const at = this.#idle.indexOf(worker);
        if (at >= 0) this.#idle.splice(at, 1);
        this.#serve();
      },
    });
    this.started++;
    this.#workers.add(worker);
    return worker;
  }
}

interface Waiting {
  readonly user: WorkerUser;
  resolve(lease: WorkerLease): void;
  reject(error: unknown): void;
}

interface WorkerEvents {
  idle(): void;
  /** Whether an idle worker has nobody to stay for. */
  mayRetire(): boolean;
  ended(how: "crashed" | "terminated" | "retired"): void;
}

/** One worker and who has it. */
class PooledWorker implements WorkerLease {
  readonly #worker: Worker;
  readonly #idleMs: number;
  readonly #events: WorkerEvents;
  #user: WorkerUser | null = null;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #isReady = false;
  readonly #early: { message: ToWorker; transfer: ArrayBuffer[] }[] = [];
  #ended = false;

  constructor(worker: Worker, idleMs: number, events: WorkerEvents) {
    this.#worker = worker;
    this.#idleMs = idleMs;
    this.#events = events;
    worker.onmessage = (event: MessageEvent<FromWorker | WorkerReady>) => {
      if (event.data.kind === "ready") this.#ready();
      else this.#user?.receive(event.data);
    };
    worker.onmessageerror = () => this.#end("crashed", "it sent something that cannot be read");
    worker.onerror = (event) => {
      event.preventDefault(); // else the error ends the whole program
      this.#end("crashed", event.message);
    };
  }

  lend(user: WorkerUser): void {
    clearTimeout(this.#idleTimer);
    this.#user = user;
  }

  post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    if (this.#ended) return;
    // Errors overtake messages on their way here. A worker that is given nothing before it was heard
    // cannot crash over a job and seem never to have started.
    if (this.#isReady) this.#worker.postMessage(message, transfer);
    else this.#early.push({ message, transfer });
  }

  #ready(): void {
    this.#isReady = true;
    for (const { message, transfer } of this.#early) this.#worker.postMessage(message, transfer);
    this.#early.length = 0;
  }

  release(): void {
    if (this.#ended) return;
    this.#user = null;
    this.#idleTimer = setTimeout(() => {
      if (this.#events.mayRetire()) this.#end("retired", "");
    }, this.#idleMs);
    this.#events.idle();
  }

  terminate(): void {
    this.#user = null;
    this.#end("terminated", "");
  }

  end(why: string): void {
    this.#end("retired", why);
  }

  #end(how: "crashed" | "terminated" | "retired", why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#idleTimer);
    this.#worker.terminate();
    const user = this.#user;
    this.#user = null;
    this.#events.ended(how);
    user?.lost(why, this.#isReady);
  }
}
