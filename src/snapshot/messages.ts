/**
 * What the main isolate and a snapshot worker say to each other. Both sides import this union, so a
 * message that one sends and the other does not know stops the type check.
 *
 * ```text
 * main                          worker
 *                               <- ready    once, when it has been loaded
 *   start (view, spec, credits) ->          the view stays frozen from here ...
 *                               <- chunk    one per credit, buffer transferred
 *   credit (the same buffer)    ->          when the sink has taken the chunk
 *                               <- chunk ...
 *                               <- done | failed | aborted    ... to here
 * ```
 *
 * The buffers go round: the worker fills again what a credit brings back, so a job of any size
 * allocates as many chunks as its window has credits.
 *
 * @module
 */

import type { FrozenViewData } from "./entries.ts";
import type { RdbWriterOptions } from "./rdb_writer.ts";

/** Bytes of a chunk: the most that one bulk of a snapshot ship may have. */
export const CHUNK_BYTES = 65_536;

/**
 * Chunks that a job may have on their way between worker and sink. Two keep both busy when nothing
 * else happens; sixteen (1 MiB) also bridge the milliseconds in which the main isolate serves
 * clients. More would only move the data into the message queue.
 */
export const CREDIT_WINDOW = 16;

/** What image to make. */
export type SnapshotSpec =
  | { readonly format: "rdb"; readonly options: RdbWriterOptions }
  | { readonly format: "kevysnap" };

/** From the main isolate to a worker. `job` numbers tell late messages of an ended job apart. */
export type ToWorker =
  | {
    readonly kind: "start";
    readonly job: number;
    readonly view: FrozenViewData;
    readonly spec: SnapshotSpec;
    /** Chunks that the worker may send before it has to wait. */
    readonly credits: number;
    /** Size of a chunk. */
    readonly chunkBytes: number;
  }
  | {
    readonly kind: "credit";
    readonly job: number;
    /** An empty chunk to fill again, if there is one. */
    readonly buffer: ArrayBuffer | null;
  }
  | { readonly kind: "abort"; readonly job: number }
  | {
    /** At any time, whether there is a job or not: see `memory/prefault.ts`. */
    readonly kind: "touch";
    readonly memory: SharedArrayBuffer;
    /** First byte. */
    readonly start: number;
    /** One past the last. */
    readonly stop: number;
  };

/** From a worker to the main isolate, once: its code has been loaded and it listens. */
export interface WorkerReady {
  /** Tells it from what is about a job. */
  readonly kind: "ready";
}

/** From a worker to the main isolate, about a job. */
export type FromWorker =
  | {
    readonly kind: "chunk";
    readonly job: number;
    readonly buffer: ArrayBuffer;
    /** How many of the buffer's bytes are the image's. */
    readonly bytes: number;
    /** Entries written so far, this chunk's included: progress. */
    readonly keys: number;
  }
  | {
    readonly kind: "done";
    readonly job: number;
    readonly bytes: number;
    readonly keys: number;
    /** The image's CRC-64, 16 hexadecimal digits; zeros where the format or a setting has none. */
    readonly checksum: string;
  }
  | {
    readonly kind: "failed";
    readonly job: number;
    /** Name and message of the error. */
    readonly name: string;
    readonly message: string;
  }
  | { readonly kind: "aborted"; readonly job: number };
