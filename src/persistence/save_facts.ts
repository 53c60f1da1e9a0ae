/**
 * What a snapshot file says of the save it belongs to, as AUX fields that other readers pass over.
 *
 * ```text
 * shoal-save-id      32 hex digits, the same in all files of one save
 * shoal-save-time    Unix ms of the freeze; a later save of a directory always has a later one
 * shoal-shards       how many shards, and so files, the save has
 * shoal-shard        which of them this file holds
 * shoal-sequence     the node's sequence at the freeze
 * shoal-history      the line of offsets that the shard was on (left out when it kept no frames)
 * shoal-offset       number of its next frame: the file holds exactly the frames before it
 * shoal-upstream     where a replica stood with its upstream (left out on a primary)
 * shoal-replaces     files without these facts that the save was made from (first save after such a load)
 * ```
 *
 * A file without `shoal-save-id` is plain: Redis wrote it.
 *
 * @module
 */

import { RdbError } from "../snapshot/errors.ts";
import { SHARDS_MAX } from "./file_names.ts";

/** A place on a line of offsets. */
export interface HistoryFacts {
  /** Id of the line: 40 hex digits. */
  readonly id: string;
  /** Number of the next frame. */
  readonly offset: number;
}

/** What all files of a save say alike. */
export interface CommonFacts {
  /** Names the save. */
  readonly saveId: string;
  /** Unix ms of the freeze, corrected so that it grows from save to save. */
  readonly savedAtMs: number;
  /** Shards of the node. */
  readonly shards: number;
  /** Frames that the node's shards had produced. */
  readonly sequence: number;
  /** Where a replica stood with its upstream, in the words of whoever asked to keep it; else null. */
  readonly upstream: string | null;
  /** Plain files that the save replaces. */
  readonly replaces: readonly PlainFileId[];
}

/** What one file of a save says. */
export interface SaveFacts extends CommonFacts {
  /** Shard whose keys it holds. */
  readonly shard: number;
  /** The shard's line of offsets, or null. */
  readonly history: HistoryFacts | null;
}

/** Enough to know a plain file again: its name, its size, its last bytes (for RDB, the checksum). */
export interface PlainFileId {
  /** Name in the directory. */
  readonly name: string;
  /** Its size. */
  readonly bytes: number;
  /** Its last eight bytes in hex. */
  readonly tail: string;
}

/** A new save's id. */
export function newSaveId(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)));
}

/** Bytes as lower-case hex digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The facts as AUX fields. */
export function factsAsAux(facts: SaveFacts): [name: string, value: string][] {
  const aux: [string, string][] = [
    ["shoal-save-id", facts.saveId],
    ["shoal-save-time", String(facts.savedAtMs)],
    ["shoal-shards", String(facts.shards)],
    ["shoal-shard", String(facts.shard)],
    ["shoal-sequence", String(facts.sequence)],
  ];
  if (facts.history !== null) {
    aux.push(["shoal-history", facts.history.id], ["shoal-offset", String(facts.history.offset)]);
  }
  if (facts.upstream !== null) aux.push(["shoal-upstream", facts.upstream]);
  if (facts.replaces.length > 0) aux.push(["shoal-replaces", JSON.stringify(facts.replaces)]);
  return aux;
}

/**
 * The facts in a file's AUX fields, or null for a plain file.
 *
 * @throws {RdbError} when there are facts that contradict themselves; `byteOffset` is 0, the head.
 */
export function factsFromAux(aux: ReadonlyMap<string, string>): SaveFacts | null {
  const saveId = aux.get("shoal-save-id");
  if (saveId === undefined) return null;
  if (!/^[0-9a-f]{32}$/.test(saveId)) fail("shoal-save-id", saveId);
  const shards = integerFact(aux, "shoal-shards", 1, SHARDS_MAX);
  const id = aux.get("shoal-history");
  if (id !== undefined && !/^[0-9a-f]{40}$/.test(id)) fail("shoal-history", id);
  return {
    saveId,
    savedAtMs: integerFact(aux, "shoal-save-time", 0, Number.MAX_SAFE_INTEGER),
    shards,
    shard: integerFact(aux, "shoal-shard", 0, shards - 1),
    sequence: integerFact(aux, "shoal-sequence", 0, Number.MAX_SAFE_INTEGER),
    history: id === undefined
      ? null
      : { id, offset: integerFact(aux, "shoal-offset", 0, Number.MAX_SAFE_INTEGER) },
    upstream: aux.get("shoal-upstream") ?? null,
    replaces: replacedFiles(aux.get("shoal-replaces")),
  };
}

function integerFact(
  aux: ReadonlyMap<string, string>,
  name: string,
  min: number,
  max: number,
): number {
  const value = aux.get(name) ?? "";
  const n = Number(value);
  if (!/^\d{1,16}$/.test(value) || n < min || n > max) fail(name, value);
  return n;
}

function replacedFiles(json: string | undefined): PlainFileId[] {
  if (json === undefined) return [];
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    fail("shoal-replaces", json);
  }
  if (!Array.isArray(list) || !list.every(isPlainFileId)) fail("shoal-replaces", json);
  return list;
}

function isPlainFileId(value: unknown): value is PlainFileId {
  if (typeof value !== "object" || value === null) return false;
  const { name, bytes, tail } = value as Record<string, unknown>;
  return typeof name === "string" && typeof bytes === "number" && typeof tail === "string";
}

function fail(name: string, value: string): never {
  const shown = JSON.stringify(value.slice(0, 64));
  throw new RdbError("corrupt", 0, `its fact ${name} is ${shown}, which no save writes`);
}
