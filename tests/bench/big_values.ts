/**
 * How long one command, or what it leaves to the background, keeps a server's loop to itself when
 * values are big.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import type { Maker } from "./programs.ts";
import { fixed } from "./report.ts";

const ELEMENTS = 1_000_000;
const QUICK_ELEMENTS = 200_000;
/** Elements of one request while values are filled. */
const FILL_STEP = 1_000;
/** What a server gets to notice that a key has expired. */
const EXPIRY_WAIT_MS = 300;

/** The copy that is ended, in database 1; the value itself is filled once. */
const VICTIM = "victim";

/** A big value of one type, and what is done with it. */
interface Subject {
  readonly type: string;
  /** Requests that append the elements `from` to `to`. */
  fill(key: string, from: number, to: number): string[][];
  /** Commands that take no longer than on a small value; `@` stands for its key. */
  readonly short: readonly string[];
  /** Commands that look at every element. */
  readonly long: readonly string[];
}

/** A name of 16 bytes. */
function element(i: number): string {
  return `element:${String(i).padStart(8, "0")}`;
}

function elements(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => element(from + i));
}

const SUBJECTS: readonly Subject[] = [
  {
    type: "list",
    fill: (key, from, to) => [["RPUSH", key, ...elements(from, to)]],
    short: [
      "LPUSH @ x",
      "RPOP @",
      "LINDEX @ 100000",
      "LSET @ 100000 y",
      "LINSERT @ BEFORE element:00000100 z",
      "LRANGE @ 100000 100099",
      "LTRIM @ 10 -10",
      "LPOS @ element:00000200",
    ],
    long: ["LRANGE @ 0 -1", "SORT @ ALPHA LIMIT 0 1"],
  },
  {
    type: "hash",
    fill: (key, from, to) => [["HSET", key, ...elements(from, to).flatMap((e) => [e, `v${e}`])]],
    short: [
      "HSET @ x y",
      "HGET @ element:00100000",
      "HINCRBY @ n 1",
      "HDEL @ element:00100000",
      "HRANDFIELD @ 100",
      "HSCAN @ 0 COUNT 100",
    ],
    long: ["HGETALL @", "HKEYS @"],
  },
  {
    type: "set",
    fill: (key, from, to) => [["SADD", key, ...elements(from, to)]],
    short: [
      "SADD @ x",
      "SREM @ element:00100000",
      "SISMEMBER @ element:00100001",
      "SPOP @ 10",
      "SRANDMEMBER @ 100",
      "SSCAN @ 0 COUNT 100",
      "SINTER @ small",
    ],
    long: [
      "SMEMBERS @",
      "SUNIONSTORE other @",
      "SINTERSTORE other @ @",
      "SDIFFSTORE other @ small",
    ],
  },
  {
    type: "sorted set",
    fill: (
      key,
      from,
      to,
    ) => [["ZADD", key, ...elements(from, to).flatMap((e, i) => [`${from + i}`, e])]],
    short: [
      "ZADD @ 0.5 x",
      "ZINCRBY @ 1000 element:00000005",
      "ZRANK @ element:00100000",
      "ZRANGE @ 100000 100099",
      "ZRANGEBYSCORE @ 1000 +inf LIMIT 100 100",
      "ZCOUNT @ 10 100000",
      "ZPOPMIN @ 10",
      "ZREM @ element:00100000",
      "ZRANDMEMBER @ 100",
      "ZSCAN @ 0 COUNT 100",
      "ZREMRANGEBYRANK @ 0 99",
    ],
    long: [
      "ZRANGE @ 0 -1 WITHSCORES",
      "ZRANGESTORE other @ 0 -1",
      "ZUNIONSTORE other 1 @",
      "ZINTERSTORE other 2 @ @",
    ],
  },
  {
    type: "stream",
    fill: (key, from, to) =>
      Array.from(
        { length: to - from },
        (_, i) => ["XADD", key, `${from + i + 1}-0`, "f", element(from + i)],
      ),
    short: [
      "XADD @ * f v",
      "XRANGE @ 100000 + COUNT 100",
      "XREVRANGE @ + - COUNT 100",
      "XREAD COUNT 100 STREAMS @ 100000",
      "XDEL @ 100000-0",
      "XTRIM @ MINID ~ 1000",
      "XLEN @",
    ],
    long: ["XRANGE @ - +"],
  },
];

/** What every type knows. */
const SHORT_OF_ALL: readonly string[] = [
  "OBJECT ENCODING @",
  "MEMORY USAGE @ SAMPLES 5",
  "EXPIRE @ 1000",
  "PERSIST @",
];
const LONG_OF_ALL: readonly string[] = ["COPY @ other REPLACE"];
/** What ends a value, whatever its type. */
const ENDS: readonly string[] = [
  "PING",
  "UNLINK @",
  "DEL @",
  "SET @ v",
  "RENAME small:string @",
  "PEXPIRE @ 20",
  "FLUSHDB ASYNC",
  "FLUSHDB SYNC",
];

