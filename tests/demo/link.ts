/**
 * A link between a primary and its replica that can be cut: TCP proxies for the client port, over
 * which a replica asks for the layout, and for the replication port of each shard.
 *
 * @module
 */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { freePorts, type Program } from "../bench/programs.ts";
import { writeAll } from "../bench/client.ts";

const HOST = "127.0.0.1";

/** See the module's text. */
export class Link {
  /** The port that the replica takes for the primary's. */
  readonly port: number;
  readonly #primary: Program;
  readonly #shardPort: number;
  readonly #listeners: Deno.TcpListener[] = [];
  readonly #open = new Set<Deno.TcpConn>();
  #isCut = false;

  /** A link to `primary`, not cut. */
  constructor(primary: Program, shards: number) {
    this.#primary = primary;
    this.port = freePorts(shards + 1);
    this.#shardPort = this.port + 1;
    this.#listen(this.port, primary.port);
    for (let i = 0; i < shards; i++) {
      this.#listen(this.#shardPort + i, primary.replicationPortBase + i);
    }
  }

  #listen(port: number, target: number): void {
    const listener = Deno.listen({ hostname: HOST, port });
    this.#listeners.push(listener);
    void this.#accept(listener, target);
  }

  async #accept(listener: Deno.TcpListener, target: number): Promise<void> {
    while (true) {
      try {
        const near = await listener.accept();
        void this.#join(near, target);
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
      }
    }
  }

  async #join(near: Deno.TcpConn, target: number): Promise<void> {
    if (this.#isCut) return near.close();
    try {
      const far = await Deno.connect({ hostname: HOST, port: target });
      this.#open.add(near).add(far);
      const layout = target === this.#primary.port;
      await Promise.all([this.#pass(near, far, false), this.#pass(far, near, layout)]);
    } catch {
      // Cut, or one side has ended: both are closed.
    }
    this.#close(near);
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn, isLayout: boolean): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        const bytes = buffer.subarray(0, n);
        await writeAll(to, isLayout ? this.#relocated(bytes) : bytes);
      }
    } finally {
      this.#close(from);
      this.#close(to);
    }
  }

  /** The layout names the shards' ports: they become those of this link. */
  #relocated(answer: Uint8Array): Uint8Array {
    const port = `:${this.#primary.replicationPortBase}\r\n`;
    return ascii(latin1(answer).replace(port, `:${this.#shardPort}\r\n`));
  }

  #close(conn: Deno.TcpConn): void {
    this.#open.delete(conn);
    try {
      conn.close();
    } catch {
      // Closed already.
    }
  }

  /** Breaks all connections, and new ones as they come. */
  cut(): void {
    this.#isCut = true;
    for (const conn of this.#open) this.#close(conn);
  }

  /** Lets connections through again. */
  restore(): void {
    this.#isCut = false;
  }

  /** Ends it. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.cut();
  }
}
