/** Lowest port that is tried: below the kernel's own range of ephemeral ports. */
const LOWEST = 12_000;
const HIGHEST = 32_000;

/** Calls `listen` with the first of `count` ports in a row until it succeeds with all of them. */
export function onRunOfPorts<T>(count: number, listen: (base: number) => T): T {
  for (let attempt = 0;; attempt++) {
    const base = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
    try {
      return listen(base);
    } catch (error) {
      if (attempt > 100 || !(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Listens on `count` ports in a row on the loopback. */
export function listenOnRun(count: number): { base: number; listeners: Deno.TcpListener[] } {
  return onRunOfPorts(count, (base) => {
    const listeners: Deno.TcpListener[] = [];
    try {
      for (let i = 0; i < count; i++) {
        listeners.push(Deno.listen({ hostname: "127.0.0.1", port: base + i }));
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    return { base, listeners };
  });
}
