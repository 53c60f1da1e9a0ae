/**
 * Loads a node's data from its append-only file: for each shard the base, then the increments in
 * order, whose commands are run as an upstream's frames are. With another number of shards than the
 * files', keys and commands go where their slots belong.
 *
 * What a crash left incomplete at the very end is not loaded (and cut off by who goes on with the
 * file); anything else that cannot be read stops the start, and nothing on disk is changed.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { latin1 } from "../base/ascii.ts";
import type { Log } from "../observability/log.ts";
import { rdbBaseSequence } from "../persistence/aof_manifest.ts";
import { AofDamage } from "../persistence/aof_parser.ts";
import { type AofReadResult, readIncrement } from "../persistence/aof_read.ts";
import type { AofSet } from "../persistence/aof_set.ts";
import { LoadError, loadError } from "../persistence/load_error.ts";
import type { LoadProgress } from "../persistence/load_data.ts";
import { LoadSink, type LoadTarget } from "../persistence/load_sink.ts";
import { loadRdbFile } from "../persistence/rdb_load.ts";
import { factsFromAux, type HistoryFacts, type SaveFacts } from "../persistence/save_facts.ts";
import type { Storage } from "../persistence/storage.ts";
import type { Backlog } from "../replication/backlog.ts";
import type { FramePlace } from "../shard/applier.ts";
import type { Position } from "../shard/upstream.ts";
import { MissingFrames, Replay, ReplayError, type ReplayHost } from "./aof_replay.ts";
import { ReplayTail } from "./replay_tail.ts";

/** First bytes of an RDB image. */
const RDB_MAGIC = "REDIS";

/** What loading needs of its server. */
export interface AofLoadingHost extends ReplayHost {
  /** Where files are kept. */
  readonly storage: Storage;
  /** The log. */
  readonly log: Log;
  /** Lets others run. */
  readonly gate: Gate;
  /** Settings in force. */
  readonly config: {
    /** Whether checksums are compared. */
    readonly rdbChecksum: boolean;
    /** Whether a torn tail is cut off instead of stopping the start. */
    readonly aofLoadTruncated: boolean;
  };
  /** Takes the paths of bases of which not all was loaded. */
  readonly partlyLoaded: Set<string>;
}

/** What the files of one shard came to. */
export interface LoadedSet {
  /** The files. */
  readonly set: AofSet;
  /** Bytes of the base that count; what is behind them is to be cut off. */
  readonly baseBytes: number;
  /** The same of each increment. */
  readonly wholeBytes: readonly number[];
  /** The history that the data is part of, and the number of the frame to come; null if unknown. */
  readonly history: HistoryFacts | null;
  /** The latest frames of that history; null where they are not known. */
  readonly tail: Backlog | null;
  /** Frames that the node had produced, as far as the files tell. */
  readonly sequence: number;
  /** Where the data stands in its upstream's shard; null for a primary's. */
  readonly position: Position | null;
}

/** What a base says of itself, gathered while it is loaded. */
class BaseSink extends LoadSink {
  readonly facts = new Map<string, string>();

  override aux(name: string, value: string): void {
    this.facts.set(name, value);
  }
}

/** A file that does not end where a command or unit does. */
interface TornFile {
  readonly path: string;
  readonly result: AofReadResult;
}

/** What a base came to. */
interface LoadedBase {
  /** Bytes that count. */
  readonly bytes: number;
  /** What it says of itself; null where it is not ours. */
  readonly facts: SaveFacts | null;
  /** Set when it is torn. */
  readonly torn: TornFile | null;
}

const NO_BASE: LoadedBase = { bytes: 0, facts: null, torn: null };

/** See the module's text. */
export class AofLoading {
  /** Keys of images taken in. */
  keys = 0;
  /** Commands taken in, of increments and of bases that have some. */
  commands = 0;
  readonly #host: AofLoadingHost;
  #loadedBytes = 0;
  #totalBytes = 0;
  #cancelled: string | null = null;

  /** Nothing is loaded yet. */
  constructor(host: AofLoadingHost) {
    this.#host = host;
  }

