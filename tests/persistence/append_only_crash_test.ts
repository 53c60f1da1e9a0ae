import { assert } from "@std/assert";
import type { FsyncPolicy } from "../../src/persistence/aof_log.ts";
import { PowerLost, PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { DataNode } from "./support.ts";

/** Writes of one run; the state after the first `n` is known for every `n`. */
const WRITES = 36;
const KEYS = 7;

function key(i: number): string {
  return `key:${i % KEYS}`;
}

/** How many writes, from the first on, a content is the outcome of; -1 if it is none. */
function prefixOf(node: DataNode): number {
  const content = node.content();
  let newest = 0;
  for (const { value } of content.values()) {
    newest = Math.max(newest, Number(new TextDecoder().decode(value)));
  }
  for (let i = 0; i < KEYS; i++) {
    let last = 0;
    for (let n = newest; n > 0 && last === 0; n--) if (n % KEYS === i) last = n;
    const found = content.get(`0 ${key(i)}`);
    const value = found === undefined ? 0 : Number(new TextDecoder().decode(found.value));
    if (value !== last) return -1;
  }
  return newest;
}

interface Run {
  /** Writes made. */
  made: number;
  /** Writes after which replies could leave. */
  acknowledged: number;
  operations: number;
}

/** Opens, writes, rewrites twice, closes; as far as the power allows. */
async function run(dir: string, storage: PowerStorage, policy: FsyncPolicy): Promise<Run> {
  const done: Run = { made: 0, acknowledged: 0, operations: 0 };
  let node: DataNode | null = null;
  try {
    node = await DataNode.open(dir, { appendOnly: true, appendFsync: policy }, storage);
    const { appendOnly } = node.persistence;
    for (let n = 1; n <= WRITES; n++) {
      node.set(key(n), String(n));
      done.made = n;
      appendOnly.endTurn();
      const wait = appendOnly.beforeReplies();
      if (wait !== null) await Promise.race([wait, powerLoss(storage)]);
      if (policy === "always") done.acknowledged = n;
      if (n === 9 || n === 20) appendOnly.startRewrite();
      if (n % 6 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    while (appendOnly.isRewriting) await Promise.race([pause(), powerLoss(storage)]);
  } catch (error) {
    if (!isPowerLoss(error)) throw error;
  }
  await node?.close();
  done.operations = storage.operations;
  return done;
}

function isPowerLoss(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof PowerLost) return true;
  }
  return false;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

async function powerLoss(storage: PowerStorage): Promise<void> {
  await storage.lost;
  throw new PowerLost("while waiting");
}

for (const policy of ["always", "no"] as const) {
  Deno.test(`power may go at any operation of an append-only file (appendfsync ${policy})`, async () => {
    const dir = await Deno.makeTempDir();
    const seed = testSeed(20_261);
    try {
      const dry = new PowerStorage(new Random(seed));
      dry.addDirectory(dir);
      const { operations } = await run(dir, dry, policy);
      assert(operations > 60, `only ${operations} operations`);
      for (let at = 1; at <= operations; at++) {
        const where = `seed ${seed}, ${policy}, power lost at operation ${at} of ${operations}`;
        const storage = new PowerStorage(new Random(seed + at));
        storage.addDirectory(dir);
        storage.powerLossAt = at;
        const { made, acknowledged } = await run(dir, storage, policy);
        const left = storage.afterPowerLoss();
        await using node = await DataNode.open(dir, { appendOnly: true }, left).catch((error) => {
          throw new Error(`${where}: ${error.message}`, { cause: error });
        });
        const found = prefixOf(node);
        assert(found >= 0, `${where}: what is there is no prefix of what was written`);
        assert(
          found >= acknowledged,
          `${where}: ${acknowledged} were acknowledged, ${found} found`,
        );
        assert(found <= made, `${where}: ${made} were made, ${found} found`);
      }
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
