/**
 * The keys of one keyspace that clients wait for, and which of them have changed. Keys are found by
 * their hash, so that a write to a key nobody waits for makes no string, and the keyspace tells of
 * its changes only while somebody waits.
 *
 * A change marks a key as ready, once, whatever it was. What the key holds is looked at when its
 * clients are served: then the command, or the transaction, that changed it is over.
 *
 * @module
 */

import { equalsBytes } from "../base/ascii.ts";
import type { KeyChangeListener, Keyspace } from "../keyspace/keyspace.ts";
import type { BlockedClient } from "./blocked_clients.ts";

/** Memory that a key waited for is counted with, beside its bytes. */
export const WAITED_KEY_BYTES = 512;
/** Memory that each client waiting for a key is counted with. */
export const WAITER_BYTES = 64;

/** A key that somebody waits for. */
export interface WaitedKey {
  /** Where the key belongs. */
  readonly owner: WaitedKeys;
  /** Its database. */
  readonly db: number;
  /** A copy of its bytes. */
  readonly key: Uint8Array;
  /** Its hash. */
  readonly hash: number;
  /** Who waits, first come first. */
  readonly clients: Set<BlockedClient>;
  /** Bit `1 << type` of each type that any of them ever waited for. */
  types: number;
  /** How many of them are woken as well when the key goes or changes its type. */
  removalWaiters: number;
  /** Whether it has changed since its clients were last looked at, and is queued for that. */
  isReady: boolean;
  /** Where a look at its clients that was broken off goes on. */
  pass: Iterator<BlockedClient> | null;
}

/** See the module's text. */
export class WaitedKeys implements KeyChangeListener {
  /** The keyspace. */
  readonly keys: Keyspace;
  /** Number of keys waited for. */
  size = 0;
  /** Number of those of which somebody wants to know when they go. */
  withRemovalWaiters = 0;
  readonly #ready: (waited: WaitedKey) => void;
  readonly #byHash = new Map<number, WaitedKey[]>();

  /** Nobody waits yet. `ready` is called once for each key that has changed, until it is looked at. */
  constructor(keys: Keyspace, ready: (waited: WaitedKey) => void) {
    this.keys = keys;
    this.#ready = ready;
  }

  /** `client` waits for the key `buf[start..stop)` from now on. Null if it does already. */
  add(
    client: BlockedClient,
    db: number,
    buf: Uint8Array,
    start: number,
    stop: number,
  ): WaitedKey | null {
    const waited = this.#find(db, buf, start, stop) ?? this.#create(db, buf.slice(start, stop));
    if (waited.clients.has(client)) return null;
    waited.clients.add(client);
    waited.types |= 1 << client.type;
    if (client.wakesOnRemoval && ++waited.removalWaiters === 1) this.withRemovalWaiters++;
    return waited;
  }

  #create(db: number, key: Uint8Array): WaitedKey {
    if (this.size === 0) this.keys.addChangeListener(this);
    this.size++;
    const hash = this.keys.dict.hash(key, 0, key.length);
    const waited: WaitedKey = {
      owner: this,
      db,
      key,
      hash,
      clients: new Set(),
      types: 0,
      removalWaiters: 0,
      isReady: false,
      pass: null,
    };
    const found = this.#byHash.get(hash);
    if (found === undefined) this.#byHash.set(hash, [waited]);
    else found.push(waited);
    return waited;
  }

  /** `client` waits for a key no longer. */
  delete(client: BlockedClient, waited: WaitedKey): void {
    if (!waited.clients.delete(client)) return;
    if (client.wakesOnRemoval && --waited.removalWaiters === 0) this.withRemovalWaiters--;
    if (waited.clients.size > 0) return;
    const found = this.#byHash.get(waited.hash)!;
    if (found.length === 1) this.#byHash.delete(waited.hash);
    else found.splice(found.indexOf(waited), 1);
    if (--this.size === 0) this.keys.removeChangeListener(this);
  }

  #find(db: number, buf: Uint8Array, start: number, stop: number): WaitedKey | null {
    const found = this.#byHash.get(this.keys.dict.hash(buf, start, stop));
    if (found === undefined) return null;
    for (let i = 0; i < found.length; i++) {
      const waited = found[i];
      const { key } = waited;
      if (waited.db !== db || key.length !== stop - start) continue;
      if (equalsBytes(key, 0, buf, start, key.length)) return waited;
    }
    return null;
  }

  /** See `KeyChangeListener`. */
  keyChanged(
    db: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    isRemoval: boolean,
  ): void {
    const waited = this.#find(db, u8, start, stop);
    if (waited === null || waited.isReady) return;
    if (isRemoval && waited.removalWaiters === 0) return;
    this.#mark(waited);
  }

  /** See `KeyChangeListener`. */
  databaseChanged(db: number): void {
    for (const found of this.#byHash.values()) {
      for (const waited of found) if (waited.db === db) this.#mark(waited);
    }
  }

  /** All keys are looked at again, changed or not. */
  markAll(): void {
    for (const found of this.#byHash.values()) found.forEach((waited) => this.#mark(waited));
  }

  #mark(waited: WaitedKey): void {
    if (waited.isReady) return;
    waited.isReady = true;
    this.#ready(waited);
  }
}
