/**
 * MONITOR: clients that are shown every command that is run, each as a status reply
 *
 * ```text
 * +<Unix seconds>.<microseconds, six digits> [<database> <address>] "<word>" "<word>" ...
 * ```
 *
 * where the database is the client's behind the command, as in Redis. On a replica they see the frames
 * that are applied, under the address of the upstream's shard. What commands are shown is the registry's
 * to say (`Command.isShown`), which of their arguments are secret that of `secrets.ts`.
 *
 * While there is no such client nothing is paid: the executor and the appliers are told when there is.
 *
 * @module
 */

import { ascii, putInteger } from "../base/ascii.ts";
import type { Clock } from "../base/clock.ts";
import type { Call } from "../commands/call.ts";
import type { Session, SessionMonitor } from "../commands/session.ts";
import { REPLY_BYTES_MAX, ReplyWriter } from "../resp/reply_writer.ts";
import type { FrameArguments, FrameWatcher } from "../shard/applier.ts";
import type { CommandWatcher, Executor } from "./executor.ts";
import { secretArguments } from "./secrets.ts";

/** A line's buffer above this is given back. */
const KEPT_LINE_BYTES = 65_536;
/**
 * Microseconds by which Unix time may go back where the system's clock is slowed, not set: it is looked at
 * once in a while, and tells whole milliseconds (`UnixTime`). Lines keep the greater time then.
 */
const CLOCK_GRAIN_MICROSECONDS = 2_000;
/** Bytes of a line before its words and without its address, at most. */
const LINE_HEAD_BYTES = 64;

const PLUS = 43;
const DOT = 46;
const SPACE = 32;
const QUOTE = 34;
const BACKSLASH = 92;
const LOWER_X = 120;
const OPEN = 91;
const CLOSE = 93;
const DIGITS = ascii("0123456789abcdef");
const REDACTED = ascii('"(redacted)"');

/** In `QUOTING`: the byte becomes `\xhh`. */
const HEX = 1;
/** How a byte is quoted: 0 as it is, `HEX`, or else as `\` and this character. */
const QUOTING = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) if (byte < 32 || byte > 126) QUOTING[byte] = HEX;
for (const [byte, letter] of ['""', "\\\\", "\nn", "\rr", "\tt", "\x07a", "\bb"]) {
  QUOTING[byte.charCodeAt(0)] = letter.charCodeAt(0);
}

/** What MONITOR needs of the rest of the server. */
export interface MonitorsHost {
  /** Runs commands. */
  readonly executor: Pick<Executor, "watcher">;
  /** Knows the time. */
  readonly clients: {
    /** Unix microseconds of a monotonic time. */
    unixMicroseconds(monotonicMs: number): number;
  };
  /** Knows the monotonic time. */
  readonly clock: Pick<Clock, "monotonicMs">;
  /** The data. */
  readonly persistence: {
    /** Whether it is being loaded at the start: nothing is shown then. */
    readonly isLoading: boolean;
  };
}

/** See the module's text. One per server. */
export class Monitors implements CommandWatcher, FrameWatcher {
  /** See `FrameWatcher`. */
  isOn = false;
  readonly #host: MonitorsHost;
  readonly #sessions = new Set<Session>();
  readonly #line = new ReplyWriter();
  #lastMicroseconds = 0;

  /** No such client yet. A line of more than `lineBytesMax` closes those that it is for. */
  constructor(host: MonitorsHost, lineBytesMax: number = REPLY_BYTES_MAX) {
    this.#host = host;
    this.#line.limitBytes = lineBytesMax;
  }

  /** Shows a client what is run from now on. It is none that is shown already. */
  add(session: Session): void {
    this.#sessions.add(session);
    const monitor: SessionMonitor = {
      leave: () => {
        session.monitor = null;
        this.#sessions.delete(session);
        this.#follow();
      },
    };
    session.monitor = monitor;
    this.#follow();
  }

