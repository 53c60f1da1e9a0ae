/**
 * One shard as a primary: accepts replicas on its port, decides what each gets, ships snapshots one
 * after another, remembers in slots who has left.
 *
 * @module
 */

import { addressOf, hostOf } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import type { Log } from "../observability/log.ts";
import type { Backlog } from "../replication/backlog.ts";
import { FullSyncGovernor } from "../replication/full_sync_governor.ts";
import { type HandshakeRequest, isRejection, reject } from "../replication/handshake.ts";
import type { CloseName } from "../replication/link_state.ts";
import { type LinkSettings, type LinkSource, ReplicaLink } from "../replication/replica_link.ts";
import { decideResume, type ShipReason } from "../replication/resume.ts";
import { SlotTable } from "../replication/slots.ts";
import { CHAIN_NODES_MAX, chainId } from "../replication/wire.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import { acceptLoop, lacksDescriptor } from "./accept.ts";
import type { NodeSequence } from "./commit.ts";
import { identityOf, type LinkClient } from "./link_client.ts";
import { type PumpHost, ReplicaPump } from "./replica_pump.ts";
import type { LinkStatus } from "./replication_status.ts";
import type { ShardSettings } from "./settings.ts";
import type { Shard } from "./shard.ts";
import { Ship } from "./ship.ts";
import type { SyncStats } from "./sync_counters.ts";

/** Connections whose handshake has not come that one shard holds at once, beyond `max-replicas`. */
const PENDING_HANDSHAKES_MAX = 256;

/** What a primary needs of its node. */
export interface PrimaryHost {
  /** Settings in force. */
  readonly settings: ShardSettings;
  /** Number of shards of the node. */
  readonly shards: number;
  /** Frames of all shards. */
  readonly sequence: NodeSequence;
  /** The log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** Lets others run. */
  readonly gate: Gate;
  /** Snapshot workers. */
  readonly workers: SnapshotWorkerPool;
  /** Counters. */
  readonly stats: SyncStats;
  /** Why no replica can be served now, or null. */
  notReady(): string | null;
  /** An id for a link among the clients. */
  nextClientId(): number;
  /** Whether this node follows another. */
  isFollowing(): boolean;
  /** Id of the node that is followed, also while no frames come; "" for none. */
  upstreamNode(): string;
  /** See `LinkSource`. */
  chain(): readonly string[];
  /** Why a peer may not follow, given the password it sent (or null); null when it may. */
  notPermitted(peerHost: string, password: string | null): string | null;
  /** No file descriptor was left for a replica. */
  descriptorLacked(): void;
  /** A replica has confirmed more, or left. */
  progressed(): void;
  /** A link has begun to stream, or streams no more. */
  linksChanged(): void;
}

/** See the module's text. */
export class Primary implements PumpHost {
  /** The shard. */
  readonly shard: Shard;
  /** See `PumpHost`. */
  readonly gate: Gate;
  /** What replicas that left had confirmed. */
  readonly slots = new SlotTable();
  readonly #host: PrimaryHost;
  readonly #log: Log;
  /** Connections, with what resolves when their socket is closed. */
  readonly #pumps = new Map<ReplicaPump, Promise<void>>();
  readonly #governor = new FullSyncGovernor();
  readonly #linkSettings: LinkSettings;
  readonly #ships = new Map<ReplicaPump, Ship>();
  /** Ships that hold the freeze lock or a worker. */
  readonly #shipping = new Set<Promise<void>>();
  readonly #timers = new Map<ReplicaPump, ReturnType<typeof setTimeout>>();
  readonly #listeners = new Map<Deno.TcpListener, Promise<void>>();
  /** When somebody last followed, or the backlog was opened. */
  #lastFollowedMs = 0;
  #backlogSeen: Backlog | null = null;
  #source: LinkSource | null = null;

