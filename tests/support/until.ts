/** How long a test waits for what must come, in ms: far more than it takes, also on a busy machine. */
export const PATIENCE_MS = 15_000;

/**
 * Waits until `condition` holds, looking every few milliseconds. Fails with `what`, and with what
 * `explain` adds, when it does not come.
 */
export async function until(
  what: string,
  condition: () => boolean,
  explain: () => string = () => "",
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const stopMs = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > stopMs) {
      throw new Error(`waited ${patienceMs} ms in vain: ${what}\n${explain()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Turns of the loop that surely contain a few looks at the sockets. */
const TURNS = Deno.env.get("DENO_TOKIO_EVENT_INTERVAL") === "1" ? 4 : 200;

/** Lets everything that is ready happen: what was sent on a socket before has been read. */
export async function letHappen(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
