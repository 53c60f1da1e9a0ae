/**
 * Loads the node's data from its directory: at the start into the empty shards, for DEBUG RELOAD
 * beside the data that is there. Sees to it that offsets mean afterwards what they say.
 *
 * The rule of safety: a shard whose file names a history goes on with a new one that continues the
 * file's at the file's offset. So a replica's claim in the old history is good up to exactly what the
 * file holds, whether the stop before was clean or not; and frames are kept from the start on, since
 * what is written without them could never be told.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import type { Log } from "../observability/log.ts";
import type { Decision, NamingSettings, SaveFile } from "../persistence/choose_save.ts";
import {
  DataLoad,
  filesToLoad,
  type LoadProgress,
  lookForData,
  plainFilesOf,
  savesOf,
  tidyAfterLoad,
} from "../persistence/load_data.ts";
import type { LoadTarget } from "../persistence/load_sink.ts";
import type { Storage } from "../persistence/storage.ts";
import type { PlainFileId } from "../persistence/save_facts.ts";
import type { UpstreamPositions } from "../shard/follower.ts";
import { continuedLineage, newLineage } from "../shard/lineage.ts";
import type { Node } from "../shard/node.ts";
import type { LoadedSet } from "./aof_loading.ts";
import { parseUpstreamPositions } from "./upstream_facts.ts";

/** Milliseconds between two lines on how far a load or a save is. */
export const PROGRESS_LOG_MS = 3_000;

/** What loading needs of its server. */
export interface LoadingHost {
  /** Where files are kept. */
  readonly storage: Storage;
  /** Settings in force. */
  readonly config: NamingSettings & {
    /** Directory of the files, absolute. */
    readonly dir: string;
    /** Whether checksums are compared. */
    readonly rdbChecksum: boolean;
    /** The upstream, or null for a primary. */
    readonly replicaOf: unknown;
  };
  /** The shards. */
  readonly node: Node;
  /** The log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** Lets others run. */
  readonly gate: Gate;
}

/** Files of another number of shards prove nothing of this one's. */
const NOT_OWN: Pick<LoadedSet, "history" | "tail"> = { history: null, tail: null };

/** What the latest load came to. */
export interface LoadTotals {
  /** Keys stored. */
  readonly keys: number;
  /** Keys left out because their deadline had passed. */
  readonly expired: number;
  /** How long it took. */
  readonly seconds: number;
}

/** See the module's text. */
export class Loading {
  /** The latest load, or null when there was nothing to load. */
  last: LoadTotals | null = null;
  /** Where the loaded data stood with an upstream, or null. */
  upstream: UpstreamPositions | null = null;
  /** Plain files that were loaded: the next save replaces them. */
  replaces: readonly PlainFileId[] = [];
  /** Saves whose files the data come from, with those they superseded: the next save removes them. */
  readonly saves = new Set<string>();
  /** Paths of files of which not all was loaded: nothing may take their place before they are kept. */
  readonly partlyLoaded = new Set<string>();
  /** When the loaded save was made, Unix ms; the next one must say a later time. */
  savedAtMs = 0;
  readonly #host: LoadingHost;
  #load: DataLoad | null = null;
  #toldMs = 0;

  /** Nothing is loaded yet. */
  constructor(host: LoadingHost) {
    this.#host = host;
  }

  /** How far the load under way is, or null. */
  get progress(): LoadProgress | null {
    return this.#load?.progress ?? null;
  }

  /** Stops the load under way. */
  cancel(reason: string): void {
    this.#load?.cancel(reason);
  }

