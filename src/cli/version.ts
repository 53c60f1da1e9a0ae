/**
 * The answer to `--version`.
 *
 * @module
 */
import { REDIS_VERSION, SHOAL_VERSION } from "../base/version.ts";

/** One line in the form of `redis-server --version`. */
export function versionLine(): string {
  return `shoal v=${SHOAL_VERSION} redis=${REDIS_VERSION} deno=${Deno.version.deno} ` +
    `v8=${Deno.version.v8} target=${Deno.build.target}`;
}
