/**
 * What a replica costs its primary.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE, sampleSideBySide } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import type { Maker, Program } from "./programs.ts";
import { caughtUp, startReplica } from "./replica.ts";
import { KEY_RANGE, VALUE_BYTES } from "./redis_benchmark.ts";
import { fixed, ratioText, thousands } from "./report.ts";
import { startDrain } from "./sampler.ts";
import { median, summarize } from "./statistics.ts";
import { measure, type Sample } from "./throughput.ts";

/** Who is attached. */
type Attached = "nobody" | "a reader" | "a replica";

/** What is measured. */
interface Kind {
  readonly maker: Maker;
  readonly attached: Attached;
}

/** One primary with what is attached to it. */
interface Candidate extends Kind {
  readonly primary: Program;
  readonly replica: Program | null;
  /** The thread that is the reader. */
  readonly drain: Worker | null;
}

const DEPTHS: readonly { readonly depth: number; readonly requests: number }[] = [
  { depth: 1, requests: 60_000 },
  { depth: 16, requests: 500_000 },
  { depth: 64, requests: 1_000_000 },
];
const QUICK_DIVISOR = 4;
/**
 * How often all keys are written beforehand. That makes 360 MB of frames, more than the 256 MiB that
 * shoal's backlog holds: a primary that has run for a while writes where it has written before.
 */
const FILLS = 3;
/** How many rounds are measured before all is started anew. */
const ROUNDS_PER_START = 3;
/** What the reader gets to take what is left; it says nothing. */
const READER_MS = 200;

/** See the module's text. */
export const ATTACH: Measurement = {
  name: "attach",
  title: "cost of one replica",
  needsBenchmark: true,
  method: ({ rounds }) =>
    "SET as in the throughput table, on primaries that run side by side and differ only in what is " +
    "attached: nobody, a reader that throws the frames away (a thread of this program), a replica " +
    `of the same make. They are started anew for every ${ROUNDS_PER_START} rounds (V8 optimizes otherwise from ` +
    `one start to the next), and all ${KEY_RANGE} keys are written ${FILLS} times first, so ` +
    "that shoal's backlog is full. A round measures each once, in turn, after the replica has caught " +
    `up; who is first rotates. Shown is the median over ${rounds} rounds of the rate over that with nobody ` +
    "attached, and the same for processor time of the primary per request, which does not depend on " +
    "how many cores the replica and the benchmark have to share with it. The last table is shoal over " +
    "redis-server: where each has a replica on the same cores, where only shoal has one, and what a " +
    "replica leaves of the ratio without.",
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const { options, programs } = bench;
  const samples = await sampleSideBySide<Candidate, Sample>(bench, {
    perStart: ROUNDS_PER_START,
    depths: DEPTHS,
    start: () => start(bench),
    nameOf,
    async measure({ primary, replica }, depth, requests) {
      const count = Math.round(requests / (options.quick ? QUICK_DIVISOR : 1));
      const sample = await measure(primary, ["-t", "set"], depth, count);
      // Its work must be in nobody else's figures.
      if (replica !== null) await caughtUp(primary, replica);
      else await sleep(READER_MS);
      return sample;
    },
    async stop(candidates) {
      for (const { drain } of candidates) drain?.terminate();
      await programs.stop(...candidates.flatMap(({ replica }) => replica ?? []));
      await programs.stop(...candidates.map(({ primary }) => primary));
    },
  });
  return findings(bench.makers.flatMap(kindsOf), samples);
}

/** What is measured of one maker. */
function kindsOf(maker: Maker): Kind[] {
  const all: readonly Attached[] = ["nobody", "a reader", "a replica"];
  // A reader speaks shoal's protocol.
  return all.filter((attached) => maker === "shoal" || attached !== "a reader")
    .map((attached) => ({ maker, attached }));
}

function nameOf({ maker, attached }: Kind): string {
  return `${maker} ${attached}`;
}

