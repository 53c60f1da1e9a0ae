/**
 * A workload on an append-only file, on a disk that loses power wherever one likes, and what must be
 * there when the power is back:
 *
 *  - what was acknowledged, and nothing that was not written;
 *  - in each shard exactly what its first so many writes did, a unit whole or not at all;
 *  - an offset of the history that stands for just these writes;
 *  - on a replica the place in the upstream that stands for just these writes, and no earlier one than
 *    was confirmed.
 */

import type { FsyncPolicy } from "../../src/persistence/aof_log.ts";
import { SafeOffset } from "../../src/shard/durability.ts";
import { SnapshotWorkerPool } from "../../src/snapshot/worker_pool.ts";
import type { UpstreamPositions } from "../../src/shard/follower.ts";
import { ascii } from "../../src/base/ascii.ts";
import { DataNode } from "../persistence/support.ts";
import { PowerLost, PowerStorage } from "./power_storage.ts";
import { Random } from "./random.ts";

/** Keys that are written in turn. */
const KEYS = 7;
/** Every so many writes two are one unit. */
const UNIT_EVERY = 5;

/** What is run. */
export interface Scenario {
  readonly name: string;
  readonly policy: FsyncPolicy;
  /** Numbers of shards of the node's lives, one after another. */
  readonly shards: readonly number[];
  /** Whether the writes are an upstream's. */
  readonly isReplica: boolean;
  /** Writes of each life. */
  readonly writes: number;
  /** Bytes of the value of write `n`; as few as it takes where there is nothing. */
  readonly bytesOf?: (n: number) => number;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: "always", policy: "always", shards: [1], isReplica: false, writes: 36 },
  {
    name: "always, filled ahead",
    policy: "always",
    shards: [1, 1],
    isReplica: false,
    writes: 92,
    // The first life uses so much of what is filled ahead that more is filled; in the second a group is too large.
    bytesOf: (n) => n <= 92 ? 12_000 : n === 92 + 45 ? 140_000 : 700,
  },
  { name: "no", policy: "no", shards: [1], isReplica: false, writes: 36 },
  { name: "two shards", policy: "always", shards: [2, 2], isReplica: false, writes: 24 },
  { name: "a replica", policy: "always", shards: [2, 2], isReplica: true, writes: 24 },
  {
    name: "other numbers of shards",
    policy: "always",
    shards: [1, 3, 2],
    isReplica: false,
    writes: 15,
  },
];

/** One pool for all nodes: starting a worker takes longer than all the rest. */
export class SharedPool extends SnapshotWorkerPool {
  override close(): void {}
  end(): void {
    super.close();
  }
}

/** What one run has seen. */
class Run {
  /** Writes made, and those that were acknowledged. */
  made = 0;
  acknowledged = 0;
  /** Whether a replica's place is in all files. */
  hasPlace = false;
  /** By history id: writes of the shard that its frames before an offset stand for. */
  readonly meaning = new Map<string, { offset: number; writes: number }[]>();

  note(id: string, offset: number, writes: number): void {
    const known = this.meaning.get(id);
    if (known === undefined) this.meaning.set(id, [{ offset, writes }]);
    else known.push({ offset, writes });
  }

  /** What frames before `offset` stand for; -1 if nobody knows. */
  writesAt(id: string, offset: number): number {
    return this.meaning.get(id)?.findLast((known) => known.offset <= offset)?.writes ?? -1;
  }
}

const UPSTREAM = "ab".repeat(20);

function key(n: number): string {
  return `key:${n % KEYS}`;
}

function shardOf(node: DataNode, n: number): number {
  const name = ascii(key(n));
  return node.node.shardOf(name, 0, name.length);
}

/** See the module's text. */
export class PowerCrash {
  readonly #scenario: Scenario;
  readonly #dir: string;
  readonly #workers = new SharedPool();

  constructor(scenario: Scenario, dir: string) {
    this.#scenario = scenario;
    this.#dir = dir;
  }

  close(): void {
    this.#workers.end();
  }

  #open(storage: PowerStorage, shards: number): Promise<DataNode> {
    const settings = { appendOnly: true, appendFsync: this.#scenario.policy, shards };
    return DataNode.open(this.#dir, { ...settings, arenaBytes: 4 << 20 }, storage, this.#workers);
  }

  /** Operations of a run in which the power stays. */
  async operations(seed: number): Promise<number> {
    const storage = this.#storage(seed);
    await this.#run(storage);
    return storage.operations;
  }

  #storage(seed: number): PowerStorage {
    const storage = new PowerStorage(new Random(seed));
    storage.addDirectory(this.#dir);
    return storage;
  }

  /** Runs until the power is lost at operation `at`, starts anew and looks; throws what is wrong. */
  async loseAt(at: number, seed: number): Promise<void> {
    const storage = this.#storage(seed + at);
    storage.powerLossAt = at;
    const run = await this.#run(storage);
    const left = storage.afterPowerLoss();
    await using node = await this.#open(left, this.#scenario.shards.at(-1)!);
    this.#check(node, run);
  }

  /** All lives of the node, as far as the power allows. */
  async #run(storage: PowerStorage): Promise<Run> {
    const run = new Run();
    for (const shards of this.#scenario.shards) {
      let node: DataNode | null = null;
      try {
        node = await this.#open(storage, shards);
        await this.#live(node, run, storage);
      } catch (error) {
        if (!isPowerLoss(error)) throw error;
      }
      await node?.close();
    }
    return run;
  }

