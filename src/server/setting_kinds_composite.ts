/**
 * Kinds of value with a grammar of their own: save points, output buffer limits, an upstream's
 * address, keyspace event classes, a file name. The plain kinds are in setting_kinds.ts.
 *
 * @module
 */
import { ascii } from "../base/ascii.ts";
import { parseDouble } from "../base/doubles.ts";
import { quoteWord } from "./config_words.ts";
import {
  bytes,
  formatBytes,
  type Kind,
  LONG_MAX,
  parseBytes,
  parseInteger,
  text,
  wordList,
  WRONG_COUNT,
} from "./setting_kinds.ts";

/** Percentiles that a setting may name. */
const PERCENTILES_MAX = 64;

/** Save when at least `changes` writes happened and `seconds` have passed since the last save. */
export interface SavePoint {
  /** Seconds since the last save, at least 1. */
  readonly seconds: number;
  /** Writes since the last save, at least 0. */
  readonly changes: number;
}

/** When a client that does not read its replies is closed; 0 means no limit. */
export interface OutputLimit {
  /** Pending bytes at which the client is closed at once. */
  readonly hardBytes: number;
  /** Pending bytes that may be exceeded only for a while. */
  readonly softBytes: number;
  /** Seconds for which `softBytes` may be exceeded. */
  readonly softSeconds: number;
}

/** The limits by class of client. */
export interface OutputLimits {
  /** Ordinary clients, MONITOR included. */
  readonly normal: OutputLimit;
  /** Replicas. */
  readonly replica: OutputLimit;
  /** Clients with subscriptions. */
  readonly pubsub: OutputLimit;
}

