/** What the tests of the wire share: fixtures, bytes from text, and decoders fed in pieces. */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Backlog } from "../../src/replication/backlog.ts";
import { type OriginPoint, Origins } from "../../src/replication/origins.ts";
import {
  DEFAULT_LINK_SETTINGS,
  type LinkSettings,
  type LinkSource,
  OUTPUT_BYTES,
  ReplicaLink,
} from "../../src/replication/replica_link.ts";
import {
  ACK,
  CHAIN,
  DECODE_FAILED,
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
} from "../../src/replication/stream_decoder.ts";

export const HISTORY_A = "a".repeat(40);
export const HISTORY_B = "0123456789abcdef0123456789abcdef01234567";

/** The bytes of a text of one-byte characters. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Ticks a link every 100 ms after `fromMs`, and at `toMs`, as long as it answers `usual`. The last answer. */
export function tickUntil<T>(
  link: { tick(nowMs: number): T },
  fromMs: number,
  toMs: number,
  ...usual: T[]
): T {
  for (let nowMs = fromMs + 100; nowMs < toMs; nowMs += 100) {
    const answer = link.tick(nowMs);
    if (!usual.includes(answer)) throw new Error(`${answer} at ${nowMs} ms`);
  }
  return link.tick(toMs);
}

export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function toHex(data: Uint8Array): string {
  return Array.from(data, (b) => b.toString(16).padStart(2, "0")).join("");
}

const FIXTURES = new URL("../fixtures/", import.meta.url);

export function fixtureBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(name, FIXTURES));
}

// deno-lint-ignore no-explicit-any
export function fixture(name: string): any {
  return JSON.parse(Deno.readTextFileSync(new URL(name, FIXTURES)));
}

