/**
 * What is in an RDB file, and where it breaks: for `shoal check-rdb`.
 *
 * @module
 */

import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../keyspace/entry.ts";
import { type BuildRefusal, ValueBuilder } from "../keyspace/builder.ts";
import { Keyspace } from "../keyspace/keyspace.ts";
import { Arena, ARENA_BYTES_MAX } from "../memory/arena.ts";
import { randomHashKey } from "../memory/siphash.ts";
import { BuildingSink } from "../snapshot/building_sink.ts";
import { quoteBytes } from "../snapshot/errors.ts";
import { RdbReader } from "../snapshot/rdb_reader.ts";
import { isSystemError, LoadError, loadError, LoadLimitError } from "./load_error.ts";
import { tooLong } from "./load_sink.ts";
import { READ_BYTES } from "./rdb_load.ts";
import { factsFromAux } from "./save_facts.ts";
import type { StorageFile } from "./storage.ts";

const TYPE_NAMES: readonly (readonly [type: number, name: string])[] = [
  [TYPE_STRING, "strings"],
  [TYPE_LIST, "lists"],
  [TYPE_SET, "sets"],
  [TYPE_ZSET, "sorted sets"],
  [TYPE_HASH, "hashes"],
  [TYPE_STREAM, "streams"],
];

/** Where values are built, one at a time: as much room as a shard can have, of which they take theirs. */
let scratch: Keyspace | null = null;

function scratchKeyspace(): Keyspace {
  return scratch ??= new Keyspace(new Arena(ARENA_BYTES_MAX), 1, randomHashKey());
}

/** Counts what an image has, builds its values as a load does, and keeps nothing of them. */
class CountingSink extends BuildingSink {
  readonly facts: (readonly [name: string, value: string])[] = [];
  readonly databases = new Map<number, number>();
  readonly types = new Map<number, number>();
  expires = 0;
  readonly #builder = new ValueBuilder(scratchKeyspace(), (why, n) => this.#refuse(why, n));
  #db = 0;

  override aux(name: string, value: string): void {
    this.facts.push([name, value]);
  }

  override selectDb(db: number): void {
    this.#db = db;
  }

  override resizeDb(): void {}

  override string(
    _key: Uint8Array,
    keyStart: number,
    keyStop: number,
    _value: Uint8Array,
    _valueStart: number,
    _valueStop: number,
    expireAtMs: number,
  ): void {
    const keyBytes = keyStop - keyStart;
    if (!Keyspace.keyFits(keyBytes)) this.#refuse("keyTooLong", keyBytes);
    this.#count(TYPE_STRING, expireAtMs);
  }

  override beginCollection(
    type: number,
    key: Uint8Array,
    keyStart: number,
    keyStop: number,
    expireAtMs: number,
  ): void {
    super.beginCollection(type, key, keyStart, keyStop, expireAtMs);
    this.#count(type, expireAtMs);
  }

  protected override builderOf(): ValueBuilder {
    while (this.#builder.keys.reclaim());
    return this.#builder;
  }

  protected override store(builder: ValueBuilder): void {
    builder.abort();
  }

  #refuse(why: BuildRefusal, bytes: number): never {
    if (why !== "noRoom") throw tooLong(why, bytes, this.key, this.keyBytes);
    const shown = quoteBytes(this.key, 0, this.keyBytes);
    throw new LoadLimitError(`key ${shown} has a value that is larger than a shard can be`);
  }

  #count(type: number, expireAtMs: number): void {
    this.databases.set(this.#db, (this.databases.get(this.#db) ?? 0) + 1);
    this.types.set(type, (this.types.get(type) ?? 0) + 1);
    if (expireAtMs >= 0) this.expires++;
  }
}

/** What a check has found. */
export interface CheckReport {
  /** One fact a line. */
  readonly lines: readonly string[];
  /** Why the file cannot be loaded, in one line; null when it can. */
  readonly fault: string | null;
  /** Bytes of the file that are sound. */
  readonly soundBytes: number;
}

/** Reads an image from the file's position to its end. */
export async function checkRdb(path: string, file: StorageFile): Promise<CheckReport> {
  const sink = new CountingSink();
  const warnings: string[] = [];
  const reader = new RdbReader(sink, {
    checksum: true,
    onWarning: (warning, byte) => warnings.push(`byte ${byte}: ${warning}`),
  });
  const buf = new Uint8Array(READ_BYTES);
  let fault: string | null = null;
  try {
    while (!reader.finished) {
      const read = await file.read(buf);
      if (read === null) reader.end();
      else reader.push(buf, 0, read);
    }
    factsFromAux(new Map(sink.facts)); // which throws for what no save writes
  } catch (error) {
    const cause = error instanceof LoadLimitError
      ? new LoadLimitError(`RDB image, byte ${reader.byteOffset}: ${error.message}`)
      : error;
    const known = loadError(path, cause);
    // What cannot even be begun is no image of which there is something to say.
    if (!(known instanceof LoadError) || reader.version === 0 && isSystemError(error)) throw error;
    fault = known.message;
  }
  const lines: string[] = [];
  if (reader.version > 0) {
    lines.push(`RDB version ${reader.version}, ${reader.keys} keys, ${sink.expires} that expire`);
  }
  for (const [db, keys] of sink.databases) lines.push(`database ${db}: ${keys} keys`);
  for (const [type, name] of TYPE_NAMES) {
    const count = sink.types.get(type);
    if (count !== undefined) lines.push(`${name}: ${count}`);
  }
  for (const [name, value] of sink.facts) lines.push(`${name}: ${value}`);
  return { lines: [...lines, ...warnings], fault, soundBytes: reader.byteOffset };
}
