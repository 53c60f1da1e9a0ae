/**
 * Reading directives from config files in redis.conf form: one directive a line, words with Redis's
 * quoting, `#` lines and blank lines skipped, `include` followed in place. As in Redis a relative
 * `include` is relative to the working directory, its last part may be a glob, and a glob that
 * matches nothing includes nothing. Values are judged by config.ts.
 *
 * @module
 */
import { text } from "../base/ascii.ts";
import { globMatchText, hasGlob } from "../base/glob.ts";
import { explainFailure } from "../base/permissions.ts";
import { ConfigError, shown } from "./config_error.ts";
import { splitWords } from "./config_words.ts";

/** One directive and where it stands. */
export interface Directive {
  /** Name as written. */
  readonly name: string;
  /** Its values. */
  readonly words: readonly string[];
  /** For errors: a file and line, a variable, or the command line. */
  readonly where: string;
}

/** Files within files: enough for any layout, and an end for a file that includes itself. */
export const CONFIG_INCLUDE_DEPTH_MAX = 16;

/** Bytes of a config file or of standard input: far above any real one, below any mistaken one. */
export const CONFIG_BYTES_MAX = 8 * 1024 * 1024;

/** The directives of a file and of those it includes, in order. @throws {ConfigError} */
export function readConfigFile(path: string): Directive[] {
  return readNested(path, `config file '${shown(path)}'`, 1);
}

/** The directives on standard input, until its end. @throws {ConfigError} */
export function readConfigStdin(): Directive[] {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const chunk = new Uint8Array(65_536);
  for (let n = Deno.stdin.readSync(chunk); n !== null; n = Deno.stdin.readSync(chunk)) {
    chunks.push(chunk.slice(0, n));
    bytes += n;
    checkSize("standard input", bytes);
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const c of chunks) {
    all.set(c, at);
    at += c.length;
  }
  return [...parseConfig(text(all), "standard input", 1)];
}

/**
 * The directives of a config text; `label` names it in errors, `depth` counts the includes around it.
 *
 * @throws {ConfigError} for a line whose quotes do not balance, or what an include cannot give.
 */
export function* parseConfig(source: string, label: string, depth: number): Generator<Directive> {
  let number = 0;
  for (const raw of source.split("\n")) {
    number++;
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const where = `${label} line ${number}`;
    const words = splitWords(line);
    if (words === null) {
      throw new ConfigError(`'${shown(line)}' (${where}): quotes must balance`);
    }
    const [name, ...values] = words;
    if (name.toLowerCase() !== "include") {
      yield { name, words: values, where };
      continue;
    }
    if (values.length !== 1 || values[0] === "") {
      throw new ConfigError(
        `setting 'include' cannot be '${shown(values.join(" "))}' (${where}): allowed is one file`,
      );
    }
    if (depth >= CONFIG_INCLUDE_DEPTH_MAX) {
      throw new ConfigError(
        `setting 'include' cannot be '${shown(values[0])}' (${where}): ` +
          `allowed are ${CONFIG_INCLUDE_DEPTH_MAX} files within each other`,
      );
    }
    for (const path of filesOf(values[0], where)) {
      yield* readNested(path, `setting 'include' cannot be '${shown(path)}' (${where})`, depth + 1);
    }
  }
}

function readNested(path: string, what: string, depth: number): Directive[] {
  let bytes: Uint8Array;
  try {
    checkSize(path, Deno.statSync(path).size);
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${what}: ${explainFailure(error, { to: "read", path })}`, {
      cause: error,
    });
  }
  return [...parseConfig(text(bytes), path, depth)];
}

function checkSize(label: string, bytes: number): void {
  if (bytes <= CONFIG_BYTES_MAX) return;
  throw new ConfigError(
    `config file '${shown(label)}' is too large: allowed are ${CONFIG_BYTES_MAX} bytes`,
  );
}

function filesOf(pattern: string, where: string): string[] {
  if (!hasGlob(pattern)) return [pattern];
  const slash = pattern.lastIndexOf("/");
  const folder = slash < 0 ? "." : pattern.slice(0, slash + 1);
  const glob = pattern.slice(slash + 1);
  try {
    return [...Deno.readDirSync(folder)]
      .filter((entry) => !entry.name.startsWith(".") || glob.startsWith("."))
      .filter((entry) => globMatchText(glob, entry.name))
      .map((entry) => slash < 0 ? entry.name : folder + entry.name)
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    const why = explainFailure(error, { to: "read", path: folder });
    throw new ConfigError(`setting 'include' cannot be '${shown(pattern)}' (${where}): ${why}`, {
      cause: error,
    });
  }
}
