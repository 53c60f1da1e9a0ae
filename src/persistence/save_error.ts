/**
 * Why a save came to nothing, in one line.
 *
 * @module
 */

import { explainFailure } from "../base/permissions.ts";
import { SnapshotJobError } from "../snapshot/job.ts";
import { explainRefusedWorker } from "../snapshot/worker_source.ts";
import { isSystemError } from "./load_error.ts";

/** A save that failed; what was there before is there still, unless the message says otherwise. */
export class SaveError extends Error {
  /** The error's name. */
  override readonly name = "SaveError";
}

/** The error for what stopped the writing of `path`. Bugs of ours become one too: a server goes on. */
export function saveError(path: string, cause: unknown): SaveError {
  if (cause instanceof SaveError) return cause;
  if (cause instanceof SnapshotJobError) return jobError(path, cause);
  if (isSystemError(cause)) {
    return new SaveError(explainFailure(cause, { to: "write", path }), { cause });
  }
  const said = cause instanceof Error ? cause.message : String(cause);
  return new SaveError(`cannot write ${path}: ${said}`, { cause });
}

function jobError(path: string, cause: SnapshotJobError): SaveError {
  if (cause.fault === "sinkFailed") return saveError(path, cause.cause);
  if (cause.fault !== "notStarted" || !cause.message.includes("Requires read access")) {
    return new SaveError(cause.message, { cause });
  }
  return new SaveError(explainRefusedWorker(), { cause });
}
