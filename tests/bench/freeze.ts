/**
 * How long a server stands still to begin a snapshot: shoal's freeze, Redis's fork.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE } from "./bench.ts";
import { Client } from "./client.ts";
import { takeFullSync } from "./full_sync.ts";
import type { Program } from "./programs.ts";
import { VALUE_BYTES } from "./redis_benchmark.ts";
import { fixed } from "./report.ts";
import { median } from "./statistics.ts";

const KEYS = 1_000_000;
/** Snapshots that are begun. */
const TIMES = 9;

/** See the module's text. */
export const FREEZE: Measurement = {
  name: "freeze",
  title: "standstill at the beginning of a snapshot",
  needsBenchmark: false,
  method: () =>
    `${KEYS} keys of 16 bytes with values of ${VALUE_BYTES} bytes. A receiver asks ${TIMES} times ` +
    "for a full synchronization and throws it away. shoal's time is that of its freeze, as its log " +
    "says (froze_ms), divided by a million keys; Redis's is that of its fork (latest_fork_usec).",
  run,
};

async function run({ makers, programs, say }: Bench): Promise<Findings> {
  const rows: string[][] = [];
  const data: Record<string, number[]> = {};
  for (const maker of makers) {
    const args = maker === "redis" ? ["--repl-diskless-sync-delay", "0"] : [];
    const server = await programs.start(maker, [...NO_SAVE, ...args]);
    using client = await Client.connect(server.port);
    await client.load({ keys: KEYS, valueBytes: VALUE_BYTES });
    const took: number[] = [];
    for (let i = 0; i < TIMES; i++) {
      say(`${maker}: snapshot ${i + 1} of ${TIMES}`);
      took.push(await standstillMs(server, client));
    }
    data[maker] = took;
    rows.push([
      maker === "shoal" ? "shoal, freeze" : "redis, fork",
      fixed(median(took), 3),
      fixed(Math.max(...took), 3),
    ]);
    await programs.stop(server);
  }
  return {
    tables: [{
      title: "ms per million keys",
      table: { columns: ["", "median", "longest"], rows },
    }],
    data,
  };
}

async function standstillMs(server: Program, client: Client): Promise<number> {
  const from = server.output.length;
  await takeFullSync(server);
  if (server.maker === "redis") return await client.figure("stats", "latest_fork_usec") / 1000;
  const found = await server.printed(/keys=(\d+) froze_ms=([\d.]+)/, 5_000, from);
  return Number(found[2]) / Number(found[1]) * 1_000_000;
}
