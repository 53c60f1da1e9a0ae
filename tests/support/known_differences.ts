/**
 * Where shoal's replies are known to differ from those of the redis-server that it is compared with
 * (7.0.15): each with its reason. Whatever differs beyond these is a bug.
 */

import type { Command } from "./random_commands.ts";
import { partsOfReply } from "./reply_text.ts";

/** A difference that is meant. */
export interface KnownDifference {
  /** What differs. */
  readonly what: string;
  /** Why. */
  readonly reason: string;
  /** Whether this is why the replies to a command differ; absent: no random command shows it. */
  readonly explains?: (words: Command, redis: string, ours: string) => boolean;
  /** Whether what is stored differs by it, not only how it is told. */
  readonly isInData?: true;
}

const named = (words: Command, name: string) => words.slice(0, 2).join(" ").toLowerCase() === name;

/** Whether two replies differ only in how they write numbers, and in numbers that `isSame` takes for one. */
function isSameInNumbers(
  redis: string,
  ours: string,
  isSame: (n: number, m: number) => boolean = Object.is,
): boolean {
  const lines = redis.split("\r\n");
  const own = ours.split("\r\n");
  if (lines.length !== own.length) return false;
  return lines.every((line, i) => {
    const other = own[i];
    if (line === other) return true;
    // A bulk's length differs with its text.
    if (/^\$\d+$/.test(line) && /^\$\d+$/.test(other)) return true;
    const [n, m] = [line, other].map((text) => Number(text.replace(/^,/, "")));
    return line !== "" && other !== "" && isSame(n, m);
  });
}

/** Relative. Distances were seen to differ by two units in the last place; conversion to another unit rounds again. */
const DISTANCE_TOLERANCE = 4 * Number.EPSILON;

/** Whether two numbers may be one distance. */
function isSameDistance(n: number, m: number): boolean {
  if (Object.is(n, m)) return true;
  return !Number.isInteger(n) && !Number.isInteger(m) &&
    Math.abs(n - m) <= Math.abs(n) * DISTANCE_TOLERANCE;
}

const isSort = (words: Command) => /^sort(_ro)?$/i.test(words[0]);

/** Whether two arrays hold the same elements in any order. */
function hasSameElements(redis: string, ours: string): boolean {
  const elements = (reply: string) => partsOfReply(reply)?.parts.sort().join("");
  return elements(redis) !== undefined && elements(redis) === elements(ours);
}

