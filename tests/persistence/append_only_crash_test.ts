import { assert } from "@std/assert";
import { PowerCrash, SCENARIOS } from "../support/power_crash.ts";
import { Random, testSeed } from "../support/random.ts";
import { withDir } from "./support.ts";

/** Operations of a scenario at which the power is lost, picked by chance; `deno task crash` takes all. */
const POINTS = Number(Deno.env.get("SHOAL_CRASH_POINTS") ?? 80);
/** Seeds of a run. */
const SEEDS = Number(Deno.env.get("SHOAL_CRASH_SEEDS") ?? 1);

for (const scenario of SCENARIOS) {
  Deno.test(`power may go at any operation of an append-only file: ${scenario.name}`, async () => {
    await withDir(async (dir) => {
      const crash = new PowerCrash(scenario, dir);
      try {
        for (let seed = testSeed(20_261), n = 0; n < SEEDS; n++, seed += 100_000) {
          const operations = await crash.operations(seed);
          assert(operations > 60, `only ${operations} operations`);
          for (const at of pick(operations, seed)) {
            try {
              await crash.loseAt(at, seed);
            } catch (error) {
              const where = `seed ${seed}, power lost at operation ${at} of ${operations}`;
              throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, {
                cause: error,
              });
            }
          }
        }
      } finally {
        crash.close();
      }
    });
  });
}

function pick(operations: number, seed: number): number[] {
  const all = Array.from({ length: operations }, (_, i) => i + 1);
  if (operations <= POINTS) return all;
  const random = new Random(seed);
  return Array.from({ length: POINTS }, () => random.pick(all)).sort((a, b) => a - b);
}
