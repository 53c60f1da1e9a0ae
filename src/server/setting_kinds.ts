/**
 * The kinds of value a setting can have: how each is read from the words of a directive, shown by
 * CONFIG GET and written by CONFIG REWRITE. Refusals carry Redis's words, so that CONFIG SET can
 * repeat them; `allowed` is the same rule for a person reading a failed start. Which settings
 * exist is settings.ts's business.
 *
 * @module
 */
import { quoteWord } from "./config_words.ts";

/** A value, or why the words given are none. */
export type Parsed<T> = { readonly value: T } | { readonly refused: string };

/** How values of one type are read and written. */
export interface Kind<T> {
  /** Words a directive carries: exactly one, or a list that may also come as one quoted word. */
  readonly words: "one" | "list";
  /** The word meant by a command-line option without one, where that means something; "" in a file, too. */
  readonly bare?: string;
  /** What is allowed, completing "allowed is ...". */
  readonly allowed: string;
  /**
   * Reads the words of one directive. `before` is the value so far; `first` says that this source
   * (a config file, the environment, a command line, a CONFIG SET) had not yet set it, so that a
   * repeatable directive knows whether it adds or starts over.
   */
  parse(words: readonly string[], before: T, first: boolean): Parsed<T>;
  /** The value as CONFIG GET shows it. */
  format(value: T): string;
  /** The value as config file lines; none when the file says it by silence. */
  lines(name: string, value: T): string[];
}

/** Largest 32-bit signed integer, Redis's INT_MAX. */
export const INT_MAX = 2_147_483_647;
/** Largest 32-bit unsigned integer, Redis's UINT_MAX. */
export const UINT_MAX = 4_294_967_295;
/** Largest 64-bit signed integer, Redis's LONG_MAX; values above 2^53-1 act as 2^53-1. */
export const LONG_MAX = 9_223_372_036_854_775_807n;

/** Redis's words for a directive with too few or too many words. */
export const WRONG_COUNT = "wrong number of arguments";

/** A whole number. `clamp` narrows silently after the range check, as Redis does for `hz`. */
export function integer(
  range: {
    readonly min: number | bigint;
    readonly max: number | bigint;
    readonly clamp?: readonly [number, number];
  },
): Kind<number> {
  return {
    words: "one",
    allowed: allowedRange("an integer", range.min, range.max, String),
    parse([word]) {
      const n = parseInteger(word);
      if (n === null) return { refused: "argument couldn't be parsed into an integer" };
      const parsed = inRange(n, range.min, range.max);
      if ("refused" in parsed || range.clamp === undefined) return parsed;
      return { value: Math.min(Math.max(parsed.value, range.clamp[0]), range.clamp[1]) };
    },
    format: String,
    lines: plainLine(String),
  };
}

/** A size in bytes, with Redis's units: k m g are powers of 1000, kb mb gb powers of 1024. */
export function bytes(
  range: { readonly min: number | bigint; readonly max: number | bigint },
): Kind<number> {
  return {
    words: "one",
    allowed: allowedRange("a size such as 100mb or 2gb", range.min, range.max, formatBytes),
    parse([word]) {
      const n = parseBytes(word);
      if (n === null) return { refused: "argument must be a memory value" };
      return inRange(n, range.min, range.max);
    },
    format: String,
    lines: plainLine(formatBytes),
  };
}

/** A size in bytes, or `N%` of `maxmemory`, which is kept as `-N`. */
export function bytesOrPercent(): Kind<number> {
  const format = (value: number) => value < 0 ? `${-value}%` : String(value);
  return {
    words: "one",
    allowed: "a size such as 100mb, or a percentage from 0% to 100%",
    parse([word]) {
      const size = parseBytes(word);
      if (size !== null) return inRange(size, 0, LONG_MAX);
      const percent = word.endsWith("%") ? parseInteger(word.slice(0, -1)) : null;
      if (percent === null || percent < 0n) {
        return { refused: "argument must be a memory or percent value" };
      }
      if (percent > 100n) return { refused: "percentage argument must be less or equal to 100" };
      return { value: -Number(percent) };
    },
    format,
    lines: plainLine((value) => value < 0 ? format(value) : formatBytes(value)),
  };
}

/** `yes` or `no`. */
export function yesNo(): Kind<boolean> {
  const format = (value: boolean) => value ? "yes" : "no";
  return {
    words: "one",
    bare: "yes",
    allowed: "yes or no",
    parse([word]) {
      const folded = word.toLowerCase();
      if (folded === "yes") return { value: true };
      if (folded === "no") return { value: false };
      return { refused: "argument must be 'yes' or 'no'" };
    },
    format,
    lines: plainLine(format),
  };
}

/** One of the given words, in any case. */
export function oneOf<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    words: "one",
    allowed: `one of ${values.join(", ")}`,
    parse([word]) {
      const folded = word.toLowerCase();
      const value = values.find((v) => v === folded);
      if (value !== undefined) return { value };
      return { refused: `argument(s) must be one of the following: ${values.join(", ")}` };
    },
    format: (value) => value,
    lines: plainLine((value) => value),
  };
}

/**
 * One or several of the given words; `none` is the word for an empty set. Two of them may contradict each
 * other: `apart` has them, and Redis's refusal of both.
 */
