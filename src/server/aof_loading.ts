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
import type { CommandTable } from "../commands/registry.ts";
import { RequestQueue } from "../commands/request_queue.ts";
import type { Log } from "../observability/log.ts";
import { parseAnnotation } from "../persistence/aof_annotation.ts";
import { AofDamage, type AofParser } from "../persistence/aof_parser.ts";
import { type AofReadResult, type AofSink, readIncrement } from "../persistence/aof_read.ts";
import type { AofSet } from "../persistence/aof_set.ts";
import { LoadError, loadError } from "../persistence/load_error.ts";
import type { LoadProgress } from "../persistence/load_data.ts";
import { LoadSink, type LoadTarget } from "../persistence/load_sink.ts";
import { loadRdbFile } from "../persistence/rdb_load.ts";
import { factsFromAux, type HistoryFacts, type SaveFacts } from "../persistence/save_facts.ts";
import type { Storage } from "../persistence/storage.ts";
import { Applier, type FramePlace } from "../shard/applier.ts";
import { HELD_BACK, HeldUnit, NOT_HELD, UNIT_BYTES_MAX } from "../shard/held_unit.ts";
import type { Node } from "../shard/node.ts";
import type { Position } from "../shard/upstream.ts";
import { parseUpstreamPositions } from "./upstream_facts.ts";

/** First bytes of an RDB image. */
const RDB_MAGIC = "REDIS";

/** What loading needs of its server. */
export interface AofLoadingHost {
  /** Where files are kept. */
  readonly storage: Storage;
  /** The shards. */
  readonly node: Node;
  /** Commands that files may hold. */
  readonly table: CommandTable;
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
  /** Unix ms. */
  nowMs(): number;
}

/** What the files of one shard came to. */
export interface LoadedSet {
  /** The files. */
  readonly set: AofSet;
  /** Bytes that count of each increment; what is behind them is to be cut off. */
  readonly wholeBytes: readonly number[];
  /** The history that the data is part of, and the number of the frame to come; null if unknown. */
  readonly history: HistoryFacts | null;
  /** Frames that the node had produced, as far as the files tell. */
  readonly sequence: number;
  /** Where the data stands in its upstream's shard; null for a primary's. */
  readonly position: Position | null;
}

/** What a base says of itself, gathered while it is loaded. */
class BaseSink extends LoadSink {
  readonly aux_ = new Map<string, string>();

  override aux(name: string, value: string): void {
    this.aux_.set(name, value);
  }
}

/** See the module's text. */
export class AofLoading {
  /** Keys of bases and commands of increments taken in. */
  keys = 0;
  /** Commands of increments taken in. */
  commands = 0;
  readonly #host: AofLoadingHost;
  #loadedBytes = 0;
  #totalBytes = 0;
  #cancelled: string | null = null;

  /** Nothing is loaded yet. */
  constructor(host: AofLoadingHost) {
    this.#host = host;
  }

