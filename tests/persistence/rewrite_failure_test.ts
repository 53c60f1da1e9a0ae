/** Rewrites of an append-only file on a disk that fails at whatever operation one likes. */

import { assert } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { SharedPool } from "../support/power_crash.ts";
import { PowerLost, PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { DataNode, withDir } from "./support.ts";

/** How the process ends after the failure. */
const ENDINGS = ["killed", "power lost", "killed, and power lost in the next start"] as const;

interface Case {
  /** Whether the increment is listed before it is written to. */
  readonly isListed: boolean;
  /** Whether one operation fails, or all from that one on. */
  readonly isLasting: boolean;
  readonly ending: (typeof ENDINGS)[number];
}

const CASES: Case[] = [];
for (const isListed of [true, false]) {
  for (const isLasting of [true, false]) {
    const endings = isLasting ? ENDINGS.slice(0, 1) : ENDINGS;
    for (const ending of endings) CASES.push({ isListed, isLasting, ending });
  }
}

class FailingRewrites {
  readonly #dir: string;
  readonly #workers = new SharedPool();

  constructor(dir: string) {
    this.#dir = dir;
  }

  close(): void {
    this.#workers.end();
  }

  #open(storage: PowerStorage): Promise<DataNode> {
    const settings = { appendOnly: true, appendFsync: "always", arenaBytes: 4 << 20 } as const;
    return DataNode.open(this.#dir, settings, storage, this.#workers);
  }

  /** Lets operation `at` of a rewrite fail, and starts anew; whether the rewrite had so many. */
  async failAt(at: number, { isListed, isLasting, ending }: Case): Promise<boolean> {
    const random = new Random(testSeed(71) + at);
    const storage = new PowerStorage(random);
    storage.addDirectory(this.#dir);
    const node = await this.#open(storage);
    const { appendOnly } = node.persistence;
    let acknowledged = 0;
    const write = (n: number): Promise<void> | null => {
      const before = node.node.sequence.value;
      node.set("k", String(n));
      appendOnly.endTurn();
      return appendOnly.beforeReplies(before);
    };
    await write(1);
    acknowledged = 1;
    if (!isListed) node.node.shards[0].commit.log!.replaced();
    const first = storage.operations + at;
    let failed = "";
    storage.fault = (operation, path, count) => {
      if (count !== first && !(isLasting && count > first)) return null;
      if (count === first) failed = `${operation} ${path}`;
      return Object.assign(new Error("Input/output error"), { code: "EIO" });
    };
    appendOnly.startRewrite();
    await pause();
    const wait = write(2);
    void wait?.then(() => acknowledged = 2);
    while (appendOnly.isRewriting) await pause();
    const known = acknowledged;
    const isReached = failed !== "";
    if (!isLasting && /^(create|sync|rename) .*temp-.*manifest$/.test(failed)) {
      await this.#checkBases(storage, failed);
    }
    await node.close();
    storage.fault = () => null;
    const left = await this.#end(storage, ending, random);
    await using again = await this.#open(left);
    const found = again.content().get("0 k");
    const value = found === undefined ? 0 : Number(latin1(found.value));
    assert(value >= known && value <= 2, `write ${known} was acknowledged, ${value} is there`);
    return isReached;
  }

  /** Every attempt leaves a base as large as the data: those that do not count may not add up. */
  async #checkBases(storage: PowerStorage, failed: string): Promise<void> {
    const dir = `${this.#dir}/appendonlydir`;
    const listed = latin1(storage.contentOf(`${dir}/appendonly.aof.manifest`));
    for (const { name } of await storage.list(dir)) {
      const counts = !name.endsWith(".base.rdb") || listed.includes(` ${name} `);
      assert(counts, `${name} is left over from ${failed}`);
    }
  }

  async #end(
    storage: PowerStorage,
    ending: (typeof ENDINGS)[number],
    random: Random,
  ): Promise<PowerStorage> {
    if (ending === "killed") return storage;
    if (ending === "power lost") return storage.afterPowerLoss();
    storage.powerLossAt = storage.operations + 1 + random.below(60);
    try {
      const node = await this.#open(storage);
      await node.close();
    } catch (error) {
      if (!isPowerLoss(error)) throw error;
    }
    return storage.afterPowerLoss();
  }
}

function isPowerLoss(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof PowerLost) return true;
  }
  return false;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

for (const each of CASES) {
  const { isListed, isLasting, ending } = each;
  const kind = isListed ? "of what is listed" : "of data that was replaced";
  const failing = isLasting ? "all operations from any on" : "any operation";
  Deno.test(`a rewrite ${kind} may fail in ${failing}: ${ending}`, async () => {
    await withDir(async (dir) => {
      const rewrites = new FailingRewrites(dir);
      try {
        let at = 1;
        for (let isReached = true; isReached; at++) {
          try {
            isReached = await rewrites.failAt(at, each);
          } catch (error) {
            const why = error instanceof Error ? error.message : error;
            throw new Error(`operation ${at}: ${why}`, { cause: error });
          }
        }
        assert(at > 15, `only ${at} operations`);
      } finally {
        rewrites.close();
      }
    });
  });
}
