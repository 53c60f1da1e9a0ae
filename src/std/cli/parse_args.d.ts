/**
 * Types of `parseArgs`: a subset of the package's, nowhere wider than it. Flags are named in
 * `boolean`, `string` and `collect`; an undeclared flag is not part of the result's type.
 *
 * @module
 */

/** Which flags there are and what their values become. */
export interface ParseOptions<B extends string, S extends string, C extends string> {
  /** Flags without a value; `false` when absent. */
  boolean?: readonly B[];
  /** Flags whose value stays text; absent when not given. */
  string?: readonly S[];
  /** Those of `string` that may be given more than once; an empty array when not given. */
  collect?: readonly C[];
  /** Other spellings of a flag. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Boolean flags that `--no-<flag>` switches off. */
  negatable?: readonly B[];
  /** Everything after the first positional is positional. */
  stopEarly?: boolean;
  /** What follows `--` goes to `"--"` of the result instead of `_`. */
  "--"?: boolean;
  /** Called for each argument that no option names; `false` leaves it out of the result. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** What the command line said. */
export type ParsedArgs<B extends string, S extends string, C extends string> =
  & { _: (string | number)[]; "--"?: string[] }
  & { [K in B]: boolean }
  & { [K in Exclude<S, C>]?: string }
  & { [K in C]: string[] };

/** Reads command-line arguments into flags and positionals. */
export function parseArgs<
  const B extends string = never,
  const S extends string = never,
  const C extends S = never,
>(args: readonly string[], options?: ParseOptions<B, S, C>): ParsedArgs<B, S, C>;
