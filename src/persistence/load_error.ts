/**
 * Why a data set could not be loaded: always one line, naming the file, and the byte where one is to
 * blame. Whoever gets it starts nothing and overwrites nothing.
 *
 * @module
 */

import { explainFailure } from "../base/permissions.ts";
import { SnapshotImageError } from "../snapshot/errors.ts";

/** See the module's text. */
export class LoadError extends Error {
  /** The error's name. */
  override readonly name = "LoadError";
}

/** What the arena or the settings do not allow of a file's contents; the message says what to raise. */
export class LoadLimitError extends Error {
  /** The error's name. */
  override readonly name = "LoadLimitError";
}

/** The error for a file that could not be read or understood; bugs of ours are passed on as they are. */
export function loadError(path: string, cause: unknown): unknown {
  if (cause instanceof SnapshotImageError || cause instanceof LoadLimitError) {
    return new LoadError(`cannot load ${path}: ${cause.message}`, { cause });
  }
  if (isSystemError(cause)) {
    return new LoadError(explainFailure(cause, { to: "read", path }), { cause });
  }
  return cause;
}

/** Whether the system (or Deno's permissions) refused, and not our own code. */
export function isSystemError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "code" in error || Object.values(Deno.errors).some((kind) => error instanceof kind);
}