/** The bytes of an array of bulks, each in UTF-8. */
export function request(...args: string[]): Uint8Array<ArrayBuffer> {
  return ascii(
    `*${args.length}\r\n` + args.map((a) => `$${ascii(a).length}\r\n${a}\r\n`).join(""),
  );
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What a decoder gave, in words. Runs of snapshot bytes are joined. */
export type Event =
  | { kind: "frame"; offset: number; args: string[] }
  | { kind: "ack"; offset: number; history: string; shard: number; shards: number }
  | { kind: "begin" }
  | { kind: "image"; bytes: string }
  | { kind: "end"; offset: number }
  | { kind: "heartbeat"; history: string; offset: number; sequence: number }
  | { kind: "getAck" }
  | { kind: "origin"; point: OriginPoint | null }
  | { kind: "chain"; nodes: readonly string[] }
  | { kind: "frames"; offset: number }
  | { kind: "refused"; text: string }
  | { kind: "failed"; error: string };

/** The owner of an input buffer that is as small as it can be, and is compacted all the time. */
export class DecoderFeed {
  readonly decoder: StreamDecoder;
  readonly events: Event[] = [];
  #buf = new Uint8Array(16);
  #used = 0;

  constructor(decoder: StreamDecoder = new StreamDecoder()) {
    this.decoder = decoder;
  }

  get bufferedBytes(): number {
    return this.#used;
  }

  push(data: Uint8Array): void {
    const { decoder } = this;
    if (decoder.begin > 0) {
      const by = decoder.begin;
      this.#buf.copyWithin(0, by, this.#used);
      this.#used -= by;
      decoder.rebase(by);
    }
    while (this.#buf.length < this.#used + data.length) {
      const larger = new Uint8Array(this.#buf.length * 2);
      larger.set(this.#buf);
      this.#buf = larger;
    }
    this.#buf.set(data, this.#used);
    this.#used += data.length;
    // Bytes behind the end must never be read.
    this.#buf.fill(0x24, this.#used);
    for (let calls = 0;; calls++) {
      if (calls > this.#used + 2) throw new Error("the decoder does not come to an end");
      const event = decoder.next(this.#buf, this.#used);
      if (event === NEED_MORE) return;
      this.#record(event);
      if (event === DECODE_FAILED || event === REFUSED) return;
    }
  }

  #record(event: number): void {
    const d = this.decoder;
    const buf = this.#buf;
    switch (event) {
      case FRAME: {
        const args: string[] = [];
        for (let i = 0; i < d.argc; i++) args.push(latin1(buf, d.starts[i], d.stops[i]));
        this.events.push({ kind: "frame", offset: d.offset, args });
        return;
      }
      case ACK: {
        const { offset, history, shard, shards } = d;
        this.events.push({ kind: "ack", offset, history, shard, shards });
        return;
      }
      case SNAPSHOT_BEGIN:
        this.events.push({ kind: "begin" });
        return;
      case SNAPSHOT_BYTES: {
        const text = latin1(buf, d.bytesStart, d.bytesStop);
        const last = this.events.at(-1);
        if (last?.kind === "image") last.bytes += text;
        else this.events.push({ kind: "image", bytes: text });
        return;
      }
      case SNAPSHOT_END:
        this.events.push({ kind: "end", offset: d.offset });
        return;
      case HEARTBEAT: {
        const { offset, history, sequence } = d;
        this.events.push({ kind: "heartbeat", history, offset, sequence });
        return;
      }
      case GET_ACK:
        this.events.push({ kind: "getAck" });
        return;
      case ORIGIN:
        this.events.push({ kind: "origin", point: d.origin });
        return;
      case CHAIN:
        this.events.push({ kind: "chain", nodes: d.chain });
        return;
      case FRAMES:
        this.events.push({ kind: "frames", offset: d.offset });
        return;
      case REFUSED:
        this.events.push({ kind: "refused", text: d.refusal });
        return;
      case DECODE_FAILED:
        this.events.push({ kind: "failed", error: d.error });
        return;
      default:
        throw new Error(`event ${event}`);
    }
  }
}

/** The events of `pieces`, pushed one after the other. */
export function decodePieces(pieces: Uint8Array[]): Event[] {
  const feed = new DecoderFeed();
  for (const piece of pieces) {
    const last = feed.events.at(-1)?.kind;
    if (last === "failed" || last === "refused") break;
    feed.push(piece);
  }
  return feed.events;
}

/** `data` in two pieces at every place, then byte by byte. */
export function* everySplit(data: Uint8Array): Generator<[string, Uint8Array[]]> {
  for (let cut = 0; cut <= data.length; cut++) {
    yield [`cut at ${cut}`, [data.subarray(0, cut), data.subarray(cut)]];
  }
  yield ["byte by byte", Array.from(data, (_, i) => data.subarray(i, i + 1))];
}

/** A shard as a link sees it. */
export class FakeSource implements LinkSource {
  backlog: Backlog;
  history = HISTORY_A;
  shard = 1;
  shards = 2;
  sequence = 0;
  origins = new Origins();
  writes = 0;
  chain: readonly string[] = ["a".repeat(12)];

  constructor(o: { firstOffset?: number; limitBytes?: number; pinLimitBytes?: number } = {}) {
    this.backlog = new Backlog({
      limitBytes: o.limitBytes ?? 1 << 20,
      firstOffset: o.firstOffset ?? 0,
      ...(o.pinLimitBytes === undefined ? {} : { pinLimitBytes: o.pinLimitBytes }),
    });
  }

  append(...args: string[]): number {
    const encoded = args.map(bytes);
    this.backlog.beginFrame(args.length, encoded.reduce((sum, arg) => sum + arg.length, 0));
    for (const arg of encoded) this.backlog.arg(arg, 0, arg.length);
    this.sequence++;
    return this.backlog.endFrame();
  }
}

/** A link that was just accepted from 10.0.0.7. */
export function acceptedLink(
  source: LinkSource,
  nowMs = 0,
  settings: Readonly<LinkSettings> = DEFAULT_LINK_SETTINGS,
): ReplicaLink {
  return new ReplicaLink({ source, peer: "10.0.0.7:4711", peerHost: "10.0.0.7", nowMs, settings });
}

/** Everything the link has to write now, as latin-1, in writes of at most `writeBytes`. */
export function pumpAll(link: ReplicaLink, nowMs = 0, writeBytes = Infinity): string {
  let out = "";
  while (link.nextOutput(nowMs) === OUTPUT_BYTES) {
    const count = Math.min(writeBytes, link.output.length);
    out += latin1(link.output, 0, count);
    link.written(count, nowMs);
  }
  return out;
}
