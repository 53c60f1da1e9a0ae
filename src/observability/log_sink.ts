/**
 * Where log lines end up: a standard stream or a file. Writes are synchronous, so that the line
 * before a crash is there, and never throw.
 *
 * @module
 */

/** Takes finished lines. */
export interface LogSink {
  /** Writes a line and its end; `false` when it could not be written. Never throws. */
  write(line: string): boolean;
}

/** The part of `Deno.stdout` and `Deno.stderr` that a sink needs. */
export interface SyncStream {
  /** Writes some of the bytes and returns how many. */
  writeSync(bytes: Uint8Array): number;
}

/** Thrown when a log file cannot be opened at start or by a setting; `cause` has the reason. */
export class LogFileError extends Error {
  /** The error's kind. */
  override readonly name = "LogFileError";
  /** The path as it was set. */
  readonly path: string;

  /** The error for `path`. */
  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`Cannot open log file '${path}' for appending: ${reason}`, { cause });
    this.path = path;
  }
}

/**
 * Attempts at a stream that would block (a pipe that its other end made non-blocking and does not
 * read). Waiting longer would let whoever reads the log stop the server.
 */
export const LOG_STREAM_ATTEMPTS_MAX = 50;

const ENCODER = new TextEncoder();

/** Writes to an open stream. A line that was cut off by an error is ended before the next one. */
export class StreamSink implements LogSink {
  readonly #stream: SyncStream;
  #torn = false;

  /** A sink on `Deno.stderr`, `Deno.stdout`, or the like. */
  constructor(stream: SyncStream) {
    this.#stream = stream;
  }

  /** Writes a line; `false` when the stream is broken, or would block for too long. */
  write(line: string): boolean {
    const bytes = ENCODER.encode(this.#torn ? `\n${line}\n` : `${line}\n`);
    const written = writeAll(this.#stream, bytes);
    if (written > 0) this.#torn = written < bytes.length;
    return written === bytes.length;
  }
}

/**
 * Appends to a file, which is opened for each line as Redis does, so that a rotated or deleted file
 * is made anew without a signal.
 */
export class FileSink implements LogSink {
  readonly #path: string;

  /** A sink on a file, made when it is missing. Throws `LogFileError` when it cannot be opened. */
  constructor(path: string) {
    this.#path = path;
    try {
      Deno.openSync(path, { append: true, create: true }).close();
    } catch (error) {
      throw new LogFileError(path, error);
    }
  }

  /** Appends a line; `false` when the file cannot be opened or written (a full disk). */
  write(line: string): boolean {
    try {
      using file = Deno.openSync(this.#path, { append: true, create: true });
      const bytes = ENCODER.encode(`${line}\n`);
      return writeAll(file, bytes) === bytes.length;
    } catch {
      return false;
    }
  }
}

function writeAll(stream: SyncStream, bytes: Uint8Array): number {
  let at = 0;
  for (let attempt = 0; at < bytes.length && attempt < LOG_STREAM_ATTEMPTS_MAX; attempt++) {
    try {
      at += stream.writeSync(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock)) break;
    }
  }
  return at;
}
