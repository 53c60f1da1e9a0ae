/**
 * How far a replica is behind while its primary is written to.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import { LOOK_MS } from "./probe_worker.ts";
import { startRedisBenchmark } from "./redis_benchmark.ts";
import { startReplica } from "./replica.ts";
import { fixed } from "./report.ts";
import { Sampler } from "./sampler.ts";
import { quantile } from "./statistics.ts";

const LOADS: readonly { readonly name: string; readonly pipeline: number }[] = [
  { name: "no other writes", pipeline: 0 },
  { name: "50 writers, no pipeline", pipeline: 1 },
  { name: "50 writers, pipeline of 16", pipeline: 16 },
];
const WATCH_MS = 6_000;
const QUICK_WATCH_MS = 2_000;
const ENDLESS = 1_000_000_000;
/** How often the replica is asked how many frames it lacks. */
const ASK_MS = 50;

/** See the module's text. */
export const LAG: Measurement = {
  name: "lag",
  title: "lag of a replica under writes",
  needsBenchmark: true,
  method: ({ quick }) =>
    "One primary, one replica of the same make, SET by redis-benchmark as in the throughput table " +
    `for ${
      (quick ? QUICK_WATCH_MS : WATCH_MS) / 1000
    } s a row. A client writes to the primary and ` +
    `then reads the replica every ${LOOK_MS} ms until it sees the write; shown is that time, which ` +
    "has both servers' answer times in it. Of shoal, INFO replication of the replica and then of the " +
    `primary are read every ${ASK_MS} ms; the difference of their next offsets is an upper bound of ` +
    "the frames that the replica lacks, since the primary goes on meanwhile. Primary, replica, " +
    "benchmark and probe share this machine's cores.",
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const { makers, options, programs, say } = bench;
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  for (const maker of makers) {
    const primary = await programs.start(maker, NO_SAVE);
    const replica = await startReplica(bench, primary);
    using upper = await Client.connect(primary.port);
    using lower = await Client.connect(replica.port);
    for (const { name, pipeline } of LOADS) {
      say(`${maker}: ${name}`);
      const writer = pipeline === 0 ? null : startRedisBenchmark({
        port: primary.port,
        command: ["-t", "set"],
        requests: ENDLESS,
        pipeline,
      });
      await sleep(500);
      const probe = await Sampler.lag(primary.port, replica.port);
      const frames: number[] = [];
      const until = performance.now() + (options.quick ? QUICK_WATCH_MS : WATCH_MS);
      while (performance.now() < until) {
        if (maker === "shoal") frames.push(await missingFrames(upper, lower));
        await sleep(ASK_MS);
      }
      const times = await probe.stop();
      writer?.stop();
      await writer?.rate;
      data[`${maker}, ${name}`] = { times, frames };
      const lacking = (q: number) => maker === "redis" ? "" : fixed(quantile(frames, q), 0);
      rows.push([
        `${maker}, ${name}`,
        fixed(times.p50),
        fixed(times.p99),
        fixed(times.max),
        lacking(0.5),
        lacking(1),
      ]);
    }
    await programs.stop(replica);
    await programs.stop(primary);
  }
  return {
    tables: [{
      title: "ms until a write is seen on the replica; frames that it lacks",
      table: { columns: ["", "p50", "p99", "max", "frames, median", "most"], rows },
    }],
    data,
  };
}

/** Frames of the primary's only shard that the replica had not applied when it was asked. */
async function missingFrames(upper: Client, lower: Client): Promise<number> {
  const next = (line = "") => Number(line.match(/next=(\d+)/)?.[1] ?? NaN);
  const applied = next((await lower.info("replication")).get("master_shard0"));
  const appended = next((await upper.info("replication")).get("shard0_offsets"));
  return Math.max(0, appended - applied);
}
