/**
 * One connection to one shard of our upstream, kept alive: connects, reads, applies, acknowledges,
 * and after a failure waits and connects anew. What the stream means is `UpstreamLink`'s to say; what
 * it does to the data is the follower's.
 *
 * A connection that was given up is still drained (`upstream_socket.ts`) while the next one is made.
 *
 * @module
 */

import { addressOf } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import { type Access, explainFailure } from "../base/permissions.ts";
import type { ShardsPort } from "../commands/call.ts";
import type { Log } from "../observability/log.ts";
import { reconnectDelayMs } from "../replication/backoff.ts";
import type { LinePlace } from "../replication/origins.ts";
import {
  ACK,
  CHAIN,
  type DecoderLimits,
  FRAME,
  HEARTBEAT,
  NEED_MORE,
  needsFullSync,
  SNAPSHOT_BEGIN,
  SNAPSHOT_BYTES,
  SNAPSHOT_END,
  UPSTREAM_FAILED,
  type UpstreamError,
  UpstreamLink,
} from "../replication/upstream_link.ts";
import {
  CHAIN_CAPABILITY,
  FAILOVER_CAPABILITY,
  ORIGIN_CAPABILITY,
  RENUMBER_CAPABILITY,
  UNNUMBERED_CAPABILITY,
} from "../replication/wire.ts";
import type { Applier, FramePlace } from "./applier.ts";
import { type Durability, SafeOffset, SyncedOffset } from "./durability.ts";
import { HELD_BACK, HeldUnit, NOT_HELD } from "./held_unit.ts";
import type { FailureLog } from "./failure_log.ts";
import { identityOf, type LinkClient, type LinkIdentity } from "./link_client.ts";
import type { Shard } from "./shard.ts";
import { connectWithin, UpstreamSocket } from "./upstream_socket.ts";

/** First size of the read buffer. */
const BUFFER_BYTES = 65_536;
/** Bytes copied in one piece while a large buffer grows; others run in between. */
const COPY_SLICE_BYTES = 1_048_576;
/** Frames applied between two looks at the clock. */
const FRAMES_PER_LOOK = 64;
/** What a follower can do, in v2's handshake. */
const CAPABILITIES: readonly string[] = [
  "rdb",
  RENUMBER_CAPABILITY,
  FAILOVER_CAPABILITY,
  ORIGIN_CAPABILITY,
  CHAIN_CAPABILITY,
  UNNUMBERED_CAPABILITY,
];

/** Where our data stands in an upstream shard's line of offsets. */
export interface Position {
  /** History, or null while the data is not known to be part of one. */
  history: string | null;
  /** Next frame. */
  offset: number;
  /** Database of the next frame. */
  db: number;
  /**
   * Whether the data may hold more than that history's writes (a writable replica's own): then it cannot
   * stand in for the upstream's. Absent: no.
   */
  isMixed?: boolean;
  /** Whether it is a place in our own line: the data is not an upstream's. Absent: no. */
  isOwn?: boolean;
  /**
   * The same place in another line: of whom that upstream follows, if it told, or of a node that follows
   * nobody, which those who followed it know. Files do not have it.
   */
  origin?: LinePlace | null;
}

