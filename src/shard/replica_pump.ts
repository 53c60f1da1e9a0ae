/**
 * The socket of one replica link: a loop that reads and a loop that writes. What to write is the
 * link's to say; frames go out as views of the backlog's segments with `conn.write`, chunks of a
 * snapshot through the socket's `WritableStream`, whose backpressure holds back the worker's credits.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
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

/** Bytes read at once from a replica, which has little to say. */
const READ_BYTES = 4_096;
/** How long a refused or finished peer may take to end its side before the socket is closed, in ms. */
const DRAIN_MS = 1_000;

/** What a pump asks of its shard. Called synchronously, between two awaits of the pump. */
export interface PumpHost {
  /** Lets others run. */
  readonly gate: Gate;
  /** Steady time in ms. */
  now(): number;
  /** The handshake has come: accept or reject it. */
  claimed(pump: ReplicaPump): void;
  /** The replica has confirmed more. */
  acked(pump: ReplicaPump): void;
  /** The frames it needs next are evicted: ask for a ship, or close. */
  lost(pump: ReplicaPump): void;
  /** A chunk was written: the worker may get credits. */
  drained(pump: ReplicaPump): void;
  /** The connection is over. */
  ended(pump: ReplicaPump): void;
}

/** See the module's text. */
export class ReplicaPump {
  /** The state machine. */
  readonly link: ReplicaLink;
  readonly #conn: Deno.TcpConn;
  readonly #host: PumpHost;
  #writer: WritableStreamDefaultWriter<Uint8Array> | null = null;
  #wakeUp: (() => void) | null = null;
  #isWoken = false;
  #hasEnded = false;
  #hasReadAll = false;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;

  /** A connection that was accepted. */
  constructor(conn: Deno.TcpConn, link: ReplicaLink, host: PumpHost) {
    this.link = link;
    this.#conn = conn;
    this.#host = host;
  }

  /** Runs until the connection is over; never throws. */
  async run(): Promise<void> {
    await Promise.all([this.#readLoop(), this.#writeLoop()]);
    this.link.dispose();
    this.#close();
    this.#host.ended(this);
  }

  /** There may be something to write. */
  wake(): void {
    this.#isWoken = true;
    const wakeUp = this.#wakeUp;
    this.#wakeUp = null;
    wakeUp?.();
  }

  /** Deadlines and heartbeats. */
  tick(): void {
    const outcome = this.link.tick(this.#host.now());
    if (outcome === LINK_WAKE) this.wake();
    if (outcome !== LINK_CLOSED) return;
    // A refusal is still written; a peer that takes nothing is cut off.
    if (this.link.pendingBytes === 0 || this.link.claim !== null) this.#close();
    else this.wake();
  }

  /** Closes the socket now, without waiting for the peer. The link was closed before. */
  cut(): void {
    this.#close();
    this.wake();
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
    const buf = new Uint8Array(READ_BYTES);
    try {
      while (true) {
        const n = await this.#conn.read(buf);
        if (n === null) {
          link.receiveEnd("the replica ended the connection");
          break;
        }
        this.#received(link.receive(buf, 0, n, this.#host.now()));
      }
    } catch (error) {
      link.receiveEnd(error instanceof Error ? error.message : String(error));
      this.#close();
    }
    this.#hasReadAll = true;
    clearTimeout(this.#drainTimer);
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
        if (next === OUTPUT_BYTES) {
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
      await this.#finish();
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
    if (this.#writer !== null) {
      this.#writer.releaseLock();
      this.#writer = null;
    }
    link.written(await this.#conn.write(bytes), this.#host.now());
  }

  /** Ends our side with a FIN and gives the peer time to end its own: a reset could lose the refusal. */
  async #finish(): Promise<void> {
    if (this.#hasEnded) return;
    this.#writer?.releaseLock();
    this.#writer = null;
    await this.#conn.closeWrite();
    // The read loop goes on until the peer has ended, or this closes the socket under it.
    this.#drainTimer = setTimeout(() => this.#close(), DRAIN_MS);
    if (this.#hasReadAll) clearTimeout(this.#drainTimer);
  }
}
