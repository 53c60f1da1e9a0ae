/**
 * The settings in force: plain typed fields for those who read, CONFIG GET/SET/REWRITE for those
 * who ask, listeners for those who must act on a change. Where values come from at start is
 * config_sources.ts's business, what settings exist settings.ts's.
 *
 * Texts of refusals are those of Redis 7.2's CONFIG SET.
 *
 * @module
 */
import { ascii } from "../base/ascii.ts";
import { globMatch, hasGlob } from "../base/glob.ts";
import { givenAs } from "../base/permissions.ts";
import { ConfigError, nearest, shown } from "./config_error.ts";
import { rewriteFile } from "./config_rewrite.ts";
import type { ConfigValues } from "./config_values.ts";
import { splitWords } from "./config_words.ts";
import type { Setting } from "./setting.ts";
import { type Parsed, WRONG_COUNT } from "./setting_kinds.ts";
import { SETTINGS } from "./settings.ts";
import { DEAD_DIRECTIVES, INERT_SETTINGS, REFUSED_DIRECTIVES } from "./settings_inert.ts";

/** Where a value came from. */
export type Source = "default" | "file" | "environment" | "command line" | "run time";

/**
 * Acts on changed settings: null when done, or Redis's words for why not, which undoes the change. Who
 * refuses has changed nothing.
 */
export type Apply = (config: Config) => string | null;

/** Acts on changed settings that nobody has refused. */
export type Follow = (config: Config) => void;

interface Entry {
  readonly setting: Setting;
  readonly field: keyof ConfigValues | null;
  value: unknown;
  source: Source;
  /** The place of it that errors name. */
  where: string;
}

interface Listener<Act> {
  readonly fields: ReadonlySet<string>;
  readonly act: Act;
}

/** Names of flags that are Deno's. */
const PERMISSION_FLAG = /^(?:allow|deny)-[a-z]+$/;

type Writable = { -readonly [K in keyof ConfigValues]: unknown };

/** Every setting as a field of its own, see config_values.ts for units. */
export interface Config extends Readonly<ConfigValues> {
  /** The config file that CONFIG REWRITE writes, absolute, or null. */
  readonly file: string | null;
}

/** The settings in force. */
export class Config {
  /** Lines for the log: what was accepted but does nothing or little. */
  readonly warnings: string[] = [];
  readonly #entries: Entry[] = [];
  readonly #byName = new Map<string, Entry>();
  readonly #nameBytes = new Map<string, Uint8Array>();
  readonly #appliers: Listener<Apply>[] = [];
  readonly #followers: Listener<Follow>[] = [];
  readonly #given = new Set<string>();

  /** Defaults, with `initial` instead where given. `file` is for CONFIG REWRITE. */
  constructor(initial: Partial<ConfigValues> = {}, file: string | null = null) {
    (this as { file: string | null }).file = file;
    for (const [field, setting] of Object.entries(SETTINGS)) {
      const given = (initial as Record<string, unknown>)[field];
      this.#add(setting, field as keyof ConfigValues, given);
    }
    for (const setting of INERT_SETTINGS) this.#add(setting, null, undefined);
  }

