/**
 * Our upstream, the mirror of replica_link.ts: one connection of a follower to one shard of its
 * primary, from the handshake it sends to the failure that ends it. It is given bytes and time and
 * yields events; it touches no socket, applies no frame and loads no snapshot.
 *
 *     awaitingAck --+ACK--> acked --frame or heartbeat--> streaming <--+SNAPSHOT_END--+
 *          |                  |                               |                       |
 *          |                  +----------- +SNAPSHOT ---------+--> receivingSnapshot -+
 *          +------------------+-------------------------------+------------+--> failed
 *
 * `acked` exists because an ACK does not say whether frames or a snapshot follow, and only one of them
 * makes the data we hold a part of the primary's history. Until it is known nothing is acknowledged,
 * and the claim of the next handshake stays what it was. (v1 has no heartbeats: it goes on at once.)
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import type { RequestLimits } from "../resp/request_parser.ts";
import type { LinePlace, OriginPoint } from "./origins.ts";
import { SequenceMarks } from "./sequence_marks.ts";
import { Silence } from "./silence.ts";
import {
  ACK,
  CHAIN,
  DECODE_FAILED,
  type DecoderLimits,
  DEFAULT_DECODER_LIMITS,
  FRAME,
  FRAMES,
  GET_ACK,
  HEARTBEAT,
  NEED_MORE,
  ORIGIN,
  REFUSED,
  SNAPSHOT_BEGIN,
  SNAPSHOT_BYTES,
  SNAPSHOT_END,
  StreamDecoder,
} from "./stream_decoder.ts";
import type { DecodeError } from "./stream_line.ts";
import {
  CHAIN_NODES_MAX,
  chainId,
  encodeHandshake,
  encodeReplicaAck,
  type HandshakeClaim,
} from "./wire.ts";

export {
  ACK,
  CHAIN,
  FRAME,
  GET_ACK,
  HEARTBEAT,
  NEED_MORE,
  SNAPSHOT_BEGIN,
  SNAPSHOT_BYTES,
  SNAPSHOT_END,
};
export type { DecoderLimits, RequestLimits };

/** `next`'s answer on a link that has failed: `state` says why. */
export const UPSTREAM_FAILED: typeof DECODE_FAILED = DECODE_FAILED;

/** Between two acknowledgements of a link on which nothing happens, at most a third of `repl-timeout`. */
export const ACK_INTERVAL_MS = 1000;

/** Least time between two acknowledgements that nobody asked for. */
export const ACK_GAP_MS = 100;

/**
 * How long a v1 primary may be silent inside a snapshot. kevy serializes the whole shard between its
 * begin mark and its first chunk; in the stream v1 has no heartbeat, so there no silence is too long.
 */
export const V1_SNAPSHOT_SILENCE_MS = 60_000;

/** Points of the primary's origin that are kept: those behind where we stand, which it told ahead. */
export const TOLD_ORIGINS_MAX = 64;

/** Why an upstream link failed. */
export type UpstreamError =
  | DecodeError
  /** The primary refused the handshake; the detail is its words. */
  | "Refused"
  /** The ACK is not the one this handshake asks for. */
  | "BadAck"
  /** The frames come through this node. */
  | "Circle"
  /** The frames come through more than `CHAIN_NODES_MAX` nodes. */
  | "ChainTooLong"
  /** The peer is another shard, or has another number of shards, than its layout said. */
  | "WrongShard"
  /** A heartbeat names another history than the ACK did. */
  | "HistoryChanged"
  /** Nothing was heard for `repl-timeout`, of which time that we did not run is no part. */
  | "SilentPrimary"
  /** The primary ended the connection, or the socket failed. */
  | "PeerClosed"
  /** A frame held something else than a write command. */
  | "ForeignCommand"
  /** A frame's command failed here: the data differs. */
  | "ApplyFailed"
  /** A unit (`MULTI` to `EXEC`) begins inside another. */
  | "NestedUnit"
  /** An `EXEC` without a `MULTI`. */
  | "StrayExec"
  /** A unit is larger than a follower holds. */
  | "UnitTooLarge"
  /** The snapshot's image is damaged or does not fit. */
  | "BadSnapshot"
  /** This node stops following. */
  | "Stopped";

/** Whether the next handshake must claim no history, so that a full sync follows. */
export function needsFullSync(error: UpstreamError): boolean {
  return error === "ForeignCommand" || error === "ApplyFailed" || error === "NestedUnit" ||
    error === "StrayExec" || error === "UnitTooLarge" || error === "FrameTooLarge";
}

