/**
 * Stand-in for `jsr:@std/assert`: the same functions from npm, with the types of `mod.d.ts`.
 *
 * `deno.json` names the package as JSR has it, and its `links` entry puts this folder in its place.
 * Deleting that entry takes the package from JSR itself.
 *
 * @module
 */
// @ts-types="./mod.d.ts"
export * from "npm:deno-std@1.4.0/assert/mod.js";