/** A reply of XINFO GROUPS without the numbers of consumers. */
function withoutConsumers(reply: string): string {
  return reply.replaceAll(/consumers\r\n:\d+/g, "consumers");
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    what: "OBJECT ENCODING of small lists is `listpack`, of small sets of texts `listpack`",
    reason: "Redis 7.2 has these encodings, and leaves `intset` for one sooner; 7.0 has not.",
    explains: (words, redis, ours) =>
      named(words, "object encoding") && ours.includes("listpack") &&
      /quicklist|hashtable|intset/.test(redis),
  },
  {
    what: "OBJECT ENCODING of an integer that INCRBYFLOAT made is `int`",
    reason: "It is one; Redis looks only at what is stored otherwise.",
    explains: (words, redis, ours) =>
      named(words, "object encoding") && redis.includes("embstr") && ours.includes("int"),
  },
  {
    what:
      "XREADGROUP, XCLAIM and XAUTOCLAIM make the consumer that they name, whether they find anything or not",
    reason: "As in Redis 7.2; in 7.0 only when they do.",
    explains: (words, redis, ours) =>
      (named(words, "xinfo groups") && withoutConsumers(redis) === withoutConsumers(ours)) ||
      (named(words, "xgroup createconsumer") && redis === ":1\r\n" && ours === ":0\r\n"),
  },
  {
    what: "LPOS refuses a RANK of -9223372036854775808",
    reason: "As in Redis 7.2; 7.0 takes it.",
    explains: (words, redis, ours) =>
      /^lpos$/i.test(words[0]) && words.includes("-9223372036854775808") &&
      (!redis.startsWith("-") || redis.startsWith("-WRONGTYPE")) &&
      ours.startsWith("-ERR value is out of range, value must between"),
  },
  {
    what: "XSETID refuses an ID below the greatest that was deleted",
    reason: "As in Redis 7.2; 7.0 takes it, and its files are loaded with it.",
  },
  {
    what: "scores are written with as many digits as tell them from others",
    reason: "As in Redis 7.2; 7.0 writes 17 digits, and an exponent from 1e17 on.",
    explains: (words, redis, ours) => /^b?(z|geo)/i.test(words[0]) && isSameInNumbers(redis, ours),
  },
  {
    what: "distances that STOREDIST makes scores of may differ in their last two digits of 17",
    reason: "The C library's sine and the runtime's differ there, for three pairs in a thousand.",
    // Only sets of places have such scores, whose keys or members the random commands call so.
    explains: (words, redis, ours) =>
      /^b?(z|geo)/i.test(words[0]) &&
      (words.some((word) => /^[gp]\d+$/.test(word)) || /\r\np\d+\r\n/.test(redis)) &&
      isSameInNumbers(redis, ours, isSameDistance),
    isInData: true,
  },
  {
    what: "CLIENT TRACKING: SWAPDB tells clients that everything may have changed",
    reason: "Redis tells nothing, and what clients have cached of either database is stale.",
  },
  {
    what: "XGROUP DESTROY is a change of its key for WATCH and CLIENT TRACKING",
    reason: "Clients that wait in the group must hear of it, and hear as all others do.",
  },
  {
    what:
      "BITFIELD that only makes its string longer, since what it was to store failed, is a change",
    reason: "Redis tells nobody of it, neither by an event nor its replicas.",
  },
  {
    what: "CLIENT TRACKING: prefixes given together that overlap are refused",
    reason: "Redis replies the error and OK, and tracks, if the first of them does not overlap.",
  },
  {
    what:
      "CLIENT TRACKING: a client has up to 1,024 prefixes of 256 KiB together, the table 256 MiB",
    reason: "Nothing that clients ask for may take memory without bound.",
  },
  {
    what:
      "all subscriptions together may take 512 MiB, all watched keys 256 MiB; names of clients are up to 1,024 bytes",
    reason: "For the same reason.",
  },
  {
    what:
      "INFO, CONFIG GET, COMMAND INFO and DOCS, CLIENT KILL, LATENCY HISTOGRAM and RESET take up to 1,024 words, CLIENT LIST 16,384",
    reason: "Each costs a search, and everybody else waits.",
  },
  {
    what:
      "CLIENT LIST has a line for each link of a replica and to the primary, one per shard; `connected_clients` of a replica counts none of them",
    reason:
      "Each shard has a link of its own; in Redis there is one, and on a replica it counts as a client.",
  },
  {
    what: "CLIENT commands run while all clients are paused",
    reason: "Redis holds even CLIENT UNPAUSE until the pause is over.",
  },
  {
    what: "HELP, COMMAND DOCS and MEMORY DOCTOR speak in words of our own",
    reason: "What they say is for people; of what programs read, names and numbers are Redis's.",
  },
  {
    what: "HGETALL and its like give the fields of large hashes in an order of our own",
    reason:
      "As sets their members: in Redis, too, it is that of a hash table, and changes with it.",
  },
  {
    what:
      "GEOSEARCH and GEORADIUS, sorted, leave what is equally far as it lies, in one place by members",
    reason: "Redis's sort leaves their order to chance, and so with COUNT which of them are given.",
  },
  {
    what:
      "ZRANGEBYLEX and its like may find others in a sorted set whose members differ in their scores",
    reason:
      "What they find is unspecified: they look for the range as if all scores were the same.",
  },
  {
    what: "SORT: elements that sort alike keep the order in which they came; ALPHA compares bytes",
    reason:
      "Redis leaves both to the C library, whose texts end at a zero byte; with LIMIT to chance.",
    explains: (words, redis, ours) =>
      isSort(words) && (hasSameElements(redis, ours) || /\0/.test(redis + ours)),
  },
  {
    what: "SORT refuses elements that are no numbers, and no others",
    reason: "Redis also does so when a number that it read before, anywhere, was out of range.",
    explains: (words, redis, ours) =>
      isSort(words) && redis.includes("into double") && ours[0] === "*",
  },
  {
    what: "XAUTOCLAIM takes any COUNT",
    reason: "Redis asks for memory for as many entries at once, and says when there is none.",
  },
  {
    what: "PFADD and PFMERGE of a HyperLogLog that was edited as a string may make another of it",
    reason: "What its spoilt bytes mean is chance, in Redis as well.",
  },
  {
    what: "MONITOR: what a monitor's own EXEC runs is shown behind EXEC's reply",
    reason: "Redis writes it into the middle of the reply, which no client can read.",
  },
  {
    what: "MONITOR and SLOWLOG redact what follows a last AUTH of HELLO",
    reason: "Redis shows it if something is missing behind it, and it may be a password.",
  },
  {
    what: "WAIT and WAITAOF wait for what the client's own commands have made",
    reason:
      "Redis also waits for what others wrote before its last command, though it may only have read.",
  },
  {
    what: "SORT of a small sorted set leaves it packed",
    reason:
      "Redis makes a skip list of it on the way, which OBJECT ENCODING and a score of -0 show.",
    explains: (words, redis, ours) =>
      named(words, "object encoding") && redis.includes("skiplist") && ours.includes("listpack"),
  },
];
