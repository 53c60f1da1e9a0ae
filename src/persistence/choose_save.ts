/**
 * Decides what a start loads, from what the directory holds: a pure function.
 *
 * A save of several shards has several files, whose renaming is not one step for the file system.
 * It is one here: all files are complete and synced under temporary names before the first gets its
 * final name, so a single file under its final name proves the save, and its other files count under
 * whatever name they have. Which save a file belongs to is in the file (`save_facts.ts`).
 *
 * The newest complete save wins, however many shards it has. Files of older saves are stale: the
 * newer one contained all they say. Beyond that nothing is guessed: when loading the one would later
 * overwrite another that nobody loaded, or when the newest save lacks a file, the start is refused
 * with what to move.
 *
 * @module
 */

import { snapshotFileName } from "./file_names.ts";
import type { FoundFile } from "./save_catalog.ts";
import type { PlainFileId, SaveFacts } from "./save_facts.ts";

/** A file of a save. */
export interface SaveFile extends FoundFile {
  /** What it says of itself. */
  readonly facts: SaveFacts;
}

/** What to do at a start. */
export type SaveChoice =
  /** There is nothing to load. */
  | { readonly kind: "nothing" }
  /** Load the files of this save; `files[i]` is shard i's. */
  | { readonly kind: "save"; readonly files: readonly SaveFile[] }
  /** Load these files, which Redis wrote. */
  | { readonly kind: "plain"; readonly files: readonly FoundFile[] }
  /** Load nothing and do not start: why and what to do, in one line. */
  | { readonly kind: "refused"; readonly why: string };

/** A choice, and what is to become of the other files. */
export interface Decision {
  /** What to do. */
  readonly choice: SaveChoice;
  /** Files of older saves; they are superseded. */
  readonly stale: readonly FoundFile[];
  /** Plain files that the chosen save replaced already. */
  readonly replaced: readonly FoundFile[];
  /** Files that are left alone though their names look like ours; for a warning. */
  readonly ignored: readonly FoundFile[];
  /** Left over from saves that did not come to their end. */
  readonly leftovers: readonly FoundFile[];
}

/** The settings that names depend on. */
export interface NamingSettings {
  /** `dbfilename`. */
  readonly dbFilename: string;
  /** `shards`. */
  readonly shards: number;
}

/** See the module's text. */
export function chooseSave(files: readonly FoundFile[], naming: NamingSettings): Decision {
  const finals = files.filter((file) => !file.isTemp);
  const bad = finals.find((file) => file.head.kind === "bad");
  if (bad?.head.kind === "bad") return refused(bad.head.why);
  const { saves, misplaced } = groupSaves(files, naming.dbFilename);
  const newest = saves[0];
  if (newest === undefined) return choosePlain(files, finals, misplaced, naming);

  const chosen = filesOfShards(newest);
  if ("missing" in chosen) return refused(whyMissing(newest, chosen.missing, naming));
  const plain = finals.filter((file) => file.head.kind === "plain");
  const { replaces } = newest[0].facts;
  const replaced = plain.filter((file) => isReplaced(file, replaces));
  const others = [...misplaced, ...plain.filter((file) => !replaced.includes(file))];
  const inTheWay = others.find((file) => wouldBeOverwritten(file.name, naming));
  if (inTheWay !== undefined) {
    const loaded = chosen.files.map((file) => file.name).join(", ");
    return refused(
      `cannot load: ${inTheWay.path} is not part of the newest save (${loaded}), and the next one would ` +
        "overwrite it: move one of them away",
    );
  }
  return {
    choice: { kind: "save", files: chosen.files },
    stale: saves.slice(1).flat().filter((file) => !file.isTemp),
    replaced,
    ignored: [...others, ...files.filter(isForeignTemp)],
    leftovers: files.filter((file) =>
      isLeftover(file) && !chosen.files.some(({ name }) => name === file.name)
    ),
  };
}

/**
 * The saves of which a file has its final name, newest first, with their temporary files; and files
 * under a name that is not theirs, such as copies.
 */