export function someOf<const T extends string>(
  none: string,
  values: readonly T[],
  apart?: { readonly words: readonly [T, T]; readonly refused: string },
): Kind<readonly T[]> {
  const all = [none, ...values].join(", ");
  const format = (value: readonly T[]) => value.length === 0 ? none : value.join(" ");
  return {
    words: "list",
    allowed: `one or several of ${all}` +
      (apart === undefined ? "" : `; ${apart.words.join(" and ")} not together`),
    parse(words) {
      const found = new Set<T>();
      for (const word of words) {
        const folded = word.toLowerCase();
        const value = values.find((v) => v === folded);
        if (value !== undefined) found.add(value);
        else if (folded !== none) {
          return { refused: `argument(s) must be one of the following: ${all}` };
        }
      }
      if (apart?.words.every((v) => found.has(v))) return { refused: apart.refused };
      return { value: values.filter((v) => found.has(v)) };
    },
    format,
    lines: plainLine(format),
  };
}

/**
 * Free text. `check` answers with Redis's refusal or null; `allowed` says the same to a person.
 * Empty text is left out of a rewritten file unless `emptyCounts`.
 */
export function text(
  o: {
    readonly allowed?: string;
    readonly emptyCounts?: boolean;
    readonly check?: (value: string) => string | null;
  } = {},
): Kind<string> {
  return {
    words: "one",
    allowed: o.allowed ?? "a text (quote it when it has spaces)",
    parse([word]) {
      const refused = o.check === undefined ? null : o.check(word);
      return refused === null ? { value: word } : { refused };
    },
    format: (value) => value,
    lines: (name, value) =>
      value === "" && o.emptyCounts !== true ? [] : [`${name} ${quoteWord(value)}`],
  };
}

/** A list of words; a single empty word is the empty list, which `none` refuses where it is given. */
export function wordList(
  o: {
    readonly allowed: string;
    readonly none?: string;
    readonly max: number;
    readonly tooMany: string;
    readonly check?: (word: string) => string | null;
  },
): Kind<readonly string[]> {
  return {
    words: "list",
    allowed: o.allowed,
    parse(words) {
      const value = words.length === 1 && words[0] === "" ? [] : words;
      if (value.length === 0 && o.none !== undefined) return { refused: o.none };
      if (value.length > o.max) return { refused: o.tooMany };
      for (const word of value) {
        const refused = o.check === undefined ? null : o.check(word);
        if (refused !== null) return { refused };
      }
      return { value };
    },
    format: (value) => value.join(" "),
    lines: (name, value) => [
      value.length === 0 ? `${name} ""` : `${name} ${value.map(quoteWord).join(" ")}`,
    ],
  };
}

/** Only `value` may be given, for what is known but not supported; `why` completes the refusal. */
export function only(
  values: readonly [string, ...string[]],
  why: string,
): Kind<string> {
  const shown = values.map((v) => v === "" ? '""' : v).join(" or ");
  return {
    words: "one",
    allowed: `${shown} (${why})`,
    parse([word]) {
      const folded = word.toLowerCase();
      if (values.includes(folded)) return { value: folded };
      return { refused: `${why}: only ${shown} is allowed` };
    },
    format: (value) => value,
    lines: (name, value) => [`${name} ${quoteWord(value)}`],
  };
}

/** The number a decimal text stands for, exactly as Redis's `string2ll` has it, or null. */
export function parseInteger(word: string): bigint | null {
  if (!/^(?:0|-?[1-9][0-9]{0,18})$/.test(word)) return null;
  const n = BigInt(word);
  return n > LONG_MAX || n < -LONG_MAX - 1n ? null : n;
}

/** The bytes a size stands for, or null. Redis also takes a bare unit or nothing as 0; not here. */
export function parseBytes(word: string): bigint | null {
  const match = /^([0-9]{1,20})(b|k|kb|m|mb|g|gb)?$/i.exec(word);
  if (match === null) return null;
  const n = BigInt(match[1]) * UNITS[(match[2] ?? "b").toLowerCase()];
  return n > 18_446_744_073_709_551_615n ? null : n;
}

const UNITS: Readonly<Record<string, bigint>> = {
  b: 1n,
  k: 1_000n,
  kb: 1_024n,
  m: 1_000_000n,
  mb: 1_048_576n,
  g: 1_000_000_000n,
  gb: 1_073_741_824n,
};

/** A size in the largest unit that divides it, as CONFIG REWRITE and the help show it. */
export function formatBytes(value: number): string {
  for (const unit of ["gb", "mb", "kb"]) {
    const size = Number(UNITS[unit]);
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return String(value);
}

function inRange(n: bigint, min: number | bigint, max: number | bigint): Parsed<number> {
  if (n < min || n > max) {
    return { refused: `argument must be between ${min} and ${max} inclusive` };
  }
  return { value: Number(n > MAX_SAFE ? MAX_SAFE : n) };
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

function allowedRange(
  what: string,
  min: number | bigint,
  max: number | bigint,
  format: (value: number) => string,
): string {
  const least = format(Number(min));
  // An upper bound that is merely the width of Redis's C type tells a person nothing.
  return max >= INT_MAX
    ? `${what} of at least ${least}`
    : `${what} between ${least} and ${format(Number(max))}`;
}

function plainLine<T>(format: (value: T) => string): (name: string, value: T) => string[] {
  return (name, value) => [`${name} ${format(value)}`];
}
