/**
 * One replica of ours, from its first byte to its close: a state machine that is given bytes, time and
 * decisions, and says what to write. It touches no socket and no timer. Its pump is a loop:
 *
 *     receive(bytes) -> LINK_CLAIM:  reject | acceptFrames | acceptShip ... beginShip
 *                       LINK_ACKED:  somebody may be waiting for it
 *     nextOutput()  -> OUTPUT_BYTES: write `output`, then `written(n)`; if `takeProgress`, somebody
 *                                    may be waiting for it
 *                      OUTPUT_LOST:  the backlog has moved on: requestShip, or close
 *                      OUTPUT_WAIT:  nothing now
 *                      OUTPUT_FINISH: half-close, read to the end, close
 *     tick()        -> LINK_WAKE:    nextOutput has something again
 *
 * What goes out is, in this order of precedence: the rest of what was begun, control lines, frames as
 * views of the backlog's own segments, or chunks as the worker made them. Control lines are put
 * between frames and chunks, never into one. The states are link_state.ts's.
 *
 * @module
 */

import { invariant, unreachable } from "../base/invariant.ts";
import { type Backlog, type Cursor, CURSOR_LOST, type Pin } from "./backlog.ts";
import {
  type HandshakeRejection,
  type HandshakeRequest,
  reject,
  rejectionText,
} from "./handshake.ts";
import { type CloseName, keptByClose, LINK_MOVES, type LinkState } from "./link_state.ts";
import {
  INPUT_ACK,
  INPUT_FAILED,
  INPUT_HANDSHAKE,
  INPUT_JUNK,
  INPUT_NOTHING,
  INPUT_REJECTED,
  INPUT_SYNCED,
  ReplicaInput,
} from "./replica_input.ts";
import { MarkQueue } from "./mark_queue.ts";
import { NUMBERED_VIEW_BYTES_MAX, NumberedFrames } from "./numbered_frames.ts";
import type { OriginPoint, Origins } from "./origins.ts";
import type { ShipReason } from "./resume.ts";
import { HeartbeatPace } from "./heartbeat_pace.ts";
import { CHUNK_FLIGHT, CONTROL_FLIGHT, FRAMES_FLIGHT, NO_FLIGHT, Outbox } from "./outbox.ts";
import { SequenceMarks } from "./sequence_marks.ts";
import { Silence } from "./silence.ts";
import { QUEUED_CHUNK_BYTES_MAX, ShipQueue } from "./ship_queue.ts";
import { slotKey } from "./slots.ts";
import {
  CHAIN_CAPABILITY,
  encodeAckV1,
  encodeAckV2,
  encodeBareFrame,
  encodeChain,
  encodeFrames,
  encodeHeartbeat,
  encodeOrigin,
  encodeRefusal,
  encodeSnapshotEnd,
  GET_ACK_LINE,
  ORIGIN_CAPABILITY,
  SNAPSHOT_BEGIN_LINE,
  UNNUMBERED_CAPABILITY,
} from "./wire.ts";

/** Nothing for the caller to do. */
export const LINK_NOTHING = 0;
/** The acknowledged offset has grown, or the synced one. */
export const LINK_ACKED = 1;
/** The handshake has come: `claim` waits for a decision. */
export const LINK_CLAIM = 2;
/** The link was closed by this call; the pump has a refusal to write, or nothing. */
export const LINK_CLOSED = 3;
/** `nextOutput` has something to write. */
export const LINK_WAKE = 4;

/** Nothing to write until frames, chunks or a tick come. */
export const OUTPUT_WAIT = 0;
/** Write `output`. */
export const OUTPUT_BYTES = 1;
/** The next frame is evicted; the caller decides between `requestShip` and `close`. */
export const OUTPUT_LOST = 2;
/** Everything is written; end the connection. */
export const OUTPUT_FINISH = 3;

/** Most bytes of frames in one write: some 0.1 ms of a socket's time, so that chunks of others pass. */
export const VIEW_BYTES_MAX = 262_144;

/** Most bytes of frames that are copied in order to ask for their acknowledgement in the same write. */
export const JOINED_BYTES_MAX = 16_384;

/**
 * Heartbeats in the time after which a replica gives up a silent primary, and questions to a silent
 * replica in the time after which we give it up: some of them may come late.
 */
const SIGNS_PER_TIMEOUT = 4;

/** Points of our origin, from where a replica stands on, that are told at once; of more, the latest. */
const ORIGINS_AT_ONCE = 8;

