/**
 * Replication of a whole node: its shards as primaries, itself as a follower, and what ROLE, INFO, WAIT
 * and WAITAOF ask of both.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import { OncePerRounds } from "../base/rounds.ts";
import type { KeyspaceEvents } from "../commands/keyspace_events.ts";
import type { CommandTable } from "../commands/registry.ts";
import type { Log } from "../observability/log.ts";
import type { ReplicaLink } from "../replication/replica_link.ts";
import type { LinePlace } from "../replication/origins.ts";
import { chainId, FAILOVER_CAPABILITY } from "../replication/wire.ts";
import type { SnapshotWorkerPool } from "../snapshot/worker_pool.ts";
import { type AdmissionSettings, whyNotPermitted } from "./admission.ts";
import type { FrameWatcher } from "./applier.ts";
import type { Durability } from "./durability.ts";
import { Follower, type FollowerHost, type UpstreamPositions } from "./follower.ts";
import { newLineage } from "./lineage.ts";
import type { LinkClient } from "./link_client.ts";
import type { Node } from "./node.ts";
import { Primary, type PrimaryHost } from "./primary.ts";
import type { ReplicaPhase, ReplicaStatus, ReplicationStatus } from "./replication_status.ts";
import type { Shard } from "./shard.ts";
import { SyncStats } from "./sync_counters.ts";
import type { Position } from "./upstream.ts";

/**
 * How long a busy server gathers frames before its links send them, in ms (measured with one replica and 16
 * requests a pipeline: 8 to 12 % more SETs than with 0.5 ms; with 2 ms no more than with 0.5, since a socket
 * takes only part of what has come then).
 */
const GATHER_MS = 1;

/** How often a stop looks whether the replicas have everything, in ms. */
const DRAIN_POLL_MS = 10;

/** What replication needs of its server. */
export interface ReplicationHost {
  /** The shards. */
  readonly node: Node;
  /** Commands that frames may hold. */
  readonly table: CommandTable;
  /** Who tells our clients of messages and events in frames. */
  readonly events: KeyspaceEvents;
  /** Who is shown the frames that are applied. */
  readonly monitors: FrameWatcher;
  /** Settings in force. */
  readonly settings: FollowerHost["settings"] & AdmissionSettings;
  /** The log. */
  readonly log: Log;
  /** Lets others run. */
  readonly gate: Gate;
  /** System time. */
  readonly clock: Clock;
  /** Snapshot workers. */
  readonly workers: SnapshotWorkerPool;
  /** Where frames are kept beside the backlogs. */
  readonly durability: Durability;
  /** Our client port. */
  clientPort(): number;
  /** An id for a link among the clients, one that no client has or will have. */
  nextClientId(): number;
  /** Whether the data is being loaded. */
  isLoading(): boolean;
  /** See `PrimaryHost`. */
  descriptorLacked(): void;
  /** What the guards depend on has changed. */
  guardsChanged(): void;
}

/** What somebody waits for: the first `sequence` frames of the node, in enough places. */
export interface Wanted {
  /** Frames. */
  readonly sequence: number;
  /** Replicas that have them. */
  readonly count: number;
  /** Whether our own disk has to have them too. */
  readonly isLocal: boolean;
}

/** Somebody who waits (`WAIT`, `WAITAOF`). */
interface Waiter extends Wanted {
  /** Whether replicas count by what is on their disks. */
  readonly isSynced: boolean;
  readonly reached: () => void;
}

/** A replica of ours, as FAILOVER looks at it. */
export interface Candidate {
  /** Its node's id. */
  readonly id: string;
  /** Address that it is told of by. */
  readonly host: string;
  /** Its client port; 0 when it told none. */
  readonly port: number;
  /** Whether all its links stream. */
  readonly isOnline: boolean;
  /** Whether it can be asked to take our place. */
  readonly isAble: boolean;
  /** Node sequence that it surely has; -1 for nothing. */
  readonly sequence: number;
}

