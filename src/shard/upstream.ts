/**
 * One connection to one shard of our upstream, kept alive: connects, reads, applies, acknowledges,
 * and after a failure waits and connects anew. What the stream means is `UpstreamLink`'s to say; what
 * it does to the data is the follower's.
 *
 * @module
 */

import type { Log } from "../observability/log.ts";
import { reconnectDelayMs } from "../replication/backoff.ts";
import {
  ACK,
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
import { type Access, explainFailure } from "../base/permissions.ts";
import type { Gate } from "../base/gate.ts";
import type { Clock } from "../base/clock.ts";
import type { Applier, FramePlace } from "./applier.ts";
import type { ShardsPort } from "../commands/call.ts";

/** First size of the read buffer. */
const BUFFER_BYTES = 65_536;
/** Bytes copied in one piece while a large buffer grows; others run in between. */
const COPY_SLICE_BYTES = 1_048_576;

/** Where our data stands in an upstream shard's line of offsets. */
export interface Position {
  /** History, or null while the data is not known to be part of one. */
  history: string | null;
  /** Next frame. */
  offset: number;
  /** Database of the next frame. */
  db: number;
}

/** What a runner asks of its follower. All calls are synchronous. */
export interface UpstreamHost {
  /** Lets others run. */
  readonly gate: Gate;
  /** System time. */
  readonly clock: Clock;
  /** Applies frames. */
  readonly applier: Applier;
  /** Upstream host and the port of one of its shards. */
  address(shard: number): { hostname: string; port: number };
  /** The claim to make; `position` is what it says of our data. */
  claim(shard: number): { position: Position; id: string; listeningPort: number | null };
  /** Password for the upstream, "" for none. */
  readonly password: string;
  /** 1 for kevy's wire. */
  readonly version: 1 | 2;
  /** Seconds of silence that are too many. */
  timeoutMs(): number;
  /** Where frames of a shard go now: the live shards, or a staging. */
  target(shard: number): ShardsPort;
  /** A snapshot begins, or begins again. */
  snapshotBegun(runner: UpstreamRunner): void;
  /** Bytes of it. Throws when the image is bad. */
  snapshotBytes(runner: UpstreamRunner, buf: Uint8Array, start: number, stop: number): void;
  /** It is complete: verifies it and puts it in place. Throws when the image is bad. */
  snapshotEnded(runner: UpstreamRunner, cut: number): void;
  /** The stream is understood to go on from where we stand. */
  streaming(runner: UpstreamRunner): void;
  /** A connection was not made, or ended; gives whether the layout must be asked again. */
  failed(runner: UpstreamRunner, error: UpstreamError | "ConnectFailed"): boolean;
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
  /** The present connection's state machine, or null between connections. */
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
  #conn: Deno.TcpConn | null = null;
  #stopped = false;
  #wakeUp: (() => void) | null = null;
  #wasStreaming = false;
  #acking = false;

  /** A runner for shard `shard` of `shards`; `run` starts it. */
  constructor(shard: number, shards: number, host: UpstreamHost, log: Log) {
    this.shard = shard;
    this.#host = host;
    this.#log = log;
    this.place = { shard, shards, db: 0, lenient: host.version === 1 };
  }

  /** Whether frames flow. */
  get isStreaming(): boolean {
    return this.link?.state.at === "streaming";
  }

  /** Runs until `stop`; never throws. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const error = await this.#connectAndServe();
      if (this.#stopped) break;
      this.failures++;
      const relayout = this.#host.failed(this, error);
      this.#host.changed();
      await this.#pause(reconnectDelayMs({ failures: this.failures, random: Math.random() }));
      if (relayout && !this.#stopped) await this.#host.relayout();
    }
  }

  /** Ends the connection and the loop, at once. */
  stop(): void {
    this.#stopped = true;
    this.link?.fail("Stopped", "this node stops following");
    this.#closeConn();
    this.#wakeUp?.();
  }

  /** Ends the connection; the loop connects anew, without waiting if `soon`. */
  restart(detail: string): void {
    this.link?.fail("Stopped", detail);
    this.#closeConn();
    this.#wakeUp?.();
  }

  #closeConn(): void {
    try {
      this.#conn?.close();
    } catch {
      // The other end was faster.
    }
    this.#conn = null;
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
    const { hostname, port } = this.#host.address(this.shard);
    const access: Access = { to: "connect", host: hostname, port };
    let conn: Deno.TcpConn;
    try {
      conn = await connectWithin(hostname, port, this.#host.timeoutMs());
    } catch (error) {
      this.#failure(explainFailure(error, access));
      return "ConnectFailed";
    }
    if (this.#stopped) {
      conn.close();
      return "Stopped";
    }
    this.#conn = conn;
    const { position, id, listeningPort } = this.#host.claim(this.shard);
    const { version, password, clock } = this.#host;
    const link = this.link = new UpstreamLink({
      claim: {
        version,
        offset: position.history === null && version === 2 ? 0 : position.offset,
        id,
        history: this.forgetsHistory ? null : position.history,
        listeningPort,
        capabilities: ["rdb"],
        ...(password === "" || version === 1 ? {} : { password }),
      },
      expects: version === 1 ? null : { shard: this.shard, shards: this.place.shards },
      timeoutMs: this.#host.timeoutMs(),
      nowMs: clock.monotonicMs(),
    });
    this.place.db = position.db;
    this.#wasStreaming = false;
    try {
      await writeAll(conn, link.handshake());
      await this.#serve(conn, link);
    } catch (error) {
      link.fail("PeerClosed", error instanceof Error ? error.message : String(error));
    }
    this.#closeConn();
    const { state } = link;
    if (state.at !== "failed") return "PeerClosed";
    if (needsFullSync(state.error)) this.forgetsHistory = true;
    if (!this.#stopped) this.#failure(`${state.error}: ${state.detail}`);
    return state.error;
  }

  #failure(said: string): void {
    this.lastError = said;
    this.#log.warning("upstream link failed", { upstream_shard: this.shard, error: said });
  }

  async #serve(conn: Deno.TcpConn, link: UpstreamLink): Promise<void> {
    const { gate, clock } = this.#host;
    const { decoder } = link;
    conn.setNoDelay(true);
    let buf = new Uint8Array(BUFFER_BYTES);
    let used = 0;
    while (true) {
      if (used === buf.length) {
        const from = decoder.begin;
        if (from > 0 && used - from <= buf.length / 2) {
          buf.copyWithin(0, from, used);
        } else {
          buf = await this.#grown(buf, from, used);
        }
        decoder.rebase(from);
        used -= from;
      }
      const n = await conn.read(buf.subarray(used));
      if (n === null) {
        link.fail("PeerClosed", "the primary ended the connection");
        return;
      }
      used += n;
      link.received(this.lastIoMs = clock.monotonicMs());
      let event = NEED_MORE;
      do {
        gate.begin();
        event = this.#events(link, buf, used);
        this.#host.endTurn();
        const others = gate.pass();
        if (event === UPSTREAM_FAILED) return;
        if (others !== null) await others;
      } while (event !== NEED_MORE);
      if (decoder.begin === used) {
        decoder.rebase(used);
        used = 0;
        if (buf.length > COPY_SLICE_BYTES) buf = new Uint8Array(BUFFER_BYTES);
      }
      this.acknowledge();
    }
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
  #events(link: UpstreamLink, buf: Uint8Array, used: number): number {
    const host = this.#host;
    const { decoder } = link;
    let nowMs = host.clock.nowMs();
    let untilClock = 64;
    while (true) {
      const event = link.next(buf, used);
      switch (event) {
        case FRAME: {
          const failure = host.applier.apply(
            host.target(this.shard),
            this.place,
            buf,
            decoder,
            nowMs,
          );
          if (failure !== null) {
            link.fail(failure.name, failure.detail);
            return UPSTREAM_FAILED;
          }
          link.applied(decoder.offset + 1);
          break;
        }
        case SNAPSHOT_BYTES:
        case SNAPSHOT_BEGIN:
        case SNAPSHOT_END:
          if (!this.#snapshot(event, link, buf)) return UPSTREAM_FAILED;
          break;
        case NEED_MORE:
        case UPSTREAM_FAILED:
          return event;
        case ACK:
          host.changed();
          break;
        case HEARTBEAT:
          break;
      }
      if (!this.#wasStreaming && link.state.at === "streaming") {
        this.#wasStreaming = true;
        this.failures = 0;
        this.lastError = "";
        if (event !== SNAPSHOT_END) host.streaming(this);
        host.changed();
      }
      if (--untilClock === 0 || event === SNAPSHOT_BYTES) {
        if (host.gate.isDue) return event;
        untilClock = 64;
        nowMs = host.clock.nowMs();
      }
    }
  }

  #snapshot(event: number, link: UpstreamLink, buf: Uint8Array): boolean {
    const host = this.#host;
    const { decoder } = link;
    try {
      if (event === SNAPSHOT_BEGIN) {
        this.syncBytes = 0;
        this.#wasStreaming = false;
        host.snapshotBegun(this);
      } else if (event === SNAPSHOT_BYTES) {
        this.syncBytes += decoder.bytesStop - decoder.bytesStart;
        host.snapshotBytes(this, buf, decoder.bytesStart, decoder.bytesStop);
      } else {
        host.snapshotEnded(this, decoder.offset);
        this.forgetsHistory = false;
        link.applied(decoder.offset);
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
    const conn = this.#conn;
    if (link === null || conn === null || this.#acking) return;
    const nowMs = this.#host.clock.monotonicMs();
    if (!link.ackDue(nowMs)) return;
    this.#acking = true;
    void writeAll(conn, link.takeAck(nowMs))
      .catch(() => {}) // The read loop learns of it too.
      .finally(() => this.#acking = false);
  }

  /** Deadlines and acknowledgements; called every 100 ms or so. */
  tick(): void {
    const { link } = this;
    if (link === null) return;
    if (link.tick(this.#host.clock.monotonicMs())) this.#closeConn();
    else this.acknowledge();
  }
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await conn.write(bytes.subarray(written));
  }
}

/** Connects, or throws `TimedOut`; a connection that comes too late is closed. */
export async function connectWithin(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<Deno.TcpConn> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let late = false;
  const connecting = Deno.connect({ hostname, port });
  const timeout = new Promise<never>((_, rejectWith) => {
    timer = setTimeout(() => {
      late = true;
      rejectWith(new Deno.errors.TimedOut(`no connection within ${timeoutMs} ms`));
    }, timeoutMs);
  });
  void connecting.then((conn) => {
    if (late) conn.close();
  }, () => {});
  try {
    return await Promise.race([connecting, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
