/**
 * The slow log: the last commands that took at least `slowlog-log-slower-than`, with the first of
 * their arguments. What is kept of one command is bounded, so the whole log is.
 *
 * Numbers and shortening are Redis's (slowlog.c): at most 32 arguments of at most 128 bytes each, the
 * place of the rest taken by a text that says how much is missing.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";

/** Arguments kept of one command, the text about missing ones included. */
export const SLOWLOG_ARGS_MAX = 32;
/** Bytes kept of one argument. */
export const SLOWLOG_ARG_BYTES_MAX = 128;

const REDACTED = ascii("(redacted)");

/** A command that has just run, as far as the slow log looks at it. */
export interface SlowCall {
  /** The request's bytes. */
  readonly buf: Uint8Array;
  /** First byte of each argument. */
  readonly starts: Int32Array;
  /** One past the last byte of each argument. */
  readonly stops: Int32Array;
  /** Number of arguments, the name included. */
  readonly argc: number;
  /** Unix ms at which it ran. */
  readonly nowMs: number;
  /** The client. */
  readonly session: {
    /** `ip:port`. */
    readonly peer: string;
    /** Its name, "" for none. */
    readonly name: string;
  };
}

/** One slow command. */
export interface SlowLogEntry {
  /** Ascending, never used twice. */
  readonly id: number;
  /** Unix time in seconds. */
  readonly unixSeconds: number;
  /** How long it ran, a whole number of microseconds. */
  readonly microseconds: number;
  /** Its arguments, the name included, shortened. */
  readonly args: readonly Uint8Array[];
  /** Address of the client. */
  readonly peer: string;
  /** Name of the client, "" for none. */
  readonly name: string;
}

/** See the module's text. */
export class SlowLog {
  /** Oldest first. */
  readonly #entries: SlowLogEntry[] = [];
  #nextId = 0;
  #maxEntries: number;

  /** An empty log that keeps `maxEntries`. */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Entries kept (`slowlog-max-len`); setting it lower drops the oldest. */
  get maxEntries(): number {
    return this.#maxEntries;
  }
  set maxEntries(n: number) {
    this.#maxEntries = n;
    this.#trim();
  }

  /** Entries in the log. */
  get length(): number {
    return this.#entries.length;
  }

  /** Adds a command. The arguments whose numbers are in `secret` are kept as `(redacted)`. */
  record(call: SlowCall, microseconds: number, secret: readonly number[] = []): void {
    const { argc } = call;
    const kept = Math.min(argc, SLOWLOG_ARGS_MAX);
    const args: Uint8Array[] = [];
    for (let i = 0; i < kept; i++) {
      if (argc > kept && i === kept - 1) {
        args.push(ascii(`... (${argc - kept + 1} more arguments)`));
      } else {
        args.push(
          secret.includes(i) ? REDACTED : shortened(call.buf, call.starts[i], call.stops[i]),
        );
      }
    }
    this.#entries.push({
      id: this.#nextId++,
      unixSeconds: Math.floor(call.nowMs / 1000),
      microseconds: Math.floor(microseconds),
      args,
      peer: call.session.peer,
      name: call.session.name,
    });
    this.#trim();
  }

  /** Up to `n` entries, the newest first; all with -1. */
  get(n: number): SlowLogEntry[] {
    const count = n < 0 ? this.#entries.length : Math.min(n, this.#entries.length);
    return this.#entries.slice(this.#entries.length - count).reverse();
  }

  /** Empties the log. */
  reset(): void {
    this.#entries.length = 0;
  }

  #trim(): void {
    const surplus = this.#entries.length - this.#maxEntries;
    if (surplus > 0) this.#entries.splice(0, surplus);
  }
}

function shortened(buf: Uint8Array, start: number, stop: number): Uint8Array {
  const surplus = stop - start - SLOWLOG_ARG_BYTES_MAX;
  if (surplus <= 0) return buf.slice(start, stop);
  const note = ascii(`... (${surplus} more bytes)`);
  const out = new Uint8Array(SLOWLOG_ARG_BYTES_MAX + note.length);
  out.set(buf.subarray(start, start + SLOWLOG_ARG_BYTES_MAX));
  out.set(note, SLOWLOG_ARG_BYTES_MAX);
  return out;
}
