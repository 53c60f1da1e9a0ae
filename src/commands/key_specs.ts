/**
 * Key specifications: where the keys of a command are and what is done to them, in the words of
 * COMMAND INFO, which clients and proxies find keys by. Most follow from a command's range of keys
 * (`command_info.ts`); here are those that a range cannot say.
 *
 * @module
 */

/** From which argument on there are keys. */
export type KeysBegin =
  /** At a position. */
  | { readonly type: "index"; readonly index: number }
  /** Behind a word that is looked for from a position on. */
  | { readonly type: "keyword"; readonly keyword: string; readonly startFrom: number }
  /** Only the command itself can tell. */
  | { readonly type: "unknown" };

/** Which arguments are keys from there on. */
export type KeysFound =
  | {
    readonly type: "range";
    /** Positions behind the first up to which there are more; negative counts from the request's end. */
    readonly lastKey: number;
    /** Distance from one to the next. */
    readonly step: number;
    /** With a negative `lastKey`, of all that follow, what part is keys: 1/`limit`. 0: all. */
    readonly limit: number;
  }
  /** The first argument there is their number, and they follow. */
  | { readonly type: "keynum" }
  /** Only the command itself can tell. */
  | { readonly type: "unknown" };

/** Some keys of a command. */
export interface KeySpec {
  /** Flags in Redis's words: `RO`, `RW`, `OW`, `RM`, `access`, `update`, `insert`, `delete`, ... */
  readonly access: readonly string[];
  /** Where they begin. */
  readonly begin: KeysBegin;
  /** Which they are. */
  readonly found: KeysFound;
}

/** The key at position `index`; `access` are flags with spaces between them. */
export function keyAt(index: number, access: string): KeySpec {
  return {
    access: access.split(" "),
    begin: { type: "index", index },
    found: { type: "range", lastKey: 0, step: 1, limit: 0 },
  };
}

/** The keys behind their number, which is at position `index`. */
export function keysCountedAt(index: number, access: string): KeySpec {
  return {
    access: access.split(" "),
    begin: { type: "index", index },
    found: { type: "keynum" },
  };
}

/** The key behind a word that stands somewhere from position `startFrom` on. */
export function keyBehind(keyword: string, startFrom: number, access: string): KeySpec {
  return {
    access: access.split(" "),
    begin: { type: "keyword", keyword, startFrom },
    found: { type: "range", lastKey: 0, step: 1, limit: 0 },
  };
}

/** As `keyBehind`: of all that is behind the word the first half is keys. */
export function firstHalfBehind(keyword: string, startFrom: number, access: string): KeySpec {
  return {
    access: access.split(" "),
    begin: { type: "keyword", keyword, startFrom },
    found: { type: "range", lastKey: -1, step: 1, limit: 2 },
  };
}

/** Keys that cannot be found without the command. */
export function keysUnknown(access: string): KeySpec {
  return {
    access: access.split(" "),
    begin: { type: "unknown" },
    found: { type: "unknown" },
  };
}