  /** How far it is. */
  get progress(): LoadProgress {
    return {
      loadedBytes: this.#loadedBytes,
      totalBytes: this.#totalBytes,
      keys: this.keys,
    };
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
    const facts = base === null ? null : await this.#loadBase(set.pathOf(base), place);
    if (facts !== null && facts.shards !== place.shards) {
      throw new LoadError(
        `cannot load ${set.pathOf(base!)}: it is one of ${facts.shards} shards, and there are ` +
          `manifests of ${place.shards}: put the others there, or move away what does not belong`,
      );
    }
    const replay = new Replay(this.#host, place, facts);
    const wholeBytes: number[] = [];
    let torn: string | null = null;
    for (const part of increments) {
      const path = set.pathOf(part);
      const result = await this.#replay(path, 0, replay);
      // A file is written to when the one before is synced: behind a torn one none can have anything.
      if (torn !== null && result.bytes > 0) {
        throw new LoadError(
          `cannot load ${torn}: it ends inside a command, and ${path} follows it: ` +
            `shoal check-aof ${torn}`,
        );
      }
      if (result.wholeBytes < result.bytes) this.#cutTail(path, result);
      const counts = replay.isReplicas ? replay.annotatedBytes : result.wholeBytes;
      if (counts < result.bytes) torn = path;
      wholeBytes.push(counts);
      replay.endFile();
    }
    this.commands += replay.frames;
    return {
      set,
      wholeBytes,
      history: replay.history,
      sequence: Math.max(replay.sequence, facts?.sequence ?? 0),
      position: replay.position,
    };
  }

  /** Tells that a file is torn, if that is allowed. */
  #cutTail(path: string, { bytes, wholeBytes }: AofReadResult): void {
    const where = `${path}, byte ${wholeBytes} of ${bytes}`;
    if (!this.#host.config.aofLoadTruncated) {
      throw new LoadError(
        `cannot load ${where}: it ends inside a command, and aof-load-truncated is no: ` +
          `shoal check-aof --fix ${path}`,
      );
    }
    this.#host.log.warning("the append-only file ends inside a command, which is cut off", {
      path,
      byte: wholeBytes,
      bytes: bytes - wholeBytes,
    });
  }

  /** Loads a base; what it says of itself, null where it is not ours. */
  async #loadBase(path: string, place: FramePlace): Promise<SaveFacts | null> {
    const { storage, node, config, gate, log } = this.#host;
    let isRdb: boolean;
    try {
      using file = await storage.open(path);
      const magic = new Uint8Array(RDB_MAGIC.length);
      const read = await file.read(magic);
      isRdb = read === magic.length && latin1(magic, 0, read) === RDB_MAGIC;
    } catch (error) {
      throw loadError(path, error);
    }
    if (!isRdb) {
      const replay = new Replay(this.#host, place, null);
      const result = await this.#replay(path, 0, replay);
      if (result.wholeBytes < result.bytes) this.#cutTail(path, result);
      replay.endFile();
      return null;
    }
    const target: LoadTarget = {
      keyspaces: node.shards.map(({ keys }) => keys),
      shardOf: (buf, start, stop) => node.shardOf(buf, start, stop),
      // The increments tell of every key that has gone.
      dropsExpired: false,
      dropped: () => {},
    };
    const sink = new BaseSink(target);
    sink.nowMs = this.#host.nowMs();
    const imageBytes = await loadRdbFile(storage, path, sink, {
      gate,
      checksum: config.rdbChecksum,
      onBytes: (bytes) => this.#loadedBytes += bytes,
      onWarning: (warning, byte) =>
        log.warning("not all of a file was loaded", { path, byte, warning }),
      cancelled: () => this.#cancelled,
    });
    this.keys += sink.loaded;
    // Redis 4 to 6 wrote commands behind the image.
    const replay = new Replay(this.#host, place, null);
    const result = await this.#replay(path, imageBytes, replay);
    if (result.wholeBytes < result.bytes) this.#cutTail(path, result);
    replay.endFile();
    return factsFromAux(sink.aux_);
  }

  async #replay(path: string, from: number, replay: Replay): Promise<AofReadResult> {
    const { storage, gate } = this.#host;
    try {
      using file = await storage.open(path);
      return await readIncrement(file, from, replay, {
        gate,
        onBytes: (bytes) => this.#loadedBytes += bytes,
        cancelled: () => this.#cancelled,
        beginSlice: () => replay.beginSlice(),
        endSlice: () => replay.endSlice(),
      });
    } catch (error) {
      if (error instanceof AofDamage || error instanceof ReplayError) {
        throw new LoadError(`cannot load ${path}: ${error.message}: shoal check-aof ${path}`, {
          cause: error,
        });
      }
      throw loadError(path, error);
    }
  }
}

/** A command that a file should not have, or that failed. */
class ReplayError extends Error {
  /** The error's name. */
  override readonly name = "ReplayError";
}