/** See the module's text. */
export class Replication {
  /** Counters, primary side. */
  readonly stats = new SyncStats();
  /** Each shard as a primary. */
  readonly primaries: readonly Primary[];
  /** Called when a replica may have confirmed more, or left, besides those who wait; or null. */
  whenProgressed: (() => void) | null = null;
  readonly #host: ReplicationHost;
  #follower: Follower | null = null;
  /** Whether the follower, if there is one, has yet to be started: see `suspend`. */
  #isSuspended = false;
  /** Followers that were told to stop and still close their sockets. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #waiters = new Set<Waiter>();
  /** Where the data stood when this node was promoted, and how much each shard had written. */
  #left: { readonly positions: UpstreamPositions; readonly writes: readonly number[] } | null =
    null;
  #lastGuards = "";
  /** See `LinkSource`. */
  #chain: readonly string[];
  /** By shard: whether there are frames that its links were not woken for. */
  readonly #hasNew: boolean[];

  /** Nobody follows, nobody is followed. */
  constructor(host: ReplicationHost) {
    this.#host = host;
    const { node, settings } = host;
    this.#chain = [chainId(node.id)];
    const primaryHost: PrimaryHost = {
      settings,
      shards: node.shards.length,
      sequence: node.sequence,
      log: host.log,
      clock: host.clock,
      gate: host.gate,
      workers: host.workers,
      stats: this.stats,
      nextClientId: () => host.nextClientId(),
      notReady: () => this.#notReady(),
      isFollowing: () => this.isFollowing,
      upstreamNode: () => this.#follower?.upstreamNode ?? "",
      chain: () => this.#chain,
      notPermitted: (peerHost, password) => whyNotPermitted(settings, peerHost, password),
      descriptorLacked: () => host.descriptorLacked(),
      progressed: () => this.#progressed(),
      linksChanged: () => host.guardsChanged(),
    };
    this.primaries = node.shards.map((shard) => new Primary(shard, primaryHost));
    this.#hasNew = node.shards.map(() => false);
  }

  #notReady(): string | null {
    if (this.#host.isLoading()) return "this node is loading its data";
    const follower = this.#follower;
    if (follower === null) return null;
    if (!follower.hasData) return "this node has not received its upstream's data yet";
    return follower.status().isSyncing ? "this node is receiving a snapshot" : null;
  }

  // ---- as a primary --------------------------------------------------------------------------

  /** Accepts replicas of a shard on an address; throws what `Deno.listen` throws. */
  listen(shard: Shard, hostname: string, port: number): void {
    this.primaries[shard.index].listen(hostname, port);
  }

  /** Accepts no more. */
  stopListening(): void {
    for (const primary of this.primaries) primary.stopListening();
  }

  /**
   * After each turn: has the links of shards with new frames woken, once for many turns, so that what
   * many clients wrote leaves in one write: a write a turn made SET with a replica cost a third more
   * (measured).
   */
  endTurn(): void {
    this.#host.durability.endTurn();
    const { shards } = this.#host.node;
    for (let i = 0; i < shards.length; i++) {
      const { commit } = shards[i];
      if (!commit.appended) continue;
      commit.appended = false;
      commit.settle();
      if (!this.primaries[i].hasLinks) continue;
      this.#hasNew[i] = true;
      this.#wakeLinks.ask();
    }
  }