  /** Replicas may come once `listen` was called. */
  constructor(shard: Shard, host: PrimaryHost) {
    this.shard = shard;
    this.#host = host;
    this.#log = host.log.forShard(shard.index);
    this.gate = host.gate;
    const { settings } = host;
    this.#linkSettings = {
      get handshakeTimeoutMs() {
        return settings.replicationHandshakeTimeoutMs;
      },
      get timeoutMs() {
        return settings.replTimeoutSeconds * 1000;
      },
      get heartbeatMs() {
        return settings.replPingReplicaPeriodSeconds * 1000;
      },
      get pendingBytesMax() {
        return settings.replOutputBytes;
      },
    };
  }

  /** See `PumpHost`. */
  now(): number {
    return this.#host.clock.monotonicMs();
  }

  /** Accepts replicas on an address; throws what `Deno.listen` throws. */
  listen(hostname: string, port: number): void {
    const listener = Deno.listen({ hostname, port });
    const accepting = acceptLoop(listener, {
      accepted: (conn) => this.#accepted(conn),
      failed: (error) => {
        if (lacksDescriptor(error)) return this.#host.descriptorLacked();
        this.#log.verbose("a replica was gone before it was accepted", { error: error.message });
      },
    });
    this.#listeners.set(listener, accepting);
  }

  /** Accepts no more. */
  stopListening(): void {
    for (const listener of this.#listeners.keys()) listener.close();
    this.#listeners.clear();
  }

  /** Accepts no more and closes every link. Resolves when nothing of it is left. */
  async close(): Promise<void> {
    const accepting = [...this.#listeners.values()];
    this.stopListening();
    await Promise.all([...accepting, this.closeAll("Shutdown", "this node stops")]);
  }

  /** Number of connections, those before their handshake and those being closed included. */
  get linkCount(): number {
    return this.#pumps.size;
  }

  /** Live links of replicas, their handshake behind them. */
  *links(): Generator<ReplicaLink> {
    for (const { link } of this.#livePumps()) yield link;
  }

  *#livePumps(): Generator<ReplicaPump> {
    for (const pump of this.#pumps.keys()) {
      const { claim, state } = pump.link;
      if (claim !== null && state.at !== "closed") yield pump;
    }
  }

  #accepted(conn: Deno.TcpConn): void {
    const { peer, peerHost } = peerOf(conn);
    try {
      conn.setNoDelay(true);
      conn.setKeepAlive(true);
    } catch {
      // Gone already: the first read will tell.
    }
    this.#source ??= this.#makeSource();
    const link = new ReplicaLink({
      source: this.#source,
      settings: this.#linkSettings,
      peer,
      peerHost,
      nowMs: this.now(),
    });
    const host = this.#host;
    const identity = identityOf(conn, host.nextClientId(), host.clock.nowMs());
    const pump = new ReplicaPump(conn, link, this, identity);
    this.#pumps.set(pump, pump.run().finally(() => this.#pumps.delete(pump)));
    let pending = 0;
    for (const other of this.#pumps.keys()) if (other.link.claim === null) pending++;
    if (pending > PENDING_HANDSHAKES_MAX) this.#reject(pump, "TooMany", "too many handshakes");
  }

  /** What links read of the shard. The backlog is opened by the first claim. */
  #makeSource(): LinkSource {
    const { shard } = this;
    const host = this.#host;
    const { shards, sequence } = host;
    return {
      get backlog() {
        return shard.openBacklog();
      },
      get history() {
        return shard.lineage.id;
      },
      shard: shard.index,
      shards,
      get sequence() {
        return sequence.value;
      },
      origins: shard.origins,
      get writes() {
        return shard.writes;
      },
      get chain() {
        return host.chain();
      },
    };
  }

  #reject(pump: ReplicaPump, name: "TooMany" | "NotReady" | "NotPermitted", detail: string): void {
    pump.link.reject(reject(name, detail));
    pump.wake();
  }

  /** See `PumpHost`. */
  claimed(pump: ReplicaPump): void {
    const { link } = pump;
    const claim = link.claim;
    if (claim === null) return;
    const host = this.#host;
    const refusal = host.notPermitted(link.peerHost, claim.password ?? null);
    if (refusal !== null) return this.#reject(pump, "NotPermitted", refusal);
    if (claim.version === 2) this.#replace(pump);
    const replicas = [...this.links()].length;
    const { maxReplicas } = host.settings;
    if (replicas > maxReplicas) {
      return this.#reject(pump, "TooMany", `max-replicas is ${maxReplicas}`);
    }
    const unready = this.#followsClaimant(claim) ?? host.notReady();
    if (unready !== null) return this.#reject(pump, "NotReady", unready);
    const backlog = this.shard.followed();
    const { lineage } = this.shard;
    const resume = decideResume(claim, {
      history: lineage.id,
      oldestOffset: backlog.oldestOffset,
      nextOffset: backlog.nextOffset,
      previousHistory: lineage.previousId,
      previousUpTo: lineage.previousUpTo,
      beganEmpty: lineage.beganEmpty,
      origins: this.shard.origins,
    }, this.slots.flushedAt(link.key!));
    const slot = this.slots.take(link.key!);
    const log = this.#log.forReplica(claim.id);
    const known = slot === null ? "no" : `left at ${slot.ackedOffset}`;
    if (claim.version === 1 && host.settings.replicationDialect !== "kevy") {
      log.warning(
        "replica speaks v1, as kevy does, but frames are written for shoal: some will be lost on it; " +
          "set replication-dialect kevy",
        { peer: link.peer },
      );
    }
    if (resume.kind === "frames") {
      host.stats.partialOk++;
      const of = resume.isRenumbered ? { as: `${claim.offset} of ${claim.history}` } : {};
      log.notice("replica resumes", { peer: link.peer, from: resume.from, ...of, known });
      link.acceptFrames(resume.isRenumbered ? resume : null);
    } else {
      if (claim.version === 2 ? claim.history !== null : claim.offset > 0) host.stats.partialErr++;
      log.notice("replica needs a snapshot", {
        peer: link.peer,
        because: resume.because,
        asked: claim.offsetDigits,
        held: `${backlog.oldestOffset}..${backlog.nextOffset}`,
        known,
      });
      link.acceptShip(resume.because);
      this.#scheduleShip(pump, resume.because);
    }
    pump.wake();
  }

  /** Why nobody who sends such a claim may follow: this node follows it, or a chain that is long enough. */
  #followsClaimant({ version, id }: HandshakeRequest): string | null {
    if (version === 1) return null;
    const { upstreamNode, chain } = this.#host;
    const at = chain().indexOf(chainId(id));
    if (id === upstreamNode() || at === 1) return "this node follows the one that asks";
    if (at > 1) return `this node follows the one that asks, through ${at - 1} more`;
    const isLong = chain().length > CHAIN_NODES_MAX;
    return isLong ? `frames come through ${CHAIN_NODES_MAX} nodes before this one` : null;
  }

  /** A replica that comes again before its old link was noticed to be dead. */
  #replace(pump: ReplicaPump): void {
    for (const other of this.#pumps.keys()) {
      if (other === pump || other.link.key !== pump.link.key) continue;
      if (other.link.state.at === "closed") continue;
      other.link.close("Replaced", `by ${pump.link.peer}`);
      other.cut();
    }
  }

  /** See `PumpHost`. */
  lost(pump: ReplicaPump): void {
    pump.link.requestShip("evicted");
    this.#log.forReplica(pump.link.claim!.id).warning(
      "replica fell behind the backlog and needs a snapshot: raise repl-backlog-size",
      { peer: pump.link.peer },
    );
    this.#scheduleShip(pump, "evicted");
  }

  #scheduleShip(pump: ReplicaPump, because: ShipReason): void {
    const { link } = pump;
    this.#host.stats.countFull(because);
    const nowMs = this.now();
    const verdict = this.#governor.request({ key: link.key!, because, nowMs });
    if (verdict.loop) {
      this.#log.forReplica(link.claim!.id).warning("replica is shipped again and again", {
        ships: verdict.consecutive,
        why: verdict.explanation,
      });
    }
    const waitMs = Math.max(0, verdict.notBeforeMs - nowMs);
    this.#timers.set(
      pump,
      setTimeout(() => {
        this.#timers.delete(pump);
        void this.#ship(pump);
      }, waitMs),
    );
  }

  async #ship(pump: ReplicaPump): Promise<void> {
    const { freezeLock } = this.shard;
    const { link } = pump;
    if (!await freezeLock.acquire(pump)) return;
    if (link.state.at === "closed" || link.waiting === null) {
      freezeLock.release();
      return;
    }
    const shipping: Promise<void> = this.#shipNow(pump)
      .finally(() => this.#shipping.delete(shipping));
    this.#shipping.add(shipping);
  }

  /** Ships; the lock is ours, and is released when the frozen view is read no more. */
  async #shipNow(pump: ReplicaPump): Promise<void> {
    const { shard } = this;
    const { link } = pump;
    const ship = new Ship(pump, shard, {
      workers: this.#host.workers,
      clock: this.#host.clock,
      begun: () => {
        if (link.flushedAt !== null) this.slots.noteFlush(link.key!, link.flushedAt);
      },
      log: this.#log.forReplica(link.claim!.id),
    });
    this.#ships.set(pump, ship);
    const shipped = ship.run(() => shard.freezeLock.release());
    if (link.flushedAt !== null) this.slots.noteFlush(link.key!, link.flushedAt);
    const failure = await shipped;
    this.#ships.delete(pump);
    if (failure === null) return;
    link.close(failure.name, failure.detail);
    pump.wake();
  }

  /** See `PumpHost`. */
  drained(pump: ReplicaPump): void {
    this.#ships.get(pump)?.feed();
  }

  /** See `PumpHost`. */
  acked(): void {
    this.#host.progressed();
  }

  /** See `PumpHost`. */
  moved(): void {
    this.#host.linksChanged();
  }

  /** See `PumpHost`. */
  closed(pump: ReplicaPump): void {
    const { link } = pump;
    const { state } = link;
    if (state.at !== "closed") return;
    const { because, detail } = state;
    clearTimeout(this.#timers.get(pump));
    this.#timers.delete(pump);
    this.shard.freezeLock.withdraw(pump);
    this.#ships.get(pump)?.abort(because, detail);
    if (link.isShipping) this.#host.stats.countAborted(because);
    if (isRejection(because)) {
      this.#host.stats.countRejection(because);
      this.#log.warning("handshake rejected", { peer: link.peer, name: because, detail });
    } else if (link.claim !== null) {
      this.#log.forReplica(link.claim.id).notice("replica link closed", {
        peer: link.peer,
        because,
        detail,
        offset: state.offset,
      });
    }
    if (state.id !== null && because !== "Replaced") {
      this.slots.record({
        key: link.key!,
        id: state.id,
        peerHost: link.peerHost,
        ackedOffset: state.offset,
        seenMs: this.now(),
      });
    }
    this.#host.progressed();
    this.#host.linksChanged();
  }

  /** Whether there are links that send frames, or may begin to. */
  get hasLinks(): boolean {
    return this.#pumps.size > 0;
  }

  /** Frames were appended, or they come through other nodes: wakes the links. */
  wakeLinks(): void {
    for (const pump of this.#pumps.keys()) pump.wake();
  }

  /** Deadlines, heartbeats, slots, what the backlog should keep. */
  tick(): void {
    const nowMs = this.now();
    for (const pump of this.#pumps.keys()) {
      pump.tick();
      const { link } = pump;
      if (link.caughtUp && nowMs - link.caughtUpMs >= this.#proofMs(link)) {
        this.#governor.caughtUp(link.key!);
      }
    }
    const windowMs = this.#host.settings.reconnectWindowMs;
    for (const slot of this.slots.expire({ nowMs, windowMs })) {
      this.#log.forReplica(slot.id).notice("replica did not come back in time", {
        offset: slot.ackedOffset,
        windowMs,
      });
    }
    const { backlog } = this.shard;
    if (backlog === null) return;
    let needed = this.slots.neededFrom();
    for (const { link } of this.#pumps.keys()) needed = Math.min(needed, link.neededFrom);
    backlog.keepFrom = needed;
    this.#dropUnused(backlog, nowMs);
  }

  /**
   * How long a link must last after it has caught up before its ship counts as a success: on v2 the
   * replica has confirmed it, on v1 it has only been sent everything.
   */
  #proofMs(link: ReplicaLink): number {
    return link.claim?.version === 1 ? this.#linkSettings.timeoutMs : 0;
  }

  /**
   * Gives the backlog up when nobody has followed for `repl-backlog-ttl`. A replica keeps it for the
   * others that follow its upstream, should it be promoted.
   */
  #dropUnused(backlog: Backlog, nowMs: number): void {
    const ttlMs = this.#host.settings.replBacklogTtlSeconds * 1000;
    // A backlog that a restart opened, so that replicas can resume, waits as long for the first one.
    const isFresh = backlog !== this.#backlogSeen;
    if (isFresh || this.#pumps.size > 0 || this.slots.size > 0 || this.#host.isFollowing()) {
      this.#lastFollowedMs = nowMs;
      this.#backlogSeen = backlog;
    }
    if (ttlMs === 0 || nowMs - this.#lastFollowedMs < ttlMs) return;
    if (!this.shard.dropBacklog()) return;
    this.#log.notice("backlog dropped, since nobody has followed", { ttlMs });
  }

  /** Closes the links of the replica with this id: this node follows it now. */
  closeLinksOf(id: string): void {
    for (const pump of this.#pumps.keys()) {
      const { claim } = pump.link;
      if (claim?.version !== 2 || claim.id !== id) continue;
      pump.link.close("Circle", "this node follows it now");
      pump.cut();
    }
  }

  /** The live links, as CLIENT LIST shows them. */
  linkClients(): LinkClient[] {
    const { clock } = this.#host;
    const [unixMs, nowMs] = [clock.nowMs(), this.now()];
    return Array.from(this.#livePumps(), ({ link, identity }) => ({
      ...identity,
      linkOf: "replica",
      peer: link.peer,
      heardMs: unixMs - (nowMs - link.readMs),
      db: 0, // what a replica sends is of no database
      unitFrames: -1,
      unitBytes: 0,
      unreadBytes: 0,
      bufferBytes: 0,
      waitingBytes: link.pendingBytes,
      lastCommand: "replconf",
    }));
  }

  /** Ends the live link with this id among the clients, as an operator asked; false when there is none. */
  killLink(id: number, detail: string): boolean {
    for (const pump of this.#livePumps()) {
      if (pump.identity.id !== id) continue;
      const { link } = pump;
      if (link.waiting !== null || link.isShipping) this.#governor.forgetLatest(link.key!);
      link.close("Killed", detail);
      pump.cut();
      return true;
    }
    return false;
  }

  /** Closes every link there is: the history changed, or the node stops. Resolves when they are gone. */
  async closeAll(because: CloseName, detail: string): Promise<void> {
    const ending = [...this.#pumps.values()];
    for (const pump of this.#pumps.keys()) {
      pump.link.close(because, detail);
      pump.cut();
    }
    if (because === "HistoryChanged") this.slots.clear();
    await Promise.all([...ending, ...this.#shipping]);
  }

  /** Whether every replica has confirmed all there is; one that is shipped a snapshot has not. */
  get isDrained(): boolean {
    const { backlog } = this.shard;
    if (backlog === null) return true;
    for (const link of this.links()) {
      const { state } = link;
      if (state.at !== "streaming" || (state.ackedOffset ?? -1) < backlog.nextOffset) return false;
    }
    return true;
  }

  /** The links for INFO. */
  status(): LinkStatus[] {
    const nowMs = this.now();
    const rows: LinkStatus[] = [];
    for (const link of this.links()) {
      const { state } = link;
      const sent = state.at === "streaming"
        ? state.sentOffset
        : state.at === "snapshotShipping"
        ? state.cutOffset
        : link.claim!.offset;
      rows.push({
        shard: this.shard.index,
        id: link.claim!.id,
        peer: link.peer,
        state: state.at,
        sentOffset: sent,
        ackedOffset: state.at === "streaming" ? state.ackedOffset ?? 0 : 0,
        ackAssumed: link.claim!.version === 1,
        pendingBytes: link.pendingBytes,
        lagSeconds: link.claim!.version === 1 ? 0 : Math.floor((nowMs - link.readMs) / 1000),
      });
    }
    return rows;
  }
}

function peerOf(conn: Deno.TcpConn): { peer: string; peerHost: string } {
  try {
    const { remoteAddr } = conn;
    return { peer: addressOf(remoteAddr), peerHost: hostOf(remoteAddr.hostname) };
  } catch {
    return { peer: addressOf(undefined), peerHost: "0.0.0.0" };
  }
}
