/**
 * A TCP proxy on a run of ports, with the faults of real networks: connections cut or stalled, a
 * narrow way, bytes changed.
 *
 *     replica  ->  proxy.port + i  ->  target + i        "down" is from the target to the replica
 */

import { listenOnRun } from "./ports.ts";

const BUFFER_BYTES = 65_536;

/** A connection, by its number and the index of its port. */
export interface ProxyConnection {
  readonly number: number;
  readonly index: number;
}

/** What happens to bytes on their way down; may change them in place. */
export type Tamper = (bytes: Uint8Array, connection: ProxyConnection, from: number) => void;

interface Pair extends ProxyConnection {
  readonly near: Deno.TcpConn;
  readonly far: Deno.TcpConn;
  downBytes: number;
  closed: boolean;
}

/** See the module's text. */
export class Proxy implements AsyncDisposable {
  /** The first of its ports. */
  readonly port: number;
  /** Connections made so far. */
  connections = 0;
  /** Bytes that went down, all connections together. */
  downBytes = 0;
  /** Called with all bytes that go down. */
  tamper: Tamper | null = null;
  /** A connection is cut when that many bytes went down on it; then this is `Infinity` again. */
  cutAfterBytes = Infinity;
  /** Bytes a second that go down each connection. */
  downBytesPerSecond = Infinity;
  readonly #listeners: Deno.TcpListener[];
  readonly #target: number;
  readonly #pairs = new Set<Pair>();
  readonly #running = new Set<Promise<void>>();
  #open: Promise<void> | null = null;
  #resume: (() => void) | null = null;
  #refuses = false;

  /** Forwards `count` ports to those from `target` on. */
  constructor(target: number, count: number) {
    this.#target = target;
    const { base, listeners } = listenOnRun(count);
    this.port = base;
    this.#listeners = listeners;
    for (const [index, listener] of listeners.entries()) this.#track(this.#accept(listener, index));
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  async #accept(listener: Deno.TcpListener, index: number): Promise<void> {
    while (true) {
      let near: Deno.TcpConn;
      try {
        near = await listener.accept();
      } catch {
        return;
      }
      if (this.#refuses) {
        near.close();
        continue;
      }
      this.#track(this.#serve(near, index));
    }
  }

  async #serve(near: Deno.TcpConn, index: number): Promise<void> {
    let far: Deno.TcpConn;
    try {
      far = await Deno.connect({ hostname: "127.0.0.1", port: this.#target + index });
    } catch {
      near.close();
      return;
    }
    const number = this.connections++;
    const pair: Pair = { number, index, near, far, downBytes: 0, closed: false };
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.#pairs.add(pair);
    await Promise.all([this.#pump(pair, near, far, false), this.#pump(pair, far, near, true)]);
    this.#close(pair);
  }

  async #pump(pair: Pair, from: Deno.TcpConn, to: Deno.TcpConn, down: boolean): Promise<void> {
    const buf = new Uint8Array(BUFFER_BYTES);
    try {
      while (true) {
        if (this.#open !== null) await this.#open;
        const limit = down ? this.downBytesPerSecond : Infinity;
        const most = limit === Infinity ? BUFFER_BYTES : Math.ceil(limit / 100);
        const n = await from.read(buf.subarray(0, Math.min(most, BUFFER_BYTES)));
        if (this.#open !== null) await this.#open;
        if (n === null) {
          await to.closeWrite();
          return;
        }
        if (down && pair.downBytes + n >= this.cutAfterBytes) {
          this.cutAfterBytes = Infinity;
          this.#close(pair);
          return;
        }
        if (down) {
          this.tamper?.(buf.subarray(0, n), pair, pair.downBytes);
          pair.downBytes += n;
          this.downBytes += n;
        }
        for (let at = 0; at < n;) at += await to.write(buf.subarray(at, n));
        if (limit !== Infinity) {
          await new Promise((resolve) => setTimeout(resolve, n / limit * 1000));
        }
      }
    } catch {
      this.#close(pair);
    }
  }

  #close(pair: Pair): void {
    if (pair.closed) return;
    pair.closed = true;
    this.#pairs.delete(pair);
    pair.near.close();
    pair.far.close();
  }

  /** Connections now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Cuts the connections, or those to the `index`th port. */
  cut(index = -1): void {
    for (const pair of this.#pairs) if (index < 0 || pair.index === index) this.#close(pair);
  }

  /** Nothing moves any more, in either direction, on connections that stay open. */
  stall(): void {
    this.#open ??= new Promise((resolve) => this.#resume = resolve);
  }

  /** Ends a stall. */
  resume(): void {
    this.#open = null;
    this.#resume?.();
    this.#resume = null;
  }

  /** New connections are closed at once; those that are open stay. */
  refuse(refuses: boolean): void {
    this.#refuses = refuses;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.resume();
    this.cut();
    await Promise.all(this.#running);
  }
}