  /**
   * Loads what is in the directory into the empty shards.
   *
   * @throws {LoadError} when it cannot be loaded; nothing in the directory was changed.
   */
  async atStart(): Promise<void> {
    const { storage, node, config } = this.#host;
    const isReplica = config.replicaOf !== null;
    for (const { keys } of node.shards) keys.removesExpired = !isReplica;
    const decision = await lookForData(storage, config.dir, config);
    const { choice } = decision;
    const own = choice.kind === "save" && choice.files.length === node.shards.length
      ? choice.files
      : [];
    if (choice.kind === "save") this.#takeFacts(choice.files);
    this.replaces = plainFilesOf(decision);
    for (const saveId of savesOf(decision)) this.saves.add(saveId);
    for (const { facts: { shard, history } } of own) {
      if (history === null) continue;
      node.shards[shard].startHistory(continuedLineage(history.id, history.offset), history.offset);
      node.shards[shard].openBacklog();
    }
    await this.#run(decision, {
      keyspaces: node.shards.map((shard) => shard.keys),
      shardOf: (buf, start, stop) => node.shardOf(buf, start, stop),
      dropsExpired: !isReplica,
      dropped: (shard, db, key, start, stop) => node.shards[shard].expired(db, key, start, stop),
    });
    for (const shard of node.shards) {
      shard.keys.dirty = 0;
      if (choice.kind === "nothing" || (own[shard.index]?.facts.history ?? null) !== null) continue;
      shard.startHistory(newLineage(shard.keys.totalSize() === 0), 0);
    }
    await this.#tidy(decision);
  }

  /**
   * Sees to it that offsets mean what they say after `load` has put the contents of append-only files
   * into the empty shards: the tails of the files prove where their histories stand.
   *
   * @throws {LoadError} when they cannot be loaded; nothing on disk was changed.
   */
  async framesAtStart(load: () => Promise<LoadedSet[]>): Promise<LoadedSet[]> {
    const { node, config } = this.#host;
    // What had expired by now had not when the commands were run.
    for (const { keys } of node.shards) keys.removesExpired = false;
    const loaded = await load();
    for (const { keys } of node.shards) keys.removesExpired = config.replicaOf === null;
    const isOwn = loaded.length === node.shards.length;
    for (const shard of node.shards) {
      shard.keys.dirty = 0;
      const { history, tail } = isOwn ? loaded[shard.index] : NOT_OWN;
      if (history === null) {
        shard.startHistory(newLineage(shard.keys.totalSize() === 0), 0);
        continue;
      }
      const lineage = continuedLineage(history.id, history.offset);
      if (tail === null) shard.startHistory(lineage, history.offset);
      else shard.continueHistory(lineage, tail);
    }
    for (const { sequence } of loaded) {
      node.sequence.value = Math.max(node.sequence.value, sequence);
    }
    const positions = loaded.flatMap(({ position }) => position === null ? [] : [position]);
    this.upstream = isOwn && positions.length === loaded.length
      ? { shards: positions.length, positions }
      : null;
    return loaded;
  }

  /**
   * Takes note of the snapshots in the directory, which are not loaded, since an append-only file is: the
   * next save says a later time than they do, whatever the clock says by then.
   */
  async passOver(): Promise<void> {
    const { storage, config } = this.#host;
    try {
      const { choice } = await lookForData(storage, config.dir, config);
      if (choice.kind === "save") this.savedAtMs = choice.files[0].facts.savedAtMs;
    } catch {
      // What no start would load hides no save.
    }
  }

  #takeFacts(files: readonly SaveFile[]): void {
    const [{ facts }] = files;
    const { node, log } = this.#host;
    this.savedAtMs = facts.savedAtMs;
    node.sequence.value = Math.max(node.sequence.value, facts.sequence);
    this.upstream = facts.upstream === null ? null : parseUpstreamPositions(facts.upstream);
    if (facts.upstream !== null && this.upstream === null) {
      log.warning("the place in the upstream's history is not understood: a full sync follows");
    }
  }

  /**
   * Loads what is in a directory under the names given beside the data that is there, and puts it in its
   * place. The shards begin new histories: their offsets meant the old data.
   *
   * @throws {LoadError} when it cannot be loaded; the data are as before.
   */
  async again(isReplica: boolean, dir: string, naming: NamingSettings): Promise<void> {
    const { storage, node } = this.#host;
    const forks = node.shards.map((shard) => shard.keys.fork());
    try {
      const decision = await lookForData(storage, dir, naming);
      await this.#run(decision, {
        keyspaces: forks,
        shardOf: (buf, start, stop) => node.shardOf(buf, start, stop),
        dropsExpired: !isReplica,
        dropped: () => {},
      });
    } catch (error) {
      node.shards.forEach((shard, i) => shard.keys.discard(forks[i]));
      throw error;
    }
    node.shards.forEach((shard, i) => {
      shard.keys.adopt(forks[i]);
      shard.keys.dirty = 0;
      shard.startHistory(newLineage(true), 0);
    });
  }

  async #run(decision: Decision, target: LoadTarget): Promise<void> {
    const { storage, config, clock, gate, log } = this.#host;
    const files = filesToLoad(decision);
    if (files.length === 0) return;
    const began = this.#toldMs = clock.monotonicMs();
    const load = this.#load = new DataLoad(files, target, {
      storage,
      gate,
      checksum: config.rdbChecksum,
      nowMs: clock.nowMs(),
      onWarning: (path, warning, byteOffset) => {
        this.partlyLoaded.add(path);
        log.warning("not all of a file was loaded", { path, byte: byteOffset, warning });
      },
    });
    try {
      await load.run();
    } finally {
      this.#load = null;
    }
    const seconds = (clock.monotonicMs() - began) / 1000;
    const { keys, loadedBytes } = load.progress;
    this.last = { keys, expired: load.expired, seconds };
    log.notice("data loaded", {
      files: files.map((file) => file.name).join(" "),
      keys,
      expired: load.expired,
      bytes: loadedBytes,
      seconds: seconds.toFixed(3),
    });
    for (const { path } of files) {
      if (!this.partlyLoaded.has(path)) continue;
      log.notice("a file of which not all was loaded will be kept aside by the next save", {
        path,
      });
    }
  }

  async #tidy(decision: Decision): Promise<void> {
    const { storage, config, log } = this.#host;
    for (const { path } of decision.ignored) {
      log.warning("a file is left alone: it is not part of the newest save", { path });
    }
    const { named, removed, movedAside, failed } = await tidyAfterLoad(
      storage,
      config.dir,
      config.dbFilename,
      decision,
    );
    if (named.length > 0) {
      log.notice("an interrupted save was finished", { named: named.join(" ") });
    }
    if (removed.length > 0) log.notice("unfinished saves were removed", { files: removed.length });
    for (const name of movedAside) log.notice("a file that was loaded is kept aside", { name });
    if (failed !== null) log.warning("the data directory was not put in order", { reason: failed });
  }

  /** Says how far a long load is; to be called every second or so. */
  tell(nowMs: number, progress: LoadProgress | null): void {
    if (progress === null || nowMs - this.#toldMs < PROGRESS_LOG_MS) return;
    this.#toldMs = nowMs;
    const { loadedBytes, totalBytes, keys } = progress;
    this.#host.log.notice("loading", {
      percent: totalBytes === 0 ? 0 : Math.floor(loadedBytes * 100 / totalBytes),
      bytes: loadedBytes,
      total_bytes: totalBytes,
      keys,
    });
  }
}
