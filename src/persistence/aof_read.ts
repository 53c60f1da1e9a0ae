/**
 * Reads an increment of an append-only file into a sink: from disk in large pieces, in slices of at
 * most a millisecond between which everybody else is let in. Tells a torn tail, which a crash leaves
 * behind, from damage.
 *
 * A tail is torn when the file ends inside a command, inside MULTI ... EXEC, or in zeros behind what is
 * the beginning of a command (a file system may give a file its length before its bytes); and in a file
 * that is filled ahead, when its last group is not whole (`aof_seals.ts`). What is
 * whole before it has gone to the sink. When commands lie in what would be one word without an end, it
 * is not the end that is missing: a length is damaged, and to cut the file there would lose them.
 *
 * @module
 */

import { LF } from "../base/ascii.ts";
import type { Gate } from "../base/gate.ts";
import { AOF_COMMAND, AOF_MORE, AofDamage, AofParser, type AofPlace } from "./aof_parser.ts";
import { sealedEnd } from "./aof_seals.ts";
import { LoadCancelled, READ_BYTES } from "./rdb_load.ts";
import { readAt, type StorageFile } from "./storage.ts";

/** Commands between two looks at the clock. */
const STEP_COMMANDS = 16;
/** Bytes at the end of a torn file that are looked at for commands. */
const LOOKED_BYTES_MAX = 1_048_576;
/** Places that are tried: where commands lie, one of the first few begins one. */
const TRIES_MAX = 64;
const STAR = 42;

/** What is read into. */
export interface AofSink {
  /** A command: `parser` describes it. Throws for one that cannot be. */
  command(parser: AofParser): void;
  /**
   * An annotation, without `#` and line end, and where it lies. Throws `AofDamage`, naming its first byte,
   * for one that is not understood; that does not count as whole then.
   */
  annotation(text: string, place: AofPlace): void;
}

/** How an increment is read. */
export interface AofReadOptions {
  /** Lets others run. */
  readonly gate: Gate;
  /** Told of bytes read, or passed over because they do not count. */
  readonly onBytes: (bytes: number) => void;
  /** Why to stop, asked after each slice; null to go on. */
  readonly cancelled: () => string | null;
  /** Called before and after each slice of the sink's work. */
  readonly beginSlice?: () => void;
  /** See `beginSlice`. */
  readonly endSlice?: () => void;
}

/** What a file turned out to be. */
export interface AofReadResult {
  /** Bytes in the file, without what it is filled ahead with. */
  readonly bytes: number;
  /** Bytes of what is whole; fewer than `bytes` when the tail is torn. */
  readonly wholeBytes: number;
  /** Commands in that part. */
  readonly commands: number;
}

/**
 * Reads a file from byte `from` on.
 *
 * @throws {AofDamage} for what is no torn tail.
 */
export async function readIncrement(
  file: StorageFile,
  from: number,
  sink: AofSink,
  options: AofReadOptions,
): Promise<AofReadResult> {
  const size = await file.size();
  const sealed = await sealedEnd(file, size);
  const stop = sealed === null ? size : sealed.bytes;
  const parser = new AofParser(from);
  let done = from;
  await file.seek(from);
  try {
    while (done < stop) {
      const at = parser.room(READ_BYTES);
      const most = Math.min(READ_BYTES, stop - done);
      const read = await file.read(parser.buf.subarray(at, at + most));
      if (read === null) break;
      parser.took(read);
      await takeIn(parser, sink, options);
      options.onBytes(read);
      done += read;
    }
    await lookForCommands(file, stop, parser);
  } catch (error) {
    if (!(error instanceof AofDamage)) throw error;
    error.wholeBytes = parser.wholeBytes;
    // What is there as a whole and was refused is not torn.
    const isRefused = error.byteOffset < parser.byteOffset;
    if (isRefused || !await endsTornInZeros(file, parser.wholeBytes, stop)) throw error;
  }
  options.onBytes(size - done);
  return {
    bytes: sealed === null ? size : sealed.tornBytes,
    wholeBytes: parser.wholeBytes,
    commands: parser.wholeCommands,
  };
}

