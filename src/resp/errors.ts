/**
 * The error replies that more than one command family gives, as whole lines for `ReplyWriter.error`:
 * the code, a space, the words, no line end. Texts are those of Redis 7.2. An error that only one
 * family gives lives with that family.
 *
 * @module
 */

import { ascii, equalsFolded, latin1 } from "../base/ascii.ts";

/** A whole error line for `ReplyWriter.error`. */
export type ErrorLine = Uint8Array<ArrayBuffer>;

/** A key holds another type than the command works on. */
export const ERR_WRONGTYPE: ErrorLine = ascii(
  "WRONGTYPE Operation against a key holding the wrong kind of value",
);
/** The options do not parse. */
export const ERR_SYNTAX: ErrorLine = ascii("ERR syntax error");
/** An argument or a stored value is no signed 64-bit integer. */
export const ERR_NOT_INTEGER: ErrorLine = ascii("ERR value is not an integer or out of range");
/** An argument or a stored value is no floating point number. */
export const ERR_NOT_FLOAT: ErrorLine = ascii("ERR value is not a valid float");
/** A count is an integer, but not one this option takes. */
export const ERR_VALUE_RANGE: ErrorLine = ascii("ERR value is out of range");
/** A count is negative. */
export const ERR_NOT_POSITIVE: ErrorLine = ascii("ERR value is out of range, must be positive");
/** The key to work on does not exist. */
export const ERR_NO_SUCH_KEY: ErrorLine = ascii("ERR no such key");
/** An index lies outside the value. */
export const ERR_INDEX_RANGE: ErrorLine = ascii("ERR index out of range");
/** A byte offset into a string is negative. */
export const ERR_OFFSET_RANGE: ErrorLine = ascii("ERR offset is out of range");
/** Source and destination must differ. */
export const ERR_SAME_OBJECT: ErrorLine = ascii("ERR source and destination objects are the same");
/** The name to create is taken (RESTORE). */
export const ERR_BUSY_KEY: ErrorLine = ascii("BUSYKEY Target key name already exists.");
/** A command would remove what it replies with, and the reply would not reach the client. */
export const ERR_REPLY_TOO_LARGE: ErrorLine = ascii(
  "ERR the reply is larger than a client's waiting replies may be " +
    "(client-output-buffer-limit, 1 GiB at most), so nothing was removed",
);
/** A string would grow past `proto-max-bulk-len`. */
export const ERR_STRING_TOO_LONG: ErrorLine = ascii(
  "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
);
/** INCRBY, HINCRBY: the sum does not fit 64 bits. */
export const ERR_OVERFLOW: ErrorLine = ascii("ERR increment or decrement would overflow");
/** DECRBY: the negated argument does not fit 64 bits. */
export const ERR_DECREMENT_OVERFLOW: ErrorLine = ascii("ERR decrement would overflow");
/** INCRBYFLOAT, HINCRBYFLOAT: the sum is no finite number. */
export const ERR_NOT_FINITE: ErrorLine = ascii("ERR increment would produce NaN or Infinity");
/** No such database. */
export const ERR_DB_INDEX: ErrorLine = ascii("ERR DB index is out of range");
/** A SCAN cursor is no unsigned integer. */
export const ERR_CURSOR: ErrorLine = ascii("ERR invalid cursor");
/** A blocking command's timeout is no number. */
export const ERR_TIMEOUT_FLOAT: ErrorLine = ascii("ERR timeout is not a float or out of range");
/** WAIT's timeout is no integer. */
export const ERR_TIMEOUT_INTEGER: ErrorLine = ascii(
  "ERR timeout is not an integer or out of range",
);
/** A timeout is below zero. */
export const ERR_TIMEOUT_NEGATIVE: ErrorLine = ascii("ERR timeout is negative");
/** EXPIRE family: NX with any of XX, GT, LT. */
export const ERR_EXPIRE_NX: ErrorLine = ascii(
  "ERR NX and XX, GT or LT options at the same time are not compatible",
);
/** EXPIRE family: GT with LT. */
export const ERR_EXPIRE_GT_LT: ErrorLine = ascii(
  "ERR GT and LT options at the same time are not compatible",
);

