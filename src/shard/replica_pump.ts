/**
 * The socket of one replica link: a loop that reads and a loop that writes. What to write is the
 * link's to say; frames go out as views of the backlog's segments with `conn.write`, chunks of a
 * snapshot through the socket's `WritableStream`, whose backpressure holds back the worker's credits.
 *
 * A connection ends in one of two ways. A link that is closed while its peer is alive (a refusal, a
 * breach of the protocol, a ship that failed) ends with a FIN behind what was being written, and what
 * the peer still sends is read and thrown away for a while, since a reset would take the refusal away.
 * A link whose peer is gone or dead is cut.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import { isRejection } from "../replication/handshake.ts";
import {
  LINK_ACKED,
  LINK_CLAIM,
  LINK_CLOSED,
  LINK_WAKE,
  OUTPUT_BYTES,
  OUTPUT_FINISH,
  OUTPUT_LOST,
  type ReplicaLink,
} from "../replication/replica_link.ts";
import type { LinkIdentity } from "./link_client.ts";

/** Bytes read at once from a replica, which has little to say. */
const READ_BYTES = 4_096;
/** How long a closed link may take to write its last bytes, and its peer to end its side, in ms. */
const DRAIN_MS = 1_000;

/** What a pump asks of its shard. Called synchronously, between two awaits of the pump. */
export interface PumpHost {
  /** Lets others run. */
  readonly gate: Gate;
  /** Steady time in ms. */
  now(): number;
  /** The handshake has come: accept or reject it. */
  claimed(pump: ReplicaPump): void;
  /** More is known to be at the replica: it has confirmed more; on v1: was sent more. */
  acked(pump: ReplicaPump): void;
  /** The link has begun to stream, or streams no more and is not closed. */
  moved(pump: ReplicaPump): void;
  /** The frames it needs next are evicted: ask for a ship, or close. */
  lost(pump: ReplicaPump): void;
  /** A chunk was written: the worker may get credits. */
  drained(pump: ReplicaPump): void;
  /** The link was closed, for whatever reason; once. The socket may still be open. */
  closed(pump: ReplicaPump): void;
}

/** See the module's text. */
export class ReplicaPump {
  /** The state machine. */
  readonly link: ReplicaLink;
  /** What its connection is known by among the clients. */
  readonly identity: LinkIdentity;
  readonly #conn: Deno.TcpConn;
  readonly #host: PumpHost;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #wakeUp: (() => void) | null = null;
  #isWoken = false;
  /** Whether our socket is closed. */
  #hasEnded = false;
  /** Whether the shard knows the link as one that streams. */
  #isStreaming = false;
  /** When the link was seen closed; -1 before. */
  #closedMs = -1;

  /** A connection that was accepted. */
  constructor(conn: Deno.TcpConn, link: ReplicaLink, host: PumpHost, identity: LinkIdentity) {
    this.link = link;
    this.identity = identity;
    this.#conn = conn;
    this.#host = host;
  }

  /** Runs until the connection is over and its socket closed; never throws. */
  async run(): Promise<void> {
    await Promise.all([this.#readLoop(), this.#writeLoop()]);
    this.link.dispose();
    this.#noteClosed();
    this.#close();
  }

  /** There may be something to write, or the link was closed. */
  wake(): void {
    this.#noteClosed();
    this.#isWoken = true;
    const wakeUp = this.#wakeUp;
    this.#wakeUp = null;
    wakeUp?.();
  }

  /** Deadlines and heartbeats. */
  tick(): void {
    const { link } = this;
    const nowMs = this.#host.now();
    const outcome = link.tick(nowMs);
    if (outcome === LINK_WAKE || outcome === LINK_CLOSED) this.wake();
    if (link.state.at !== "closed") return;
    const isDead = outcome === LINK_CLOSED && !isRejection(link.state.because);
    if (isDead || nowMs - this.#closedMs >= DRAIN_MS) this.#close();
  }

  /** Closes the socket now, without waiting for the peer. The link was closed before. */
  cut(): void {
    this.#close();
    this.wake();
  }

  /** Tells the shard, once, that the link was closed. */
  #noteClosed(): void {
    if (this.#closedMs >= 0 || this.link.state.at !== "closed") return;
    this.#closedMs = this.#host.now();
    this.#host.closed(this);
  }

  /** Tells the shard when the link begins to stream, and when it turns to a ship. */
  #noteMove(): void {
    const { at } = this.link.state;
    if (at === "closed" || (at === "streaming") === this.#isStreaming) return;
    this.#isStreaming = at === "streaming";
    this.#host.moved(this);
  }

  #close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    try {
      this.#conn.close();
    } catch {
      // The other end was faster.
    }
  }

  async #readLoop(): Promise<void> {
    const { link } = this;
    const { gate } = this.#host;
    const buf = new Uint8Array(READ_BYTES);
    try {
      while (true) {
        const n = await this.#conn.read(buf);
        if (n === null) break;
        gate.begin();
        this.#received(link.receive(buf, 0, n, this.#host.now()));
        const others = gate.pass();
        if (others !== null) await others;
      }
      link.receiveEnd("the replica ended the connection");
    } catch (error) {
      link.receiveEnd(error instanceof Error ? error.message : String(error));
      this.#close();
    }
    // Who has ended its side may still wait for a refusal, and for nothing else.
    const { state } = link;
    if (state.at === "closed" && !isRejection(state.because)) this.#close();
    this.wake();
  }

  #received(outcome: number): void {
    if (outcome === LINK_CLAIM) this.#host.claimed(this);
    else if (outcome === LINK_ACKED) this.#host.acked(this);
    if (outcome !== LINK_ACKED) this.wake();
  }

  async #writeLoop(): Promise<void> {
    const { link } = this;
    const host = this.#host;
    try {
      while (true) {
        host.gate.begin();
        const next = link.nextOutput(host.now());
        this.#noteMove();
        if (next === OUTPUT_BYTES) {
          if (link.takeProgress()) host.acked(this);
          const others = host.gate.pass();
          await this.#write();
          if (others !== null) await others;
          continue;
        }
        if (next === OUTPUT_LOST) {
          host.lost(this);
          host.gate.pass();
          continue;
        }
        host.gate.pass();
        if (next === OUTPUT_FINISH) break;
        if (!this.#isWoken) await new Promise<void>((resolve) => this.#wakeUp = resolve);
        this.#isWoken = false;
      }
      this.#noteClosed();
      if (this.#hasEnded) return;
      this.#releaseWriter();
      // The read loop goes on until the peer has ended its side too, or `tick` loses patience.
      await this.#conn.closeWrite();
    } catch (error) {
      link.receiveEnd(error instanceof Error ? error.message : String(error));
      this.#close();
    }
  }

  async #write(): Promise<void> {
    const { link } = this;
    const bytes = link.output;
    if (link.state.at === "snapshotShipping") {
      const writer = this.#writer ??= this.#conn.writable.getWriter();
      await writer.write(bytes as Uint8Array<ArrayBuffer>);
      link.written(bytes.length, this.#host.now());
      this.#host.drained(this);
      return;
    }
    this.#releaseWriter();
    link.written(await this.#conn.write(bytes), this.#host.now());
    this.#noteMove();
    if (link.claim?.version === 1) this.#host.acked(this);
  }

  #releaseWriter(): void {
    this.#writer?.releaseLock();
    this.#writer = null;
  }
}