/** Every primary with what is attached to it, its keys written. */
async function start(bench: Bench): Promise<Candidate[]> {
  const { makers, programs, say } = bench;
  const candidates: Candidate[] = [];
  for (const kind of makers.flatMap(kindsOf)) {
    const { maker, attached } = kind;
    const primary = await programs.start(maker, NO_SAVE);
    const replica = attached === "a replica" ? await startReplica(bench, primary) : null;
    const drain = attached === "a reader" ? await startDrain(primary.replicationPortBase) : null;
    say(`filling: ${maker} with ${attached}`);
    await fill(primary);
    if (replica !== null) await caughtUp(primary, replica);
    candidates.push({ ...kind, primary, replica, drain });
  }
  return candidates;
}

/** Writes every key that the benchmark writes, `FILLS` times. */
async function fill({ port }: Program): Promise<void> {
  using client = await Client.connect(port);
  for (let i = 0; i < FILLS; i++) await client.load({ keys: KEY_RANGE, valueBytes: VALUE_BYTES });
}

function findings(
  kinds: readonly Kind[],
  samples: ReadonlyMap<string, readonly Sample[]>,
): Findings {
  const tables = DEPTHS.map(({ depth }) => ({
    title: depth === 1 ? "SET, no pipeline" : `SET, pipeline of ${depth}`,
    table: {
      columns: ["", "rate, ratio (range)", "k/s", "cpu time, ratio (range)", "us/request"],
      rows: kinds.map(({ maker, attached }) => {
        const own = samples.get(`${nameOf({ maker, attached })} ${depth}`) ?? [];
        const alone = samples.get(`${nameOf({ maker, attached: "nobody" })} ${depth}`) ?? [];
        const over = (pick: (sample: Sample) => number) =>
          attached === "nobody"
            ? "1"
            : ratioText(summarize(own.map((sample, i) => pick(sample) / pick(alone[i]))));
        return [
          `${maker} with ${attached}`,
          over((sample) => sample.rate),
          thousands(median(own.map((sample) => sample.rate))),
          over((sample) => sample.cpu),
          fixed(median(own.map((sample) => sample.cpu))),
        ];
      }),
    },
  }));
  const isCompared = kinds.some(({ maker }) => maker === "redis");
  return {
    tables: isCompared ? [...tables, comparison(samples)] : tables,
    data: Object.fromEntries(samples),
  };
}

/** Shoal over Redis, round by round: each alone, each with a replica, and the latter over the former. */
function comparison(samples: ReadonlyMap<string, readonly Sample[]>): Findings["tables"][number] {
  const ratios = (attached: Attached, depth: number, toTheirs: Attached = attached) => {
    const theirs = samples.get(`${nameOf({ maker: "redis", attached: toTheirs })} ${depth}`) ?? [];
    const ours = samples.get(`${nameOf({ maker: "shoal", attached })} ${depth}`) ?? [];
    return ours.map(({ rate }, i) => rate / theirs[i].rate);
  };
  const row = (title: string, of: (depth: number) => readonly number[]) => [
    title,
    ...DEPTHS.map(({ depth }) => ratioText(summarize(of(depth)))),
  ];
  return {
    title: "SET, shoal over redis-server",
    table: {
      columns: [
        "",
        ...DEPTHS.map(({ depth }) => depth === 1 ? "no pipeline" : `pipeline of ${depth}`),
      ],
      rows: [
        row("with nobody", (depth) => ratios("nobody", depth)),
        row("with a replica each", (depth) => ratios("a replica", depth)),
        row(
          "shoal with a replica, redis-server with nobody",
          (depth) => ratios("a replica", depth, "nobody"),
        ),
        row("what a replica leaves", (depth) => {
          const alone = ratios("nobody", depth);
          return ratios("a replica", depth).map((ratio, i) => ratio / alone[i]);
        }),
      ],
    },
  };
}
