/**
 * Stand-in for `jsr:@std/bytes`: the same functions from npm, with hand-written types.
 *
 * `deno.json` names the package as JSR has it, and its `links` entry puts this folder in its place.
 * Deleting that entry takes the package from JSR itself. The types are a subset of the package's,
 * nowhere wider, so that no call has to change then.
 *
 * @module
 */
export * from "./concat.ts";
export * from "./copy.ts";
export * from "./ends_with.ts";
export * from "./equals.ts";
export * from "./includes_needle.ts";
export * from "./index_of_needle.ts";
export * from "./starts_with.ts";