/** What a runner asks of its follower. All calls are synchronous. */
export interface UpstreamHost {
  /** Lets others run. */
  readonly gate: Gate;
  /** System time. */
  readonly clock: Clock;
  /** Applies frames. */
  readonly applier: Applier;
  /** Ends when the follower stops. */
  readonly stopSignal: AbortSignal;
  /** Password for the upstream, "" for none. */
  readonly password: string;
  /** 1 for kevy's wire. */
  readonly version: 1 | 2;
  /** Number of databases here. */
  readonly databases: number;
  /** What frames may be like. */
  readonly limits: Readonly<DecoderLimits>;
  /** Upstream host and the port of one of its shards. */
  address(shard: number): { hostname: string; port: number };
  /** The claim to make; `position` is what it says of our data. */
  claim(shard: number): {
    position: Position;
    id: string;
    listeningPort: number | null;
    announcedHost: string | null;
  };
  /** Silence that is too long, in ms. */
  timeoutMs(): number;
  /** An id for a link among the clients. */
  nextClientId(): number;
  /** A connection is over when this resolves. */
  drains(connection: Promise<void>): void;
  /** Where frames of a shard go now: the live shards, or a staging. */
  target(shard: number): ShardsPort;
  /** A snapshot begins, or begins again. */
  snapshotBegun(runner: UpstreamRunner): void;
  /** Bytes of it. Throws when the image is bad. */
  snapshotBytes(runner: UpstreamRunner, buf: Uint8Array, start: number, stop: number): void;
  /** It is complete: verifies it and puts it in place. Throws when the image is bad. */
  snapshotEnded(runner: UpstreamRunner, cut: number): void;
  /** The stream goes on from where we stand: null, or why that cannot be. */
  streaming(runner: UpstreamRunner): string | null;
  /** The shard of ours that is this upstream shard's alone, so that its numbering can be told in ours. */
  counterpart(shard: number): Shard | null;
  /** A v1 upstream's very first frame comes: before it there was nothing. */
  beginsAnew(runner: UpstreamRunner): void;
  /** The link has failed in the turn at hand: where the data stands is noted. */
  broken(runner: UpstreamRunner): void;
  /** A connection was not made, or ended; gives whether the layout must be asked again. */
  failed(runner: UpstreamRunner, error: UpstreamError | "ConnectFailed"): boolean;
  /** Whether what a runner applies goes to data that nobody sees yet. */
  isStaged(runner: UpstreamRunner): boolean;
  /** What has to be safe before it is confirmed. */
  readonly durability: Durability;
  /** Frames of all our shards so far. */
  readonly sequence: number;
  /** Asks the layout again; resolves when it is known or the attempt failed. */
  relayout(): Promise<void>;
  /** After a turn that may have written. */
  endTurn(): void;
  /** Something that ROLE or the guards show has changed. */
  changed(): void;
}

/** See the module's text. */
export class UpstreamRunner {
  /** The upstream's shard. */
  readonly shard: number;
  /** Where its frames stand. */
  readonly place: FramePlace;
  /** The present connection's state machine, or the last one's between connections. */
  link: UpstreamLink | null = null;
  /** Bytes of the snapshot arriving. */
  syncBytes = 0;
  /** Failures since the link last streamed. */
  failures = 0;
  /** The last failure. */
  lastError = "";
  /** Steady ms of the last byte; -1 before. */
  lastIoMs: number = -1;
  /** Whether the next handshake must claim nothing. */
  forgetsHistory = false;
  readonly #host: UpstreamHost;
  readonly #log: Log;
  readonly #failures: FailureLog;
  #socket: UpstreamSocket | null = null;
  /** What the present connection is known by among the clients. */
  #identity: LinkIdentity | null = null;
  #stopped = false;
  /** Ends the pause before the next attempt. */
  #wakeUp: (() => void) | null = null;
  /** Ends the wait for the present connection's end. */
  #over: (() => void) | null = null;
  #wasStreaming = false;
  /** Whether the present link claimed nothing, and no snapshot has come on it. */
  #isUnfounded = true;
  /** Frames of a unit whose end has not come. */
  readonly #unit = new HeldUnit();
  readonly #safeOffset = new SafeOffset();
  readonly #counterpart: Shard | null;
  readonly #syncedOffset = new SyncedOffset();
  /** What the upstream was last told is on our disk; -1 on a new link. */
  #saidSynced = -1;
  /** What was applied when it last asked, if the disk did not have all of it; else -1. */
  #wantedSynced = -1;
  #awaitsDisk = false;
  /** The link that is not read while our disk has no room for what it brings; or null. */
  #waiting: UpstreamLink | null = null;
  /** What of the upstream node's sequence was applied when the last connection ended. */
  #reachedBefore = -1;
  /** The frame before which a v1 upstream's stream last had a gap. */
  #gapAt = -1;

  /** A runner for shard `shard` of `shards`; `run` starts it. */
  constructor(
    shard: number,
    shards: number,
    host: UpstreamHost,
    log: Log,
    failures: FailureLog,
  ) {
    this.shard = shard;
    this.#host = host;
    this.#log = log;
    this.#failures = failures;
    this.place = { shard, shards, db: 0, lenient: host.version === 1, command: null };
    this.#counterpart = host.counterpart(shard);
  }

  /** Whether frames flow. */
  get isStreaming(): boolean {
    return this.link?.state.at === "streaming";
  }

  /** How much of the upstream node's sequence is applied, as far as this shard goes; -1 for nothing. */
  get reachedSequence(): number {
    const reached = this.link?.marks.reached ?? -1;
    return reached >= 0 ? reached : this.#reachedBefore;
  }