/** One upstream link's state; a variant holds what is true in it. */
export type UpstreamState =
  | { at: "awaitingAck" }
  | { at: "acked"; offset: number }
  | { at: "streaming"; expectedOffset: number }
  | { at: "receivingSnapshot"; receivedBytes: number }
  | { at: "failed"; error: UpstreamError; detail: string };

/** What a link is opened with. Times in milliseconds of one steady clock. */
export interface UpstreamOptions {
  /** The handshake to send; version 1 for kevy and for `replicaof-shards`. */
  claim: HandshakeClaim;
  /** The primary's shard and number of shards, when its layout is known. */
  expects: { shard: number; shards: number } | null;
  /**
   * `repl-timeout`, read anew each time, so that it can change. The primary knows the one that was
   * claimed: where its heartbeats come too seldom for a shorter one, the link ends, and the next claims
   * that.
   */
  timeoutMs: () => number;
  /** Now. */
  nowMs: number;
  /** What the decoder accepts. */
  limits?: Readonly<DecoderLimits>;
}

/** The follower's side of one replication connection. */
export class UpstreamLink {
  /** What was claimed. */
  readonly claim: HandshakeClaim;
  /** The event's details: offsets, argument ranges, image ranges, sequence. */
  readonly decoder: StreamDecoder;
  /** The primary's history, from its ACK; "" on v1. It is our data's from `streaming` on. */
  history = "";
  /** The nodes (`chainId`) that frames come through, the primary first, as last heard. */
  chain: readonly string[] = [];
  /** The number of the primary's next frame, as last heard; the lag is the distance to it. */
  upstreamOffset = 0;
  /** When the primary was last heard of. */
  readMs: number;
  /** Which part of the primary node's sequence is applied here. */
  readonly marks: SequenceMarks = new SequenceMarks();

  /** Whether the frames go on in other numbers than were claimed: `history`'s, not the claim's. */
  isRenumbered = false;
  /** Where it is: the database of the first frame; -1 when it says so itself. */
  renumberedDb: number = -1;

  /** Where the primary's frames come from, in their order, from where we stand on. */
  #origins: OriginPoint[] = [];
  readonly #expects: { shard: number; shards: number } | null;
  readonly #timeoutMs: () => number;
  readonly #silence: Silence;
  #state: UpstreamState = { at: "awaitingAck" };
  /** Everything before it is applied, in the primary's history; 0 while that cannot be said. */
  #appliedOffset = 0;
  #appliedBeforeSnapshot = 0;
  #ackedOffset = 0;
  #ackMs: number;
  #ackWanted = false;
  /** Whether a heartbeat has come before the ACK. */
  #awaited = false;

  /** A link whose connection has just been made. */
  constructor(o: UpstreamOptions) {
    this.claim = o.claim;
    this.#expects = o.expects;
    this.#timeoutMs = o.timeoutMs;
    this.readMs = this.#ackMs = o.nowMs;
    this.#silence = new Silence(o.nowMs);
    this.decoder = new StreamDecoder(o.limits ?? DEFAULT_DECODER_LIMITS);
  }

  /** The state; only this link changes it. */
  get state(): Readonly<UpstreamState> {
    return this.#state;
  }

  /** Everything before it is applied and may be acknowledged. */
  get appliedOffset(): number {
    return this.#appliedOffset;
  }

  /** What `appliedOffset` was when the latest snapshot began: where the data that it replaces stands. */
  get appliedBeforeSnapshot(): number {
    return this.#appliedBeforeSnapshot;
  }

  /** The handshake to write when the connection is made. */
  handshake(): Uint8Array<ArrayBuffer> {
    return encodeHandshake(this.claim);
  }

  /** Bytes have come; `next` is then called until it needs more. */
  received(nowMs: number): void {
    this.readMs = nowMs;
  }

