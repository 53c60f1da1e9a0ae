/**
 * The command line: `shoal [config-file] [--directive value ...]`, in Redis's form. An option takes
 * all words up to the next one that starts with `--`, so `--bind a b` and `--save 60 1 --port 7000`
 * work, and `"--save 60 1"` is what it is in a file; `--name=value` is there for a value that itself
 * starts with `--`; `-` as first or last
 * argument reads more config from standard input. Names and values are judged by server/config.ts.
 *
 * `@std/cli`'s `parseArgs` does not fit: it gives an option at most one word, makes numbers of
 * words (`--requirepass 0123`), and takes `-1` in `--list-max-listpack-size -1` for a flag.
 *
 * @module
 */
import type { CheckRequest } from "./check.ts";
import { ConfigError, shown } from "../server/config_error.ts";
import type { Directive } from "../server/config_file.ts";
import { splitWords } from "../server/config_words.ts";
import type { ConfigSources } from "../server/config_sources.ts";

/** What is to be done. */
export type Invocation =
  /** `about`: names of settings; without it all there is. */
  | { readonly do: "help"; readonly about?: readonly string[] }
  | { readonly do: "version" }
  | { readonly do: "check"; readonly request: CheckRequest }
  | { readonly do: "serve"; readonly sources: ConfigSources };

/** Words kept for commands to come, so that none of them is taken for a config file today. */
export const RESERVED_WORDS: readonly string[] = ["bench", "check", "cli", "inspect"];

const WHERE = "command line";
const CHECKS: ReadonlyMap<string, CheckRequest["what"]> = new Map([
  ["check-aof", "aof"],
  ["check-rdb", "rdb"],
]);
const FIX = "--fix";

/**
 * Reads the arguments behind the program's name.
 *
 * @throws {ConfigError} for what is neither a config file nor an option; its message is one line.
 */
export function parseArguments(argv: readonly string[]): Invocation {
  const args = [...argv];
  const first = args[0] ?? "";
  if (first === "help" || first === "-h") return help(args.slice(1));
  if (first === "version" || first === "-v") return { do: "version" };
  const what = CHECKS.get(first);
  if (what !== undefined) return { do: "check", request: readCheck(first, what, args.slice(1)) };
  if (RESERVED_WORDS.includes(first)) {
    throw new ConfigError(
      `argument '${first}' is kept for a later command: for a config file of that name, ` +
        `write ./${first}`,
    );
  }
  const configFile = first !== "" && !first.startsWith("-") ? args.shift()! : null;
  const leading = args[0] === "-";
  if (leading) args.shift();
  const trailing = args.at(-1) === "-";
  if (trailing) args.pop();
  const directives = readOptions(args);
  for (const { name, words } of directives) {
    if (name === "help") return help(words);
    if (name === "version" && words.length === 0) return { do: "version" };
  }
  return { do: "serve", sources: { configFile, stdin: leading || trailing, directives } };
}

/** Help about settings, which may be written as the options that they are. */
function help(names: readonly string[]): Invocation {
  if (names.length === 0) return { do: "help" };
  return { do: "help", about: names.map((name) => name.replace(/^--/, "")) };
}

function readCheck(
  name: string,
  what: CheckRequest["what"],
  args: readonly string[],
): CheckRequest {
  const fix = what === "aof" && args.includes(FIX);
  const paths = args.filter((arg) => !fix || arg !== FIX);
  if (paths.length === 1 && !paths[0].startsWith("-")) return { what, path: paths[0], fix };
  throw new ConfigError(`usage: shoal ${name} ${what === "aof" ? "[--fix] " : ""}FILE`);
}

/** The words of an option's first argument: `name`, `name=value`, or `name word ...` as in a file. */
function optionWords(text: string): [name: string, ...words: string[]] {
  const [, name, value] = /^([^\s=]*)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined) return [name, value];
  const [first, ...words] = splitWords(text) ?? [];
  return first === undefined ? [text] : [first, ...words];
}

function readOptions(args: readonly string[]): Directive[] {
  const options: { name: string; words: string[]; where: string }[] = [];
  for (const arg of args) {
    if (arg.startsWith("--")) {
      const [name, ...words] = optionWords(arg.slice(2));
      options.push({ name, words, where: WHERE });
      continue;
    }
    const open = options.at(-1);
    if (open === undefined) {
      throw new ConfigError(
        `argument '${shown(arg)}' is not understood: allowed is one config file, then options ` +
          "such as --port 7000",
      );
    }
    open.words.push(arg);
  }
  return options;
}