/**
 * Runs the commands of one shard's files, and keeps count of them. A replica's commands are held until
 * the annotation behind them says where the data stands with them: so data and place always agree.
 */
class Replay implements AofSink {
  sequence = 0;
  position: Position | null = null;
  /** Whether the data is a replica's, as far as the file has told. */
  isReplicas = false;
  /** Bytes of the file up to the last annotation of a replica's place. */
  annotatedBytes = 0;
  /** Commands that count. */
  frames = 0;
  readonly #host: AofLoadingHost;
  readonly #applier: Applier;
  readonly #place: FramePlace;
  readonly #unit = new HeldUnit();
  /** A replica's commands since the last annotation of this file. */
  readonly #held = new RequestQueue();
  #historyId: string | null;
  #offset: number;

  constructor(host: AofLoadingHost, place: FramePlace, facts: SaveFacts | null) {
    this.#host = host;
    this.#place = place;
    this.#applier = new Applier(host.table);
    this.#historyId = facts?.history?.id ?? null;
    this.#offset = facts?.history?.offset ?? 0;
  }

  /** The history that the data is part of, and its next frame. */
  get history(): HistoryFacts | null {
    return this.#historyId === null ? null : { id: this.#historyId, offset: this.#offset };
  }

  beginSlice(): void {
    this.#applier.open(this.#host.node, this.#place, this.#host.nowMs());
  }

  endSlice(): void {
    this.#applier.close();
  }

  command(parser: AofParser): void {
    const { buf, starts, stops, argc } = parser;
    if (!this.isReplicas) return this.#run(parser.byteOffset, buf, parser);
    if (this.#held.push(buf, starts, stops, argc, UNIT_BYTES_MAX)) return;
    throw new ReplayError(`byte ${parser.byteOffset}: a replica's place is told too seldom`);
  }

  #run(
    byte: number,
    buf: Uint8Array,
    frame: { argc: number; starts: Int32Array; stops: Int32Array },
  ): void {
    const unit = this.#unit;
    const taken = unit.take(buf, frame);
    this.frames++;
    this.sequence++;
    this.#offset++;
    if (taken === HELD_BACK) return;
    if (typeof taken === "string") throw new ReplayError(`before byte ${byte}: ${taken}`);
    const failure = taken === NOT_HELD
      ? this.#applier.apply(this.#place, buf, frame)
      : this.#applier.applyUnit(this.#place, unit.frames);
    if (taken !== NOT_HELD) unit.close();
    if (failure === null) return;
    throw new ReplayError(`before byte ${byte}: ${failure.name}: ${failure.detail}`);
  }

  annotation(text: string, byteOffset: number): void {
    const said = parseAnnotation(text);
    switch (said.kind) {
      case "history":
        this.#runHeld(byteOffset);
        this.#historyId = said.id;
        this.#offset = said.offset;
        this.sequence = said.sequence;
        // The frame that follows says its database, if it is not the first.
        this.#place.db = 0;
        break;
      case "upstream":
        this.#runHeld(byteOffset);
        this.isReplicas = said.positions !== null;
        this.annotatedBytes = byteOffset;
        this.position = said.positions === null
          ? null
          : parseUpstreamPositions(said.positions)?.positions[0] ?? null;
        break;
      case "bad":
        throw new ReplayError(`before byte ${byteOffset}: not understood: #${said.text}`);
      case "other":
        break;
    }
  }

  #runHeld(byte: number): void {
    const held = this.#held;
    held.rewind();
    while (held.next()) this.#run(byte, held.buf, held);
    held.clear();
  }

  /** The file has come to its end: what is incomplete there does not count. */
  endFile(): void {
    if (this.#unit.isOpen) this.#offset -= this.#unit.frames.count + 1;
    this.#unit.close();
    this.#held.clear();
    this.annotatedBytes = 0;
  }
}