/** Times in milliseconds; read anew each time, so that settings can change. */
export interface LinkSettings {
  /** `replication-handshake-timeout-ms`. */
  handshakeTimeoutMs: number;
  /** `repl-timeout`. */
  timeoutMs: number;
  /** `repl-ping-replica-period`: at most this between two heartbeats; less for a short timeout. */
  heartbeatMs: number;
  /** `repl-output-limit`: no chunk is asked for that might not fit in it. */
  pendingBytesMax: number;
}

/** The settings of PROTOCOL.md, sections 2 and 3. */
export const DEFAULT_LINK_SETTINGS: Readonly<LinkSettings> = {
  handshakeTimeoutMs: 5000,
  timeoutMs: 5000,
  heartbeatMs: 1000,
  pendingBytesMax: 1024 * 1024,
};

/** What a link reads of its shard; the values of the moment. */
export interface LinkSource {
  /** The shard's frames. */
  readonly backlog: Backlog;
  /** The shard's line of offsets. */
  readonly history: string;
  /** The shard's number. */
  readonly shard: number;
  /** How many shards the node has. */
  readonly shards: number;
  /** Frames of all shards of the node so far. */
  readonly sequence: number;
  /** Where the shard's frames come from, if it follows another. */
  readonly origins: Origins;
  /** How many frames of the shard have changed data, for `origins`. */
  readonly writes: number;
  /** The nodes (`chainId`) that its frames come through, its own first; another array when they change. */
  readonly chain: readonly string[];
}

/** The primary's side of one replication connection. Times are milliseconds of one steady clock. */
export class ReplicaLink {
  /** The peer's address, port included, for logs and INFO. */
  readonly peer: string;
  /** The peer's address without the port. */
  readonly peerHost: string;
  /** The handshake, once it has come. */
  claim: HandshakeRequest | null = null;
  /** A ship that is decided and has not begun: why, else null. */
  waiting: ShipReason | null = null;
  /** The number of the `FLUSHALL` before the latest ship, on v1: for `SlotTable.noteFlush`. */
  flushedAt: number | null = null;
  /** Whether everything the backlog had was written at some moment since the stream began. */
  caughtUp = false;
  /** Since when. */
  caughtUpMs: number = -1;
  /** Whether a ship has begun whose end mark was not given to the socket; stays so on a close. */
  isShipping = false;
  /** When the peer was last heard of. */
  readMs: number;
  /** Which part of the node's sequence the acknowledgements cover. */
  readonly marks: SequenceMarks = new SequenceMarks();

  /** The same for what the replica says is on its disk. */
  readonly syncedMarks: MarkQueue = new MarkQueue();

  /** What of `marks.reached` was taken note of. */
  #toldReached = -1;
  /**
   * Frames before this one were confirmed on this link; -1 before. What was claimed is not: it is
   * applied, but it need not be on the replica's disk where that has to be so first.
   */
  #confirmedOffset = -1;
  /** Frames before this one are on the replica's disk; -1 while it says nothing of it. */
  #syncedOffset = -1;
  readonly #source: LinkSource;
  readonly #settings: Readonly<LinkSettings>;
  readonly #openedMs: number;
  readonly #input = new ReplicaInput();
  #state: LinkState = { at: "handshakePending" };
  readonly #out = new Outbox();
  /** Of signs of life, and of the socket's taking what it is given. */
  readonly #silence: Silence;
  readonly #progress: Silence;
  /**
   * When a chunk was last taken. That is a sign of life, too: a replica that loads takes what it can,
   * and may have no time to speak.
   */
  #chunkMs: number;
  readonly #pace: HeartbeatPace;
  /** Whether the frame at hand is written in part, by a view that had to end inside it. */
  #inFrame = false;
  /**
   * Whether a heartbeat was the last thing to go out. The next one then waits for a frame or chunk that
   * is there, or a socket slow enough to take a second for a line would take nothing but heartbeats.
   */
  #beatLast = false;
  /** Whether the replica wants to hear where our frames come from. */
  #wantsOrigins = false;
  /** `Origins.version` as of what it was told; -1 when that has to be told anew. */
  #originsVersion = -1;
  /** The latest point that it was told and that is good. */
  #told: OriginPoint | null = null;
  /** Puts numbers to frames; null for a replica that counts them itself. */
  #numbered: NumberedFrames | null = null;
  /** Whether such a replica knows which frame comes next. */
  #isCounted = false;
  /** Whether the replica wants to hear which nodes frames come through; and what it was told. */
  #wantsChain = false;
  #chainTold: readonly string[] | null = null;
  #cursor: Cursor | null = null;
  /** Keeps the frames behind a ship until the stream has nearly caught up. */
  #pin: Pin | null = null;
  #ship: ShipQueue | null = null;
  #cutOffset = 0;

