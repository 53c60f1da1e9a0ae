/**
 * Channels, patterns and shard channels, and the clients that listen to them. A message is written to
 * the reply buffers of its listeners at once; their connections send it when the turn is over.
 *
 * Owns who listens to what. Whether a listener takes its messages fast enough is its connection's to
 * judge (`Session.pushed`); who may subscribe and what is replied stands in `subscribe.ts`.
 *
 * Names are bytes, so topics are found by a keyed hash of them: chains of topics in buckets, doubled
 * as they fill.
 *
 * @module
 */

import { ascii, equalsBytes } from "../base/ascii.ts";
import { globMatch } from "../base/glob.ts";
import { halfSipHash, type HashKey, randomHashKey } from "../memory/siphash.ts";
import type { Session, SessionSubscriptions } from "./session.ts";

/** Topics of SUBSCRIBE. */
export const CHANNELS = 0;
/** Topics of PSUBSCRIBE. */
export const PATTERNS = 1;
/** Topics of SSUBSCRIBE. */
export const SHARD_CHANNELS = 2;

/**
 * What a subscription is taken to cost beside its topic's name, in bytes: an element of two hash sets.
 * A topic itself costs as much again (both measured together).
 */
export const SUBSCRIPTION_BYTES = 300;

/** Memory that topics and subscriptions together may take, about: 800,000 channels with a listener each. */
export const SUBSCRIBED_BYTES_MAX: number = 512 * 2 ** 20;

const MESSAGE = ascii("message");
const PMESSAGE = ascii("pmessage");
const SMESSAGE = ascii("smessage");

const FIRST_BUCKETS = 16;

/** A channel or pattern with somebody who listens. */
export class Topic {
  /** Its name. */
  readonly name: Uint8Array;
  /** Who listens, in the order in which they came. */
  readonly listeners: Set<Session> = new Set();
  /** Hash of the name. */
  readonly hash: number;
  /** The next of its bucket. */
  next: Topic | null = null;

  /** A topic nobody listens to yet. */
  constructor(name: Uint8Array, hash: number) {
    this.name = name;
    this.hash = hash;
  }
}

/** Topics by their names. */
export class TopicTable {
  /** Number of topics. */
  size = 0;
  #buckets: (Topic | null)[] = new Array(FIRST_BUCKETS).fill(null);
  readonly #key: HashKey;

  /** An empty table whose hashes nobody can foresee. */
  constructor(key: HashKey) {
    this.#key = key;
  }

