/**
 * What becomes of errors that no part of the program caught: they are bugs of ours, they are written
 * to the log with their stack, and the server goes on.
 *
 * It goes on because of what the alternative costs. Every connection, link and job holds its own
 * state and ends by itself when its promise fails; ending the process instead would cut all the
 * others and lose what was written since the last save. Where memory itself cannot be trusted any
 * more, the invariants of the arena and the dict stop each command that meets the fault.
 *
 * @module
 */

import type { Log } from "../observability/log.ts";

/** Logs such errors from now on; gives back how to stop. */
export function logBugs(log: Log): () => void {
  const rejected = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    tell(log, "bug: a failure that nobody waited for; the server goes on", event.reason);
  };
  const thrown = (event: ErrorEvent) => {
    event.preventDefault();
    tell(log, "bug: an error that nobody caught; the server goes on", event.error);
  };
  globalThis.addEventListener("unhandledrejection", rejected);
  globalThis.addEventListener("error", thrown);
  return () => {
    globalThis.removeEventListener("unhandledrejection", rejected);
    globalThis.removeEventListener("error", thrown);
  };
}

function tell(log: Log, message: string, error: unknown): void {
  const stack = error instanceof Error ? error.stack : undefined;
  log.warning(message, { error, stack });
}
