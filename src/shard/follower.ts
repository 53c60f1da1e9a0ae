/**
 * Following an upstream: finds its layout, keeps a link to each of its shards, loads what is shipped
 * beside the old data, and knows where the data stands in the upstream's lines of offsets.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import { explainFailure, reasonOf } from "../base/permissions.ts";
import { timerMs } from "../base/timer.ts";
import type { ShardsPort } from "../commands/call.ts";
import type { KeyspaceEvents } from "../commands/keyspace_events.ts";
import { STRING_BYTES_CEILING } from "../commands/limits.ts";
import type { CommandTable } from "../commands/registry.ts";
import type { Log } from "../observability/log.ts";
import { reconnectDelayMs } from "../replication/backoff.ts";
import {
  needsFullSync,
  type UpstreamError,
  type UpstreamLink,
} from "../replication/upstream_link.ts";
import { type DecoderLimits, DEFAULT_DECODER_LIMITS } from "../replication/stream_decoder.ts";
import { Applier, type FrameWatcher } from "./applier.ts";
import { type Arrival, Arrivals } from "./arrivals.ts";
import type { Durability } from "./durability.ts";
import { FailureLog } from "./failure_log.ts";
import { askLayout, type Layout } from "./layout.ts";
import type { LinkClient } from "./link_client.ts";
import type { Node } from "./node.ts";
import type { UpstreamStatus } from "./replication_status.ts";
import type { ShardSettings } from "./settings.ts";
import type { Shard } from "./shard.ts";
import { type Position, type UpstreamHost, UpstreamRunner } from "./upstream.ts";
import { connectWithin } from "./upstream_socket.ts";

/** Where the data stands in each shard of an upstream: what a restart needs to resume. */
export interface UpstreamPositions {
  /** Upstream's number of shards. */
  readonly shards: number;
  /** By upstream shard. */
  readonly positions: readonly Position[];
}

/** What a follower needs of its node. */
export interface FollowerHost {
  /** The shards. */
  readonly node: Node;
  /** Commands that frames may hold. */
  readonly table: CommandTable;
  /** Who tells our clients of messages and events in frames. */
  readonly events: KeyspaceEvents;
  /** Who is shown the frames that are applied. */
  readonly monitors: FrameWatcher;
  /** Settings in force. */
  readonly settings: ShardSettings & {
    /** Upstream shards to assume instead of asking; 0: ask. */
    readonly replicaOfShards: number;
    /** Whether clients may not write here. */
    readonly replicaReadOnly: boolean;
  };
  /** The log. */
  readonly log: Log;
  /** Lets others run. */
  readonly gate: Gate;
  /** System time. */
  readonly clock: Clock;
  /** Our own client port, told to the upstream. */
  clientPort(): number;
  /** See `UpstreamHost`. */
  nextClientId(): number;
  /** What has to be safe before it is confirmed. */
  readonly durability: Durability;
  /** After a turn that may have written. */
  endTurn(): void;
  /** The data of these shards was replaced: their own history begins anew. */
  replaced(shards: readonly number[]): void;
  /** What ROLE or the guards show has changed. */
  changed(): void;
  /** The upstream is the node of this id. */
  upstreamIs(node: string): void;
}

/** What fails when the layout is not to be had, for the log of failures. */
const LAYOUT = "layout";

