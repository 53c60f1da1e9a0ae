/**
 * The worker's side of a snapshot job, without the worker: messages in, messages out. One job at a
 * time, any number of jobs one after another. `worker.ts` connects it to a real worker, tests to an
 * array. Beside that it touches fresh memory for the main isolate, whenever it is told to.
 *
 * It fills one chunk a turn and lets other messages in between two chunks, so that an abort is heard
 * after one chunk at most.
 *
 * @module
 */

import { invariant, unreachable } from "../base/invariant.ts";
import { touchPages } from "../memory/prefault.ts";
import type { FrozenViewData, SnapshotEntries } from "./entries.ts";
import { KevySnapWriter } from "./kevysnap.ts";
import type { FromWorker, SnapshotSpec, ToWorker } from "./messages.ts";
import type { PullWriter } from "./pull_writer.ts";
import { RdbWriter } from "./rdb_writer.ts";

/** Empty chunks kept for the next job. */
const KEPT_BUFFERS_MAX = 32;

/** What the server needs of where it runs. */
export interface ChunkServerHost {
  /** Sends a message; the buffers in `transfer` are given away. */
  post(message: FromWorker, transfer: ArrayBuffer[]): void;
  /** Calls `turn` soon, after messages that wait. */
  soon(turn: () => void): void;
  /** The entries of a view. */
  open(view: FrozenViewData): SnapshotEntries;
}

/** The job under way. */
interface Job {
  readonly number: number;
  readonly writer: PullWriter;
  readonly chunkBytes: number;
  credits: number;
}

/** See the module's text. */
export class ChunkServer {
  readonly #host: ChunkServerHost;
  readonly #buffers: ArrayBuffer[] = [];
  readonly #turn = () => this.#fillOne();
  #job: Job | null = null;
  #turnIsDue = false;

  /** A server with nothing to do. */
  constructor(host: ChunkServerHost) {
    this.#host = host;
  }

  /** Takes a message. Never throws: what goes wrong with a job is told by a `failed` message. */
  receive(message: ToWorker): void {
    switch (message.kind) {
      case "start":
        this.#start(message);
        break;
      case "credit":
        if (message.buffer !== null) this.#keep(message.buffer);
        if (this.#job?.number === message.job) {
          this.#job.credits++;
          this.#schedule();
        }
        break;
      case "abort":
        if (this.#job?.number === message.job) {
          this.#job = null;
          this.#host.post({ kind: "aborted", job: message.job }, []);
        }
        break;
      case "touch":
        touchPages(message.memory, message.start, message.stop);
        break;
      default:
        unreachable(message);
    }
  }

  #start(message: ToWorker & { kind: "start" }): void {
    const { job: number, view, spec, credits, chunkBytes } = message;
    try {
      invariant(this.#job === null, "a snapshot worker does one job at a time");
      const writer = openWriter(spec, this.#host.open(view));
      this.#job = { number, writer, chunkBytes, credits };
      this.#schedule();
    } catch (error) {
      this.#fail(number, error);
    }
  }

  #keep(buffer: ArrayBuffer): void {
    if (this.#buffers.length < KEPT_BUFFERS_MAX) this.#buffers.push(buffer);
  }

  #schedule(): void {
    if (this.#turnIsDue || this.#job === null || this.#job.credits === 0) return;
    this.#turnIsDue = true;
    this.#host.soon(this.#turn);
  }

  #fillOne(): void {
    this.#turnIsDue = false;
    const job = this.#job;
    if (job === null || job.credits === 0) return;
    const { number, writer, chunkBytes } = job;
    let buffer = this.#buffers.pop();
    if (buffer?.byteLength !== chunkBytes) buffer = new ArrayBuffer(chunkBytes);
    let bytes: number;
    try {
      bytes = writer.fill(new Uint8Array(buffer));
    } catch (error) {
      this.#job = null;
      this.#fail(number, error);
      return;
    }
    const { keys } = writer;
    if (bytes > 0) {
      job.credits--;
      this.#host.post({ kind: "chunk", job: number, buffer, bytes, keys }, [buffer]);
    } else {
      this.#keep(buffer);
    }
    if (bytes < chunkBytes) {
      this.#job = null;
      const checksum = writer.checksum();
      this.#host.post({ kind: "done", job: number, bytes: writer.bytes, keys, checksum }, []);
      return;
    }
    this.#schedule();
  }

  #fail(job: number, error: unknown): void {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    this.#host.post({ kind: "failed", job, name, message }, []);
  }
}

function openWriter(spec: SnapshotSpec, entries: SnapshotEntries): PullWriter {
  switch (spec.format) {
    case "rdb":
      return new RdbWriter(entries, spec.options);
    case "kevysnap":
      return new KevySnapWriter(entries);
    default:
      return unreachable(spec);
  }
}
