/**
 * The manifest of an append-only file: which files it is made of, in Redis 7's syntax, so that its
 * tools and servers read ours and we theirs.
 *
 * ```text
 * file appendonly.aof.2.base.rdb seq 2 type b      what there was when the file was rewritten last
 * file appendonly.aof.1.incr.aof seq 1 type h      history: replaced, about to be removed
 * file appendonly.aof.3.incr.aof seq 3 type i      what came since, one file after another
 * ```
 *
 * A name with spaces or the like is quoted as in a config file; lines that begin with `#` are passed
 * over, and so is what else may follow the type (newer Redis versions put offsets there).
 *
 * @module
 */

/** One file of an append-only file. */
export interface AofPart {
  /** Its name in the directory. */
  readonly name: string;
  /** Its number among those of its kind, from 1 on. */
  readonly sequence: number;
}

/** See the module's text. */
export interface AofManifest {
  /** What was there at the last rewrite; null before the first. */
  readonly base: AofPart | null;
  /** What came since, oldest first. */
  readonly increments: readonly AofPart[];
  /** Replaced files that may still be there. */
  readonly history: readonly AofPart[];
}

/** A manifest that names no file. */
export const EMPTY_MANIFEST: AofManifest = { base: null, increments: [], history: [] };

/** What `baseName` gives for an image. */
const RDB_BASE = /\.([1-9]\d{0,14})\.base\.rdb$/;
/** Longest line, as in Redis. */
const LINE_CHARS_MAX = 1024;

/** A manifest that cannot be read; the message is one line with the number of the line at fault. */
export class ManifestError extends Error {
  /** The error's name. */
  override readonly name = "ManifestError";
}

/** The name of the manifest of the append-only file `name`. */
export function manifestName(name: string): string {
  return `${name}.manifest`;
}

/** The name of base file number `sequence`; `isRdb` tells its format. */
export function baseName(name: string, sequence: number, isRdb: boolean): string {
  return `${name}.${sequence}.base.${isRdb ? "rdb" : "aof"}`;
}

/** The number of the base that has this name, if that says that it is an RDB image; else null. */
export function rdbBaseSequence(name: string): number | null {
  const found = RDB_BASE.exec(name);
  return found === null ? null : Number(found[1]);
}

/** The name of increment number `sequence`. */
export function incrementName(name: string, sequence: number): string {
  return `${name}.${sequence}.incr.aof`;
}

/**
 * Reads a manifest.
 *
 * @throws {ManifestError} for what Redis would not take either; and for a file that is listed twice, which
 *   Redis would load twice, or remove as replaced although it counts.
 */
export function parseManifest(text: string): AofManifest {
  if (text === "") throw new ManifestError("it is empty");
  let base: AofPart | null = null;
  const increments: AofPart[] = [];
  const history: AofPart[] = [];
  const names = new Set<string>();
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new ManifestError(`line ${lines.length + 1} has no line end`);
  for (const [i, line] of lines.entries()) {
    const fail = (why: string): never => {
      throw new ManifestError(`line ${i + 1}: ${why}`);
    };
    if (line.startsWith("#")) continue;
    if (line.length > LINE_CHARS_MAX) fail("it is too long");
    const words = splitWords(line.replace(/\r$/, "").trim());
    if (words === null || words.length < 6 || words.length % 2 !== 0) {
      return fail("it is not of the form 'file <name> seq <number> type <b|i|h>'");
    }
    const part = new Map<string, string>();
    for (let w = 0; w < words.length; w += 2) part.set(words[w].toLowerCase(), words[w + 1]);
    const name = part.get("file") ?? "";
    const sequence = Number(part.get("seq"));
    if (name === "" || name.includes("/")) fail("the file's name is no plain name");
    if (names.has(name)) fail("the file is listed already");
    names.add(name);
    if (!Number.isSafeInteger(sequence) || sequence < 1) fail("its number is not one from 1 on");
    switch (part.get("type")) {
      case "b":
        if (base !== null) fail("there is a base file already");
        base = { name, sequence };
        break;
      case "i":
        if (increments.length > 0 && increments[increments.length - 1].sequence >= sequence) {
          fail("increments are not in ascending order");
        }
        increments.push({ name, sequence });
        break;
      case "h":
        history.push({ name, sequence });
        break;
      default:
        fail("its type is none of b, i, h");
    }
  }
  return { base, increments, history };
}

/** Writes a manifest. */
export function formatManifest({ base, increments, history }: AofManifest): string {
  const line = ({ name, sequence }: AofPart, type: string) =>
    `file ${quoted(name)} seq ${sequence} type ${type}\n`;
  return [
    ...(base === null ? [] : [line(base, "b")]),
    ...history.map((part) => line(part, "h")),
    ...increments.map((part) => line(part, "i")),
  ].join("");
}

/** Number of the next base file, and of the next increment. */
export function nextSequences({ base, increments, history }: AofManifest): {
  base: number;
  increment: number;
} {
  const next = (parts: readonly AofPart[]) =>
    1 + parts.reduce((most, { sequence }) => Math.max(most, sequence), 0);
  // History has files of both kinds; a number that is skipped costs nothing.
  return {
    base: next([...(base === null ? [] : [base]), ...history]),
    increment: next([...increments, ...history]),
  };
}

function quoted(name: string): string {
  return /^[\x21\x23-\x26\x28-\x5b\x5d-\x7e]+$/.test(name) ? name : JSON.stringify(name);
}

/** The words of a line, quotes taken off; null where a quote is not closed. */
function splitWords(line: string): string[] | null {
  const words: string[] = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\')*)'|([^\s"']+))(?=\s|$)/gy;
  let end = 0;
  while (end < line.length) {
    pattern.lastIndex = end;
    const found = pattern.exec(line);
    if (found === null) return /^\s*$/.test(line.slice(end)) ? words : null;
    end = pattern.lastIndex;
    if (found[1] !== undefined) words.push(unescaped(found[1]));
    else words.push(found[2] !== undefined ? found[2].replaceAll("\\'", "'") : found[3]);
  }
  return words;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
  ["b", "\b"],
  ["a", "\x07"],
]);

function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-fA-F]{2})|(.))/g,
    (_, hex?: string, c?: string) =>
      hex === undefined ? ESCAPES.get(c!) ?? c! : String.fromCharCode(parseInt(hex, 16)),
  );
}