/** See the module's text. */
export class Follower implements UpstreamHost {
  /** Host as given. */
  readonly hostname: string;
  /** Port as given. */
  readonly port: number;
  /** See `UpstreamHost`. */
  readonly gate: Gate;
  /** See `UpstreamHost`. */
  readonly clock: Clock;
  /** See `UpstreamHost`. */
  readonly applier: Applier;
  /** See `UpstreamHost`. */
  readonly version: 1 | 2;
  readonly #host: FollowerHost;
  readonly #log: Log;
  readonly #failures: FailureLog;
  /** `replicaof-shards` when it was made, since that says the wire, too; 0: ask. */
  readonly #assumedShards: number;
  #layout: Layout | null = null;
  #runners: UpstreamRunner[] = [];
  #runs: Promise<void>[] = [];
  /** Where the data that clients see stands in each upstream shard. */
  #positions: Position[] = [];
  /** What a runner's frames go into when it is not the data that clients see. */
  readonly #feeds = new Map<UpstreamRunner, Arrival>();
  /** By upstream shard: the arrival whose position its link has claimed, null for that of the data. */
  readonly #claimed = new Map<number, Arrival | null>();
  #arrivals: Arrivals;
  readonly #stop = new AbortController();
  readonly #draining = new Set<Promise<void>>();
  #askingConn: Deno.Conn | null = null;
  #wakeUp: (() => void) | null = null;
  #relayout: Promise<void> | null = null;
  #phase: UpstreamStatus["phase"] = "connect";
  #lastError = "";
  #downSinceMs: number;
  #restored: UpstreamPositions | null;
  /** Whether clients may have written here since the data came. */
  #wasWritable: boolean;
  #done: Promise<void> = Promise.resolve();

  /** `restored` is where the data stands already, when it came from a file. */
  constructor(
    host: FollowerHost,
    hostname: string,
    port: number,
    restored: UpstreamPositions | null,
  ) {
    this.#host = host;
    this.#log = host.log;
    this.#failures = new FailureLog(host.log);
    this.hostname = hostname;
    this.port = port;
    this.gate = host.gate;
    this.clock = host.clock;
    this.applier = new Applier(host.table, host.events, host.monitors);
    this.#assumedShards = host.settings.replicaOfShards;
    this.version = this.#assumedShards > 0 ? 1 : 2;
    this.#arrivals = this.#noArrivals(0);
    // A v1 upstream names no history, so nothing is known to stand anywhere in it.
    this.#restored = this.version === 1 ? null : restored;
    this.#downSinceMs = host.clock.monotonicMs();
    this.#wasWritable = !host.settings.replicaReadOnly ||
      (restored?.positions.some(({ isMixed }) => isMixed) ?? false);
  }

  #noArrivals(shards: number): Arrivals {
    return new Arrivals(this.#host.node, this.#log, { version: this.version, shards });
  }

  get #stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** See `UpstreamHost`. */
  get stopSignal(): AbortSignal {
    return this.#stop.signal;
  }

