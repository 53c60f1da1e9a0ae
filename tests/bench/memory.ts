/**
 * Bytes that a key takes.
 *
 * @module
 */

import { type Bench, type Findings, type Measurement, NO_SAVE } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import type { Maker } from "./programs.ts";
import { VALUE_BYTES } from "./redis_benchmark.ts";
import { fixed } from "./report.ts";

const KEYS = 1_000_000;
const QUICK_KEYS = 200_000;
/** What the servers get to settle before their resident size is read. */
const SETTLE_MS = 500;

/** See the module's text. */
export const MEMORY: Measurement = {
  name: "memory",
  title: "bytes per key",
  needsBenchmark: false,
  method: ({ quick }) =>
    `A fresh server each. ${quick ? QUICK_KEYS : KEYS} keys of 16 bytes with values of ` +
    `${VALUE_BYTES} bytes, so 80 bytes of content each. used_memory and the resident size of the ` +
    "process are read before and after; the differences are divided by the number of keys. " +
    "used_memory is exact in both and comes out the same each time, so there is one round. What " +
    "clients are given for buffers is part of Redis's number and not of shoal's, and here nearly " +
    "nothing; resident sizes have all of it.",
  run,
};

interface Bytes {
  readonly used: number;
  readonly resident: number;
}

async function run({ makers, options, programs, say }: Bench): Promise<Findings> {
  const keys = options.quick ? QUICK_KEYS : KEYS;
  const perKey: Partial<Record<Maker, Bytes>> = {};
  for (const maker of makers) {
    say(`${maker}: ${keys} keys`);
    const server = await programs.start(maker, NO_SAVE);
    using client = await Client.connect(server.port);
    const read = async (): Promise<Bytes> => ({
      used: await client.figure("memory", "used_memory"),
      resident: server.rssBytes(),
    });
    await sleep(SETTLE_MS);
    const before = await read();
    await client.load({ keys, valueBytes: VALUE_BYTES });
    await sleep(SETTLE_MS);
    const after = await read();
    perKey[maker] = {
      used: (after.used - before.used) / keys,
      resident: (after.resident - before.resident) / keys,
    };
    await programs.stop(server);
  }
  const row = (title: string, of: keyof Bytes) => {
    const shoal = perKey.shoal?.[of] ?? NaN, redis = perKey.redis?.[of] ?? NaN;
    return [title, fixed(shoal / redis), fixed(shoal, 1), fixed(redis, 1)];
  };
  return {
    tables: [{
      title: "bytes per key",
      table: {
        columns: ["", "ratio", "shoal", "redis"],
        rows: [row("used_memory", "used"), row("resident size", "resident")],
      },
    }],
    data: perKey,
  };
}
