/**
 * Clients that measure from threads of their own until they are told to stop.
 *
 * @module
 */

import type { PingOrder } from "./ping_worker.ts";
import type { ProbeOrder } from "./probe_worker.ts";
import { quantile } from "./statistics.ts";

/** Times in ms. */
export interface Times {
  /** How many. */
  readonly count: number;
  /** Half were shorter. */
  readonly p50: number;
  /** 99 % were shorter. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/** A client at work. */
export class Sampler {
  readonly #worker: Worker;
  readonly #flag: Int32Array;

  private constructor(worker: Worker, flag: Int32Array) {
    this.#worker = worker;
    this.#flag = flag;
  }

  /** PINGs at a steady pace; the first answer has come when this resolves. */
  static ping(port: number, periodMs = 1): Promise<Sampler> {
    const worker = new Worker(new URL("./ping_worker.ts", import.meta.url), { type: "module" });
    return this.#start(worker, (stop): PingOrder => ({ port, periodMs, stop }));
  }

  /** How long a write takes to be seen on a replica. */
  static lag(port: number, replicaPort: number): Promise<Sampler> {
    const worker = new Worker(new URL("./probe_worker.ts", import.meta.url), { type: "module" });
    return this.#start(worker, (stop): ProbeOrder => ({ port, replicaPort, stop }));
  }

  static async #start(
    worker: Worker,
    order: (stop: SharedArrayBuffer) => PingOrder | ProbeOrder,
  ): Promise<Sampler> {
    const stop = new SharedArrayBuffer(4);
    const sampler = new Sampler(worker, new Int32Array(stop));
    const ready = message(worker);
    worker.postMessage(order(stop));
    await ready;
    return sampler;
  }

  /** Ends it. */
  async stop(): Promise<Times> {
    const answer = message(this.#worker);
    Atomics.store(this.#flag, 0, 1);
    Atomics.notify(this.#flag, 0);
    const took = await answer as number[];
    this.#worker.terminate();
    return {
      count: took.length,
      p50: quantile(took, 0.5),
      p99: quantile(took, 0.99),
      max: quantile(took, 1),
    };
  }
}

/** A replica that throws away what it gets; `terminate` ends it. */
export async function startDrain(replicationPort: number): Promise<Worker> {
  const worker = new Worker(new URL("./drain_worker.ts", import.meta.url), { type: "module" });
  const ready = message(worker);
  worker.postMessage(replicationPort);
  await ready;
  return worker;
}

function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}