  /** See `UpstreamHost`. What the upstream's clients may send must pass here: its settings may be others. */
  get limits(): Readonly<DecoderLimits> {
    const { maxFrameBytes, request } = DEFAULT_DECODER_LIMITS;
    const frameBytes = Math.max(maxFrameBytes, this.#host.settings.protoMaxBulkBytes * 2);
    return {
      maxFrameBytes: Math.min(frameBytes, STRING_BYTES_CEILING),
      request: { ...request, maxBulkBytes: STRING_BYTES_CEILING },
    };
  }

  /** See `UpstreamHost`. */
  get databases(): number {
    return this.#host.node.shards[0].keys.databases;
  }

  /** See `UpstreamHost`. */
  counterpart(shard: number): Shard | null {
    const { shards } = this.#host.node;
    // In kevy's words not every effect has a number.
    const isAlone = this.version === 2 && this.#layout?.shards === shards.length &&
      shards[shard].keepsFrames;
    return isAlone ? shards[shard] : null;
  }

  /** See `UpstreamHost`. */
  get password(): string {
    return this.#host.settings.masterAuth;
  }

  /** Starts; returns at once. */
  start(): void {
    // A v1 upstream says nothing of keys that expire: there each side removes its own.
    for (const { keys } of this.#host.node.shards) keys.removesExpired = this.version === 1;
    this.#done = this.#start();
  }

  async #start(): Promise<void> {
    const shards = this.#assumedShards;
    if (shards > 0) {
      this.#open({ shards, replicationPortBase: this.port, node: "", history: [] });
    }
    for (let failures = 0; this.#layout === null && !this.#stopped;) {
      const layout = await this.#ask();
      if (this.#stopped) break;
      if (layout !== null) this.#open(layout);
      else await this.#pause(reconnectDelayMs({ failures: ++failures, random: Math.random() }));
    }
    await Promise.all(this.#runs);
  }

  /** Stops, at once as far as anybody can see: no frame is applied after this returns. */
  stop(): void {
    this.#stop.abort(new Error("this node stops following"));
    this.#closeAsking();
    this.#wakeUp?.();
    for (const runner of this.#runners) runner.stop();
    this.#arrivals.dropAll();
    for (const { keys } of this.#host.node.shards) {
      keys.removesExpired = true;
      keys.hidesExpired = true;
    }
  }

  /** Resolves when every connection is closed. */
  async closed(): Promise<void> {
    await this.#done;
    await Promise.all(this.#draining);
  }

  /** See `UpstreamHost`. */
  nextClientId(): number {
    return this.#host.nextClientId();
  }

  /** The links that there are at the moment, as CLIENT LIST shows them. */
  linkClients(): LinkClient[] {
    return this.#runners.map((runner) => runner.linkClient()).filter((link) => link !== null);
  }

  /** Ends the link with this id among the clients, which is made anew at once. */
  killLink(id: number, detail: string): void {
    this.#runners.find((runner) => runner.linkClient()?.id === id)?.kill(detail);
  }

  /** See `UpstreamHost`. */
  drains(connection: Promise<void>): void {
    const draining: Promise<void> = connection.finally(() => this.#draining.delete(draining));
    this.#draining.add(draining);
  }

  #closeAsking(): void {
    try {
      this.#askingConn?.close();
    } catch {
      // Closed already.
    }
    this.#askingConn = null;
  }

  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#wakeUp = null;
  }

  /** The upstream's layout, or null with the failure told. */
  async #ask(): Promise<Layout | null> {
    const { hostname, port } = this;
    const timeoutMs = this.timeoutMs();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isConnected = false;
    let isLate = false;
    try {
      this.#phase = "connecting";
      const conn = await connectWithin(hostname, port, timeoutMs, this.stopSignal);
      isConnected = true;
      this.#phase = "handshake";
      this.#askingConn = conn;
      if (this.#stopped) return null;
      timer = setTimeout(() => {
        isLate = true;
        this.#closeAsking();
      }, timerMs(timeoutMs));
      const { masterUser, masterAuth } = this.#host.settings;
      const layout = await askLayout(conn, { user: masterUser, password: masterAuth });
      if (layout.node === this.#host.node.id) throw new Error("upstream is this node itself");
      this.#lastError = "";
      this.#failures.worked(LAYOUT);
      return layout;
    } catch (error) {
      if (this.#stopped) return null;
      const said = isLate
        ? `no answer within ${timeoutMs} ms`
        : isConnected
        ? reasonOf(error)
        : explainFailure(error, { to: "connect", host: hostname, port });
      this.#lastError = said;
      const what = isConnected ? "upstream does not tell its layout" : "upstream is not reached";
      const fields = { upstream: `${hostname}:${port}` };
      this.#failures.failed(LAYOUT, what, fields, said, this.clock.monotonicMs());
      return null;
    } finally {
      clearTimeout(timer);
      this.#closeAsking();
      this.#phase = "connect";
    }
  }

  #open(layout: Layout): void {
    const { shards } = layout;
    this.#layout = layout;
    this.#host.upstreamIs(layout.node);
    this.#arrivals = this.#noArrivals(shards);
    const restored = this.#restored;
    this.#restored = null;
    this.#positions = restored !== null && restored.shards === shards
      ? restored.positions.map((position) => ({ ...position }))
      : Array.from({ length: shards }, () => ({ history: null, offset: 0, db: 0 }));
    this.#log.notice("following", {
      upstream: `${this.hostname}:${this.port}`,
      shards,
      ports: `${layout.replicationPortBase}..${layout.replicationPortBase + shards - 1}`,
    });
    this.#runners = Array.from(
      { length: shards },
      (_, i) => new UpstreamRunner(i, shards, this, this.#log, this.#failures),
    );
    this.#runs.push(...this.#runners.map((runner) => runner.run()));
  }

  /** See `UpstreamHost`. A changed number of shards begins everything anew. */
  relayout(): Promise<void> {
    if (this.version === 1) return Promise.resolve();
    return this.#relayout ??= this.#askAgain().finally(() => this.#relayout = null);
  }

  async #askAgain(): Promise<void> {
    const layout = await this.#ask();
    if (layout === null || this.#stopped) return;
    if (layout.shards === this.#layout?.shards) {
      this.#layout = layout;
      this.#host.upstreamIs(layout.node);
      return;
    }
    this.#log.warning("upstream has another number of shards now", { shards: layout.shards });
    for (const runner of this.#runners) runner.stop();
    this.#arrivals.dropAll();
    this.#feeds.clear();
    this.#open(layout);
    const runs = this.#runs;
    this.#done = this.#done.then(() => Promise.all(runs)).then(() => {});
  }

  /** See `UpstreamHost`. */
  address(shard: number): { hostname: string; port: number } {
    return { hostname: this.hostname, port: this.#layout!.replicationPortBase + shard };
  }

  /** See `UpstreamHost`. */
  timeoutMs(): number {
    return this.#host.settings.replTimeoutSeconds * 1000;
  }

  /** See `UpstreamHost`. */
  claim(shard: number): ReturnType<UpstreamHost["claim"]> {
    const arrival = this.#arrivals.of(shard);
    const staged = arrival?.complete.get(shard);
    this.#claimed.set(shard, staged === undefined ? null : arrival);
    const position = staged ?? this.#positions[shard];
    const { replicaAnnounceIp, replicaAnnouncePort } = this.#host.settings;
    const port = replicaAnnouncePort || this.#host.clientPort();
    return {
      position,
      id: this.#host.node.id,
      listeningPort: port > 0 ? port : null,
      announcedHost: replicaAnnounceIp || null,
    };
  }

  /** See `UpstreamHost`. */
  target(shard: number): ShardsPort {
    return this.#arrivals.target(shard);
  }

  /** See `UpstreamHost`. */
  snapshotBegun(runner: UpstreamRunner): void {
    const { shard } = runner;
    this.#notePosition(runner, runner.link!.appliedBeforeSnapshot);
    let arrival = this.#arrivals.of(shard);
    // A second beginning, or one of a link whose part is complete: what was loaded is worth nothing.
    if (arrival !== null && (arrival.readers.has(shard) || arrival.complete.has(shard))) {
      this.#dropArrival(arrival, runner, "a snapshot begins anew");
      arrival = null;
    }
    const nowMs = this.clock.nowMs();
    arrival ??= this.#newArrival(runner, nowMs);
    this.#arrivals.begin(arrival, shard, nowMs);
    this.#feeds.set(runner, arrival);
    this.#log.notice("snapshot arrives", { upstream_shard: shard });
    this.#host.changed();
  }

  #newArrival(runner: UpstreamRunner, nowMs: number): Arrival {
    // Shards of ours hold keys of several upstream shards, so all of them must be shipped together. A
    // link that has not said yet whether frames follow or a snapshot is waited for: see `streaming`.
    const others = this.#others(runner, this.#arrivals.membersWith(runner.shard));
    const streams = others.filter((other) => other.isStreaming);
    for (const other of streams) this.#notePosition(other);
    const arrival = this.#arrivals.open(runner.shard, nowMs);
    for (const other of others) other.forgetsHistory = true;
    for (const other of streams) {
      other.restart("another shard's snapshot replaces what this link fed");
    }
    return arrival;
  }

  #others(runner: UpstreamRunner, shards: Iterable<number>): UpstreamRunner[] {
    return [...shards].map((shard) => this.#runners[shard]).filter((other) => other !== runner);
  }

  /** Gives up what was loaded; the other members begin anew too. */
  #dropArrival(arrival: Arrival, cause: UpstreamRunner, why: string): void {
    this.#arrivals.drop(arrival);
    if (arrival.members.size === 1) return;
    cause.forgetsHistory = true;
    for (const other of this.#others(cause, arrival.members)) {
      other.forgetsHistory = true;
      if (this.#feeds.get(other) === arrival) other.restart(why);
    }
  }

  /** See `UpstreamHost`. */
  snapshotBytes(runner: UpstreamRunner, buf: Uint8Array, start: number, stop: number): void {
    this.#arrivals.of(runner.shard)?.readers.get(runner.shard)?.push(buf, start, stop);
  }

  /** See `UpstreamHost`. */
  snapshotEnded(runner: UpstreamRunner, cut: number): void {
    const { shard } = runner;
    const arrival = this.#arrivals.of(shard);
    if (arrival === null) return;
    const history = this.version === 1 ? V1_HISTORY : runner.link!.history;
    const keys = this.#arrivals.end(arrival, shard, { history, offset: cut, db: 0 });
    runner.place.db = 0;
    this.#log.notice("snapshot is complete", {
      upstream_shard: shard,
      keys,
      bytes: runner.syncBytes,
      cut,
    });
    if (arrival.complete.size < arrival.members.size) return;
    // What the members have applied since their snapshots is in the data from now on.
    for (const member of arrival.members) {
      const other = this.#runners[member];
      if (other !== runner) this.#notePosition(other);
      this.#positions[member] = arrival.complete.get(member)!;
      this.#feeds.delete(other);
    }
    if (arrival.members.size === this.#runners.length) {
      this.#wasWritable = !this.#host.settings.replicaReadOnly;
    }
    const filled = this.#arrivals.adopt(arrival);
    this.#host.replaced(filled);
    this.counterpart(shard)?.beginOrigins({ history, offset: cut, db: 0 });
    this.#host.changed();
  }

  /** See `UpstreamHost`. */
  streaming(runner: UpstreamRunner): string | null {
    const { shard } = runner;
    const { isRenumbered } = runner.link!;
    if (this.#claimed.get(shard)?.isDropped) return "what this link could go on with was given up";
    const arrival = this.#arrivals.of(shard);
    if (arrival === null) this.#feeds.delete(runner);
    else if (arrival.complete.has(shard)) this.#feeds.set(runner, arrival);
    else return "another shard's snapshot replaces the data that this link could go on with";
    const position = arrival?.complete.get(shard) ?? this.#positions[shard];
    // In its own numbers an upstream says which database it speaks of; in ours nobody knows.
    const because = position.isOwn && !isRenumbered
      ? "the data was a primary's, and its place has no database"
      : isRenumbered && this.#isMixed(shard)
      ? "clients have written to this replica, which another upstream has not"
      : null;
    if (because !== null) {
      runner.forgetsHistory = true;
      return because;
    }
    position.isOwn = false;
    // An upstream that restarted has another history; where no frame was yet, its name is all there is.
    if (this.version === 2 && position.offset === 0) position.history = runner.link!.history;
    runner.forgetsHistory = false;
    this.#goOn(runner.link!, position, shard);
    this.#log.notice("upstream link streams", {
      upstream_shard: shard,
      from: runner.link!.appliedOffset,
    });
    return null;
  }

  /** The data, which stands at `position`, goes on with what `link` brings. */
  #goOn(link: UpstreamLink, position: Position, shard: number): void {
    const { history, isRenumbered, renumberedDb, appliedOffset: offset } = link;
    const counterpart = this.counterpart(shard);
    if (counterpart !== null) {
      const db = isRenumbered && renumberedDb >= 0 ? renumberedDb : position.db;
      counterpart.checkOrigins();
      counterpart.origins.continue({ history, offset, db }, isRenumbered, counterpart.ownPlace);
    }
    if (!isRenumbered) return;
    position.history = history;
    position.offset = offset;
    position.origin = null;
  }

