/**
 * A snapshot shipped from a server that holds 500 MB: how fast, with how much more memory, and what
 * clients feel meanwhile.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import { takeFullSync } from "./full_sync.ts";
import { OwnCore } from "./own_core.ts";
import type { Maker, Program } from "./programs.ts";
import { startRedisBenchmark } from "./redis_benchmark.ts";
import { fixed, mebibytes } from "./report.ts";
import { Sampler, type Times } from "./sampler.ts";
import { median } from "./statistics.ts";

const VALUE_BYTES = 400;
/** Bytes that the server is to hold, by its own count. */
const DATASET_BYTES = 500_000_000;
const QUICK_DATASET_BYTES = 100_000_000;
/** Keys of one loading step towards it. */
const STEP_KEYS = 10_000;
/** Ships, idle and under writes. */
const TIMES = 5;
const QUICK_TIMES = 2;
/** What a server gets to come to rest after a ship. */
const SETTLE_MS = 500;
/** How often the process's size is read. */
const RSS_PERIOD_MS = 5;
/** How often a server is asked what it keeps for the snapshot alone. */
const DEFERRED_PERIOD_MS = 50;
/** How long a state without a ship is watched, for comparison. */
const BASELINE_MS = 3_000;
/** Requests that surely last for a whole ship. */
const ENDLESS = 1_000_000_000;

/** See the module's text. */
export const SHIP: Measurement = {
  name: "ship",
  title: "shipping a snapshot",
  needsBenchmark: false,
  method: ({ quick }) =>
    `Keys of 16 bytes with values of ${VALUE_BYTES} random letters, which do not compress, up to ` +
    `${(quick ? QUICK_DATASET_BYTES : DATASET_BYTES) / 1e6} MB of used_memory. A receiver takes ` +
    `${quick ? QUICK_TIMES : TIMES} full synchronizations and throws them away: first while no ` +
    "client writes, then under writes to random keys (redis-benchmark, 50 connections, no " +
    "pipeline, values of the same size). The rate is the image's bytes from its first to its last one, over " +
    "a loopback socket, so it counts the primary's side only; before it is the time from the request " +
    "to the first byte, in which a Redis waits for its next cron. Added memory is the resident size " +
    `(read every ${RSS_PERIOD_MS} ms) at its highest less that before; for Redis, whose child shares ` +
    "its pages, what it says it copied (rdb_last_cow_size). Deferred is what of that shoal's arena " +
    "keeps for the snapshot alone (arena_deferred_bytes). Stall, inside: the longest piece of work " +
    "without a look at the network, and the latest timer, of INFO stats. Stall, outside: a client " +
    "in a thread of its own that sends PING, waits for the answer, and sends the next a millisecond " +
    "after the last was due; shown beside the same without a ship. The receiver, the PINGs, the " +
    "writer and the server share this machine's cores; the columns without a ship tell what that " +
    "costs, and 'no core' how many ms of each second of a ship the server's main thread was ready to " +
    "run and had to wait for a core, which is in the other figures too. So as many ships again are " +
    "taken with the event loop on a core of its own and all else on the others (taskset), where the writer " +
    "gives way to the server's threads (nice): one that waits for it may hold what the loop wants. 'own core' " +
    "is the longest piece of work then, the median of the ships and the most; 'stolen' is what the " +
    "host of a virtual machine took of that core meanwhile, which is in it.",
  run,
};

interface Ship {
  readonly megabytesPerSecond: number;
  readonly firstByteMs: number;
  readonly addedBytes: number;
  readonly deferredBytes: number;
  readonly longestWorkMs: number;
  readonly lagMs: number;
  readonly coreWaitMs: number;
  readonly pings: Times;
}

interface Row {
  readonly maker: Maker;
  readonly writes: boolean;
  readonly baseline: Times;
  readonly ships: readonly Ship[];
  /** With a core for the event loop alone; empty where that cannot be had. */
  readonly alone: readonly Alone[];
}

/** A ship while the event loop had a core of its own. */
interface Alone {
  readonly longestWorkMs: number;
  readonly stolenMs: number;
}

async function run(bench: Bench): Promise<Findings> {
  const { makers, options, programs, say, hasBenchmark } = bench;
  const rows: Row[] = [];
  for (const maker of makers) {
    const args = maker === "redis" ? ["--repl-diskless-sync-delay", "0"] : [];
    const server = await programs.start(maker, [...NO_SAVE, ...args]);
    using client = await Client.connect(server.port);
    say(`${maker}: loading`);
    const keys = await load(client, options.quick ? QUICK_DATASET_BYTES : DATASET_BYTES);
    for (const writes of hasBenchmark ? [false, true] : [false]) {
      say(`${maker}: ${writes ? "with writes" : "idle"}`);
      const writer = writes ? startWriter(server, keys, false) : null;
      await sleep(1_000);
      const watcher = await Sampler.ping(server.port);
      await sleep(BASELINE_MS);
      const baseline = await watcher.stop();
      const ships: Ship[] = [];
      for (let i = 0; i < (options.quick ? QUICK_TIMES : TIMES); i++) {
        ships.push(await ship(server, client));
        await sleep(SETTLE_MS);
      }
      writer?.stop();
      await writer?.rate;
      const alone = maker === "shoal"
        ? await shipsAlone(server, client, keys, writes, ships.length)
        : [];
      rows.push({ maker, writes, baseline, ships, alone });
    }
    await programs.stop(server);
  }
  return { tables: tables(rows), data: rows };
}

