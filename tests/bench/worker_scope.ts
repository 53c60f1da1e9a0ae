/**
 * What the benchmark's workers have in common: one order comes in, messages go out. An error in the
 * work reaches the other side as the worker's error event.
 *
 * @module
 */

interface WorkerScope<Order> {
  onmessage: ((event: MessageEvent<Order>) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** Sends a message to whoever started the worker. */
export type Post = (message: unknown) => void;

/** Waits for the order and does the work; then the worker ends. */
export function workOnOrder<Order>(work: (order: Order, post: Post) => Promise<void>): void {
  const scope = self as unknown as WorkerScope<Order>;
  scope.onmessage = async (event) => {
    await work(event.data, (message) => scope.postMessage(message));
    scope.close();
  };
}