  /**
   * The next event of `buf[decoder.at..to)`. A `FRAME` has the expected offset: apply it, then say so
   * with `applied`. The ranges are valid until the next call.
   */
  next(buf: Uint8Array, to: number): number {
    if (this.#state.at === "failed") return UPSTREAM_FAILED;
    const event = this.decoder.next(buf, to);
    switch (event) {
      case FRAME:
        return this.#frame();
      case ACK:
        return this.#ack();
      case SNAPSHOT_BEGIN:
        this.#state = { at: "receivingSnapshot", receivedBytes: 0 };
        this.#appliedBeforeSnapshot = this.#appliedOffset;
        this.#appliedOffset = 0;
        this.marks.reset();
        this.#origins = [];
        return event;
      case SNAPSHOT_BYTES:
        if (this.#state.at === "receivingSnapshot") {
          this.#state.receivedBytes += this.decoder.bytesStop - this.decoder.bytesStart;
        }
        return event;
      case SNAPSHOT_END:
        this.#state = { at: "streaming", expectedOffset: this.decoder.offset };
        this.upstreamOffset = Math.max(this.upstreamOffset, this.decoder.offset);
        return event;
      case HEARTBEAT:
        return this.#heartbeat();
      case GET_ACK:
        if (this.claim.version === 1) return this.#fail("BadEnvelope", "GETACK on a v1 link");
        this.#ackWanted = true;
        return event;
      case ORIGIN:
        if (this.claim.version === 1) return this.#fail("BadEnvelope", "ORIGIN on a v1 link");
        this.#noteOrigin(this.decoder.origin);
        return event;
      case CHAIN:
        return this.#chained();
      case FRAMES:
        if (this.claim.version === 1) return this.#fail("BadEnvelope", "FRAMES on a v1 link");
        return this.#awaits(this.decoder.offset) ? event : UPSTREAM_FAILED;
      case REFUSED:
        return this.#fail("Refused", this.decoder.refusal);
      case DECODE_FAILED:
        return this.#fail(this.decoder.error, this.decoder.errorDetail);
      default:
        return event;
    }
  }

  /** A chain with this node in it is a circle, in which a frame that no node ends goes round for ever. */
  #chained(): number {
    const { claim } = this;
    if (claim.version === 1) return this.#fail("BadEnvelope", "CHAIN on a v1 link");
    this.chain = this.decoder.chain;
    const at = this.chain.indexOf(chainId(claim.id));
    if (at >= 0) return this.#fail("Circle", `the frames come through this node, number ${at + 1}`);
    if (this.chain.length <= CHAIN_NODES_MAX) return CHAIN;
    return this.#fail("ChainTooLong", `the frames come through more than ${CHAIN_NODES_MAX} nodes`);
  }

  /**
   * Everything before `offset` is applied: after frames, or after a snapshot was verified and put in
   * place (its cut). Offsets inside a transaction are not reported until it is applied whole.
   */
  applied(offset: number): void {
    this.#appliedOffset = offset;
    this.marks.advance(offset);
  }

  /**
   * Where everything that is applied lies in the line of whom our primary follows; null when that is not
   * known, as in the middle of what one frame of that line became.
   */
  get originPlace(): LinePlace | null {
    const at = this.#originIndex();
    if (at < 0) return null;
    const { history, own, offset: from, db } = this.#origins[at];
    const offset = from + this.#appliedOffset - own;
    if (at + 1 < this.#origins.length && offset >= this.#origins[at + 1].offset) return null;
    return { history, offset, db };
  }

  /** Index of the point that covers what is applied; -1 when none does. */
  #originIndex(): number {
    return this.#origins.findLastIndex(({ own }) => own <= this.#appliedOffset);
  }

