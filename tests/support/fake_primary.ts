/**
 * A primary made of a test's own bytes: it accepts replicas, and the test says what they are sent.
 * With a layout a shoal replica finds it by its client port; without one it is a kevy primary, which
 * is found by `replicaof-shards` and its replication port.
 */

import { LayoutPort } from "./layout.ts";
import { Acceptor, type Peer } from "./peer.ts";
import { onRunOfPorts } from "./ports.ts";

/** One replica's link, its handshake read. */
export interface ClaimedLink {
  readonly peer: Peer;
  /** The handshake's words. */
  readonly claim: string[];
}

/** See the module's text. */
export class FakePrimary implements Disposable {
  readonly base: number;
  /** Its client port, as a `TestNode` has it. */
  readonly port: number;
  readonly histories: string[];
  /** The shards that its layout tells of: those it has, unless a test says otherwise. */
  told: string[];
  node = "f".repeat(40);
  password = "";
  readonly #shards: readonly Acceptor[];
  readonly #layout: LayoutPort;

  constructor(shards = 1) {
    this.histories = Array.from({ length: shards }, (_, i) => String(i % 10).repeat(40));
    this.told = this.histories;
    const { base, acceptors } = onRunOfPorts(shards, (base) => {
      const acceptors: Acceptor[] = [];
      try {
        for (let i = 0; i < shards; i++) acceptors.push(new Acceptor(base + i));
      } catch (error) {
        for (const acceptor of acceptors) acceptor[Symbol.dispose]();
        throw error;
      }
      return { base, acceptors };
    });
    this.base = base;
    this.#shards = acceptors;
    this.#layout = new LayoutPort(() => ({
      base,
      node: this.node,
      histories: this.told,
      password: this.password,
    }));
    this.port = this.#layout.port;
  }

  /** Times that its layout was asked for. */
  get asked(): number {
    return this.#layout.asked;
  }

  /** The next link to a shard. */
  async next(shard = 0): Promise<ClaimedLink> {
    const peer = await this.#shards[shard].next();
    const request = await peer.array();
    return { peer, claim: request?.args ?? [] };
  }

  /** v2's answer to a handshake. */
  ack(shard: number, offset: number): string {
    const { histories } = this;
    return `+ACK ${offset} HISTORY ${
      histories[shard]
    } SHARD ${shard} SHARDS ${histories.length}\r\n`;
  }

  /** A heartbeat: the shard's next offset and the node's sequence. */
  ping(shard: number, next: number, sequence = next): string {
    return `+PING ${this.histories[shard]} ${next} ${sequence}\r\n`;
  }

  [Symbol.dispose](): void {
    for (const shard of this.#shards) shard[Symbol.dispose]();
    this.#layout[Symbol.dispose]();
  }
}

/** A frame as a primary sends it. */
export function frame(offset: number | string, ...args: string[]): string {
  const words = args.map((arg) => `$${new TextEncoder().encode(arg).length}\r\n${arg}\r\n`);
  return `*2\r\n:${offset}\r\n*${args.length}\r\n${words.join("")}`;
}

/** An image as a ship, in chunks of at most `chunkBytes`. */
export function ship(image: Uint8Array, cut: number, chunkBytes = 65_536): Uint8Array {
  const parts: Uint8Array[] = [encode("+SNAPSHOT\r\n")];
  for (let at = 0; at < image.length; at += chunkBytes) {
    const chunk = image.subarray(at, at + chunkBytes);
    parts.push(encode(`$${chunk.length}\r\n`), chunk, encode("\r\n"));
  }
  parts.push(encode(`+SNAPSHOT_END ${cut}\r\n`));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