/** The client must authenticate first. */
export const ERR_NOAUTH: ErrorLine = ascii("NOAUTH Authentication required.");
/** AUTH, HELLO AUTH: no such user, a wrong password, a disabled user. */
export const ERR_WRONGPASS: ErrorLine = ascii(
  "WRONGPASS invalid username-password pair or user is disabled.",
);
/** HELLO: a version other than 2 and 3. */
export const ERR_NOPROTO: ErrorLine = ascii("NOPROTO unsupported protocol version");
/** The data set is being loaded. */
export const ERR_LOADING: ErrorLine = ascii("LOADING Redis is loading the dataset in memory");
/** A write on a read-only replica. */
export const ERR_READONLY: ErrorLine = ascii(
  "READONLY You can't write against a read only replica.",
);
/** A replica without its primary, told not to serve stale data. */
export const ERR_MASTERDOWN: ErrorLine = ascii(
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
);
/** The memory limit is reached and nothing could be evicted. */
export const ERR_OOM: ErrorLine = ascii("OOM command not allowed when used memory > 'maxmemory'.");
/** Writes are refused since the last snapshot failed. */
export const ERR_MISCONF: ErrorLine = ascii(
  "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to " +
    "disk. Commands that may modify the data set are disabled, because this instance is " +
    "configured to report errors during writes if RDB snapshotting fails " +
    "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB " +
    "error.",
);
/** Writes are refused since the append-only file cannot be written, because of `reason`. */
export function appendOnlyError(reason: string): ErrorLine {
  return ascii(
    `MISCONF Errors writing to the AOF file: ${reason.replace(/[^\x20-\x7e]/g, " ")}`,
  );
}
/** Writes are refused since too few replicas are near (`min-replicas-to-write`). */
export const ERR_NOREPLICAS: ErrorLine = ascii("NOREPLICAS Not enough good replicas to write.");
/** With several shards: the keys of one command lie in different slots. */
export const ERR_CROSSSLOT: ErrorLine = ascii(
  "CROSSSLOT Keys in request don't hash to the same slot",
);
/** EXEC of a transaction in which a command could not be queued. */
export const ERR_EXECABORT: ErrorLine = ascii(
  "EXECABORT Transaction discarded because of previous errors.",
);
/** A blocked client was released by CLIENT UNBLOCK ERROR. */
export const ERR_UNBLOCKED: ErrorLine = ascii("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/** Bytes of a name, and of all arguments together, that an error repeats (Redis's). */
const QUOTED_BYTES_MAX = 128;

/** Bytes that a line is begun with. */
const LINE_BYTES = 256;
const HTTP_POST = ascii("POST");
const HTTP_HOST = ascii("HOST:");
const LF = 10;
const CR = 13;
const SPACE = 32;

/**
 * An error line made of texts and of bytes that a client sent, which may be very many. As in Redis, line
 * ends at its end are dropped and those within become spaces, so nothing breaks the framing.
 */
export class LineBuilder {
  #bytes = new Uint8Array(LINE_BYTES);
  #length = 0;

  /** Adds an ASCII text. */
  text(text: string): this {
    this.#reserve(text.length);
    for (let i = 0; i < text.length; i++) this.#bytes[this.#length++] = text.charCodeAt(i);
    return this;
  }

  /**
   * Adds at most `bytesMax` of `buf[start..stop)`, up to a NUL as C prints it. Returns how many bytes
   * were taken.
   */
  quoted(buf: Uint8Array, start: number, stop: number, bytesMax: number = Infinity): number {
    const given = buf.subarray(start, Math.min(stop, start + bytesMax));
    const nul = given.indexOf(0);
    const taken = nul < 0 ? given : given.subarray(0, nul);
    this.#reserve(taken.length);
    this.#bytes.set(taken, this.#length);
    this.#length += taken.length;
    return taken.length;
  }

  #reserve(more: number): void {
    const need = this.#length + more;
    if (need <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  /** The line; nothing may be added any more. */
  line(): ErrorLine {
    const bytes = this.#bytes;
    let stop = this.#length;
    while (stop > 0 && isLineEnd(bytes[stop - 1])) stop--;
    for (let i = 0; i < stop; i++) if (isLineEnd(bytes[i])) bytes[i] = SPACE;
    return bytes.subarray(0, stop);
  }
}

function isLineEnd(byte: number): boolean {
  return byte === CR || byte === LF;
}

/**
 * `ERR wrong number of arguments for '<name>' command`. `name` is the command's full name in lower
 * case, `container|subcommand` for a subcommand.
 */
export function wrongArity(name: string): ErrorLine {
  return ascii(`ERR wrong number of arguments for '${name}' command`);
}

/** `ERR invalid expire time in '<name>' command`; `name` in lower case. */
export function invalidExpireTime(name: string): ErrorLine {
  return ascii(`ERR invalid expire time in '${name}' command`);
}

/** `ERR Unsupported option <word>` of the EXPIRE family; the word begins `buf[start..stop)`. */
export function unsupportedOption(buf: Uint8Array, start: number, stop: number): ErrorLine {
  const line = new LineBuilder().text("ERR Unsupported option ");
  line.quoted(buf, start, stop);
  return line.line();
}

/** Commands of Redis about scripts and functions, of which there are none here. */
const SCRIPTING: ReadonlySet<string> = new Set([
  "eval",
  "evalsha",
  "eval_ro",
  "evalsha_ro",
  "fcall",
  "fcall_ro",
  "script",
  "function",
]);
const SCRIPTING_BYTES_MAX = 10;

/**
 * `ERR unknown command '<name>', with args beginning with: '<arg>' '<arg>' `, ending in a space like
 * Redis's. The first argument is the name as the client wrote it. For commands about scripts the reason
 * follows instead of the arguments: clients that do without scripts look for what is before it.
 */
export function unknownCommand(
  buf: Uint8Array,
  starts: Int32Array,
  stops: Int32Array,
  argc: number,
): ErrorLine {
  const line = new LineBuilder().text("ERR unknown command '");
  line.quoted(buf, starts[0], stops[0], QUOTED_BYTES_MAX);
  const isShort = stops[0] - starts[0] <= SCRIPTING_BYTES_MAX;
  if (isShort && SCRIPTING.has(latin1(buf, starts[0], stops[0]).toLowerCase())) {
    return line.text("': this server has no scripts and no functions").line();
  }
  line.text("', with args beginning with: ");
  let taken = 0;
  for (let i = 1; i < argc && taken < QUOTED_BYTES_MAX; i++) {
    line.text("'");
    taken += line.quoted(buf, starts[i], stops[i], QUOTED_BYTES_MAX - taken);
    line.text("' ");
    taken += 3; // the quotes and the space count
  }
  return line.line();
}

/**
 * Whether what is no command's name is of an HTTP request. Any web page can have a browser send one to
 * this machine, and the lines of its body are inline commands: nothing behind it may be run.
 */
export function isOfHttp(buf: Uint8Array, start: number, stop: number): boolean {
  return equalsFolded(buf, start, stop, HTTP_POST) || equalsFolded(buf, start, stop, HTTP_HOST);
}

/** For a RESP2 client that listens to channels; `name` is the command's full name in lower case. */
export function notWhileListening(name: string): ErrorLine {
  return ascii(
    `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET ` +
      "are allowed in this context",
  );
}

/**
 * `ERR unknown subcommand '<sub>'. Try <CONTAINER> HELP.` where the subcommand is
 * `buf[start..stop)` as the client wrote it, and `container` the command's name in upper case.
 */
export function unknownSubcommand(
  buf: Uint8Array,
  start: number,
  stop: number,
  container: string,
): ErrorLine {
  const line = new LineBuilder().text("ERR unknown subcommand '");
  line.quoted(buf, start, stop, QUOTED_BYTES_MAX);
  return line.text(`'. Try ${container} HELP.`).line();
}