  #noteOrigin(point: OriginPoint | null): void {
    const from = Math.max(0, this.#originIndex());
    this.#origins = point === null ? [] : [...this.#origins.slice(from), point];
    if (this.#origins.length > TOLD_ORIGINS_MAX) this.#origins.splice(0, TOLD_ORIGINS_MAX);
  }

  /** Whether an acknowledgement should be sent: asked at the end of every batch and by a timer. */
  ackDue(nowMs: number): boolean {
    const at = this.#state.at;
    if (this.claim.version === 1 || at === "failed") return false;
    // Before the ACK the primary is answered once it has shown, by a heartbeat, that it waits.
    if (at === "awaitingAck" && !this.#awaited) return false;
    const silentMs = nowMs - this.#ackMs;
    return this.#ackWanted || silentMs >= Math.min(ACK_INTERVAL_MS, this.#timeoutMs() / 3) ||
      (this.#appliedOffset !== this.#ackedOffset && silentMs >= ACK_GAP_MS);
  }

  /** Whether the primary has asked for an acknowledgement: somebody waits there. */
  get isAckWanted(): boolean {
    return this.#ackWanted;
  }

  /**
   * The acknowledgement to write now: of everything before `offset`, which is applied. With it goes
   * that everything before `synced` is on our disk, unless that is -1.
   */
  takeAck(
    nowMs: number,
    offset: number = this.#appliedOffset,
    synced: number = -1,
  ): Uint8Array<ArrayBuffer> {
    this.#ackMs = nowMs;
    this.#ackWanted = false;
    this.#ackedOffset = offset;
    invariant(synced <= offset, `synced ${synced} is past acknowledged ${offset}`);
    return encodeReplicaAck(offset, synced);
  }

  /**
   * Deadlines; gives whether the link failed now. A timer calls it every 100 ms or so; how it counts
   * when it comes late, `silence.ts` says. `isReading` is false while nobody reads what the primary says:
   * that is not its silence.
   */
  tick(nowMs: number, isReading = true): boolean {
    const state = this.#state;
    if (state.at === "failed") return false;
    let timeoutMs = this.#timeoutMs();
    if (this.claim.version === 1) {
      if (state.at === "streaming") timeoutMs = Infinity;
      if (state.at === "receivingSnapshot") {
        timeoutMs = Math.max(timeoutMs, V1_SNAPSHOT_SILENCE_MS);
      }
    }
    if (!this.#silence.isOver(nowMs, isReading ? this.readMs : nowMs, timeoutMs)) return false;
    this.#fail("SilentPrimary", `nothing was heard for ${timeoutMs} ms`);
    return true;
  }

  /**
   * The stream that has begun is not gone on with: what was claimed is no part of our data. The caller's
   * reason ends the link.
   */
  refuseStream(detail: string): void {
    this.#appliedOffset = 0;
    this.fail("Stopped", detail);
  }

  /** Ends the link for a reason of the caller's; nothing happens on a failed one. */
  fail(error: UpstreamError, detail: string): void {
    if (this.#state.at !== "failed") this.#fail(error, detail);
  }

  #fail(error: UpstreamError, detail: string): number {
    this.#state = { at: "failed", error, detail };
    return UPSTREAM_FAILED;
  }

  #ack(): number {
    const { offset, history, shard, shards, continues, db } = this.decoder;
    if (this.claim.version === 1) {
      this.#stream(this.claim.offset);
      return ACK;
    }
    if (history === "") return this.#fail("BadAck", "a v1 answer to a v2 handshake");
    const expects = this.#expects;
    if (expects !== null && (expects.shard !== shard || expects.shards !== shards)) {
      return this.#fail(
        "WrongShard",
        `expected shard ${expects.shard} of ${expects.shards}, found ${shard} of ${shards}`,
      );
    }
    if (continues >= 0 && (this.claim.history === null || continues !== this.claim.offset)) {
      const claimed = this.claim.history === null ? "nothing" : this.claim.offset;
      return this.#fail("BadAck", `the answer continues ${continues}, claimed was ${claimed}`);
    }
    this.history = history;
    this.isRenumbered = continues >= 0;
    this.renumberedDb = db;
    this.upstreamOffset = offset;
    this.#state = { at: "acked", offset };
    return ACK;
  }

  /**
   * Goes on with frames if the ACK allows it: with data to go on from, at the offset that was claimed or
   * at what that is in the primary's own numbers.
   */
  #resume(): void {
    const state = this.#state;
    const { claim } = this;
    if (state.at !== "acked" || claim.history === null) return;
    if (state.offset === claim.offset || this.isRenumbered) this.#stream(state.offset);
  }

  #stream(offset: number): void {
    this.#state = { at: "streaming", expectedOffset: offset };
    this.#appliedOffset = offset;
    this.#ackedOffset = -1; // what was claimed has yet to be confirmed
  }

  /** Whether frame `offset` is the one that comes next; fails the link if not. */
  #awaits(offset: number): boolean {
    this.#resume();
    const state = this.#state;
    if (state.at === "streaming" && offset === state.expectedOffset) return true;
    const expected = state.at === "streaming" ? state.expectedOffset : "a snapshot";
    this.#fail("OffsetGap", `found frame ${offset}, expected ${expected}`);
    return false;
  }

  #frame(): number {
    const { offset } = this.decoder;
    if (!this.#awaits(offset)) return UPSTREAM_FAILED;
    const state = this.#state;
    if (state.at === "streaming") state.expectedOffset = offset + 1;
    if (offset >= this.upstreamOffset) this.upstreamOffset = offset + 1;
    return FRAME;
  }

  #heartbeat(): number {
    const { offset, history, sequence } = this.decoder;
    if (this.claim.version === 1) return this.#fail("BadEnvelope", "a heartbeat on a v1 link");
    if (this.#state.at === "awaitingAck") {
      this.#awaited = this.#ackWanted = true;
      return HEARTBEAT;
    }
    if (history !== this.history) {
      return this.#fail("HistoryChanged", `the history was ${this.history}, is ${history}`);
    }
    this.#resume();
    this.upstreamOffset = offset;
    if (this.#state.at === "streaming") this.marks.note(offset, sequence, this.#appliedOffset);
    return HEARTBEAT;
  }
}