  /** How far it is; its keys are those that are there, whether of images or of commands. */
  get progress(): LoadProgress {
    let keys = 0;
    for (const shard of this.#host.node.shards) keys += shard.keys.totalSize();
    return { loadedBytes: this.#loadedBytes, totalBytes: this.#totalBytes, keys };
  }

  /** Stops after the present slice; `run` then throws. */
  cancel(reason: string): void {
    this.#cancelled ??= reason;
  }

  /**
   * Loads the files of all shards into the node's empty shards.
   *
   * @throws {LoadError} naming file and byte; nothing on disk was changed.
   */
  async run(sets: readonly AofSet[]): Promise<LoadedSet[]> {
    for (const set of sets) this.#totalBytes += await this.#bytesOf(set);
    const loaded: LoadedSet[] = [];
    for (const [shard, set] of sets.entries()) {
      loaded.push(await this.#loadSet(set, { shard, shards: sets.length, db: 0, lenient: false }));
    }
    return loaded;
  }

  async #bytesOf(set: AofSet): Promise<number> {
    const { base, increments } = set.manifest;
    let bytes = 0;
    for (const part of [...(base === null ? [] : [base]), ...increments]) {
      const path = set.pathOf(part);
      try {
        using file = await this.#host.storage.open(path);
        bytes += await file.size();
      } catch (error) {
        throw loadError(path, error);
      }
    }
    return bytes;
  }

  async #loadSet(set: AofSet, place: FramePlace): Promise<LoadedSet> {
    const { base, increments } = set.manifest;
    const loaded = base === null
      ? NO_BASE
      : await this.#loadBase(set.pathOf(base), place, increments.length === 0);
    const { facts } = loaded;
    if (facts !== null && facts.shards !== place.shards) {
      throw new LoadError(
        `cannot load ${set.pathOf(base!)}: it is one of ${facts.shards} shards, and there are ` +
          `manifests of ${place.shards}: put the others there, or move away what does not belong`,
      );
    }
    const { shards } = this.#host.node;
    const isOwn = place.shards === shards.length;
    const tail = new ReplayTail((offset) => shards[place.shard].newBacklog(offset));
    const replay = new Replay(this.#host, place, facts, isOwn ? tail : null, base === null);
    const wholeBytes: number[] = [];
    let { torn } = loaded;
    for (const part of increments) {
      const path = set.pathOf(part);
      const result = await this.#replay(path, 0, replay, part === increments.at(-1));
      if (torn !== null && result.bytes > 0) throw tornInTheMiddle(torn, path);
      if (result.wholeBytes < result.bytes) torn = { path, result };
      wholeBytes.push(
        replay.isReplicas ? Math.min(replay.placedBytes, result.wholeBytes) : result.wholeBytes,
      );
    }
    if (torn !== null) this.#cutTail(torn);
    this.commands += replay.frames;
    return {
      set,
      baseBytes: loaded.bytes,
      wholeBytes,
      history: replay.history,
      tail: replay.history === null ? null : tail.upTo(replay.history.offset),
      sequence: replay.sequence,
      position: replay.position,
    };
  }

  /** Tells that a file is torn, if that is allowed. */
  #cutTail({ path, result: { bytes, wholeBytes } }: TornFile): void {
    if (!this.#host.config.aofLoadTruncated) {
      throw new LoadError(
        `cannot load ${path}: byte ${wholeBytes} of ${bytes}: it ends inside a command or unit, ` +
          `and aof-load-truncated is no: shoal check-aof --fix ${path}`,
      );
    }
    this.#host.log.warning("the append-only file ends inside a command or unit: that is cut off", {
      path,
      byte: wholeBytes,
      bytes: bytes - wholeBytes,
    });
  }

  async #loadBase(path: string, place: FramePlace, isLast: boolean): Promise<LoadedBase> {
    const image = await this.#isImage(path) ? await this.#loadImage(path) : null;
    // Redis 4 to 6 wrote commands behind the image; without a preamble there are commands alone.
    const from = image?.bytes ?? 0;
    const replay = new Replay(this.#host, place, null);
    const result = await this.#replay(path, from, replay, isLast);
    const isWhole = replay.frames > 0 && result.wholeBytes === result.bytes;
    if (image === null && rdbBaseSequence(path) !== null && !isWhole) throw noImage(path);
    this.commands += replay.frames;
    return {
      bytes: result.wholeBytes,
      facts: image?.facts ?? null,
      torn: result.wholeBytes < result.bytes ? { path, result } : null,
    };
  }

  async #isImage(path: string): Promise<boolean> {
    try {
      using file = await this.#host.storage.open(path);
      const magic = new Uint8Array(RDB_MAGIC.length);
      const read = await file.read(magic);
      return read === magic.length && latin1(magic, 0, read) === RDB_MAGIC;
    } catch (error) {
      throw loadError(path, error);
    }
  }

  async #loadImage(path: string): Promise<{ bytes: number; facts: SaveFacts | null }> {
    const { storage, node, config, gate, log } = this.#host;
    const target: LoadTarget = {
      keyspaces: node.shards.map(({ keys }) => keys),
      shardOf: (buf, start, stop) => node.shardOf(buf, start, stop),
      // The increments tell of every key that has gone.
      dropsExpired: false,
      dropped: () => {},
    };
    const sink = new BaseSink(target);
    sink.nowMs = this.#host.nowMs();
    const bytes = await loadRdbFile(storage, path, sink, {
      gate,
      checksum: config.rdbChecksum,
      onBytes: (bytes) => this.#loadedBytes += bytes,
      onWarning: (warning, byte) => {
        this.#host.partlyLoaded.add(path);
        log.warning("not all of a file was loaded", { path, byte, warning });
      },
      cancelled: () => this.#cancelled,
    });
    this.keys += sink.loaded;
    try {
      return { bytes, facts: factsFromAux(sink.facts) };
    } catch (error) {
      throw loadError(path, error);
    }
  }

  async #replay(
    path: string,
    from: number,
    replay: Replay,
    isLast: boolean,
  ): Promise<AofReadResult> {
    const { storage, gate } = this.#host;
    try {
      using file = await storage.open(path);
      replay.beginFile();
      const result = await readIncrement(file, from, replay, {
        gate,
        onBytes: (bytes) => this.#loadedBytes += bytes,
        cancelled: () => this.#cancelled,
        beginSlice: () => replay.beginSlice(),
        endSlice: () => replay.endSlice(),
      });
      replay.endFile();
      return result;
    } catch (error) {
      const why = refusal(path, error, isLast);
      throw why === null ? loadError(path, error) : new LoadError(why, { cause: error });
    }
  }
}

