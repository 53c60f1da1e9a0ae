/**
 * Requests per second beside redis-server's, command by command and at several pipeline depths.
 *
 * @module
 */

import { type Bench, type Findings, inTurn, type Measurement, NO_SAVE } from "./bench.ts";
import { Client } from "./client.ts";
import type { Maker, Program } from "./programs.ts";
import { CONNECTIONS, KEY_RANGE, redisBenchmark, VALUE_BYTES } from "./redis_benchmark.ts";
import { fixed, ratioText, thousands } from "./report.ts";
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

/** Depth of the round that warms both servers up. */
const WARM_UP_DEPTH = 16;
/** Stands for a run that was not made. */
const NO_SAMPLE: Sample = { rate: NaN, cpu: NaN };
/** What quick runs divide their requests by. */
const QUICK_DIVISOR = 4;

/** One run. */
export interface Sample {
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds of processor time of the server a request. */
  readonly cpu: number;
}

/** The runs of one command and depth, one a round. */
type Samples = Partial<Record<Maker, Sample[]>>;

/** See the module's text. */
export const THROUGHPUT: Measurement = {
  name: "throughput",
  title: "requests per second, shoal / redis-server",
  needsBenchmark: true,
  method: ({ rounds, quick }) =>
    `redis-benchmark with ${CONNECTIONS} connections, ${VALUE_BYTES}-byte values and ` +
    `${KEY_RANGE} random keys, which exist before (INCR's and SETEX's come to be). Both servers run side by side with their ` +
    "default settings but without saving; while one is measured the other is idle. Each round runs " +
    "each command at each depth on both, one right after the other, and who is first alternates. " +
    `A round's ratio is shoal's rate divided by redis-server's; shown is the median of ${rounds} ` +
    "rounds, with the least and the greatest, and the median rates in thousands a second. A round " +
    `at a depth of ${WARM_UP_DEPTH} comes first and does not count.${
      quick ? " (quick: a quarter of the requests)" : ""
    }`,
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const { makers, options, programs, say } = bench;
  const servers = await Promise.all(makers.map((maker) => programs.start(maker, NO_SAVE)));
  for (const { port } of servers) {
    using client = await Client.connect(port);
    await client.load({ keys: KEY_RANGE, valueBytes: VALUE_BYTES });
  }
  const results = new Map<string, Samples>();
  for (let round = -1; round < options.rounds; round++) {
    for (const { depth, requests } of DEPTHS) {
      if (round < 0 && depth !== WARM_UP_DEPTH) continue;
      for (const { name, command, cost } of COMMANDS) {
        say(round < 0 ? `warming up: ${name}` : `round ${round + 1}: ${name}, pipeline ${depth}`);
        const samples = results.get(`${name} ${depth}`) ?? {};
        results.set(`${name} ${depth}`, samples);
        const count = Math.round(requests / cost / (options.quick ? QUICK_DIVISOR : 1));
        for (const server of inTurn(servers, Math.max(0, round))) {
          const sample = await measure(server, command, depth, count);
          if (round >= 0) (samples[server.maker] ??= []).push(sample);
        }
      }
    }
  }
  await programs.stop(...servers);
  return findings(results, makers.includes("redis"));
}

/** Runs redis-benchmark once, and reads what the server took for it. */
export async function measure(
  server: Program,
  command: readonly string[],
  pipeline: number,
  requests: number,
): Promise<Sample> {
  const before = server.cpuSeconds();
  const rate = await redisBenchmark({ port: server.port, command, requests, pipeline });
  return { rate, cpu: (server.cpuSeconds() - before) * 1e6 / requests };
}

function findings(results: Map<string, Samples>, hasRedis: boolean): Findings {
  const data: Record<string, unknown> = {};
  const tables = DEPTHS.map(({ depth }) => {
    const medians: number[] = [];
    const rows = COMMANDS.map(({ name }) => {
      const { shoal = [], redis = [] } = results.get(`${name} ${depth}`) ?? {};
      const over = (pick: (sample: Sample) => number) =>
        summarize(shoal.map((sample, round) => pick(sample) / pick(redis[round] ?? NO_SAMPLE)));
      const rate = over((sample) => sample.rate);
      const cpu = over((sample) => sample.cpu);
      if (name !== "PING") medians.push(rate.median);
      data[`${name} pipeline ${depth}`] = { rate, cpu, shoal, redis };
      const rates = [shoal, redis].map((of) => thousands(median(of.map((sample) => sample.rate))));
      return [name, hasRedis ? ratioText(rate) : "-", ...rates, fixed(cpu.median)];
    });
    if (hasRedis) {
      rows.push(["geometric mean without PING", geometricMean(medians).toFixed(2), "", "", ""]);
    }
    return {
      title: depth === 1 ? "no pipeline" : `pipeline of ${depth}`,
      table: { columns: ["command", "ratio (range)", "shoal k/s", "redis k/s", "cpu ratio"], rows },
    };
  });
  return { tables, data };
}