  /** Runs until `stop`; never throws. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const error = await this.#connectAndServe();
      if (this.#stopped) break;
      const relayout = this.#host.failed(this, error);
      this.#host.changed();
      if (error === "Stopped") continue;
      this.failures++;
      await this.#pause(reconnectDelayMs({ failures: this.failures, random: Math.random() }));
      if (relayout && !this.#stopped) await this.#host.relayout();
    }
  }

  /** Ends the connection and the loop, at once. */
  stop(): void {
    this.#stopped = true;
    this.#end("this node stops following");
  }

  /** Ends the connection; the loop connects anew without waiting. */
  restart(detail: string): void {
    this.#end(detail);
  }

  /**
   * Ends the connection, as an operator asked; the loop connects anew without waiting. Where the data stands
   * is noted at once, for whoever asks before the loop is back.
   */
  kill(detail: string): void {
    const { link } = this;
    if (link === null) return;
    link.fail("Stopped", detail);
    this.#broken(link);
    this.#end(detail);
  }

  /** The present connection, as CLIENT LIST shows it; null while there is none. */
  linkClient(): LinkClient | null {
    const { link, place } = this;
    const socket = this.#socket;
    if (socket === null || link === null || link.state.at === "failed") return null;
    const { clock } = this.#host;
    const unit = this.#unit;
    return {
      ...this.#identity!,
      linkOf: "master",
      peer: place.address!,
      heardMs: clock.nowMs() - (clock.monotonicMs() - link.readMs),
      db: place.db,
      unitFrames: unit.isOpen ? unit.frames.count : -1,
      unitBytes: unit.frames.bytes,
      unreadBytes: socket.unreadBytes,
      bufferBytes: socket.bufferBytes,
      waitingBytes: 0, // an acknowledgement is not worth a buffer
      lastCommand: place.command?.spec.name ?? "NULL",
    };
  }

  #end(detail: string): void {
    this.link?.fail("Stopped", detail);
    this.#socket?.end();
    this.#over?.();
    this.#wakeUp?.();
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