  /** The topic named `buf[start..stop)`, or null. */
  find(buf: Uint8Array, start: number, stop: number): Topic | null {
    if (this.size === 0) return null;
    const hash = halfSipHash(this.#key, buf, start, stop);
    const length = stop - start;
    let topic = this.#buckets[hash & (this.#buckets.length - 1)];
    while (topic !== null) {
      const { name } = topic;
      if (
        topic.hash === hash && name.length === length && equalsBytes(name, 0, buf, start, length)
      ) return topic;
      topic = topic.next;
    }
    return null;
  }

  /** Adds a topic named by a copy of `buf[start..stop)`, which is not there yet. */
  add(buf: Uint8Array, start: number, stop: number): Topic {
    if (this.size >= this.#buckets.length) this.#rehash(this.#buckets.length * 2);
    const hash = halfSipHash(this.#key, buf, start, stop);
    const topic = new Topic(buf.slice(start, stop), hash);
    this.#link(topic);
    this.size++;
    return topic;
  }

  /** Removes a topic that is there. */
  remove(topic: Topic): void {
    const at = topic.hash & (this.#buckets.length - 1);
    let before = this.#buckets[at];
    if (before === topic) {
      this.#buckets[at] = topic.next;
    } else {
      while (before!.next !== topic) before = before!.next;
      before!.next = topic.next;
    }
    topic.next = null;
    this.size--;
    const buckets = this.#buckets.length;
    if (buckets > FIRST_BUCKETS && this.size < buckets / 8) this.#rehash(buckets / 2);
  }

  /** All topics, in no particular order. */
  *[Symbol.iterator](): Generator<Topic> {
    for (const first of this.#buckets) {
      for (let topic = first; topic !== null; topic = topic.next) yield topic;
    }
  }

  #link(topic: Topic): void {
    const at = topic.hash & (this.#buckets.length - 1);
    topic.next = this.#buckets[at];
    this.#buckets[at] = topic;
  }

  #rehash(buckets: number): void {
    const topics = [...this];
    this.#buckets = new Array(buckets).fill(null);
    for (const topic of topics) this.#link(topic);
  }
}

/** What one client listens to; its session has it while that is anything. */
class Subscriptions implements SessionSubscriptions {
  readonly topics: readonly [Set<Topic>, Set<Topic>, Set<Topic>] = [
    new Set(),
    new Set(),
    new Set(),
  ];
  bytes = 0;
  readonly #pubsub: PubSub;
  readonly #session: Session;

  constructor(pubsub: PubSub, session: Session) {
    this.#pubsub = pubsub;
    this.#session = session;
  }

  count(kind: number): number {
    return this.topics[kind].size;
  }

  leave(): void {
    this.#pubsub.leave(this.#session);
  }
}

/** See the module's text. One per server. */
export class PubSub {
  /** Topics by kind: `CHANNELS`, `PATTERNS`, `SHARD_CHANNELS`. */
  readonly topics: readonly [TopicTable, TopicTable, TopicTable];
  /** Clients that listen to anything. */
  clients = 0;
  /** Bytes that topics and subscriptions take, see `SUBSCRIPTION_BYTES`. */
  bytes = 0;
  /** See `SUBSCRIBED_BYTES_MAX`. */
  bytesMax: number = SUBSCRIBED_BYTES_MAX;

  /** Nobody listens yet. */
  constructor() {
    const key = randomHashKey();
    this.topics = [new TopicTable(key), new TopicTable(key), new TopicTable(key)];
  }

  /** Whether a message on a channel could reach anybody. */
  get hasListeners(): boolean {
    return this.topics[CHANNELS].size > 0 || this.topics[PATTERNS].size > 0;
  }

  /** Whether there is room for so many subscriptions, as though none of their topics was there yet. */
  hasRoom(subscriptions: number, nameBytes: number): boolean {
    return this.bytes + subscriptions * 2 * SUBSCRIPTION_BYTES + nameBytes <= this.bytesMax;
  }

  /** Lets a client listen to the topic `buf[start..stop)`; nothing if it does. */
  subscribe(session: Session, kind: number, buf: Uint8Array, start: number, stop: number): void {
    const table = this.topics[kind];
    let topic = table.find(buf, start, stop);
    if (topic === null) {
      topic = table.add(buf, start, stop);
      this.bytes += SUBSCRIPTION_BYTES + stop - start;
    }
    if (topic.listeners.has(session)) return;
    let own = session.subscriptions as Subscriptions | null;
    if (own === null) {
      session.subscriptions = own = new Subscriptions(this, session);
      this.clients++;
      session.listeningChanged();
    }
    topic.listeners.add(session);
    own.topics[kind].add(topic);
    own.bytes += SUBSCRIPTION_BYTES;
    this.bytes += SUBSCRIPTION_BYTES;
  }

  /** Lets a client listen to the topic no more; nothing if it does not. */
  unsubscribe(session: Session, kind: number, buf: Uint8Array, start: number, stop: number): void {
    const topic = this.topics[kind].find(buf, start, stop);
    if (topic !== null && topic.listeners.has(session)) this.#drop(session, kind, topic);
  }

  /** What a client listens to, oldest first; a copy. */
  topicsOf(session: Session, kind: number): Topic[] {
    const own = session.subscriptions as Subscriptions | null;
    return own === null ? [] : [...own.topics[kind]];
  }

  /** Lets a client listen to nothing any more. */
  leave(session: Session): void {
    for (const kind of [CHANNELS, PATTERNS, SHARD_CHANNELS]) {
      for (const topic of this.topicsOf(session, kind)) this.#drop(session, kind, topic);
    }
  }

  #drop(session: Session, kind: number, topic: Topic): void {
    const own = session.subscriptions as Subscriptions;
    topic.listeners.delete(session);
    own.topics[kind].delete(topic);
    own.bytes -= SUBSCRIPTION_BYTES;
    this.bytes -= SUBSCRIPTION_BYTES;
    if (topic.listeners.size === 0) {
      this.topics[kind].remove(topic);
      this.bytes -= SUBSCRIPTION_BYTES + topic.name.length;
    }
    if (own.topics.every((topics) => topics.size === 0)) {
      session.subscriptions = null;
      this.clients--;
      session.listeningChanged();
    }
  }

  /**
   * Sends `message[from..to)` to who listens to the channel `buf[start..stop)` or to a pattern that
   * matches it. Returns how many were sent it; who listens in two ways counts twice.
   */
  publish(
    buf: Uint8Array,
    start: number,
    stop: number,
    message: Uint8Array,
    from: number,
    to: number,
  ): number {
    let sent = 0;
    const topic = this.topics[CHANNELS].find(buf, start, stop);
    if (topic !== null) sent = deliver(topic, MESSAGE, buf, start, stop, message, from, to);
    const patterns = this.topics[PATTERNS];
    if (patterns.size === 0) return sent;
    for (const topic of patterns) {
      const { name, listeners } = topic;
      if (!globMatch(name, 0, name.length, buf, start, stop)) continue;
      for (const session of listeners) {
        if (session.closing) continue;
        const out = session.beginPush();
        out.push(4);
        out.bulk(PMESSAGE, 0, PMESSAGE.length);
        out.bulk(name, 0, name.length);
        out.bulk(buf, start, stop);
        out.bulk(message, from, to);
        session.endPush();
      }
      sent += listeners.size;
    }
    return sent;
  }

  /** As `publish` for a shard channel, which no pattern matches. */
  publishShard(
    buf: Uint8Array,
    start: number,
    stop: number,
    message: Uint8Array,
    from: number,
    to: number,
  ): number {
    const topic = this.topics[SHARD_CHANNELS].find(buf, start, stop);
    return topic === null ? 0 : deliver(topic, SMESSAGE, buf, start, stop, message, from, to);
  }
}

/** Writes a message of three parts to all who listen to a topic; how many they are. */
function deliver(
  topic: Topic,
  kind: Uint8Array,
  buf: Uint8Array,
  start: number,
  stop: number,
  message: Uint8Array,
  from: number,
  to: number,
): number {
  for (const session of topic.listeners) {
    if (session.closing) continue;
    const out = session.beginPush();
    out.push(3);
    out.bulk(kind, 0, kind.length);
    out.bulk(buf, start, stop);
    out.bulk(message, from, to);
    session.endPush();
  }
  return topic.listeners.size;
}
