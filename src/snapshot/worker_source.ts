/**
 * Where the code of a snapshot worker comes from, and whether it may: starting a worker needs read
 * permission for `worker.ts` and all that it imports, though the worker itself gets no permission at
 * all. In the compiled form all of it is within the executable.
 *
 * @module
 */

import { allowFlag, isGranted, remedy } from "../base/permissions.ts";

/** The entry of a worker. Where the program is bundled it lies beside the bundle. */
export const WORKER_URL: URL = new URL("./worker.ts", import.meta.url);

const IS_BUNDLE = import.meta.url.endsWith("/main.js");

/** The folder with all that a worker imports; without a slash at its end, as a flag has it. */
const FOLDER = new URL(IS_BUNDLE ? "./" : "../", import.meta.url).pathname.replace(/\/$/, "");

/** Whether the permissions cover loading a worker. */
export function mayLoadWorker(): boolean {
  return Deno.build.standalone || isGranted("read", FOLDER);
}

/** The line for a worker that the permissions do not let load. */
export function explainRefusedWorker(): string {
  const flag = allowFlag({ to: "read", path: FOLDER });
  return `not permitted to load the snapshot worker: ${remedy(flag)}`;
}
