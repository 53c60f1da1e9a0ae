/**
 * A client that sends PING at a fixed pace and notes how long each answer took. It runs in a thread of
 * its own and waits without timers, so that what else the benchmark does delays it as little as can be.
 *
 * @module
 */

import { ascii } from "../../src/base/ascii.ts";
import { type Post, workOnOrder } from "./worker_scope.ts";

/** What the worker is started with. */
export interface PingOrder {
  /** Port of the server. */
  readonly port: number;
  /** Time between two PINGs. */
  readonly periodMs: number;
  /** One int32; anything but 0 ends the worker. */
  readonly stop: SharedArrayBuffer;
}

const PING = ascii("*1\r\n$4\r\nPING\r\n");
const PONG_BYTES = 7;

workOnOrder(ping);

async function ping({ port, periodMs, stop }: PingOrder, post: Post): Promise<void> {
  const flag = new Int32Array(stop);
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const buffer = new Uint8Array(64);
  const took: number[] = [];
  let dueMs = performance.now();
  for (let first = true; Atomics.load(flag, 0) === 0;) {
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) Atomics.wait(flag, 0, 0, waitMs);
    const sentMs = performance.now();
    await conn.write(PING);
    for (let got = 0; got < PONG_BYTES;) {
      const n = await conn.read(buffer);
      if (n === null) throw new Error("PING: the connection was closed");
      got += n;
    }
    const nowMs = performance.now();
    if (first) post("ready"); // the first one pays for the connection
    else took.push(nowMs - sentMs);
    first = false;
    dueMs = Math.max(dueMs + periodMs, nowMs);
  }
  post(took);
}
