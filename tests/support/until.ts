/** How long a test waits for what must come, in ms: far more than it takes, also on a busy machine. */
export const PATIENCE_MS = 15_000;

/** Longest silence that a test waits through, in ms: longer than any wait that a test asks for. */
export const SILENCE_MS = 60_000;

/**
 * Resolves as `coming` does. When nothing has come for a minute it fails with what `waitedFor` says, instead
 * of a test that never ends.
 */
export async function comes<T>(coming: Promise<T>, waitedFor: () => string): Promise<T> {
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    silence.reject(new Error(`waited ${SILENCE_MS} ms in vain for ${waitedFor()}`));
  }, SILENCE_MS);
  try {
    return await Promise.race([coming, silence.promise]);
  } finally {
    clearTimeout(timer);
  }
}

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
