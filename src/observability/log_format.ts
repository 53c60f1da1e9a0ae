/**
 * One log entry as one line of text or JSON.
 *
 * Text is `<time> <level> <message> [shard=<n>] [replica=<id>] <key>=<value>...`; JSON is one object
 * with `time`, `level`, `message`, `shard`, `replica` and the fields, in this order. Whatever a peer
 * can put into a field (a replica id, an error's text) stays inside its value: line ends, control
 * and direction-changing characters are escaped, and long values are cut.
 *
 * @module
 */

/** What is known beside the message: numbers, texts, errors; `undefined` is left out. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Which shard and which replica an entry is about. */
export interface LogScope {
  /** Index of the shard. */
  readonly shard?: number;
  /** The replica's id as it gave it. */
  readonly replica?: string;
}

/** Everything a line is made of. */
export interface LogEntry {
  /** Unix time in milliseconds. */
  readonly unixMs: number;
  /** The level's name. */
  readonly level: string;
  /** What happened: a constant text, so that equal events are equal lines up to their fields. */
  readonly message: string;
  /** What it is about. */
  readonly scope: LogScope;
  /** What else is known. */
  readonly fields: LogFields;
}

/** Makes the line of an entry, without a line end. */
export type LogFormatter = (entry: LogEntry) => string;

/** Characters of a value that are printed; a peer chooses some values, and a line is for reading. */
export const LOG_VALUE_CHARS_MAX = 1024;
/** Causes printed of an error; chains made by our code are shorter. */
export const LOG_ERROR_CAUSES_MAX = 4;

const LEVEL_WIDTH = "warning".length;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
const PLAIN_VALUE = /^[^\s"'=\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+$/u;

/** The entry as text. */
export function formatText(entry: LogEntry): string {
  const time = new Date(entry.unixMs).toISOString();
  let line = `${time} ${entry.level.padEnd(LEVEL_WIDTH)} ${escaped(cut(entry.message))}`;
  const { shard, replica } = entry.scope;
  if (shard !== undefined) line += ` shard=${shard}`;
  if (replica !== undefined) line += ` replica=${textValue(replica)}`;
  for (const [key, value] of Object.entries(entry.fields)) {
    if (value !== undefined) line += ` ${key}=${textValue(value)}`;
  }
  return line;
}

/** The entry as a JSON object; a field cannot replace one of the five fixed names. */
export function formatJson(entry: LogEntry): string {
  const { shard, replica } = entry.scope;
  const fixed = {
    time: new Date(entry.unixMs).toISOString(),
    level: entry.level,
    message: cut(entry.message),
    shard,
    replica: replica === undefined ? undefined : cut(replica),
  };
  const out: Record<string, unknown> = { ...fixed };
  for (const [key, value] of Object.entries(entry.fields)) {
    if (!(key in fixed)) out[key] = jsonValue(value);
  }
  return JSON.stringify(out);
}

function jsonValue(value: unknown): unknown {
  if (value === undefined || value === null || typeof value === "boolean") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return cut(describe(value));
}

function textValue(value: unknown): string {
  const text = cut(describe(value));
  return PLAIN_VALUE.test(text) ? text : escaped(JSON.stringify(text));
}

function describe(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  let text = `${value.name}: ${value.message}`;
  let cause: unknown = value.cause;
  for (let i = 0; i < LOG_ERROR_CAUSES_MAX && cause !== undefined; i++) {
    text += cause instanceof Error
      ? `; caused by ${cause.name}: ${cause.message}`
      : `; caused by ${cause}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}

function cut(text: string): string {
  if (text.length <= LOG_VALUE_CHARS_MAX) return text;
  return `${text.slice(0, LOG_VALUE_CHARS_MAX)}...(${text.length - LOG_VALUE_CHARS_MAX} more)`;
}

function escaped(text: string): string {
  return text.replace(UNPRINTABLE, escapeOne);
}

function escapeOne(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
