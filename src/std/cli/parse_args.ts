/**
 * Stand-in for `jsr:@std/cli/parse-args`: the same function from npm, with hand-written types.
 *
 * `deno.json` names the package as JSR has it, and its `links` entry puts this folder in its place.
 * Deleting that entry takes the package from JSR itself.
 *
 * @module
 */
// @ts-types="./parse_args.d.ts"
export * from "npm:deno-std@1.4.0/cli/parse_args.js";