/** What was found of one command: least ms of all rounds. */
interface Row {
  readonly label: string;
  readonly kind: "short" | "long" | "end";
  /** The command itself, as the slow log has it. */
  readonly commandMs: Partial<Record<Maker, number>>;
  /** The longest piece of work of shoal's loop until nothing was left to do. */
  loopMs: number;
}

/** See the module's text. */
export const BIG_VALUES: Measurement = {
  name: "big-values",
  title: "how long the loop is held up by big values",
  needsBenchmark: false,
  method: ({ quick, rounds }) =>
    `A value of each type with ${quick ? QUICK_ELEMENTS : ELEMENTS} elements of 16 bytes. A ` +
    "command's time is that of the server's slow log. Where a value goes, most of the work comes " +
    "behind the command: of shoal the longest time for which the loop served nobody is shown, too " +
    "(eventloop_longest_work_usec of INFO, reset before and read when nothing is left to free); it " +
    "has the asking in it, which is what the row PING shows. redis-server is left with what its " +
    "other threads free and with what it expires by itself. Shown is the least of " +
    `${rounds} tries, since other programs can only add to it.`,
  run,
};

async function run({ makers, options, programs, say }: Bench): Promise<Findings> {
  const count = options.quick ? QUICK_ELEMENTS : ELEMENTS;
  const rows = new Map<string, Row>();
  for (const maker of makers) {
    for (const subject of SUBJECTS) {
      const server = await programs.start(maker, [...NO_SAVE, "--slowlog-log-slower-than", "0"]);
      using client = await Client.connect(server.port);
      say(`${maker}: a ${subject.type} of ${count} elements`);
      await fill(client, subject, count);
      const { type, short, long } = subject;
      for (let round = 0; round < options.rounds; round++) {
        for (const command of [...SHORT_OF_ALL, ...short]) {
          const ms = await commandMs(client, command.replaceAll("@", "big"));
          note(rows, type, "short", command, maker, ms);
        }
        for (const command of [...LONG_OF_ALL, ...long]) {
          const ms = await commandMs(client, command.replaceAll("@", "big"));
          note(rows, type, "long", command, maker, ms);
        }
        for (const command of ENDS) {
          await client.ask("SET", "small:string", "v");
          await client.ask("COPY", "big", VICTIM, "DB", "1", "REPLACE");
          await client.ask("COPY", "small:string", "small:string", "DB", "1", "REPLACE");
          await client.freed();
          await client.ask("SELECT", "1");
          await client.ask("CONFIG", "RESETSTAT");
          const ms = await commandMs(client, command.replaceAll("@", VICTIM));
          if (command.startsWith("PEXPIRE")) await sleep(EXPIRY_WAIT_MS);
          await client.freed();
          const loopMs = await client.figure("stats", "eventloop_longest_work_usec") / 1000;
          note(rows, type, "end", command, maker, ms, loopMs);
          await client.ask("SELECT", "0");
        }
      }
      await programs.stop(server);
    }
  }
  return findings([...rows.values()]);
}

function note(
  rows: Map<string, Row>,
  type: string,
  kind: Row["kind"],
  command: string,
  maker: Maker,
  ms: number,
  loopMs = NaN,
): void {
  const label = `${type}: ${command.replaceAll("@", "key")}`;
  let row = rows.get(label);
  if (row === undefined) rows.set(label, row = { label, kind, commandMs: {}, loopMs: Infinity });
  row.commandMs[maker] = Math.min(row.commandMs[maker] ?? Infinity, ms);
  if (maker === "shoal") row.loopMs = Math.min(row.loopMs, loopMs);
}

async function fill(client: Client, subject: Subject, count: number): Promise<void> {
  await client.askAll([["SADD", "small", ...elements(0, 10)]]);
  for (let from = 0; from < count; from += FILL_STEP) {
    await client.askAll(subject.fill("big", from, Math.min(count, from + FILL_STEP)));
  }
}

/** Runs a command; its time in the slow log. */
async function commandMs(client: Client, command: string): Promise<number> {
  await client.ask("SLOWLOG", "RESET");
  await client.ask(...command.split(" "));
  const [entry] = await client.ask("SLOWLOG", "GET", "1") as [[number, number, number]];
  return Number(entry[2]) / 1000;
}

function findings(rows: readonly Row[]): Findings {
  const shown = (kind: Row["kind"], hasLoop: boolean) => ({
    columns: ["", "shoal", ...(hasLoop ? ["shoal's loop"] : []), "redis"],
    rows: rows.filter((row) => row.kind === kind).map(({ label, commandMs, loopMs }) => [
      label,
      fixed(commandMs.shoal ?? NaN),
      ...(hasLoop ? [fixed(loopMs)] : []),
      fixed(commandMs.redis ?? NaN),
    ]),
  });
  return {
    tables: [
      { title: "ms, commands on few elements of many", table: shown("short", false) },
      { title: "ms, commands that end a value", table: shown("end", true) },
      { title: "ms, commands that look at every element", table: shown("long", false) },
    ],
    data: rows,
  };
}