function startWriter(
  server: Program,
  keys: number,
  givesWay: boolean,
): ReturnType<typeof startRedisBenchmark> {
  return startRedisBenchmark({
    port: server.port,
    command: ["SET", "key:__rand_int__", "w".repeat(VALUE_BYTES)],
    keyRange: keys,
    requests: ENDLESS,
    pipeline: 1,
    givesWay,
  });
}

async function shipsAlone(
  server: Program,
  client: Client,
  keys: number,
  writes: boolean,
  count: number,
): Promise<Alone[]> {
  await using core = await OwnCore.give(server);
  if (core === null) return [];
  const writer = writes ? startWriter(server, keys, true) : null;
  await sleep(SETTLE_MS);
  const ships: Alone[] = [];
  for (let i = 0; i < count; i++) {
    await client.ask("CONFIG", "RESETSTAT");
    const stolenMs = core.stolenMs();
    await takeFullSync(server);
    const longestWorkMs = await client.figure("stats", "eventloop_longest_work_usec") / 1000;
    ships.push({ longestWorkMs, stolenMs: core.stolenMs() - stolenMs });
    await sleep(SETTLE_MS);
  }
  writer?.stop();
  await writer?.rate;
  return ships;
}

async function load(client: Client, bytes: number): Promise<number> {
  // Loading in steps would start at the first key each time: the number of keys is reckoned instead.
  const before = await client.figure("memory", "used_memory");
  await client.load({ keys: STEP_KEYS, valueBytes: VALUE_BYTES });
  const perKey = (await client.figure("memory", "used_memory") - before) / STEP_KEYS;
  const keys = Math.ceil((bytes - before) / perKey);
  await client.load({ keys, valueBytes: VALUE_BYTES });
  return keys;
}

async function ship(server: Program, client: Client): Promise<Ship> {
  await client.ask("CONFIG", "RESETSTAT");
  const before = server.rssBytes();
  const waitedMs = server.coreWaitMs();
  let most = before;
  let deferred = 0;
  const rss = setInterval(() => most = Math.max(most, server.rssBytes()), RSS_PERIOD_MS);
  const arena = setInterval(async () => {
    deferred = Math.max(deferred, await client.figure("memory", "arena_deferred_bytes"));
  }, DEFERRED_PERIOD_MS);
  const watcher = await Sampler.ping(server.port);
  let sync;
  let pings;
  try {
    sync = await takeFullSync(server);
  } catch (error) {
    await sleep(SETTLE_MS); // the server may still be saying why
    const said = server.output.trimEnd().split("\n").slice(-3).join("\n");
    throw new Error(`${server.maker} did not finish a ship; it said last:\n${said}`, {
      cause: error,
    });
  } finally {
    clearInterval(rss);
    clearInterval(arena);
    pings = await watcher.stop();
  }
  const coreWaitMs = (server.coreWaitMs() - waitedMs) / sync.seconds;
  const isRedis = server.maker === "redis";
  const info = await client.info("all");
  const number = (name: string) => Number(info.get(name) ?? NaN);
  return {
    megabytesPerSecond: sync.bytes / 1e6 / (sync.seconds - sync.firstByteSeconds),
    firstByteMs: sync.firstByteSeconds * 1000,
    addedBytes: isRedis ? number("rdb_last_cow_size") : most - before,
    deferredBytes: isRedis ? NaN : deferred,
    longestWorkMs: number("eventloop_longest_work_usec") / 1000,
    lagMs: number("eventloop_lag_max_usec") / 1000,
    coreWaitMs,
    pings,
  };
}

function tables(rows: readonly Row[]): Findings["tables"] {
  const name = ({ maker, writes }: Row) => `${maker}, ${writes ? "under writes" : "no writes"}`;
  const of = (row: Row, pick: (ship: Ship) => number) => row.ships.map(pick);
  return [
    {
      title: "rate and memory, median of the ships (most)",
      table: {
        columns: ["", "first byte, ms", "MB/s", "added MiB", "deferred MiB"],
        rows: rows.map((row) => {
          const mostOf = (values: number[]) =>
            `${mebibytes(median(values))} (${mebibytes(Math.max(...values))})`;
          return [
            name(row),
            fixed(median(of(row, (s) => s.firstByteMs)), 0),
            fixed(median(of(row, (s) => s.megabytesPerSecond)), 0),
            mostOf(of(row, (s) => s.addedBytes)),
            row.maker === "redis" ? "" : mostOf(of(row, (s) => s.deferredBytes)),
          ];
        }),
      },
    },
    {
      title: "stall in ms: inside (longest of all ships), outside (PING)",
      table: {
        columns: [
          "",
          "own core (most)",
          "stolen",
          "work",
          "timer",
          "no core",
          "p99",
          "max",
          "p99, no ship",
          "max, no ship",
        ],
        rows: rows.map((row) => [
          name(row),
          ...aloneTexts(row.alone),
          fixed(Math.max(...of(row, (s) => s.longestWorkMs))),
          fixed(Math.max(...of(row, (s) => s.lagMs))),
          fixed(median(of(row, (s) => s.coreWaitMs)), 0),
          fixed(median(of(row, (s) => s.pings.p99))),
          fixed(Math.max(...of(row, (s) => s.pings.max))),
          fixed(row.baseline.p99),
          fixed(row.baseline.max),
        ]),
      },
    },
  ];
}

/** The longest piece of work, median and most, and what was stolen during all of the ships. */
function aloneTexts(ships: readonly Alone[]): string[] {
  if (ships.length === 0) return ["-", "-"];
  const work = ships.map(({ longestWorkMs }) => longestWorkMs);
  const stolenMs = ships.reduce((sum, ship) => sum + ship.stolenMs, 0);
  return [`${fixed(median(work), 1)} (${fixed(Math.max(...work), 1)})`, fixed(stolenMs, 0)];
}
