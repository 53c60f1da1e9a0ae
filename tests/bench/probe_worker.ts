/**
 * Writes to a primary and reads its replica until the write can be seen there, again and again: the
 * replica's lag in time, as a client has it. A thread of its own, as in ping_worker.ts.
 *
 * @module
 */

import { Client } from "./client.ts";
import { type Post, workOnOrder } from "./worker_scope.ts";

/** What the worker is started with. */
export interface ProbeOrder {
  /** Port of the primary. */
  readonly port: number;
  /** Port of the replica. */
  readonly replicaPort: number;
  /** One int32; anything but 0 ends the worker. */
  readonly stop: SharedArrayBuffer;
}

/** Time between two looks at the replica: what the figures are good to. */
export const LOOK_MS = 0.25;
/** Time between two writes. */
const PAUSE_MS = 10;

workOnOrder(probe);

async function probe({ port, replicaPort, stop }: ProbeOrder, post: Post): Promise<void> {
  const flag = new Int32Array(stop);
  using primary = await Client.connect(port);
  using replica = await Client.connect(replicaPort);
  const took: number[] = [];
  post("ready");
  for (let n = 1; Atomics.load(flag, 0) === 0; n++) {
    await primary.ask("SET", "probe", String(n));
    const wroteMs = performance.now();
    while (await replica.text("GET", "probe") !== String(n)) Atomics.wait(flag, 0, 0, LOOK_MS);
    took.push(performance.now() - wroteMs);
    Atomics.wait(flag, 0, 0, PAUSE_MS);
  }
  post(took);
}
