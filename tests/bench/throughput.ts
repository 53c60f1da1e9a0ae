/**
 * Requests per second beside redis-server's, command by command and at several pipeline depths.
 *
 * @module
 */

import { type Bench, type Findings, inTurn, type Measurement, NO_SAVE } from "./bench.ts";
import { Client } from "./client.ts";
import type { Maker } from "./programs.ts";
import { CONNECTIONS, KEY_RANGE, redisBenchmark, VALUE_BYTES } from "./redis_benchmark.ts";
import { ratioText, thousands } from "./report.ts";
import { geometricMean, median, summarize } from "./statistics.ts";

/** One row of the comparison. */
interface CommandRow {
  /** Name in the report. */
  readonly name: string;
  /** Arguments of redis-benchmark. */
  readonly command: readonly string[];
  /** What one request costs, in SETs: so many times fewer are sent. */
  readonly cost: number;
}

const VALUE = "v".repeat(VALUE_BYTES);
const KEY = "key:__rand_int__";

/** The commands compared; types that are added later add their rows here. */
export const COMMANDS: readonly CommandRow[] = [
  { name: "SET", command: ["-t", "set"], cost: 1 },
  { name: "GET", command: ["-t", "get"], cost: 1 },
  { name: "INCR", command: ["-t", "incr"], cost: 1 },
  { name: "SETEX", command: ["SETEX", "ttl:__rand_int__", "3600", VALUE], cost: 1 },
  { name: "MSET, 10 keys", command: ["-t", "mset"], cost: 5 },
  { name: "MGET, 10 keys", command: ["MGET", ...Array<string>(10).fill(KEY)], cost: 5 },
  { name: "PING", command: ["-t", "ping_mbulk"], cost: 1 },
];

/** Pipeline depths, and requests of cost 1 for a run of one to two seconds. */
const DEPTHS: readonly { readonly depth: number; readonly requests: number }[] = [
  { depth: 1, requests: 60_000 },
  { depth: 16, requests: 600_000 },
  { depth: 64, requests: 1_000_000 },
];

/** What quick runs divide their requests by. */
const QUICK_DIVISOR = 4;

/** Requests per second of one command and depth, a number a round. */
type Rates = Partial<Record<Maker, number[]>>;

/** See the module's text. */
export const THROUGHPUT: Measurement = {
  name: "throughput",
  title: "requests per second, shoal / redis-server",
  needsBenchmark: true,
  method: ({ rounds, quick }) =>
    `redis-benchmark with ${CONNECTIONS} connections, ${VALUE_BYTES}-byte values and ` +
    `${KEY_RANGE} random keys, all of which exist before. Both servers run side by side with their ` +
    "default settings but without saving; while one is measured the other is idle. Each round runs " +
    "each command at each depth on both, one right after the other, and who is first alternates. " +
    `A round's ratio is shoal's rate divided by redis-server's; shown is the median of ${rounds} ` +
    "rounds, with the least and the greatest, and the median rates in thousands a second. One round " +
    `before the first does not count.${quick ? " (quick: a quarter of the requests)" : ""}`,
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const { makers, options, programs, say } = bench;
  const servers = await Promise.all(makers.map((maker) => programs.start(maker, NO_SAVE)));
  for (const { port } of servers) {
    using client = await Client.connect(port);
    await client.load({ keys: KEY_RANGE, valueBytes: VALUE_BYTES });
  }
  const results = new Map<string, Rates>();
  for (let round = -1; round < options.rounds; round++) {
    for (const { depth, requests } of DEPTHS) {
      for (const { name, command, cost } of COMMANDS) {
        say(round < 0 ? `warming up: ${name}` : `round ${round + 1}: ${name}, pipeline ${depth}`);
        const rates = results.get(`${name} ${depth}`) ?? {};
        results.set(`${name} ${depth}`, rates);
        for (const { maker, port } of inTurn(servers, Math.max(0, round))) {
          const rate = await redisBenchmark({
            port,
            command,
            requests: Math.round(requests / cost / (options.quick ? QUICK_DIVISOR : 1)),
            pipeline: depth,
          });
          if (round >= 0) (rates[maker] ??= []).push(rate);
        }
      }
    }
  }
  await programs.stop(...servers);
  return findings(results, makers.includes("redis"));
}

function findings(results: Map<string, Rates>, hasRedis: boolean): Findings {
  const data: Record<string, unknown> = {};
  const tables = DEPTHS.map(({ depth }) => {
    const medians: number[] = [];
    const rows = COMMANDS.map(({ name }) => {
      const { shoal = [], redis = [] } = results.get(`${name} ${depth}`) ?? {};
      const ratios = shoal.map((rate, round) => rate / redis[round]);
      const ratio = summarize(ratios);
      if (name !== "PING") medians.push(ratio.median);
      data[`${name} pipeline ${depth}`] = { ...ratio, ratios, shoal, redis };
      const rates = [thousands(median(shoal)), thousands(median(redis))];
      return [name, hasRedis ? ratioText(ratio) : "-", ...rates];
    });
    if (hasRedis) {
      rows.push(["geometric mean without PING", geometricMean(medians).toFixed(2), "", ""]);
    }
    return {
      title: depth === 1 ? "no pipeline" : `pipeline of ${depth}`,
      table: { columns: ["command", "ratio (range)", "shoal k/s", "redis k/s"], rows },
    };
  });
  return { tables, data };
}
