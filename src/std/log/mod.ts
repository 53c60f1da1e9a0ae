/**
 * Stand-in for `jsr:@std/log` 0.224.14: an implementation of our own of the part that shoal uses
 * (levels, `setup`, `getLogger`, loggers, handlers, the console handler, the JSON formatter), with
 * the package's signatures.
 *
 * The package is on JSR alone. `deno.json` names it there, and its `links` entry puts this folder
 * in its place; deleting that entry takes the package from JSR itself. So nothing may be added here
 * that the package does not have. Not here: file handlers, colour control functions, and the
 * top-level `debug`, `info`, `warn`, `error` and `critical` shorthands.
 *
 * @module
 */
export * from "./formatters.ts";
export * from "./handlers.ts";
export * from "./levels.ts";
export * from "./logger.ts";
export * from "./setup.ts";