  #add(setting: Setting, field: keyof ConfigValues | null, given: unknown): void {
    const source: Source = given === undefined ? "default" : "command line";
    const entry: Entry = { setting, field, value: undefined, source, where: source };
    this.#put(entry, given === undefined ? setting.initial : given);
    this.#entries.push(entry);
    this.#name(setting.name, entry);
    if (setting.alias !== undefined) this.#name(setting.alias, entry);
  }

  #name(name: string, entry: Entry): void {
    this.#byName.set(name, entry);
    this.#nameBytes.set(name, ascii(name));
  }

  #put(entry: Entry, value: unknown): void {
    entry.value = value;
    if (entry.field !== null) (this as Writable)[entry.field] = value;
  }

  /**
   * CONFIG GET: names and values of the settings that match any of the patterns, each once. A
   * pattern without wildcards is answered under the name as it was asked for, as Redis does.
   */
  get(patterns: readonly string[]): [name: string, value: string][] {
    const found = new Map<string, [string, string]>();
    for (const pattern of patterns) {
      const folded = pattern.toLowerCase();
      if (!hasGlob(pattern)) {
        const entry = this.#byName.get(folded);
        if (entry !== undefined && !found.has(folded)) found.set(folded, [pattern, shownBy(entry)]);
        continue;
      }
      const glob = ascii(folded);
      for (const [name, entry] of this.#byName) {
        const bytes = this.#nameBytes.get(name)!;
        if (!found.has(name) && globMatch(glob, 0, glob.length, bytes, 0, bytes.length)) {
          found.set(name, [name, shownBy(entry)]);
        }
      }
    }
    return [...found.values()];
  }

  /**
   * CONFIG SET: all pairs or none. Answers null, or the whole error line (`ERR ...`). `local` says
   * whether the client is on this machine, for settings under `enable-protected-configs`.
   */
  set(pairs: readonly (readonly [name: string, value: string])[], local: boolean): string | null {
    const names = new Set<string>();
    const changing: Entry[] = [];
    for (const [name] of pairs) {
      const entry = this.#byName.get(name.toLowerCase());
      if (entry === undefined) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
      }
      const refused = this.#guard(entry.setting, local);
      if (refused !== null) return setError(name, refused);
      if (names.has(name.toLowerCase())) return setError(name, "duplicate parameter");
      names.add(name.toLowerCase());
      changing.push(entry);
    }
    const before = changing.map((entry) => ({ entry, value: entry.value, source: entry.source }));
    const undo = () => {
      for (const { entry, value, source } of before.toReversed()) {
        this.#put(entry, value);
        entry.source = source;
      }
    };
    const changed = new Set<string>();
    for (const [i, entry] of changing.entries()) {
      const parsed = parseText(entry, pairs[i][1]);
      if ("refused" in parsed) {
        undo();
        return setError(pairs[i][0].toLowerCase(), parsed.refused);
      }
      const old = entry.setting.kind.format(entry.value);
      this.#put(entry, parsed.value);
      entry.source = "run time";
      if (entry.field !== null && shownBy(entry) !== old) changed.add(entry.field);
    }
    return this.#applyChanges(changing, changed, undo);
  }

  #guard(setting: Setting, local: boolean): string | null {
    if (setting.change === "restart") return "can't set immutable config";
    if (setting.change === "live") return null;
    const allowance = this.enableProtectedConfigs;
    const allowed = allowance === "yes" || (allowance === "local" && local);
    return allowed ? null : "can't set protected config";
  }

  #applyChanges(
    changing: readonly Entry[],
    changed: ReadonlySet<string>,
    undo: () => void,
  ): string | null {
    const applied: Listener<Apply>[] = [];
    for (const listener of this.#appliers) {
      if (listener.fields.isDisjointFrom(changed)) continue;
      const refused = listener.act(this);
      if (refused === null) {
        applied.push(listener);
        continue;
      }
      undo();
      // Those that had acted act again on the old values; a second refusal has nowhere to go.
      for (const { act } of applied) act(this);
      const field = changing.find((e) => e.field !== null && listener.fields.has(e.field));
      return setError(field?.setting.name ?? "", refused);
    }
    for (const { fields, act } of this.#followers) {
      if (!fields.isDisjointFrom(changed)) act(this);
    }
    return null;
  }

  /**
   * Calls `apply` after each CONFIG SET that changed one of `fields`, with the new values in force.
   * An answer other than null undoes the whole CONFIG SET, and `apply` is called again with the old
   * values when one that comes later gives one. Gives back the way to stop it.
   */
  onChange(fields: readonly (keyof ConfigValues)[], apply: Apply): () => void {
    return listen(this.#appliers, fields, apply);
  }

  /**
   * As `onChange`, for who never refuses: `follow` is called once every `onChange` has agreed, so that
   * nothing it does has to be undone. Gives back the way to stop it.
   */
  afterChange(fields: readonly (keyof ConfigValues)[], follow: Follow): () => void {
    return listen(this.#followers, fields, follow);
  }

  /**
   * Records a value that the server itself decided (REPLICAOF, the resolved `dir`, a port picked),
   * so that CONFIG GET and REWRITE tell what is in force. No listener is called.
   */
  assign<K extends keyof ConfigValues>(field: K, value: ConfigValues[K]): void {
    const entry = this.#byName.get(SETTINGS[field].name)!;
    this.#put(entry, value);
    entry.source = "run time";
  }

  /** The place where the value of a setting was given at start, for errors. */
  whereOf(field: keyof ConfigValues): string {
    return this.#byName.get(SETTINGS[field].name)!.where;
  }

  /** Where the value of a setting came from. */
  sourceOf(field: keyof ConfigValues): Source {
    return this.#byName.get(SETTINGS[field].name)!.source;
  }

  /**
   * Takes one directive at start. `where` completes "port 'x' (...)" in errors: a file and line, a
   * variable, "command line".
   *
   * @throws {ConfigError} for an unknown name or a value that is not allowed.
   */
  load(name: string, words: readonly string[], source: Source, where: string): void {
    const folded = name.toLowerCase();
    const entry = this.#byName.get(folded);
    if (entry === undefined) return this.#unknown(folded, words, where);
    const { kind, secret } = entry.setting;
    // In a file only what is a list may be empty, as in Redis.
    const mayBeBare = source === "command line" || kind.bare === "";
    if (words.length === 0 && mayBeBare && kind.bare !== undefined) words = [kind.bare];
    const given = words.length === 1 && kind.words === "list" && words[0] !== ""
      ? splitWords(words[0])
      : words;
    const first = !this.#given.has(`${source} ${entry.setting.name}`);
    const fits = given !== null && given.length > 0 &&
      (kind.words === "list" || given.length === 1);
    const parsed = fits ? kind.parse(given, entry.value, first) : { refused: WRONG_COUNT };
    if ("refused" in parsed) {
      const value = secret ? "(hidden)" : `'${shown(words.join(" "))}'`;
      const found = words.length === 0 ? "needs a value" : `cannot be ${value}`;
      const one = !fits && kind.words === "one" ? "exactly one value: " : "";
      throw new ConfigError(
        `setting '${folded}' ${found} (${where}): allowed is ${one}${kind.allowed}`,
      );
    }
    this.#given.add(`${source} ${entry.setting.name}`);
    this.#put(entry, parsed.value);
    entry.source = source;
    entry.where = where;
  }

  #unknown(name: string, words: readonly string[], where: string): void {
    if (DEAD_DIRECTIVES.has(name)) {
      this.warnings.push(`setting '${name}' (${where}) is obsolete and ignored, as in Redis`);
      return;
    }
    const value = shown(words.join(" "));
    const reason = REFUSED_DIRECTIVES.get(name);
    if (reason !== undefined) {
      throw new ConfigError(`setting '${name}' cannot be '${value}' (${where}): ${reason}`);
    }
    if (PERMISSION_FLAG.test(name)) {
      const flag = words.length === 0 ? `--${name}` : `--${name}=${value}`;
      throw new ConfigError(
        `'--${
          shown(name)
        }' (${where}) is a permission of Deno, not a setting: see Permissions in ` +
          `the README; it is given so: ${givenAs(flag)}`,
      );
    }
    const near = nearest(name, this.#byName.keys());
    const hint = near === null ? "" : `did you mean '${near}'? `;
    throw new ConfigError(
      `unknown setting '${shown(name)}' with value '${value}' (${where}): ${hint}` +
        "allowed are the settings that --help lists",
    );
  }

  /** Names of accepted settings without effect that were given another value than their default. */
  inertGiven(): string[] {
    return this.#entries
      .filter((e) => e.setting.inert && shownBy(e) !== e.setting.kind.format(e.setting.initial))
      .map((e) => e.setting.name);
  }

  /**
   * CONFIG REWRITE: writes the values in force into the config file, keeping its comments and order.
   * Values that came from the environment stay out of it: they will come from there again, and
   * secrets are put there to keep them out of files. Answers null or the whole error line.
   */
  rewrite(): string | null {
    if (this.file === null) return "ERR The server is running without a config file";
    const options = this.#entries.map(({ setting, value, source }) => ({
      name: setting.name,
      ...(setting.alias === undefined ? {} : { alias: setting.alias }),
      lines: setting.kind.lines(setting.name, value),
      standard: setting.kind.format(value) === setting.kind.format(setting.initial),
      untouched: source === "environment",
    }));
    const failed = rewriteFile(this.file, options, this.#isDirective);
    return failed === null ? null : `ERR Rewriting config file: ${failed}`;
  }

  readonly #isDirective = (name: string): boolean =>
    this.#byName.has(name) || name === "include" || DEAD_DIRECTIVES.has(name);
}

/** Adds a listener; gives back the way to take it away. */
function listen<Act>(
  listeners: Listener<Act>[],
  fields: readonly (keyof ConfigValues)[],
  act: Act,
): () => void {
  const listener = { fields: new Set(fields), act };
  listeners.push(listener);
  return () => {
    const at = listeners.indexOf(listener);
    if (at >= 0) listeners.splice(at, 1);
  };
}

function shownBy(entry: Entry): string {
  return entry.setting.kind.format(entry.value);
}

/** One CONFIG SET value; lists come as one text there. */
function parseText(entry: Entry, value: string): Parsed<unknown> {
  const { kind } = entry.setting;
  if (kind.words === "one" || value === "") return kind.parse([value], entry.value, true);
  const words = splitWords(value);
  return words === null ? { refused: WRONG_COUNT } : kind.parse(words, entry.value, true);
}

function setError(name: string, refused: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${refused}`;
}