  #follow(): void {
    this.isOn = this.#sessions.size > 0;
    this.#host.executor.watcher = this.isOn ? this : null;
  }

  /** See `CommandWatcher`. */
  ran(call: Call): void {
    if (this.#host.persistence.isLoading) return;
    const { session } = call;
    this.#show(call.buf, call, session.db, session.peer, secretArguments(call));
  }

  /** See `FrameWatcher`. */
  applied(buf: Uint8Array, frame: FrameArguments, db: number, address: string): void {
    this.#show(buf, frame, db, address, []);
  }

  #show(
    buf: Uint8Array,
    request: FrameArguments,
    db: number,
    address: string,
    secret: readonly number[],
  ): void {
    const line = this.#line;
    this.#begin(db, address);
    const { argc, starts, stops } = request;
    for (let i = 0; i < argc && !line.overflowed; i++) {
      line.reserve(1);
      line.buf[line.at++] = SPACE;
      if (secret.includes(i)) line.raw(REDACTED, 0, REDACTED.length);
      else putQuoted(line, buf, starts[i], stops[i]);
    }
    line.crlf();
    for (const session of this.#sessions) this.#send(session);
    line.overflowed = false;
    if (line.buf.length > KEPT_LINE_BYTES) line.shrink();
    line.at = 0;
  }

  /** Begins a line with all but its words. */
  #begin(db: number, address: string): void {
    const line = this.#line;
    const { clients, clock } = this.#host;
    let microseconds = clients.unixMicroseconds(clock.monotonicMs());
    const back = this.#lastMicroseconds - microseconds;
    if (back > 0 && back <= CLOCK_GRAIN_MICROSECONDS) microseconds = this.#lastMicroseconds;
    this.#lastMicroseconds = microseconds;
    const seconds = Math.floor(microseconds / 1e6);
    let rest = microseconds - seconds * 1e6;
    line.reserve(LINE_HEAD_BYTES + address.length);
    const { buf } = line;
    let at = line.at;
    buf[at++] = PLUS;
    at = putInteger(buf, at, seconds);
    buf[at++] = DOT;
    for (let i = at + 5; i >= at; i--) {
      buf[i] = DIGITS[rest % 10];
      rest = Math.floor(rest / 10);
    }
    at += 6;
    buf[at++] = SPACE;
    buf[at++] = OPEN;
    at = putInteger(buf, at, db);
    buf[at++] = SPACE;
    for (let i = 0; i < address.length; i++) buf[at++] = address.charCodeAt(i);
    buf[at++] = CLOSE;
    line.at = at;
  }

  #send(session: Session): void {
    // CLIENT REPLY holds for these lines, as they are no pushes.
    if (session.closing || session.isSilent) return;
    const line = this.#line;
    const out = session.beginPush();
    if (line.overflowed) out.overflow(); // no client may have so much waiting
    else out.raw(line.buf, 0, line.at);
    session.endPush();
  }
}

/** Writes `src[start..stop)` in quotes, every byte that is not printable or means something escaped. */
function putQuoted(line: ReplyWriter, src: Uint8Array, start: number, stop: number): void {
  let bytes = stop - start + 2;
  for (let i = start; i < stop; i++) {
    const how = QUOTING[src[i]];
    if (how !== 0) bytes += how === HEX ? 3 : 1;
  }
  line.reserve(bytes);
  if (line.overflowed) return;
  const { buf } = line;
  let at = line.at;
  buf[at++] = QUOTE;
  for (let i = start; i < stop; i++) {
    const byte = src[i];
    const how = QUOTING[byte];
    if (how === 0) {
      buf[at++] = byte;
      continue;
    }
    buf[at++] = BACKSLASH;
    if (how !== HEX) {
      buf[at++] = how;
      continue;
    }
    buf[at++] = LOWER_X;
    buf[at++] = DIGITS[byte >> 4];
    buf[at++] = DIGITS[byte & 15];
  }
  buf[at++] = QUOTE;
  line.at = at;
}