function groupSaves(
  files: readonly FoundFile[],
  dbFilename: string,
): { saves: SaveFile[][]; misplaced: FoundFile[] } {
  const byId = new Map<string, SaveFile[]>();
  const misplaced: FoundFile[] = [];
  const of = files.flatMap((file) =>
    file.head.kind === "save" ? [{ ...file, facts: file.head.facts }] : []
  );
  for (const file of of) {
    const { saveId, shard, shards } = file.facts;
    if (file.isTemp) continue;
    if (file.name !== snapshotFileName(dbFilename, shard, shards)) misplaced.push(file);
    else byId.set(saveId, [...byId.get(saveId) ?? [], file]);
  }
  for (const file of of) {
    if (file.isTemp) byId.get(file.facts.saveId)?.push(file);
  }
  const saves = [...byId.values()].sort((a, b) => b[0].facts.savedAtMs - a[0].facts.savedAtMs);
  return { saves, misplaced };
}

/** The files of a save by shard, those under their final names first choice; or the shards without. */
function filesOfShards(
  save: readonly SaveFile[],
): { files: SaveFile[] } | { missing: number[] } {
  const byShard: SaveFile[] = [];
  for (const file of save) byShard[file.facts.shard] ??= file;
  const missing: number[] = [];
  for (let i = 0; i < save[0].facts.shards; i++) if (byShard[i] === undefined) missing.push(i);
  return missing.length > 0 ? { missing } : { files: byShard };
}

function whyMissing(
  save: readonly SaveFile[],
  missing: readonly number[],
  naming: NamingSettings,
): string {
  const { shards } = save[0].facts;
  const [{ path }] = save;
  const names = missing.map((shard) => snapshotFileName(naming.dbFilename, shard, shards));
  const more = names.length > 1 ? ` and ${names.length - 1} more` : "";
  return `cannot load: ${path} is of the newest save, whose ${
    names[0]
  }${more} of ${shards} files is missing: ` +
    `put it there, or move away what is there of that save`;
}

/** No save of ours: the files of Redis, `dbfilename` itself or numbered ones. */
function choosePlain(
  files: readonly FoundFile[],
  finals: readonly FoundFile[],
  misplaced: readonly FoundFile[],
  naming: NamingSettings,
): Decision {
  if (misplaced.length > 0) {
    const { path, facts } = misplaced[0] as SaveFile;
    const { shard, shards } = facts;
    return refused(
      `cannot load: ${path} is shard ${shard} of a save of ${shards}, which is called ` +
        `${snapshotFileName(naming.dbFilename, shard, shards)}: rename it, or move it away`,
    );
  }
  const one = finals.filter((file) => file.name === naming.dbFilename);
  if (one.length > 0 && finals.length > 1) {
    const [other] = finals.filter((file) => file !== one[0]);
    return refused(
      `cannot load: ${
        one[0].path
      } and ${other.path} could both be the data set: move one of them away`,
    );
  }
  const choice: SaveChoice = finals.length === 0
    ? { kind: "nothing" }
    : { kind: "plain", files: finals };
  const ignored = files.filter(isForeignTemp);
  return { choice, stale: [], replaced: [], ignored, leftovers: files.filter(isLeftover) };
}

/** A file under a temporary name that is not like ours: it has a whole head that says nothing of us. */
function isForeignTemp({ isTemp, head }: FoundFile): boolean {
  return isTemp && head.kind === "plain";
}

/** A file that was being written: what it says of itself is ours, or was not even written. */
function isLeftover({ isTemp, head }: FoundFile): boolean {
  return isTemp && head.kind !== "plain";
}

/** Whether a file is one of the plain files that a save says it replaces, and still the same. */
export function isReplaced(file: FoundFile, replaces: readonly PlainFileId[]): boolean {
  const { head } = file;
  if (head.kind !== "plain") return false;
  const { name, bytes, tail } = head.id;
  return replaces.some((id) => id.name === name && id.bytes === bytes && id.tail === tail);
}

/** Whether the next save writes a file of that name; `dbfilename` counts with any number of shards. */
function wouldBeOverwritten(name: string, { dbFilename, shards }: NamingSettings): boolean {
  if (name === dbFilename) return true;
  for (let i = 0; i < shards; i++) {
    if (name === snapshotFileName(dbFilename, i, shards)) return true;
  }
  return false;
}

function refused(why: string): Decision {
  const nothing: readonly FoundFile[] = [];
  const choice: SaveChoice = { kind: "refused", why };
  return { choice, stale: nothing, replaced: nothing, ignored: nothing, leftovers: nothing };
}