  readonly #wakeLinks = new OncePerRounds(() => {
    for (let i = 0; i < this.primaries.length; i++) {
      if (!this.#hasNew[i]) continue;
      this.#hasNew[i] = false;
      this.primaries[i].wakeLinks();
    }
  }, GATHER_MS);

  /** Deadlines, heartbeats, acknowledgements. */
  tick(): void {
    for (const primary of this.primaries) primary.tick();
    this.#follower?.tick();
  }

  /** Replicas that surely have the first `sequence` frames of the node. */
  countReplicas(sequence: number): number {
    return countFrom(this.#reachedByReplica(), sequence);
  }

  /** Replicas that surely have them on their disks; who says nothing of its disk has none. */
  countSyncedReplicas(sequence: number): number {
    return countFrom(this.#syncedByReplica(), sequence);
  }

  /** Whether our own disk has them. */
  isSynced(sequence: number): boolean {
    return this.#host.durability.syncedSequence >= sequence;
  }

  /** Node sequence that each replica surely has. */
  #reachedByReplica(): number[] {
    return Array.from(this.#linksByReplica().values(), (links) => this.#reached(links));
  }

  /** Node sequence that each replica surely has on its disk; -1 while it has not said so on all links. */
  #syncedByReplica(): number[] {
    return Array.from(this.#linksByReplica().values(), (links) => {
      if (links.length < this.primaries.length) return -1;
      return Math.min(...links.map((link) => link.syncedSequence));
    });
  }

  /**
   * Calls `reached` once, when `count` replicas have the first `sequence` frames. Returns how to stop
   * waiting.
   */
  waitForReplicas(sequence: number, count: number, reached: () => void): () => void {
    return this.#wait({ sequence, count, isLocal: false, isSynced: false, reached });
  }

  /**
   * Calls `reached` once, when what is wanted is on enough disks, or our own is none of them any more
   * (`endLocalSyncs`). Returns how to stop waiting.
   */
  waitForSyncs(wanted: Wanted, reached: () => void): () => void {
    return this.#wait({ ...wanted, isSynced: true, reached });
  }

  #wait(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    this.requestAcks();
    return () => this.#waiters.delete(waiter);
  }

  /** More may be on our disk: who waits for that is told, our upstream too. */
  synced(): void {
    this.#progressed();
    this.#follower?.synced();
  }

  /** Nothing is kept on our disk any more: nobody waits for it any longer. */
  endLocalSyncs(): void {
    for (const waiter of this.#waiters) {
      if (!waiter.isLocal) continue;
      this.#waiters.delete(waiter);
      waiter.reached();
    }
  }

  /** Asks every replica to say what it has. */
  requestAcks(): void {
    for (const primary of this.primaries) {
      for (const link of primary.links()) link.requestAck();
      primary.wakeLinks();
    }
  }

  #progressed(): void {
    this.whenProgressed?.();
    if (this.#waiters.size === 0) return;
    let reached: number[] | null = null;
    let synced: number[] | null = null;
    for (const waiter of this.#waiters) {
      if (waiter.isLocal && !this.isSynced(waiter.sequence)) continue;
      const replicas = waiter.isSynced
        ? synced ??= this.#syncedByReplica()
        : reached ??= this.#reachedByReplica();
      if (countFrom(replicas, waiter.sequence) < waiter.count) continue;
      this.#waiters.delete(waiter);
      waiter.reached();
    }
  }

  /** Replicas whose every link streams and was heard of within `maxLagSeconds`. */
  goodReplicas(maxLagSeconds: number): number {
    const nowMs = this.#host.clock.monotonicMs();
    let good = 0;
    for (const links of this.#linksByReplica().values()) {
      if (links.length < this.primaries.length) continue;
      if (links.every((l) => l.state.at === "streaming" && isHeard(l, nowMs, maxLagSeconds))) {
        good++;
      }
    }
    return good;
  }

  /** Links by the replica they belong to: its id on v2, its address on v1, whose ids name shards. */
  #linksByReplica(): Map<string, ReplicaLink[]> {
    const replicas = new Map<string, ReplicaLink[]>();
    for (const primary of this.primaries) {
      for (const link of primary.links()) {
        const name = link.claim!.version === 2 ? link.claim!.id : `v1 ${link.peerHost}`;
        const links = replicas.get(name);
        if (links === undefined) replicas.set(name, [link]);
        else links.push(link);
      }
    }
    return replicas;
  }

  /** The least that a replica's links have of the node's sequence; -1 while not all of them stream. */
  #reached(links: readonly ReplicaLink[]): number {
    if (links.length < this.primaries.length) return -1;
    let least = Infinity;
    for (const link of links) {
      if (link.state.at !== "streaming") return -1;
      least = Math.min(least, Math.max(0, link.reachedSequence));
    }
    return least;
  }

  /** The replicas among whom FAILOVER chooses, in order of their links. */
  candidates(): Candidate[] {
    return Array.from(this.#linksByReplica(), ([name, links]) => {
      const claim = links[0].claim!;
      const port = claim.listeningPort ?? 0;
      return {
        id: claim.version === 2 ? claim.id : name,
        host: claim.announcedHost ?? links[0].peerHost,
        port,
        isOnline: phaseOf(links, this.primaries.length) === "online",
        isAble: port > 0 && claim.capabilities.includes(FAILOVER_CAPABILITY),
        // Who has confirmed nothing may not have loaded its snapshot yet.
        sequence: links.some((link) => link.reachedSequence < 0) ? -1 : this.#reached(links),
      };
    });
  }

  /** Waits until every replica has everything, until `stopMs` (monotonic) at most, or it is called off. */
  async drain(stopMs: number, isCalledOff: () => boolean): Promise<void> {
    this.endTurn();
    this.requestAcks();
    while (
      !isCalledOff() && !this.primaries.every((primary) => primary.isDrained) &&
      this.#host.clock.monotonicMs() < stopMs
    ) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
      this.requestAcks();
    }
  }

  // ---- as a replica --------------------------------------------------------------------------

  /** Whether this node follows another. */
  get isFollowing(): boolean {
    return this.#follower !== null;
  }

  /** Whether every link to the upstream streams. */
  get isLinkUp(): boolean {
    return this.#follower?.isUp ?? false;
  }

  /** Host and port that are followed, or null. */
  get upstream(): { host: string; port: number } | null {
    const follower = this.#follower;
    return follower === null ? null : { host: follower.hostname, port: follower.port };
  }

  /**
   * Follows another node from now on; returns at once. `restored` is where the data stands in its
   * lines of offsets, when it came from a file. Following the same node again changes nothing. A
   * primary's data stands in its own line, of which one of its replicas that was promoted knows.
   */
  follow(host: string, port: number, restored: UpstreamPositions | null = null): void {
    const before = this.#follower;
    if (before !== null && before.hostname === host && before.port === port) return;
    if (restored !== null && before === null) this.#restoreOrigins(restored);
    // Positions stay true from one upstream to the next: nobody else has written meanwhile.
    const positions = before?.positions() ?? restored ?? this.#leftPositions() ??
      this.#ownPositions();
    this.#leave();
    // Should this node be promoted, those that follow the same upstream come to it.
    for (const shard of this.#host.node.shards) if (shard.backlog !== null) shard.openBacklog();
    this.#follower = this.#newFollower(host, port, positions);
    if (!this.#isSuspended) this.#follower.start();
    this.#host.log.notice("replica of", { upstream: `${host}:${port}` });
    this.#host.guardsChanged();
  }

  /** The data came from a file, which says where it stands in an upstream's lines. */
  #restoreOrigins({ shards: count, positions }: UpstreamPositions): void {
    const { shards } = this.#host.node;
    if (count !== shards.length) return;
    for (const [i, { history, offset, db, isMixed }] of positions.entries()) {
      if (history === null || isMixed) continue;
      if (shards[i].keepsFrames) shards[i].beginOrigins({ history, offset, db });
    }
  }

  /** Where a node that was promoted stood when it was, if nothing has been written since. */
  #leftPositions(): UpstreamPositions | null {
    const left = this.#left;
    if (left === null) return null;
    // In the middle of a unit what was written may have no number yet.
    const isAsLeft = this.#host.node.shards.every(({ writes, effects }, i) =>
      writes === left.writes[i] && !effects.inUnit
    );
    if (!isAsLeft) return null;
    const { shards } = this.#host.node;
    const { shards: count, positions } = left.positions;
    if (count !== shards.length) return left.positions;
    // Who has followed this node meanwhile knows the same place in its line.
    return {
      shards: count,
      positions: positions.map((position, i) => ({ ...position, origin: lineEnd(shards[i]) })),
    };
  }

  /** Where the data of a node that follows nobody stands: in its own lines, as far as they have numbers. */
  #ownPositions(): UpstreamPositions {
    const { shards } = this.#host.node;
    const positions = shards.map(ownPosition);
    for (const [i, { history, offset }] of positions.entries()) {
      if (history !== null) {
        const { ownPlace, origins, writes } = shards[i];
        // Where the line's next frame names its database, any will do until then.
        const db = Math.max(0, ownPlace.db);
        origins.add({ history, offset, db }, ownPlace, writes);
      }
    }
    return { shards: shards.length, positions };
  }

  #newFollower(host: string, port: number, positions: UpstreamPositions | null): Follower {
    const { node, table, events, monitors, settings, log, gate, clock } = this.#host;
    return new Follower(
      {
        node,
        table,
        events,
        monitors,
        settings,
        log,
        gate,
        clock,
        clientPort: () => this.#host.clientPort(),
        nextClientId: () => this.#host.nextClientId(),
        durability: this.#host.durability,
        endTurn: () => this.endTurn(),
        replaced: (shards) => this.#replaced(shards),
        changed: () => this.#changed(),
        upstreamIs: (node) => {
          for (const primary of this.primaries) primary.closeLinksOf(node);
        },
      },
      host,
      port,
      positions,
    );
  }

  /**
   * Applies nothing until `resume`. Who is followed stays the same, as ROLE and INFO say, with the link
   * down; it can be changed meanwhile, and whoever it is then is followed from `resume` on.
   */
  suspend(): void {
    this.#isSuspended = true;
    const follower = this.#follower;
    if (follower === null) return;
    const positions = follower.positions();
    this.#leave();
    this.#follower = this.#newFollower(follower.hostname, follower.port, positions);
    this.#host.guardsChanged();
  }

  /** Ends `suspend`. */
  resume(): void {
    this.#isSuspended = false;
    this.#follower?.start();
    this.#host.guardsChanged();
  }

  /**
   * Follows nobody from now on; keeps the data; returns at once. The node's sequence goes on from its
   * upstream's, if that is ahead.
   */
  unfollow(): void {
    if (this.#follower === null) return;
    const positions = this.#follower.positions();
    const { readSequence, appliedSequence } = this.#follower.status();
    this.#leave();
    const { shards, sequence } = this.#host.node;
    // Who compares offsets to choose whom to promote next must not find those greater that stay behind.
    sequence.value = Math.max(sequence.value, readSequence, appliedSequence);
    for (const shard of shards) shard.checkOrigins();
    // Without numbers nobody could tell whether something was written.
    const isNumbered = shards.every((shard) => shard.backlog !== null && shard.keepsFrames);
    const isPure = positions !== null && positions.positions.every(({ isMixed }) => !isMixed);
    this.#left = isPure && isNumbered
      ? { positions, writes: shards.map((shard) => shard.writes) }
      : null;
    this.#host.log.notice("primary: this node follows nobody now");
    this.#host.guardsChanged();
  }

  #leave(): void {
    const follower = this.#follower;
    if (follower === null) return;
    this.#follower = null;
    this.#noteChain();
    follower.stop();
    const leaving: Promise<void> = follower.closed().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** Another's data took the place of ours: who follows us must be shipped it. */
  #replaced(shards: readonly number[]): void {
    this.#left = null;
    for (const index of shards) {
      void this.primaries[index].closeAll("HistoryChanged", "a snapshot replaced the data");
      this.#host.node.shards[index].startHistory(newLineage(false), 0);
    }
  }

  /** Whoever follows us is told which nodes frames come through, when that has changed. */
  #noteChain(): void {
    const above = this.#follower?.chain ?? [];
    const [own, ...before] = this.#chain;
    if (above.length === before.length && above.every((id, i) => id === before[i])) return;
    this.#chain = [own, ...above];
    for (const primary of this.primaries) primary.wakeLinks();
  }

  #changed(): void {
    this.#noteChain();
    const guards = `${this.isFollowing} ${this.isLinkUp}`;
    if (guards === this.#lastGuards) return;
    this.#lastGuards = guards;
    this.#host.guardsChanged();
  }

  /** Clients may write on this replica, if only for a moment: its data may be its upstream's no more. */
  noteWritable(): void {
    this.#follower?.noteWritable();
  }

  /** Where the data stands in the upstream's lines of offsets, for a file; null when nowhere. */
  positions(): UpstreamPositions | null {
    return this.#follower?.positions() ?? null;
  }

  // ---- both ----------------------------------------------------------------------------------

  /** Every link of a replica and every link to the upstream, as CLIENT LIST shows them. */
  linkClients(): LinkClient[] {
    const links = this.primaries.flatMap((primary) => primary.linkClients());
    return links.concat(this.#follower?.linkClients() ?? []);
  }

  /**
   * Ends the link with this id among the clients, if there is one, as an operator asked: whoever made it may
   * make it anew, and goes on with frames.
   */
  killLink(id: number, detail: string): void {
    if (this.primaries.some((primary) => primary.killLink(id, detail))) return;
    this.#follower?.killLink(id, detail);
  }

  /** The shards' data is another from now on (loaded from files): links are closed. */
  async reset(): Promise<void> {
    this.#left = null;
    this.#follower?.forgetOwn();
    await Promise.all(
      this.primaries.map((p) => p.closeAll("HistoryChanged", "the data was loaded anew")),
    );
  }

  /** Closes everything; resolves when every socket is closed. */
  async close(): Promise<void> {
    this.#leave();
    await Promise.all(this.primaries.map((primary) => primary.close()));
    await Promise.all(this.#leaving);
  }

  /** For ROLE and INFO. */
  status(): ReplicationStatus {
    const nowMs = this.#host.clock.monotonicMs();
    const { shards, sequence, id } = this.#host.node;
    const { reconnectWindowMs, replBacklogBytes } = this.#host.settings;
    const replicas: ReplicaStatus[] = [];
    for (const [name, links] of this.#linksByReplica()) {
      const claim = links[0].claim!;
      replicas.push({
        id: claim.version === 2 ? claim.id : name,
        ip: claim.announcedHost ?? links[0].peerHost,
        port: claim.listeningPort ?? 0,
        phase: phaseOf(links, this.primaries.length),
        offset: Math.max(0, this.#reached(links)),
        lagSeconds: claim.version === 1
          ? 0
          : Math.max(...links.map((link) => Math.floor((nowMs - link.readMs) / 1000))),
      });
    }
    return {
      upstream: this.#follower?.status() ?? null,
      replicas,
      links: this.primaries.flatMap((primary) => primary.status()),
      slots: this.primaries.flatMap((primary) =>
        [...primary.slots.values()].map((slot) => ({
          id: slot.id,
          shard: primary.shard.index,
          offset: slot.ackedOffset,
          remainingMs: Math.max(0, Math.floor(slot.seenMs + reconnectWindowMs - nowMs)),
        }))
      ),
      sequence: sequence.value,
      nodeId: id,
      syncs: this.stats,
      backlog: {
        active: shards.some((shard) => shard.backlog?.isHolding ?? false),
        limitBytes: replBacklogBytes * shards.length,
        sizeBytes: shards.reduce((bytes, shard) => bytes + (shard.backlog?.sizeBytes ?? 0), 0),
        memoryBytes: shards.reduce((bytes, shard) => bytes + (shard.backlog?.memoryBytes ?? 0), 0),
        shards: shards.map((shard) => ({
          oldestOffset: shard.backlog?.oldestOffset ?? shard.nextOffset,
          nextOffset: shard.nextOffset,
          history: shard.lineage.id,
        })),
      },
    };
  }
}

/** The end of a shard's own line; where the next frame names its database, any will do until then. */
function lineEnd({ lineage, ownPlace: { offset, db } }: Shard): LinePlace {
  return { history: lineage.id, offset, db: Math.max(0, db) };
}

/**
 * Where a shard that follows nobody stands. One that was restarted, and has not written since, is still
 * where its previous history ended, too, which others are more likely to know.
 */
function ownPosition(shard: Shard): Position {
  const { lineage, backlog, nextOffset, keepsFrames, effects } = shard;
  // In kevy's words not every effect has a number, and in the middle of a unit the first one has none yet.
  const isNumbered = backlog !== null && keepsFrames && !effects.inUnit;
  if (!isNumbered) return { history: null, offset: 0, db: 0, isOwn: true };
  const { id, previousId, previousUpTo } = lineage;
  const own = { history: id, offset: nextOffset, db: 0, isOwn: true };
  if (previousId === null || previousUpTo !== nextOffset) return own;
  return { ...own, history: previousId, origin: lineEnd(shard) };
}

function isHeard(link: ReplicaLink, nowMs: number, maxLagSeconds: number): boolean {
  return link.claim!.version === 1 || nowMs - link.readMs <= maxLagSeconds * 1000;
}

function phaseOf(links: readonly ReplicaLink[], shards: number): ReplicaPhase {
  if (links.some((link) => link.state.at === "snapshotShipping")) return "send_bulk";
  const streams = links.length === shards && links.every((l) => l.state.at === "streaming");
  return streams ? "online" : "wait_bgsave";
}

/** How many of some node sequences are at least `sequence`. */
function countFrom(sequences: readonly number[], sequence: number): number {
  let count = 0;
  for (const reached of sequences) if (reached >= sequence) count++;
  return count;
}