  /** A link whose connection was accepted at `nowMs`. */
  constructor(o: {
    source: LinkSource;
    settings?: Readonly<LinkSettings>;
    peer: string;
    peerHost: string;
    nowMs: number;
  }) {
    this.#source = o.source;
    this.#settings = o.settings ?? DEFAULT_LINK_SETTINGS;
    this.peer = o.peer;
    this.peerHost = o.peerHost;
    this.#openedMs = this.readMs = this.#chunkMs = o.nowMs;
    this.#silence = new Silence(o.nowMs);
    this.#progress = new Silence(o.nowMs);
    this.#pace = new HeartbeatPace(o.nowMs);
  }

  /** The state; only this link changes it. */
  get state(): Readonly<LinkState> {
    return this.#state;
  }

  /** Under which key the replica is remembered, or null before its handshake. */
  get key(): string | null {
    const { claim, peerHost } = this;
    return claim === null ? null : slotKey({ version: claim.version, id: claim.id, peerHost });
  }

  /** After `OUTPUT_BYTES`: what to write. Valid until it is reported as written. */
  get output(): Uint8Array {
    return this.#out.output;
  }

  /** Bytes queued for the socket or on their way to it. */
  get pendingBytes(): number {
    const { flight, output, controlBytes } = this.#out;
    return controlBytes + (this.#ship?.bytes ?? 0) + (flight === FRAMES_FLIGHT ? output.length : 0);
  }

  /**
   * The least frame number that this link may still need of the backlog, `Infinity` when none: what
   * the shard takes for `Backlog.keepFrom`.
   */
  get neededFrom(): number {
    const state = this.#state;
    if (state.at === "closed" || state.at === "handshakePending") return Infinity;
    return keptByClose(state).offset;
  }

  // ---- bytes in ---------------------------------------------------------------------------------

  /** Takes what the peer sent. The bytes are looked at before this returns. */
  receive(src: Uint8Array, start: number, stop: number, nowMs: number): number {
    if (this.#state.at === "closed") return LINK_NOTHING;
    if (stop > start) this.readMs = nowMs;
    const input = this.#input;
    input.push(src, start, stop);
    let result = LINK_NOTHING;
    while (true) {
      switch (input.next()) {
        case INPUT_NOTHING:
          return result;
        case INPUT_HANDSHAKE:
          this.claim = input.handshake;
          this.#wantsOrigins = input.handshake!.capabilities.includes(ORIGIN_CAPABILITY);
          this.#wantsChain = input.handshake!.capabilities.includes(CHAIN_CAPABILITY);
          if (!input.handshake!.capabilities.includes(UNNUMBERED_CAPABILITY)) {
            this.#numbered = new NumberedFrames();
          }
          result = LINK_CLAIM;
          break;
        case INPUT_ACK:
          result = Math.max(result, this.#acknowledge(input.ackOffset));
          if (result === LINK_CLOSED) return LINK_CLOSED;
          break;
        case INPUT_SYNCED:
          result = Math.max(result, this.#noteSynced(input.ackOffset));
          if (result === LINK_CLOSED) return LINK_CLOSED;
          break;
        case INPUT_REJECTED:
          this.reject(input.rejection!);
          return LINK_CLOSED;
        case INPUT_JUNK:
          this.close("JunkLimit", "64 KiB without a newline");
          return LINK_CLOSED;
        case INPUT_FAILED:
          this.close("BadReplicaInput", input.failure);
          return LINK_CLOSED;
      }
    }
  }

  /** The peer has ended its side, or the socket failed. */
  receiveEnd(detail: string): void {
    this.close("PeerClosed", detail);
  }

  /** Takes an acknowledgement: `LINK_ACKED` when it says something new, `LINK_CLOSED` when it cannot be. */
  #acknowledge(offset: number): number {
    const state = this.#state;
    // Before the stream and during a ship an acknowledgement only says that the replica is there.
    if (state.at !== "streaming" || this.#cursor === null) return LINK_NOTHING;
    const { viewStopOffset } = this.#cursor;
    if (offset > viewStopOffset) {
      this.close("AckAhead", `acknowledged ${offset}, was sent ${viewStopOffset}`);
      return LINK_CLOSED;
    }
    if (offset < this.#cutOffset || offset <= this.#confirmedOffset) return LINK_NOTHING;
    this.#confirmedOffset = state.ackedOffset = offset;
    this.marks.advance(offset);
    return LINK_ACKED;
  }

  /** Takes the replica's word on its disk; gives what `#acknowledge` gives. */
  #noteSynced(offset: number): number {
    const state = this.#state;
    if (state.at !== "streaming" || offset < this.#cutOffset) return LINK_NOTHING;
    const acked = state.ackedOffset ?? this.#cutOffset;
    if (offset > acked) {
      this.close("SyncAhead", `${offset} is on its disk, acknowledged ${acked}`);
      return LINK_CLOSED;
    }
    if (offset <= this.#syncedOffset) return LINK_NOTHING;
    this.#syncedOffset = offset;
    this.syncedMarks.advance(offset);
    return LINK_ACKED;
  }

  // ---- decisions --------------------------------------------------------------------------------

  /** Refuses the handshake: the text is written, then the connection ends. */
  reject(rejection: HandshakeRejection): void {
    if (this.#state.at !== "handshakePending") return;
    this.#close(rejection.name, rejection.detail);
    this.#out.queue(encodeRefusal(rejectionText(rejection)));
  }

  /**
   * Answers the claim with frames from its offset on, which the backlog holds; or from `renumbered.from`
   * on, which is what the claimed offset is in our numbers. Once per link.
   */
  acceptFrames(renumbered: { from: number; db: number } | null = null): void {
    const claim = this.claim;
    if (this.#state.at !== "handshakePending" || claim === null || this.waiting !== null) return;
    const { backlog } = this.#source;
    const from = renumbered?.from ?? claim.offset;
    const cursor = backlog.cursorAt(from);
    invariant(cursor !== null, `frames from ${from} are held`);
    this.#cursor = cursor;
    backlog.keepFrom = Math.min(backlog.keepFrom, from);
    this.#cutOffset = from;
    this.#queueAck(claim, from, renumbered);
    this.#enter({ at: "ackSent", id: claim.id, fromOffset: from });
  }

  /** Answers the claim with a snapshot that `beginShip` will start. Once per link. */
  acceptShip(because: ShipReason): void {
    const claim = this.claim;
    if (this.#state.at !== "handshakePending" || claim === null || this.waiting !== null) return;
    this.waiting = because;
    // v2's ACK carries the cut, so it waits for the freeze; v1's echoes what was asked.
    if (claim.version === 2) return;
    this.#queueAck(claim, claim.offset);
    this.#enter({ at: "ackSent", id: claim.id, fromOffset: claim.offset });
  }

  /** Turns a stream whose frames were evicted (`OUTPUT_LOST`) to a snapshot. */
  requestShip(because: ShipReason): void {
    if (this.#state.at !== "streaming" || this.waiting !== null) return;
    invariant(this.#out.flight !== FRAMES_FLIGHT, "frames on their way are not given up");
    this.waiting = because;
    this.#releaseCursor();
  }

  /**
   * The shard was frozen with `cutOffset` as the next frame, and `pin` keeps the frames from there on;
   * the link takes the pin over. Chunks may be offered from now on, against credits.
   */
  beginShip(cutOffset: number, pin: Pin): void {
    const claim = this.claim;
    if (this.#state.at === "closed") return this.#source.backlog.unpin(pin);
    invariant(this.waiting !== null && claim !== null, "a ship begins that was asked for");
    this.waiting = null;
    this.isShipping = true;
    this.#ship = new ShipQueue();
    this.#cutOffset = cutOffset;
    this.#dropPin();
    this.#pin = pin;
    this.#originsVersion = -1;
    this.#told = null;
    this.marks.reset();
    this.syncedMarks.reset();
    this.#syncedOffset = this.#confirmedOffset = -1;
    this.caughtUp = false;
    const state = this.#state;
    if (state.at === "handshakePending") {
      this.#queueAck(claim, cutOffset);
      this.#enter({ at: "ackSent", id: claim.id, fromOffset: claim.offset });
    }
    if (claim.version === 1) {
      // A kevy replica loads a snapshot into what it has; this makes it have nothing.
      const streams = state.at === "streaming";
      const expected = streams ? String(state.sentOffset) : claim.offsetDigits;
      this.flushedAt = streams ? state.sentOffset : claim.offset;
      this.#out.queue(encodeBareFrame(expected, "FLUSHALL"));
    }
    this.#out.queue(SNAPSHOT_BEGIN_LINE);
    if (state.at === "streaming") this.#enterShipping(claim.id);
  }

  /** For how many more chunks there is room now. 0 while the socket is behind, or when no ship runs. */
  get credits(): number {
    if (this.#ship === null || this.#ship.ended) return 0;
    const room = this.#settings.pendingBytesMax - this.pendingBytes;
    return Math.max(0, Math.floor(room / QUEUED_CHUNK_BYTES_MAX));
  }

  /** A chunk of the image, `buf[start..stop)`, 1 to 65536 bytes; the buffer is the link's from now on. */
  offerChunk(buf: Uint8Array, start: number, stop: number): void {
    this.#ship?.push(buf, start, stop);
  }

  /** Chunks of the ship that wait to be written, or are being. */
  get chunksWaiting(): number {
    return this.#ship?.length ?? 0;
  }

  /** All chunks were offered. */
  endShip(): void {
    if (this.#ship !== null) this.#ship.ended = true;
  }

  /**
   * How much of the node's sequence the replica has, as far as it is known; -1 for nothing. On v1 what
   * was sent counts.
   */
  get reachedSequence(): number {
    const state = this.#state;
    if (state.at !== "streaming") return -1;
    if (this.claim?.version === 1) {
      const { backlog, sequence } = this.#source;
      this.marks.note(backlog.nextOffset, sequence, state.sentOffset);
    }
    return this.marks.reached;
  }

  /**
   * How much of the node's sequence is on the replica's disk, as far as it is known; -1 while the replica
   * says nothing of its disk.
   */
  get syncedSequence(): number {
    if (this.#state.at !== "streaming" || this.#syncedOffset < 0) return -1;
    return Math.max(0, this.syncedMarks.reached);
  }

  /**
   * Whether more of the node's sequence is reached than when this was last asked; the pump asks after
   * `OUTPUT_BYTES`. A heartbeat tells so by itself when it pairs an offset that was acknowledged before
   * with a greater sequence, and the acknowledgement that answers it then says nothing new. What is on
   * the replica's disk cannot grow so without it, since that was acknowledged too.
   */
  takeProgress(): boolean {
    const { reached } = this.marks;
    const hasGrown = reached > this.#toldReached;
    this.#toldReached = reached;
    return hasGrown;
  }

  /** A v2 replica is asked to acknowledge what it has, once it was sent what the backlog has now. */
  requestAck(): void {
    if (this.claim?.version !== 2 || this.#state.at !== "streaming") return;
    this.#pace.wantAck(this.#source.backlog.nextOffset);
  }

  // ---- bytes out --------------------------------------------------------------------------------

  /** What to write next. After `OUTPUT_BYTES` it gives the same bytes until they are `written`. */
  nextOutput(nowMs: number): number {
    const out = this.#out;
    if (out.flight !== NO_FLIGHT) return OUTPUT_BYTES;
    if (this.#inFrame) return this.#nextFrames(nowMs);
    if (out.hasControl) {
      out.sendControl(nowMs);
      return OUTPUT_BYTES;
    }
    const state = this.#state;
    switch (state.at) {
      case "handshakePending":
        return this.waiting === null ? OUTPUT_WAIT : this.#nextHeartbeat(nowMs);
      case "ackSent":
        return OUTPUT_WAIT;
      case "streaming":
        return this.#nextFrames(nowMs);
      case "snapshotShipping":
        return this.#nextChunk(nowMs);
      case "closed":
        return OUTPUT_FINISH;
      default:
        return unreachable(state);
    }
  }

  /** `bytes` of `output` were taken by the socket. */
  written(bytes: number, nowMs: number): void {
    const { flight, frameBytes } = this.#out;
    const done = this.#out.written(bytes, nowMs);
    switch (flight) {
      case CONTROL_FLIGHT:
        if (!this.#out.hasControl) this.#controlDrained();
        return;
      case FRAMES_FLIGHT:
        if (frameBytes > 0) this.#framesWritten(Math.min(bytes, frameBytes), bytes >= frameBytes);
        return;
      case CHUNK_FLIGHT:
        if (bytes > 0) this.#chunkMs = nowMs;
        if (done) this.#ship?.shift();
        if (this.#state.at === "snapshotShipping") this.#state.sentBytes += bytes;
        return;
    }
  }

  /**
   * Deadlines and heartbeats; the shard calls it every 100 ms or so, and what counts when it comes late,
   * `silence.ts` says. `LINK_CLOSED`: this call closed
   * the link, and a write that is under way must be broken off unless the pump is to say a refusal.
   */
  tick(nowMs: number): number {
    const state = this.#state;
    const { handshakeTimeoutMs, timeoutMs } = this.#settings;
    if (state.at === "closed") return LINK_NOTHING;
    if (this.claim === null) {
      if (!this.#silence.isOver(nowMs, this.#openedMs, handshakeTimeoutMs)) return LINK_NOTHING;
      this.reject(reject("TooSlow", `no handshake within ${handshakeTimeoutMs} ms`));
      return LINK_CLOSED;
    }
    const { flight, progressMs } = this.#out;
    const takenMs = flight === NO_FLIGHT ? nowMs : progressMs;
    if (this.#progress.isOver(nowMs, takenMs, timeoutMs)) {
      this.close("NoProgress", `nothing was taken for ${timeoutMs} ms`);
      return LINK_CLOSED;
    }
    if (this.claim.version === 1) return LINK_NOTHING;
    if (this.#silence.isOver(nowMs, Math.max(this.readMs, this.#chunkMs), timeoutMs)) {
      this.close("SilentReplica", `nothing was heard for ${timeoutMs} ms`);
      return LINK_CLOSED;
    }
    const pace = this.#pace;
    const due = pace.dueWhenDrained(nowMs, this.#heartbeatMs) || pace.ackWanted;
    return due ? LINK_WAKE : LINK_NOTHING;
  }

  /**
   * Ends the link and keeps what the slot table needs; nothing happens on a closed one. Lines that
   * were queued are not written; a refusal is.
   */
  close(because: CloseName, detail = ""): void {
    this.#close(because, detail);
  }

  /** The pump has stopped: no write is under way any more, and the backlog may forget this reader. */
  dispose(): void {
    this.close("PeerClosed", "");
    this.#out.clear();
    this.#releaseCursor();
  }

  #close(because: CloseName, detail: string): void {
    if (this.#state.at === "closed") return;
    this.#enter({ at: "closed", ...keptByClose(this.#state), because, detail });
    this.waiting = null;
    this.#ship = null;
    this.#inFrame = false;
    this.#dropPin();
    this.#out.dropWaiting();
    // A view on its way stays as it is until the pump says that nobody writes it any more.
    if (this.#out.flight !== FRAMES_FLIGHT) this.#releaseCursor();
  }

  #enter(next: LinkState): void {
    const from = this.#state.at;
    invariant(LINK_MOVES[from].includes(next.at), `a replica link cannot go ${from} -> ${next.at}`);
    this.#state = next;
  }

  #queueAck(
    claim: HandshakeRequest,
    offset: number,
    renumbered: { db: number } | null = null,
  ): void {
    const { history, shard, shards } = this.#source;
    const place = { offset, history, shard, shards };
    this.#out.queue(
      claim.version === 1 ? encodeAckV1(claim.offsetDigits) : encodeAckV2(
        renumbered === null ? place : { ...place, continues: claim.offset, db: renumbered.db },
      ),
    );
  }

  #send(flight: number, bytes: Uint8Array, nowMs: number): number {
    this.#out.send(flight, bytes, nowMs);
    this.#beatLast = false;
    return OUTPUT_BYTES;
  }

  /** A heartbeat, when one is due on a link that has nothing else to send. */
  #nextHeartbeat(nowMs: number): number {
    if (this.claim?.version !== 2) return OUTPUT_WAIT;
    if (!this.#pace.dueWhenDrained(nowMs, this.#heartbeatMs)) return OUTPUT_WAIT;
    return this.#sendHeartbeat(nowMs);
  }

  /** Between two heartbeats: our period, or less when either side's timeout is short for it. */
  get #heartbeatMs(): number {
    const { heartbeatMs, timeoutMs } = this.#settings;
    const shorterMs = Math.min(timeoutMs, this.claim?.timeoutMs ?? Infinity);
    return Math.min(heartbeatMs, shorterMs / SIGNS_PER_TIMEOUT);
  }

  /** See `#queueHeartbeat`. */
  #sendHeartbeat(nowMs: number, asks = false): number {
    this.#queueHeartbeat(nowMs, this.#cursor?.offset ?? -1, asks);
    this.#out.sendControl(nowMs);
    return OUTPUT_BYTES;
  }

  /**
   * A heartbeat goes out before frame `next` (-1: no frames follow), and with it the wish for an
   * acknowledgement, if `asks` says so or the replica has not been heard of for a while: it acknowledges by
   * itself at a pace that suits its timeout.
   */
  #queueHeartbeat(nowMs: number, next: number, asks: boolean): void {
    const { history, sequence, backlog } = this.#source;
    const state = this.#state;
    this.#out.queue(encodeHeartbeat(history, backlog.nextOffset, sequence));
    // Before the ACK nothing can be asked, and each heartbeat is answered.
    const isQuiet = state.at !== "handshakePending" &&
      nowMs - this.readMs >= this.#settings.timeoutMs / SIGNS_PER_TIMEOUT;
    if (asks || isQuiet) this.#out.queue(GET_ACK_LINE);
    this.#pace.sent(nowMs);
    this.#beatLast = true;
    if (state.at !== "streaming") return;
    // Once in a while the replica's count is held against ours.
    if (this.#numbered === null && next >= 0) this.#queueCount(next);
    this.marks.note(backlog.nextOffset, sequence, this.#confirmedOffset);
    this.syncedMarks.note(backlog.nextOffset, sequence, this.#syncedOffset);
  }

  #nextFrames(nowMs: number): number {
    const cursor = this.#cursor;
    if (cursor === null) return this.#nextHeartbeat(nowMs);
    const { backlog } = this.#source;
    const version = this.claim?.version;
    if (!this.#inFrame && version === 2) {
      if (this.#pace.takeAckRequest(cursor.offset)) return this.#sendHeartbeat(nowMs, true);
      const due = this.#pace.due(nowMs, this.#heartbeatMs);
      if (due && !this.#beatLast) return this.#sendHeartbeat(nowMs);
    }
    if (this.#wantsChain && !this.#inFrame && this.#source.chain !== this.#chainTold) {
      this.#out.queue(encodeChain(this.#chainTold = this.#source.chain));
      this.#out.sendControl(nowMs);
      return OUTPUT_BYTES;
    }
    const numbered = this.#numbered;
    const view = backlog.view(cursor, numbered ? NUMBERED_VIEW_BYTES_MAX : VIEW_BYTES_MAX);
    if (this.#wantsOrigins && !this.#inFrame) {
      const isTold = view === null || cursor.viewEndsFrame
        ? this.#tellOrigins(cursor.offset)
        : this.#forgetOrigins();
      if (isTold) {
        this.#out.sendControl(nowMs);
        return OUTPUT_BYTES;
      }
    }
    if (view !== null) {
      if (numbered === null && !this.#isCounted) {
        this.#queueCount(cursor.offset);
        this.#out.sendControl(nowMs);
        return OUTPUT_BYTES;
      }
      this.#pace.unreported = true;
      const bytes = numbered ? this.#number(numbered, cursor) : view;
      if (version === 2 && this.#asksBehind(cursor, bytes.length)) {
        this.#queueHeartbeat(nowMs, cursor.viewStopOffset, true);
        this.#out.sendWithControl(bytes, nowMs);
        return OUTPUT_BYTES;
      }
      return this.#send(FRAMES_FLIGHT, bytes, nowMs);
    }
    if (backlog.readable(cursor) === CURSOR_LOST) return OUTPUT_LOST;
    // A v2 replica has caught up when it has confirmed something: its snapshot was good.
    const state = this.#state;
    if (!this.caughtUp && state.at === "streaming" && state.ackedOffset !== null) {
      this.caughtUp = true;
      this.caughtUpMs = nowMs;
    }
    return this.#nextHeartbeat(nowMs);
  }

  /**
   * Whether the view at hand, which takes so many bytes, has the last frames that somebody waits for, and is
   * small enough to be copied so that the question is in the same write.
   */
  #asksBehind({ viewStopOffset, viewEndsFrame }: Cursor, bytes: number): boolean {
    return bytes <= JOINED_BYTES_MAX && viewEndsFrame &&
      this.#pace.takeAckRequest(viewStopOffset);
  }

  /** Tells a replica that counts frames itself which one comes next. */
  #queueCount(next: number): void {
    this.#isCounted = true;
    this.#out.queue(encodeFrames(next));
  }

  /** The latest view of frames, each with its number. */
  #number(numbered: NumberedFrames, { segment, byte, viewStop, offset }: Cursor): Uint8Array {
    return numbered.encode(segment.buf, segment.view, byte, viewStop, offset);
  }

  /**
   * Tells where our frames from `from` on come from, if that is news. It has to be said before frames for
   * which what was told is not true.
   */
  #tellOrigins(from: number): boolean {
    const { origins, writes, backlog } = this.#source;
    const isKnown = origins.reaches(backlog.nextOffset, writes);
    if (origins.version === this.#originsVersion && isKnown === (this.#told !== null)) return false;
    const points = isKnown ? origins.pointsFrom(from, ORIGINS_AT_ONCE) : [];
    // What was told would be taken to hold up to the first of these.
    let isTold = points.length === 0 || points[0].own > from ? this.#forgetOrigins() : false;
    this.#originsVersion = origins.version;
    for (const point of points) {
      const told = this.#told;
      const isNews = told?.history !== point.history || point.own > told.own ||
        point.offset > told.offset;
      if (!isNews) continue;
      this.#out.queue(encodeOrigin(point));
      this.#told = point;
      isTold = true;
    }
    return isTold;
  }

  /**
   * Says that nothing is known, if something was told: also before a frame that is sent in pieces, since
   * nothing can be said between those, and others may follow it in the last.
   */
  #forgetOrigins(): boolean {
    this.#originsVersion = -1;
    if (this.#told === null) return false;
    this.#told = null;
    this.#out.queue(encodeOrigin(null));
    return true;
  }

  #framesWritten(bytes: number, done: boolean): void {
    const cursor = this.#cursor;
    if (cursor === null) return;
    const { backlog } = this.#source;
    const state = this.#state;
    if (this.#numbered === null) backlog.advance(cursor, bytes);
    else if (done) backlog.advance(cursor, cursor.viewStop - cursor.byte);
    if (state.at !== "streaming") {
      if (done) this.#releaseCursor();
      return;
    }
    state.sentOffset = done ? backlog.offsetOf(cursor) : cursor.offset;
    if (done) this.#inFrame = !cursor.viewEndsFrame;
    if (this.claim?.version === 1) {
      state.ackedOffset = state.sentOffset;
      this.marks.advance(state.sentOffset);
    }
    if (this.#pin === null) return;
    if (backlog.lagBytes(cursor) <= backlog.limitBytes / 2) this.#dropPin();
    else if (!this.#pin.overrun) backlog.movePin(this.#pin, cursor.offset);
  }

  #nextChunk(nowMs: number): number {
    const ship = this.#ship!;
    if (this.#pin?.overrun) {
      this.close(
        "ShipOverrun",
        `more than ${this.#source.backlog.pinLimitBytes} bytes of frames since the snapshot's cut: ` +
          "raise repl-pin-limit",
      );
      return OUTPUT_FINISH;
    }
    const chunk = ship.front();
    if (chunk === null || !this.#beatLast) {
      if (this.#nextHeartbeat(nowMs) === OUTPUT_BYTES) return OUTPUT_BYTES;
    }
    if (chunk !== null) return this.#send(CHUNK_FLIGHT, chunk, nowMs);
    if (!ship.ended) return OUTPUT_WAIT;
    const cut = this.#cutOffset;
    const cursor = this.#source.backlog.cursorAt(cut);
    invariant(cursor !== null, "a pin keeps the frames behind the cut");
    this.#cursor = cursor;
    this.#ship = null;
    this.isShipping = false;
    this.#isCounted = false;
    this.#out.queue(encodeSnapshotEnd(cut));
    const { id, version } = this.claim!;
    this.#enter({ at: "streaming", id, sentOffset: cut, ackedOffset: version === 1 ? cut : null });
    // The first heartbeat of a stream comes at once, here with the node's sequence so far.
    this.#pace.hurry();
    this.#out.sendControl(nowMs);
    return OUTPUT_BYTES;
  }

  /** The ACK, or what else was queued, has gone out. */
  #controlDrained(): void {
    const state = this.#state;
    if (state.at !== "ackSent") return;
    const { id, fromOffset } = state;
    if (this.#ship !== null) return this.#enterShipping(id);
    if (this.#cursor === null) return;
    this.#enter({ at: "streaming", id, sentOffset: fromOffset, ackedOffset: fromOffset });
    // The first heartbeat comes at once: it tells the replica that frames follow and no snapshot.
    this.#pace.hurry();
  }

  #enterShipping(id: string): void {
    this.#enter({ at: "snapshotShipping", id, cutOffset: this.#cutOffset, sentBytes: 0 });
  }

  #dropPin(): void {
    if (this.#pin !== null) this.#source.backlog.unpin(this.#pin);
    this.#pin = null;
  }

  #releaseCursor(): void {
    if (this.#cursor !== null) this.#source.backlog.release(this.#cursor);
    this.#cursor = null;
  }
}