/**
 * A base is synced before it gets its name, so none is torn. Redis names one `.rdb` that has commands alone
 * when `aof-use-rdb-preamble` is set while it is written.
 */
function noImage(path: string): LoadError {
  return new LoadError(`cannot load ${path}: it is no RDB image: load a backup of it`);
}

/** Why a file is not loaded, and what helps; null for what has nothing to do with its commands. */
function refusal(path: string, error: unknown, isLast: boolean): string | null {
  if (error instanceof AofDamage) {
    return `cannot load ${path}: ${error.message}: shoal check-aof ${path}`;
  }
  if (error instanceof MissingFrames) {
    return `cannot load ${path}: ${error.message}: a file is missing in the manifest`;
  }
  if (!(error instanceof ReplayError)) return null;
  const { message, byteOffset, isOfSettings } = error;
  if (isOfSettings) return `cannot load ${path}: ${message}`;
  // With files behind it that are whole, one that is cut would lead to data that never was.
  const orElse = isLast ? `keep a copy and cut it to ${byteOffset} bytes` : "load a backup";
  return `cannot load ${path}: ${message}: have the server that wrote the file rewrite it ` +
    `(BGREWRITEAOF), or ${orElse}`;
}

/** A file is written to when the one before it is synced: behind a torn one none can have anything. */
function tornInTheMiddle({ path, result }: TornFile, next: string): LoadError {
  const { bytes, wholeBytes } = result;
  return new LoadError(
    `cannot load ${path}: byte ${wholeBytes} of ${bytes}: it ends inside a command or unit, and ` +
      `${next} follows it: shoal check-aof ${path}`,
  );
}
