/**
 * Reads a snapshot file into a sink: from disk in large pieces, one ahead, and into the keyspace in
 * slices of at most a millisecond, between which everybody else is let in.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { RdbReader } from "../snapshot/rdb_reader.ts";
import { loadError, LoadLimitError } from "./load_error.ts";
import type { LoadSink } from "./load_sink.ts";
import type { Storage, StorageFile } from "./storage.ts";

/** Bytes asked of the file at a time: a read costs a trip to another thread, whatever its size. */
export const READ_BYTES = 512 * 1024;
/**
 * Bytes between two looks at the clock: fifty to two hundred small keys. A slice ends that much later
 * than it should, and an entry that a step cuts in two is read twice.
 */
const STEP_BYTES = 4 * 1024;

/** How a file is loaded. */
export interface LoadOptions {
  /** Lets others run. */
  readonly gate: Gate;
  /** Whether the checksum is compared (`rdbchecksum`). */
  readonly checksum: boolean;
  /** Told of every piece that was taken in. */
  readonly onBytes: (bytes: number) => void;
  /** Told of contents that were passed over. */
  readonly onWarning: (warning: string, byteOffset: number) => void;
  /** Why to stop, asked after each slice; null to go on. */
  readonly cancelled: () => string | null;
}

/** Thrown when the loading was given up on request. */
export class LoadCancelled extends Error {
  /** The error's name. */
  override readonly name = "LoadCancelled";
}

/**
 * Loads one file. When it resolves, the whole image was read and its checksum was right. Gives the
 * bytes of the image, behind which a file may have more.
 *
 * @throws {LoadError} naming the file, and the byte for contents that cannot be loaded.
 */
export async function loadRdbFile(
  storage: Storage,
  path: string,
  sink: LoadSink,
  options: LoadOptions,
): Promise<number> {
  try {
    using file = await storage.open(path);
    return await readInto(file, sink, options);
  } catch (error) {
    throw loadError(path, error);
  }
}

async function readInto(
  file: StorageFile,
  sink: LoadSink,
  options: LoadOptions,
): Promise<number> {
  sink.beginFile();
  const { checksum, onWarning } = options;
  const reader = new RdbReader(sink, { checksum, onWarning });
  let current = new Uint8Array(READ_BYTES), other = new Uint8Array(READ_BYTES);
  let reading = readAhead(file, current);
  try {
    while (!reader.finished) {
      const bytes = await reading;
      if (bytes === null) {
        reader.end();
        break;
      }
      const filled = current;
      current = other;
      other = filled;
      reading = readAhead(file, current);
      await takeIn(reader, filled, bytes, options);
      options.onBytes(bytes);
    }
    return reader.byteOffset;
  } catch (error) {
    if (!(error instanceof LoadLimitError)) throw error;
    throw new LoadLimitError(`RDB image, byte ${reader.byteOffset}: ${error.message}`);
  } finally {
    // The file is closed behind this; a read under way must have ended by then.
    await reading.catch(() => null);
  }
}

/** A read that fails may do so before anybody awaits it; who does hears of it all the same. */
function readAhead(file: StorageFile, into: Uint8Array): Promise<number | null> {
  const reading = file.read(into);
  reading.catch(() => {});
  return reading;
}

async function takeIn(
  reader: RdbReader,
  bytes: Uint8Array,
  stop: number,
  { gate, cancelled }: LoadOptions,
): Promise<void> {
  let at = 0;
  while (at < stop && !reader.finished) {
    gate.begin();
    do {
      const step = Math.min(stop, at + STEP_BYTES);
      reader.push(bytes, at, step);
      at = step;
    } while (at < stop && !gate.isDue);
    const wait = gate.pass();
    if (wait !== null) await wait;
    const why = cancelled();
    if (why !== null) throw new LoadCancelled(why);
  }
}