/**
 * Looks at the end of a command that has none for commands that follow one another up to the end of the
 * file. A value that holds an append-only file may look like that; it is refused rather than lost.
 *
 * @throws {AofDamage} when there are any.
 */
async function lookForCommands(
  file: StorageFile,
  bytes: number,
  { byteOffset }: AofParser,
): Promise<void> {
  const looked = Math.min(bytes - byteOffset, LOOKED_BYTES_MAX);
  if (looked === 0) return;
  const end = await readAt(file, bytes - looked, looked);
  let at = end.indexOf(STAR, 1);
  for (let tries = 0; at > 0 && tries < TRIES_MAX; at = end.indexOf(STAR, at + 1)) {
    if (end[at - 1] !== LF) continue;
    tries++;
    if (!holdsCommands(end.subarray(at))) continue;
    const found = bytes - looked + at;
    throw new AofDamage(
      byteOffset,
      `a command without an end, in which commands lie from byte ${found} on: a length is damaged`,
    );
  }
}

/** Whether bytes are whole commands, and the beginning of one more at most. */
function holdsCommands(bytes: Uint8Array): boolean {
  const parser = new AofParser();
  const at = parser.room(bytes.length);
  parser.buf.set(bytes, at);
  parser.took(bytes.length);
  try {
    while (parser.next() !== AOF_MORE);
  } catch (error) {
    if (error instanceof AofDamage) return false;
    throw error;
  }
  return parser.commands > 0;
}

async function takeIn(parser: AofParser, sink: AofSink, options: AofReadOptions): Promise<void> {
  const { gate, cancelled, beginSlice, endSlice } = options;
  let hasMore = true;
  while (hasMore) {
    gate.begin();
    beginSlice?.();
    try {
      do {
        for (let i = 0; i < STEP_COMMANDS && hasMore; i++) {
          const found = parser.next();
          if (found === AOF_COMMAND) {
            sink.command(parser);
          } else if (found === AOF_MORE) {
            hasMore = false;
          } else {
            sink.annotation(parser.annotation, parser);
            parser.acceptAnnotation();
          }
        }
      } while (hasMore && !gate.isDue);
    } finally {
      endSlice?.();
    }
    const wait = gate.pass();
    if (wait !== null) await wait;
    const why = cancelled();
    if (why !== null) throw new LoadCancelled(why);
  }
}

/**
 * Whether what a file has from byte `from` on is the beginning of a command, and zeros from there to
 * the file's end.
 */
async function endsTornInZeros(file: StorageFile, from: number, end: number): Promise<boolean> {
  const stop = await behindLastByte(file, from, end);
  if (stop === end) return false;
  const parser = new AofParser();
  await file.seek(from);
  for (let at = from; at < stop;) {
    const room = parser.room(READ_BYTES);
    const most = Math.min(READ_BYTES, stop - at);
    const read = await file.read(parser.buf.subarray(room, room + most));
    if (read === null) break;
    parser.took(read);
    at += read;
    try {
      while (parser.next() !== AOF_MORE);
    } catch (error) {
      if (error instanceof AofDamage) return false;
      throw error;
    }
  }
  return true;
}

/** The byte behind the last one of `[from, end)` that is not zero. */
async function behindLastByte(file: StorageFile, from: number, end: number): Promise<number> {
  const buf = new Uint8Array(READ_BYTES);
  let stop = from;
  await file.seek(from);
  for (let at = from; at < end;) {
    const read = await file.read(buf);
    if (read === null) break;
    for (let i = read - 1; i >= 0; i--) {
      if (buf[i] === 0) continue;
      stop = at + i + 1;
      break;
    }
    at += read;
  }
  return stop;
}