  async #live(node: DataNode, run: Run, storage: PowerStorage): Promise<void> {
    const { policy, isReplica, writes } = this.#scenario;
    const { appendOnly } = node.persistence;
    const safe = new SafeOffset();
    safe.reset(0, appendOnly);
    const { sequence, shards } = node.node;
    const last = run.made + writes;
    for (const [i, { lineage, nextOffset }] of shards.entries()) {
      run.note(lineage.id, nextOffset, lastOf(node, i, run.made));
    }
    if (isReplica) {
      node.positions = positionsOf(node, run.made);
      // As behind the first snapshot from an upstream, which is a place, too.
      if (!run.hasPlace) appendOnly.startRewrite();
      while (appendOnly.isRewriting) await Promise.race([pause(1), powerLoss(storage)]);
      run.hasPlace = true;
    }
    while (run.made < last) {
      const before = sequence.value;
      const isUnit = run.made % UNIT_EVERY === 1 && shards.length === 1;
      if (isUnit) shards[0].effects.beginUnit();
      node.set(key(run.made + 1), this.#value(run.made + 1));
      run.made++;
      if (isUnit) {
        node.set(key(run.made + 1), this.#value(run.made + 1));
        run.made++;
        shards[0].effects.endUnit();
      }
      for (const [i, { lineage, nextOffset }] of shards.entries()) {
        run.note(lineage.id, nextOffset, lastOf(node, i, run.made));
      }
      if (isReplica) node.positions = positionsOf(node, run.made);
      appendOnly.endTurn();
      if (isReplica) {
        run.acknowledged = Math.max(run.acknowledged, safe.of(run.made, appendOnly));
      } else {
        const wait = appendOnly.beforeReplies(before);
        if (wait !== null) await Promise.race([wait, powerLoss(storage)]);
        if (policy === "always") run.acknowledged = run.made;
      }
      if (run.made === last - writes + 8 || run.made === last - 10) appendOnly.startRewrite();
      if (run.made % 6 === 0) await pause(2);
    }
    while (appendOnly.isRewriting) await Promise.race([pause(1), powerLoss(storage)]);
  }

  #value(n: number): string {
    return String(n).padEnd(this.#scenario.bytesOf?.(n) ?? 0);
  }

  #check(node: DataNode, run: Run): void {
    const { isReplica, shards: lives } = this.#scenario;
    const { shards } = node.node;
    const content = node.content();
    const valueOf = (i: number): number => {
      const found = content.get(`0 key:${i}`);
      return found === undefined ? 0 : Number(new TextDecoder().decode(found.value));
    };
    const wasSharded = Math.max(...lives) > 1;
    for (const [i, shard] of shards.entries()) {
      let found = 0;
      for (let k = 0; k < KEYS; k++) {
        if (shardOf(node, k) === i) found = Math.max(found, valueOf(k));
      }
      for (let k = 0; k < KEYS; k++) {
        if (shardOf(node, k) !== i) continue;
        let want = found;
        while (want > 0 && want % KEYS !== k) want--;
        // Before another number of shards, parts of this one may have been in different files.
        if (valueOf(k) === want || lives.length > 2) continue;
        throw new Error(`key:${k} of shard ${i} is ${valueOf(k)}, not ${want}: no prefix`);
      }
      const inUnit = !wasSharded && (found - 1) % UNIT_EVERY === 1 && found < run.made;
      if (inUnit) throw new Error(`write ${found} is there, and not the other half of its unit`);
      if (found > run.made) throw new Error(`${run.made} were made, ${found} found`);
      if (lives.length > 2) continue;
      const { previousId, previousUpTo } = shard.lineage;
      if (previousId !== null && run.meaning.size > 0) {
        const writes = run.writesAt(previousId, previousUpTo);
        if (writes !== found && writes >= 0) {
          throw new Error(
            `offset ${previousUpTo} of shard ${i} stands for write ${writes}, and it has ${found}`,
          );
        }
      }
      if (!isReplica || !run.hasPlace) continue;
      const place = node.persistence.restoredUpstream?.positions[i].offset ?? 0;
      if (place !== found) {
        throw new Error(`the place in shard ${i} is ${place}, write ${found} is there`);
      }
    }
    for (let n = run.acknowledged; n > 0 && n > run.acknowledged - KEYS; n--) {
      if (valueOf(n % KEYS) >= n) continue;
      throw new Error(`write ${n} was acknowledged, ${valueOf(n % KEYS)} is there`);
    }
  }
}

/** The last of the first `made` writes that shard `i` has. */
function lastOf(node: DataNode, i: number, made: number): number {
  for (let n = made; n > 0 && n > made - KEYS; n--) if (shardOf(node, n) === i) return n;
  return 0;
}

/** Where a replica's data stands with the first `made` writes. */
function positionsOf(node: DataNode, made: number): UpstreamPositions {
  const { shards } = node.node;
  const positions = shards.map((_, i) => ({
    history: UPSTREAM,
    offset: lastOf(node, i, made),
    db: 0,
  }));
  return { shards: shards.length, positions };
}

function isPowerLoss(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof PowerLost) return true;
  }
  return false;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function powerLoss(storage: PowerStorage): Promise<void> {
  await storage.lost;
  throw new PowerLost("while waiting");
}
