/**
 * Requests per second beside redis-server's, command by command and at several pipeline depths.
 *
 * @module
 */

import { type Bench, type Findings, inTurn, type Measurement, NO_SAVE } from "./bench.ts";
import { Random } from "../support/random.ts";
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
  /** Whether the geometric mean leaves it out. */
  readonly isBeside?: true;
  /** Brings a server into the state that a run of `requests` begins with; not measured. */
  readonly prepare?: (client: Client, requests: number) => Promise<void>;
}

const VALUE = "v".repeat(VALUE_BYTES);
const KEY = "key:__rand_int__";
/** The list that LRANGE reads, and its length. */
const RANGE_KEY = "bench:list";
const RANGE_ITEMS = 10_000;
/** Elements of one request that prepares a key. */
const PREPARE_STEP = 500;

/** The commands compared. The keys of `-t` are redis-benchmark's own: mylist, myset, myhash, myzset. */
export const COMMANDS: readonly CommandRow[] = [
  { name: "SET", command: ["-t", "set"], cost: 1 },
  { name: "GET", command: ["-t", "get"], cost: 1 },
  { name: "INCR", command: ["-t", "incr"], cost: 1 },
  { name: "MSET, 10 keys", command: ["-t", "mset"], cost: 5 },
  { name: "LPUSH", command: ["-t", "lpush"], cost: 1, prepare: without("mylist") },
  // Pops what the run before has pushed, to the last item.
  { name: "RPOP", command: ["-t", "rpop"], cost: 1 },
  { name: "LRANGE, 100 items", command: ["LRANGE", RANGE_KEY, "0", "99"], cost: 10 },
  { name: "SADD", command: ["-t", "sadd"], cost: 1, prepare: without("myset") },
  { name: "HSET", command: ["-t", "hset"], cost: 1, prepare: without("myhash") },
  { name: "ZADD", command: ["-t", "zadd"], cost: 2, prepare: without("myzset") },
  { name: "ZPOPMIN", command: ["-t", "zpopmin"], cost: 2, prepare: fillZset },
  {
    name: "SETEX",
    command: ["SETEX", "ttl:__rand_int__", "3600", VALUE],
    cost: 1,
    isBeside: true,
  },
  {
    name: "MGET, 10 keys",
    command: ["MGET", ...Array<string>(10).fill(KEY)],
    cost: 5,
    isBeside: true,
  },
  { name: "PING", command: ["-t", "ping_mbulk"], cost: 1, isBeside: true },
];

/** Takes a key away, and waits until it is freed. */
function without(key: string): (client: Client) => Promise<void> {
  return async (client) => {
    await client.ask("UNLINK", key);
    await client.freed();
  };
}

/** A sorted set with a member for each pop, whose scores are in no order. */
async function fillZset(client: Client, requests: number): Promise<void> {
  await without("myzset")(client);
  const random = new Random(1);
  for (let from = 0; from < requests; from += PREPARE_STEP) {
    const words = ["ZADD", "myzset"];
    for (let i = from; i < Math.min(requests, from + PREPARE_STEP); i++) {
      words.push(String(random.below(KEY_RANGE)), `element:${String(i).padStart(12, "0")}`);
    }
    await client.ask(...words);
  }
}

/** The list that LRANGE reads. */
async function fillList(client: Client): Promise<void> {
  for (let from = 0; from < RANGE_ITEMS; from += PREPARE_STEP) {
    await client.ask("RPUSH", RANGE_KEY, ...Array<string>(PREPARE_STEP).fill(VALUE));
  }
}

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
    `${KEY_RANGE} random keys, which exist before (INCR's and SETEX's come to be). SADD, HSET and ` +
    "ZADD add random members to one key that is empty at first; LPUSH and RPOP fill and empty one " +
    "list; ZPOPMIN empties a sorted set with a member for each of its requests; LRANGE reads the " +
    `first 100 of ${RANGE_ITEMS} items. Both servers run side by side with their ` +
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
    await fillList(client);
  }
  const results = new Map<string, Samples>();
  for (let round = -1; round < options.rounds; round++) {
    for (const { depth, requests } of DEPTHS) {
      if (round < 0 && depth !== WARM_UP_DEPTH) continue;
      for (const { name, command, cost, prepare } of COMMANDS) {
        say(round < 0 ? `warming up: ${name}` : `round ${round + 1}: ${name}, pipeline ${depth}`);
        const samples = results.get(`${name} ${depth}`) ?? {};
        results.set(`${name} ${depth}`, samples);
        const count = Math.round(requests / cost / (options.quick ? QUICK_DIVISOR : 1));
        for (const server of inTurn(servers, Math.max(0, round))) {
          if (prepare !== undefined) {
            using client = await Client.connect(server.port);
            await prepare(client, count);
          }
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
    const rows = COMMANDS.map(({ name, isBeside }) => {
      const { shoal = [], redis = [] } = results.get(`${name} ${depth}`) ?? {};
      const over = (pick: (sample: Sample) => number) =>
        summarize(shoal.map((sample, round) => pick(sample) / pick(redis[round] ?? NO_SAMPLE)));
      const rate = over((sample) => sample.rate);
      const cpu = over((sample) => sample.cpu);
      if (isBeside === undefined) medians.push(rate.median);
      data[`${name} pipeline ${depth}`] = { rate, cpu, shoal, redis };
      const rates = [shoal, redis].map((of) => thousands(median(of.map((sample) => sample.rate))));
      return [name, hasRedis ? ratioText(rate) : "-", ...rates, fixed(cpu.median)];
    });
    if (hasRedis) {
      const title = `geometric mean, ${COMMANDS[0].name} to ${COMMANDS[medians.length - 1].name}`;
      rows.splice(medians.length, 0, [title, geometricMean(medians).toFixed(2), "", "", ""]);
    }
    return {
      title: depth === 1 ? "no pipeline" : `pipeline of ${depth}`,
      table: { columns: ["command", "ratio (range)", "shoal k/s", "redis k/s", "cpu ratio"], rows },
    };
  });
  return { tables, data };
}