  /** See `UpstreamHost`. Its history begins with this frame, so what is here is not its data. */
  beginsAnew(runner: UpstreamRunner): void {
    this.#positions[runner.shard] = { history: V1_HISTORY, offset: 0, db: 0 };
    const { node } = this.#host;
    const before = node.size(0);
    this.applier.flush(node, runner.place, -1);
    if (before === node.size(0)) return;
    this.#log.warning("upstream sends its history from its beginning: its part is emptied first", {
      upstream_shard: runner.shard,
      keys: before - node.size(0),
    });
  }

  /** See `UpstreamHost`. What is staged and may have part of a frame or unit never becomes the data. */
  broken(runner: UpstreamRunner): void {
    this.#notePosition(runner);
    const { state } = runner.link!;
    const arrival = this.#arrivals.of(runner.shard);
    if (state.at !== "failed" || !needsFullSync(state.error)) return;
    if (arrival?.complete.has(runner.shard)) {
      this.#dropArrival(arrival, runner, "a link that fed the same snapshot broke");
    }
  }

  /** See `UpstreamHost`. Where the data stands is noted before the link is gone. */
  failed(runner: UpstreamRunner, error: UpstreamError | "ConnectFailed"): boolean {
    // Without a connection the link is the one before, whose place may be that of other data by now.
    if (error !== "ConnectFailed") this.#notePosition(runner);
    const arrival = this.#arrivals.of(runner.shard);
    if (arrival?.readers.has(runner.shard)) this.#dropArrival(arrival, runner, "a ship broke off");
    this.#feeds.delete(runner);
    return error === "ConnectFailed" || error === "WrongShard" || error === "Refused";
  }

  /** Takes over from the link how far its frames are applied, to what they were applied to. */
  #notePosition(runner: UpstreamRunner, applied = runner.link?.appliedOffset ?? 0): void {
    const { link, shard } = runner;
    if (link === null) return;
    const arrival = this.#feeds.get(runner);
    const position = arrival === undefined ? this.#positions[shard] : arrival.complete.get(shard);
    if (position === undefined) return;
    const { state } = link;
    if (state.at === "failed" && needsFullSync(state.error)) {
      // Part of a frame or unit may be applied: the data stands nowhere, and files must not say it does.
      position.history = null;
      return;
    }
    if (applied === 0 && (position.offset > 0 || position.history !== link.history)) return;
    position.history = this.version === 1 ? V1_HISTORY : link.history;
    position.offset = applied;
    position.db = runner.place.db;
    position.origin = link.originPlace;
  }

  /** See `UpstreamHost`. */
  isStaged(runner: UpstreamRunner): boolean {
    return this.#feeds.has(runner);
  }

  /** See `UpstreamHost`. */
  get durability(): Durability {
    return this.#host.durability;
  }

  /** See `UpstreamHost`. */
  get sequence(): number {
    return this.#host.node.sequence.value;
  }

  /** More may be on our disk. */
  synced(): void {
    for (const runner of this.#runners) runner.synced();
  }

  /** See `UpstreamHost`. */
  endTurn(): void {
    this.#host.endTurn();
  }

  /** See `UpstreamHost`. */
  changed(): void {
    if (this.isUp) this.#downSinceMs = -1;
    else if (this.#downSinceMs < 0) this.#downSinceMs = this.clock.monotonicMs();
    this.#host.changed();
  }

  /** The upstream's node id, "" while it is not known. */
  get upstreamNode(): string {
    return this.#layout?.node ?? "";
  }

  /** The nodes (`chainId`) that frames come through, the upstream first; none while none come. */
  get chain(): readonly string[] {
    return this.#runners.find((runner) => runner.isStreaming)?.link?.chain ?? [];
  }

  /** Whether every link streams into the data that clients see. */
  get isUp(): boolean {
    return this.#layout !== null && this.#arrivals.isEmpty &&
      this.#runners.every((runner) => runner.isStreaming);
  }

  /** Whether the data is, or was at some time, the upstream's. */
  get hasData(): boolean {
    if (this.version === 1 && this.isUp) return true;
    return this.#positions.length > 0 &&
      this.#positions.every(({ history, isOwn }) => history !== null && !isOwn);
  }

  /** Where the live data stands now; null when it is not the upstream's. */
  positions(): UpstreamPositions | null {
    if (this.version === 1) return null;
    // Before the upstream was reached, what was restored is as it was.
    if (this.#layout === null) {
      const restored = this.#restored?.positions ?? null;
      return restored === null || restored.some(({ isOwn }) => isOwn) ? null : this.#told(restored);
    }
    for (const runner of this.#runners) {
      if (runner.isStreaming) this.#notePosition(runner);
    }
    return this.hasData ? this.#told(this.#positions) : null;
  }

  #told(positions: readonly Position[]): UpstreamPositions {
    return {
      shards: positions.length,
      positions: positions.map(({ history, offset, db, origin = null }, i) =>
        this.#isMixed(i, positions.length)
          ? { history, offset, db, isMixed: true }
          : { history, offset, db, origin }
      ),
    };
  }

  /** Whether clients have written here, as far as an upstream's shard, of so many, goes. */
  #isMixed(shard: number, shards = this.#positions.length): boolean {
    const own = this.#host.node.shards;
    if (shards !== own.length || !own[shard].keepsFrames) return this.#wasWritable;
    return !own[shard].origins.isPure(own[shard].writes);
  }

  /** Clients may write here, if only for a moment. */
  noteWritable(): void {
    this.#wasWritable = true;
  }

  /** What is claimed as a primary's data, in its own lines, is not there any more. */
  forgetOwn(): void {
    for (const position of [...this.#positions, ...this.#restored?.positions ?? []]) {
      if (position.isOwn) position.history = null;
    }
  }

  /** Deadlines and acknowledgements. */
  tick(): void {
    for (const runner of this.#runners) runner.tick();
  }

  /** Next frame of an upstream shard that our data needs, also while its link is being made. */
  #appliedOf(runner: UpstreamRunner): number {
    return runner.link?.appliedOffset || this.#positions[runner.shard].offset;
  }

  /** For ROLE and INFO. */
  status(): UpstreamStatus {
    const nowMs = this.clock.monotonicMs();
    const runners = this.#runners;
    const links = runners.map((runner) => ({
      shard: runner.shard,
      state: runner.link?.state.at ?? "connecting",
      nextOffset: this.#appliedOf(runner),
      history: runner.link?.history ?? "",
    }));
    const syncing = runners.filter((r) => r.link?.state.at === "receivingSnapshot");
    const lastIoMs = Math.max(-1, ...runners.map((r) => r.lastIoMs));
    const applied = runners.map((runner) => runner.reachedSequence);
    let lagFrames = 0;
    for (const runner of runners) {
      const upstreamOffset = runner.link?.upstreamOffset ?? 0;
      lagFrames += Math.max(0, upstreamOffset - this.#appliedOf(runner));
    }
    const appliedSequence = Math.max(0, runners.length === 0 ? 0 : Math.min(...applied));
    return {
      host: this.hostname,
      port: this.port,
      phase: this.isUp
        ? "connected"
        : syncing.length > 0 || !this.#arrivals.isEmpty
        ? "sync"
        : runners.some(({ link }) => link?.state.at === "awaitingAck" || link?.state.at === "acked")
        ? "handshake"
        : this.#phase,
      isUp: this.isUp,
      isSyncing: syncing.length > 0 || !this.#arrivals.isEmpty,
      lastIoSeconds: lastIoMs < 0 ? -1 : Math.floor((nowMs - lastIoMs) / 1000),
      downSeconds: this.#downSinceMs < 0 ? -1 : Math.floor((nowMs - this.#downSinceMs) / 1000),
      syncBytes: syncing.reduce((bytes, runner) => bytes + runner.syncBytes, 0),
      syncTotalBytes: 0,
      readSequence: Math.max(0, ...runners.map((r) => r.link?.decoder.sequence ?? 0)),
      appliedSequence,
      lagFrames,
      shards: runners.length,
      lastError: this.#lastError || (runners.find((r) => r.lastError !== "")?.lastError ?? ""),
      links,
    };
  }
}

/** A v1 upstream names no history; within one run of ours this stands for it. */
const V1_HISTORY = "v1";
