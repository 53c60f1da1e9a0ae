/**
 * Replicas of either make.
 *
 * @module
 */

import { type Bench, NO_SAVE } from "./bench.ts";
import { Client, sleep } from "./client.ts";
import type { Program } from "./programs.ts";

/** Longest wait for a replica to be linked, or to have everything. */
const WAIT_MS = 60_000;
const LOOK_MS = 20;

/** Starts a replica of the primary's make and waits until its link is up. */
export async function startReplica({ programs }: Bench, primary: Program): Promise<Program> {
  const upstream = primary.maker === "redis"
    ? ["127.0.0.1", String(primary.port)]
    : [`127.0.0.1 ${primary.port}`];
  const replica = await programs.start(primary.maker, [...NO_SAVE, "--replicaof", ...upstream]);
  using client = await Client.connect(replica.port);
  await until("the replica's link does not come up", async () => {
    return (await client.info("replication")).get("master_link_status") === "up";
  });
  return replica;
}

/** Waits until the replica has all that its primary had when this was called. */
export async function caughtUp(primary: Program, replica: Program): Promise<void> {
  using upper = await Client.connect(primary.port);
  using lower = await Client.connect(replica.port);
  const wanted = await upper.figure("replication", "master_repl_offset");
  await until("the replica does not catch up", async () => {
    return await lower.figure("replication", "slave_repl_offset") >= wanted;
  });
}

async function until(otherwise: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!await isTrue()) {
    if (performance.now() > deadline) throw new Error(`${otherwise} in ${WAIT_MS} ms`);
    await sleep(LOOK_MS);
  }
}
