/**
 * The entry of a snapshot worker: a thread that reads frozen blocks of a shard from shared memory
 * and sends an image of them in chunks. It is started with no permissions, because it needs none.
 *
 * @module
 */

import { ChunkServer } from "./chunk_server.ts";
import { openEntries } from "./entries.ts";
import type { FromWorker, ToWorker, WorkerReady } from "./messages.ts";

/** What a worker's global scope has of use here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker | WorkerReady, transfer: ArrayBuffer[]): void;
}

const scope = self as unknown as WorkerScope;

const server = new ChunkServer({
  post: (message, transfer) => scope.postMessage(message, transfer),
  soon: (turn) => setImmediate(turn),
  open: openEntries,
});

scope.onmessage = (event) => server.receive(event.data);
scope.postMessage({ kind: "ready" }, []);