  async #connectAndServe(): Promise<UpstreamError | "ConnectFailed"> {
    const host = this.#host;
    const { hostname, port } = host.address(this.shard);
    const access: Access = { to: "connect", host: hostname, port };
    let conn: Deno.TcpConn;
    try {
      conn = await connectWithin(hostname, port, host.timeoutMs(), host.stopSignal);
    } catch (error) {
      if (!this.#stopped) this.#failure(explainFailure(error, access));
      return "ConnectFailed";
    }
    if (this.#stopped) {
      try {
        conn.close();
      } catch {
        // Closed by the signal that we stop.
      }
      return "Stopped";
    }
    this.place.address = peerOf(conn, hostname, port);
    this.#identity = identityOf(conn, host.nextClientId(), host.clock.nowMs());
    const socket = this.#socket = new UpstreamSocket(conn);
    const link = this.#newLink();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#over = resolve;
    host.drains(
      this.#serve(socket, link).then(() => {
        resolve();
        return socket.drain();
      }),
    );
    await over;
    this.#over = this.#socket = null;
    const { state } = link;
    const error = state.at === "failed" ? state.error : "PeerClosed";
    this.#learn(link, error);
    if (this.#stopped) return error;
    const said = state.at === "failed" ? `${error}: ${state.detail}` : error;
    if (error === "Stopped") {
      this.#log.notice("upstream link begins anew", { upstream_shard: this.shard, because: said });
    } else this.#failure(said);
    return error;
  }

  #newLink(): UpstreamLink {
    const host = this.#host;
    const { position, id, listeningPort, announcedHost } = host.claim(this.shard);
    const { version, password } = host;
    const knows = position.history !== null && !this.forgetsHistory;
    this.#reachedBefore = this.reachedSequence;
    this.place.db = position.db;
    this.place.command = null;
    this.#wasStreaming = false;
    this.#isUnfounded = !knows;
    this.#unit.close();
    this.#safeOffset.reset(knows ? position.offset : 0, host.durability);
    this.#syncedOffset.reset();
    this.#saidSynced = this.#wantedSynced = -1;
    return this.link = new UpstreamLink({
      claim: {
        version,
        offset: knows ? position.offset : 0,
        id,
        history: knows ? position.history : null,
        listeningPort,
        announcedHost,
        capabilities: CAPABILITIES,
        origin: knows ? position.origin ?? null : null,
        ...(password === "" || version === 1 ? {} : { password }),
        timeoutMs: Math.ceil(host.timeoutMs()),
      },
      expects: version === 1 ? null : { shard: this.shard, shards: this.place.shards },
      timeoutMs: () => host.timeoutMs(),
      nowMs: host.clock.monotonicMs(),
      limits: host.limits,
    });
  }

  /** What a failure says about the next claim. */
  #learn(link: UpstreamLink, error: UpstreamError): void {
    if (needsFullSync(error)) this.forgetsHistory = true;
    if (error !== "OffsetGap" || link.claim.version === 2) return;
    // A v1 upstream that was restarted counts from 0 again and says nothing of it.
    if (this.#gapAt === link.appliedOffset) this.forgetsHistory = true;
    this.#gapAt = link.appliedOffset;
  }

  #failure(said: string): void {
    this.lastError = said;
    const { shard } = this;
    const nowMs = this.#host.clock.monotonicMs();
    const fields = { upstream_shard: shard };
    this.#failures.failed(`shard ${shard}`, "upstream link failed", fields, said, nowMs);
  }

  /** Reads and handles until the link has failed; never throws. */
  async #serve(socket: UpstreamSocket, link: UpstreamLink): Promise<void> {
    try {
      await socket.write(link.handshake());
      await this.#read(socket, link);
    } catch (error) {
      link.fail("PeerClosed", error instanceof Error ? error.message : String(error));
      this.#broken(link);
    }
  }

  async #read(socket: UpstreamSocket, link: UpstreamLink): Promise<void> {
    const { conn } = socket;
    const { gate, clock, durability } = this.#host;
    const { decoder } = link;
    // Of this loop alone: one whose link was given up may still wait when the next one reads already.
    let buf = new Uint8Array(BUFFER_BYTES);
    let view = new DataView(buf.buffer);
    let used = 0;
    while (true) {
      if (used === buf.length) {
        const from = decoder.begin;
        if (from > 0 && used - from <= buf.length / 2) {
          buf.copyWithin(0, from, used);
        } else {
          buf = await this.#grown(buf, from, used);
          view = new DataView(buf.buffer);
        }
        decoder.rebase(from);
        used -= from;
      }
      socket.bufferBytes = buf.length;
      socket.unreadBytes = used - decoder.begin;
      const n = await conn.read(buf.subarray(used));
      if (link.state.at === "failed") return;
      if (n === null) {
        link.fail("PeerClosed", "the primary ended the connection");
        this.#broken(link);
        return;
      }
      used += n;
      link.received(this.lastIoMs = clock.monotonicMs());
      let event = NEED_MORE;
      do {
        gate.begin();
        event = this.#events(link, buf, view, used);
        // Before the turn ends, since files are told then where the data stands.
        if (event === UPSTREAM_FAILED) this.#broken(link);
        this.#host.endTurn();
        const others = gate.pass();
        if (event === UPSTREAM_FAILED) return;
        if (others !== null) await others;
        const room = durability.whenRoom();
        if (room !== null) {
          this.#waiting = link;
          await room;
          if (this.#waiting === link) this.#waiting = null;
        }
      } while (event !== NEED_MORE);
      if (decoder.begin === used) {
        decoder.rebase(used);
        used = 0;
        if (buf.length > COPY_SLICE_BYTES) {
          buf = new Uint8Array(BUFFER_BYTES);
          view = new DataView(buf.buffer);
        }
      }
      this.acknowledge();
    }
  }

  /**
   * Before anybody else has a turn who may ask where the data stands. A loop whose link was given up while it
   * waited says nothing of it: that was noted, and what it fed may have been thrown away since.
   */
  #broken(link: UpstreamLink): void {
    if (this.link === link && this.#over !== null) this.#host.broken(this);
  }

  async #grown(
    old: Uint8Array<ArrayBuffer>,
    from: number,
    used: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { gate } = this.#host;
    const fresh = new Uint8Array(Math.max((used - from) * 2, BUFFER_BYTES));
    for (let at = from; at < used; at += COPY_SLICE_BYTES) {
      gate.begin();
      fresh.set(old.subarray(at, Math.min(at + COPY_SLICE_BYTES, used)), at - from);
      const others = gate.pass();
      if (others !== null) await others;
    }
    return fresh;
  }

  /** Handles events until more bytes are needed, the link fails, or the slice is used up. */
  #events(link: UpstreamLink, buf: Uint8Array, view: DataView, used: number): number {
    // Given up while this loop waited: who has written since is nobody that it could know of.
    if (link.state.at === "failed") return UPSTREAM_FAILED;
    const { applier } = this.#host;
    const counterpart = this.#counterpart;
    counterpart?.checkOrigins();
    try {
      return this.#handle(link, buf, view, used);
    } finally {
      applier.close();
      counterpart?.origins.take(counterpart.writes);
    }
  }

  #handle(link: UpstreamLink, buf: Uint8Array, view: DataView, used: number): number {
    const host = this.#host;
    const { applier } = host;
    const { decoder } = link;
    const { place, shard } = this;
    let nowMs = host.clock.nowMs();
    let untilLook = FRAMES_PER_LOOK;
    let ahead = 0;
    while (true) {
      const event = link.next(buf, used);
      if (event === NEED_MORE || event === UPSTREAM_FAILED) return event;
      if (!this.#wasStreaming && link.state.at === "streaming" && event !== SNAPSHOT_END) {
        const hindrance = host.streaming(this);
        if (hindrance !== null) {
          link.refuseStream(hindrance);
          this.restart(hindrance);
          return UPSTREAM_FAILED;
        }
        if (link.isRenumbered && !this.#renumber(link)) return UPSTREAM_FAILED;
        this.#streams();
      }
      switch (event) {
        case FRAME:
          applier.open(host.target(shard), place, nowMs);
          if (decoder.at < used && --ahead < 0) {
            ahead = applier.lookAhead(place, buf, view, decoder, decoder.at, used);
          }
          if (place.lenient && decoder.offset === 0 && this.#isUnfounded) host.beginsAnew(this);
          if (!this.#frame(link, buf, view)) return UPSTREAM_FAILED;
          break;
        case SNAPSHOT_BYTES:
        case SNAPSHOT_BEGIN:
        case SNAPSHOT_END:
          applier.close();
          if (!this.#snapshot(event, link, buf)) return UPSTREAM_FAILED;
          break;
        case ACK:
        case CHAIN:
          host.changed();
          break;
        case HEARTBEAT:
          // An upstream that begins to count anew has forgotten what it told before.
          if (decoder.sequence < this.#reachedBefore) this.#reachedBefore = -1;
          break;
      }
      if (--untilLook === 0 || event === SNAPSHOT_BYTES) {
        if (host.gate.isDue) return event;
        untilLook = FRAMES_PER_LOOK;
        nowMs = host.clock.nowMs();
      }
    }
  }

  /** The stream goes on in the primary's own numbers. */
  #renumber(link: UpstreamLink): boolean {
    const { place } = this;
    const { renumberedDb: db } = link;
    const { databases } = this.#host;
    if (db >= databases) {
      link.fail("ApplyFailed", `database ${db} with ${databases} databases`);
      return false;
    }
    if (db >= 0) place.db = db;
    this.#safeOffset.reset(link.appliedOffset, this.#host.durability);
    this.#syncedOffset.reset();
    return true;
  }

  /** The link has become a stream. */
  #streams(): void {
    this.#wasStreaming = true;
    this.failures = 0;
    this.lastError = "";
    this.#failures.worked(`shard ${this.shard}`);
    this.#host.changed();
  }

  /**
   * Applies a frame, or holds it while it is part of a unit: the link's offset then stays before the
   * unit, so that a claim made in the middle asks for all of it again.
   */
  #frame(link: UpstreamLink, buf: Uint8Array, view: DataView): boolean {
    const { applier } = this.#host;
    const { decoder } = link;
    const place = this.place;
    const unit = this.#unit;
    // A v1 upstream sends what its clients sent, which need not make whole units.
    const taken = place.lenient ? NOT_HELD : unit.take(buf, decoder);
    if (taken === HELD_BACK) return true;
    if (typeof taken === "string") {
      link.fail(taken, `frame ${decoder.offset}, ${unit.frames.bytes} bytes held before it`);
      return false;
    }
    const failure = taken === NOT_HELD
      ? applier.apply(place, buf, decoder, view)
      : applier.applyUnit(place, unit.frames);
    if (taken !== NOT_HELD) unit.close();
    if (failure !== null) {
      link.fail(failure.name, failure.detail);
      return false;
    }
    link.applied(decoder.offset + 1);
    this.#counterpart?.applied(decoder.offset + 1, place.db);
    return true;
  }

  #snapshot(event: number, link: UpstreamLink, buf: Uint8Array): boolean {
    const host = this.#host;
    const { decoder } = link;
    try {
      if (event === SNAPSHOT_BEGIN) {
        // A primary whose backlog has overtaken us in the middle of a unit; the snapshot has all of it.
        this.#unit.close();
        this.syncBytes = 0;
        this.#syncedOffset.reset();
        this.#wasStreaming = this.#isUnfounded = false;
        // The log tells of each snapshot that begins, and so of each that breaks off.
        this.#failures.worked(`shard ${this.shard}`);
        host.snapshotBegun(this);
      } else if (event === SNAPSHOT_BYTES) {
        this.syncBytes += decoder.bytesStop - decoder.bytesStart;
        host.snapshotBytes(this, buf, decoder.bytesStart, decoder.bytesStop);
      } else {
        host.snapshotEnded(this, decoder.offset);
        this.forgetsHistory = false;
        this.#reachedBefore = -1;
        link.applied(decoder.offset);
        this.#safeOffset.reset(0, host.durability);
        this.#streams();
      }
      return true;
    } catch (error) {
      link.fail("BadSnapshot", error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Sends an acknowledgement if one is due. */
  acknowledge(): void {
    const { link } = this;
    const socket = this.#socket;
    if (link === null || socket === null || socket.isWriting) return;
    const nowMs = this.#host.clock.monotonicMs();
    if (!link.ackDue(nowMs)) return;
    const { isAckWanted } = link;
    if (isAckWanted && !this.#host.durability.isDurable) void this.#acknowledgeAgain(link);
    this.#writeAck(socket, link, nowMs);
    if (isAckWanted && this.#saidSynced < link.appliedOffset) {
      this.#wantedSynced = link.appliedOffset;
    }
  }

  #writeAck(socket: UpstreamSocket, link: UpstreamLink, nowMs: number): void {
    const safe = this.#safeOffset.of(link.appliedOffset, this.#host.durability);
    const synced = Math.min(safe, this.#syncedOn(link));
    this.#saidSynced = Math.max(this.#saidSynced, synced);
    if (this.#saidSynced >= this.#wantedSynced) this.#wantedSynced = -1;
    socket.write(link.takeAck(nowMs, safe, synced)).catch(() => {}); // The read loop learns of it too.
  }

  /** Up to which of the link's frames our disk has the data that clients see; -1 if it keeps none. */
  #syncedOn(link: UpstreamLink): number {
    const host = this.#host;
    if (link.state.at !== "streaming" || host.isStaged(this)) return -1;
    return this.#syncedOffset.of(link.appliedOffset, host.sequence, host.durability);
  }

  /** More may be on our disk: an upstream that waits for it is told. */
  synced(): void {
    const { link } = this;
    const socket = this.#socket;
    if (this.#wantedSynced < 0 || link === null || socket === null || socket.isWriting) return;
    if (this.#syncedOn(link) > this.#saidSynced) {
      this.#writeAck(socket, link, this.#host.clock.monotonicMs());
    }
  }

  /** Who waits for what is applied is told as soon as the disk has it. */
  async #acknowledgeAgain(link: UpstreamLink): Promise<void> {
    if (this.#awaitsDisk) return;
    this.#awaitsDisk = true;
    const { clock, durability } = this.#host;
    await durability.whenDurable();
    this.#awaitsDisk = false;
    const socket = this.#socket;
    if (this.link !== link || socket === null || socket.isWriting) return;
    this.#writeAck(socket, link, clock.monotonicMs());
  }

  /** Deadlines and acknowledgements; called every 100 ms or so. */
  tick(): void {
    const { link } = this;
    if (link === null || this.#socket === null) return;
    if (!link.tick(this.#host.clock.monotonicMs(), this.#waiting !== link)) {
      this.acknowledge();
      this.synced();
      return;
    }
    this.#broken(link);
    this.#socket.close();
    this.#over?.();
  }
}

/** `ip:port` of the other end; as it was asked for where that has gone already. */
function peerOf(conn: Deno.TcpConn, hostname: string, port: number): string {
  try {
    return addressOf(conn.remoteAddr);
  } catch {
    return addressOf({ transport: "tcp", hostname, port });
  }
}