/** Where an upstream listens. */
export interface HostPort {
  /** Host name or address, as given. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
}

/**
 * `<seconds> <changes>` pairs. Within one source directives add up; the first of a source starts
 * over; a single empty word means no save points.
 */
export function savePoints(): Kind<readonly SavePoint[]> {
  const format = (value: readonly SavePoint[]) =>
    value.map((p) => `${p.seconds} ${p.changes}`).join(" ");
  return {
    words: "list",
    bare: "",
    allowed: 'pairs of seconds (from 1) and changes (from 0) such as "3600 1 300 100", or ""',
    parse(words, before, first) {
      const refused = { refused: "Invalid save parameters" };
      if (words.length === 1 && words[0] === "") return { value: [] };
      if (words.length % 2 !== 0) return refused;
      const points: SavePoint[] = [];
      for (let i = 0; i < words.length; i += 2) {
        const seconds = parseInteger(words[i]);
        const changes = parseInteger(words[i + 1]);
        if (seconds === null || seconds < 1n || changes === null || changes < 0n) return refused;
        points.push({ seconds: Number(seconds), changes: Number(changes) });
      }
      return { value: first ? points : [...before, ...points] };
    },
    format,
    lines: (name, value) =>
      value.length === 0 ? [`${name} ""`] : value.map((p) => `${name} ${p.seconds} ${p.changes}`),
  };
}

/** `<class> <hard> <soft> <soft seconds>` groups; classes not named keep their limits. */
export function outputLimits(): Kind<OutputLimits> {
  const one = (l: OutputLimit, size: (n: number) => string) =>
    `${size(l.hardBytes)} ${size(l.softBytes)} ${l.softSeconds}`;
  return {
    words: "list",
    allowed: 'groups of "<normal|replica|pubsub> <hard bytes> <soft bytes> <soft seconds>"',
    parse(words, before) {
      if (words.length === 1 && words[0] === "") return { value: before };
      if (words.length === 0 || words.length % 4 !== 0) {
        return { refused: "Wrong number of arguments in buffer limit configuration." };
      }
      const value = { ...before };
      for (let i = 0; i < words.length; i += 4) {
        const name = CLASS_OF.get(words[i].toLowerCase());
        if (name === undefined) {
          return { refused: "Invalid client class specified in buffer limit configuration." };
        }
        const hard = parseBytes(words[i + 1]);
        const soft = parseBytes(words[i + 2]);
        const seconds = parseInteger(words[i + 3]);
        if (hard === null || soft === null || seconds === null || seconds < 0n) {
          return {
            refused: "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
          };
        }
        value[name] = {
          hardBytes: clampSafe(hard),
          softBytes: clampSafe(soft),
          softSeconds: clampSafe(seconds),
        };
      }
      return { value };
    },
    // Redis shows the class by its old name here, and clients compare with that.
    format: (v) =>
      `normal ${one(v.normal, String)} slave ${one(v.replica, String)} pubsub ${
        one(v.pubsub, String)
      }`,
    lines: (name, v) => [
      `${name} normal ${one(v.normal, formatBytes)}`,
      `${name} replica ${one(v.replica, formatBytes)}`,
      `${name} pubsub ${one(v.pubsub, formatBytes)}`,
    ],
  };
}

const CLASS_OF: ReadonlyMap<string, keyof OutputLimits> = new Map([
  ["normal", "normal"],
  ["replica", "replica"],
  ["slave", "replica"],
  ["pubsub", "pubsub"],
]);

/** `<host> <port>`, or `no one` and an empty word for none. */
export function hostPort(): Kind<HostPort | null> {
  const format = (value: HostPort | null) => value === null ? "" : `${value.host} ${value.port}`;
  return {
    words: "list",
    allowed: '"<host> <port>" with a port between 1 and 65535, or "no one"',
    parse(words) {
      if (words.length === 1 && words[0] === "") return { value: null };
      if (words.length !== 2) return { refused: WRONG_COUNT };
      const [host, portWord] = words;
      if (host.toLowerCase() === "no" && portWord.toLowerCase() === "one") return { value: null };
      const port = parseInteger(portWord);
      if (host === "" || port === null || port < 1n || port > 65_535n) {
        return { refused: "Invalid master port" };
      }
      return { value: { host, port: Number(port) } };
    },
    format,
    lines: (name, value) =>
      value === null ? [] : [`${name} ${quoteWord(value.host)} ${value.port}`],
  };
}

const EVENT_CLASSES = "g$lshzxetd";

/**
 * Classes of keyspace events, kept in Redis's canonical form: `A` for the ten classes that it
 * stands for, then `K`, `E`, `m`, `n`.
 */
export function keyspaceEvents(): Kind<string> {
  return {
    words: "one",
    allowed: 'characters of Ag$lshzxeKEtmdn, or ""',
    parse([word]) {
      for (const c of word) {
        if (!"Ag$lshzxeKEtmdn".includes(c)) {
          return { refused: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
        }
      }
      const all = word.includes("A") || [...EVENT_CLASSES].every((c) => word.includes(c));
      const keep = (classes: string) => [...classes].filter((c) => word.includes(c)).join("");
      return { value: all ? "A" + keep("KEmn") : keep(EVENT_CLASSES + "nKEm") };
    },
    format: (value) => value,
    lines: (name, value) => [`${name} "${value}"`],
  };
}

/** Numbers from 0 to 100, or one empty word for none. */
export function percentiles(): Kind<readonly number[]> {
  const format = (value: readonly number[]) =>
    value.map((percent) => Number(percent.toPrecision(10))).join(" ");
  return {
    words: "list",
    allowed: `up to ${PERCENTILES_MAX} numbers from 0 to 100`,
    parse(words) {
      if (words.length === 1 && words[0] === "") return { value: [] };
      if (words.length > PERCENTILES_MAX) return { refused: WRONG_COUNT };
      const value: number[] = [];
      for (const word of words) {
        const bytes = ascii(word);
        const percent = parseDouble(bytes, 0, bytes.length);
        if (Number.isNaN(percent)) {
          return { refused: "Invalid latency-tracking-info-percentiles parameters" };
        }
        if (percent < 0 || percent > 100) {
          return {
            refused: "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
          };
        }
        value.push(percent);
      }
      return { value };
    },
    format,
    lines: (name, value) => [`${name} ${value.length === 0 ? '""' : format(value)}`],
  };
}

/** Words that nothing reads: any number, joined by spaces when shown. */
export function freeWords(allowed: string): Kind<readonly string[]> {
  return wordList({ allowed, max: 64, tooMany: WRONG_COUNT });
}

/**
 * The name of a file inside the data directory, without a path; `isTaken` tells which names others have
 * that come and go by themselves.
 */
export function fileName(
  setting: string,
  isTaken: (name: string) => boolean = () => false,
): Kind<string> {
  return text({
    allowed: "the name of a file in the data directory, without a path",
    emptyCounts: true,
    check: (value) => {
      if (value === "" || value === "." || value === ".." || /[/\\\0]/.test(value)) {
        return `${setting} can't be a path, just a filename`;
      }
      if (!isTaken(value)) return null;
      return `${setting} can't be a name that begins so: files being written are called like that, ` +
        "and removed when they are left over";
    },
  });
}

/** Bytes from 0 up, the usual range of a size. */
export function anyBytes(): Kind<number> {
  return bytes({ min: 0, max: LONG_MAX });
}

function clampSafe(n: bigint): number {
  return n > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(n);
}
