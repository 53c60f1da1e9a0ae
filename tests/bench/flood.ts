/**
 * What one client feels while others send as fast as they can.
 *
 * @module
 */

import { type Bench, type Findings, inTurn, type Measurement, NO_SAVE } from "./bench.ts";
import { sleep } from "./client.ts";
import type { Maker } from "./programs.ts";
import { startRedisBenchmark } from "./redis_benchmark.ts";
import { fixed } from "./report.ts";
import { Sampler, type Times } from "./sampler.ts";
import { median } from "./statistics.ts";

const FLOODERS = 2;
const PIPELINE = 1_000;
const WATCH_MS = 5_000;
const QUICK_WATCH_MS = 2_000;
const ENDLESS = 1_000_000_000;

/** See the module's text. */
export const FLOOD: Measurement = {
  name: "flood",
  title: "a client among flooding ones",
  needsBenchmark: true,
  method: ({ rounds, quick }) =>
    `${FLOODERS} connections of redis-benchmark send SET in pipelines of ${PIPELINE} without pause; ` +
    "a third client, in a thread of its own, sends PING, waits for the answer, and sends the next " +
    `a millisecond after the last was due, for ${(quick ? QUICK_WATCH_MS : WATCH_MS) / 1000} s. ` +
    `Shown are the medians over ${rounds} rounds of p50 and p99, and the longest of all rounds; ` +
    "above them the same without the flood.",
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const { makers, options, programs, say } = bench;
  const servers = await Promise.all(makers.map((maker) => programs.start(maker, NO_SAVE)));
  const times = new Map<string, Times[]>();
  const watchMs = options.quick ? QUICK_WATCH_MS : WATCH_MS;
  for (let round = 0; round < options.rounds; round++) {
    for (const { maker, port } of inTurn(servers, round)) {
      for (const floods of [false, true]) {
        say(`round ${round + 1}: ${maker}, ${floods ? "flooded" : "quiet"}`);
        const flood = floods
          ? startRedisBenchmark({
            port,
            command: ["-t", "set"],
            requests: ENDLESS,
            pipeline: PIPELINE,
            connections: FLOODERS,
          })
          : null;
        if (flood !== null) await sleep(500);
        const client = await Sampler.ping(port);
        await sleep(watchMs);
        const key = rowName(maker, floods);
        times.set(key, [...times.get(key) ?? [], await client.stop()]);
        flood?.stop();
        await flood?.rate;
      }
    }
  }
  await programs.stop(...servers);
  const rows = makers.flatMap((maker) =>
    [false, true].map((floods) => {
      const of = times.get(rowName(maker, floods)) ?? [];
      return [
        rowName(maker, floods),
        fixed(median(of.map((t) => t.p50))),
        fixed(median(of.map((t) => t.p99))),
        fixed(Math.max(...of.map((t) => t.max))),
      ];
    })
  );
  return {
    tables: [{ title: "PING in ms", table: { columns: ["", "p50", "p99", "max"], rows } }],
    data: Object.fromEntries(times),
  };
}

function rowName(maker: Maker, floods: boolean): string {
  return `${maker}, ${floods ? "flooded" : "quiet"}`;
}
