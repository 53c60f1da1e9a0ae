/**
 * Why a save came to nothing, in one line.
 *
 * @module
 */

import { explainFailure, isRefused } from "../base/permissions.ts";
import { SnapshotJobError } from "../snapshot/job.ts";
import { isSystemError } from "./load_error.ts";

/** A save that failed; what was there before is there still, unless the message says otherwise. */
export class SaveError extends Error {
  /** The error's name. */
  override readonly name = "SaveError";
}

/** The error for what stopped the writing of `path`. Bugs of ours become one too: a server goes on. */
export function saveError(path: string, cause: unknown): SaveError {
  if (cause instanceof SaveError) return cause;
  if (cause instanceof SnapshotJobError && cause.fault === "sinkFailed") {
    return saveError(path, cause.cause);
  }
  if (cause instanceof SnapshotJobError && cause.fault === "aborted") {
    return new SaveError(cause.message, { cause });
  }
  if (isSystemError(cause) || isRefused(cause)) {
    return new SaveError(explainFailure(cause, { to: "write", path }), { cause });
  }
  const said = cause instanceof Error ? cause.message : String(cause);
  return new SaveError(`cannot write ${path}: ${said}`, { cause });
}
