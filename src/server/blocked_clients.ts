/**
 * Clients that wait for keys (BLPOP, BLMOVE, XREAD BLOCK ...): who waits for what, and serving them
 * when it comes.
 *
 * Behind each command, or whole EXEC, that changed keys somebody waits for, those keys are looked at
 * in the order in which they changed, and the clients of each in the order in which they came. A
 * client that may find what it waits for has its request run again as it was sent. If that replies,
 * the wait is over; if not, the client keeps its place. What is served may change keys that others
 * wait for, who are then served in the same way, until nothing is left to do.
 *
 * Keys also change without a command: an upstream's frames, deadlines, a data set that is replaced.
 * Whatever the cause, clients that have not been served by then are served in the next round of the
 * event loop. So are those for whom the time of a turn was too short.
 *
 * Nothing is taken from a key for a client that is gone: a client leaves the queues when it is closed,
 * before anybody else's command can run.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Gate } from "../base/gate.ts";
import { type BlockingPort, type BlockOptions, KeptRequest } from "../commands/blocking.ts";
import type { Call } from "../commands/call.ts";
import type { Session } from "../commands/session.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Executor, WaitingClients } from "./executor.ts";
import { type LateErrors, Wait } from "./wait.ts";
import { WAITED_KEY_BYTES, type WaitedKey, WaitedKeys, WAITER_BYTES } from "./waited_keys.ts";

/**
 * Memory that all waits together may take, requests included. It is no part of `maxmemory` or of a
 * client's buffers, so without a bound a few clients that wait for a million keys each would take the
 * process's. Ten thousand workers that wait for a hundred queues stay well below.
 */
export const WAITING_BYTES_MAX: number = 256 * 2 ** 20;

/** Keys and clients looked at between two looks at the clock. */
const CLOCK_LOOKS = 16;

/** A key that holds nothing, where a type is asked for. */
const NO_TYPE = -1;

const ERR_TOO_MANY = ascii("ERR too many clients wait for too many keys");

/** What blocked clients need of the rest of the server. */
export interface BlockedClientsHost extends LateErrors {
  /** Runs their requests. */
  readonly executor: Executor;
  /** Lets others run. */
  readonly gate: Gate;
  /** Unix ms of a monotonic time. */
  unixMs(monotonicMs: number): number;
  /** After each turn: what was appended goes to the replicas. */
  endTurn(): void;
  /** A client's command threw, which none may: the client will be closed. */
  commandThrew(session: Session, error: unknown): void;
}

/** A client that waits for keys. */
export interface BlockedClient {
  /** Who waits. */
  readonly session: Session;
  /** Its suspension. */
  readonly wait: Wait;
  /** What it asked for. */
  readonly request: KeptRequest;
  /** Type of the values that it can use. */
  readonly type: number;
  /** Whether it is woken as well when a key goes or becomes another type. */
  readonly wakesOnRemoval: boolean;
  /** The keys it waits for, each once. */
  readonly keys: WaitedKey[];
  /** Memory that the wait is counted with. */
  bytes: number;
}

/** See the module's text. */
export class BlockedClients implements BlockingPort, WaitingClients {
  /** See `WaitingClients`. */
  hasReady = false;
  readonly #host: BlockedClientsHost;
  readonly #waited = new Map<Keyspace, WaitedKeys>();
  /** Keys that have changed, in order; those before `#next` are done. */
  #ready: WaitedKey[] = [];
  #next = 0;
  #looks = 0;
  /** The client whose request is being run again, or null. */
  #served: BlockedClient | null = null;
  /** Whether that request has found nothing this time either. */
  #waitsOn = false;
  #isServingLate = false;
  #bytes = 0;
  readonly #bytesMax: number;
  readonly #serveLate = () => void this.#serveRest();
  readonly #keyIsReady = (waited: WaitedKey) => {
    this.#ready.push(waited);
    this.hasReady = true;
    if (this.#isServingLate) return;
    this.#isServingLate = true;
    setImmediate(this.#serveLate);
  };

  /** Nobody waits. */
  constructor(host: BlockedClientsHost, bytesMax: number = WAITING_BYTES_MAX) {
    this.#host = host;
    this.#bytesMax = bytesMax;
  }

  /** Number of keys that somebody waits for. */
  get keyCount(): number {
    let keys = 0;
    for (const waited of this.#waited.values()) keys += waited.size;
    return keys;
  }

  /** Number of keys that somebody waits for and wants to know about when they go. */
  get removalKeyCount(): number {
    let keys = 0;
    for (const waited of this.#waited.values()) keys += waited.withRemovalWaiters;
    return keys;
  }

  /** See `BlockingPort`. */
  block(call: Call, options: BlockOptions): void {
    const { session } = call;
    if (this.#served !== null && this.#served.session === session) {
      this.#waitsOn = true;
      return;
    }
    const request = new KeptRequest(call, options.rewrite);
    const bytes = request.buf.length + options.keyCount * (WAITED_KEY_BYTES + WAITER_BYTES);
    // As though none of the keys were waited for yet: a bound, not a bill.
    if (this.#bytes + bytes > this.#bytesMax) return call.reply.error(ERR_TOO_MANY);
    const { timeoutMs, expired } = options;
    const wait = new Wait(call, this.#host, {
      ...(timeoutMs > 0 ? { timeoutMs } : {}),
      expired,
      abandoned: () => this.#leave(client),
    });
    const client: BlockedClient = {
      session,
      wait,
      request,
      type: options.type,
      wakesOnRemoval: options.wakesOnRemoval === true,
      keys: [],
      bytes: request.buf.length,
    };
    const waited = this.#waitedOf(call.keys);
    const { buf, starts, stops } = call;
    const step = options.keyStep ?? 1;
    for (let n = 0, i = options.firstKey; n < options.keyCount; n++, i += step) {
      const key = waited.add(client, call.db, buf, starts[i], stops[i]);
      if (key === null) continue;
      client.keys.push(key);
      client.bytes += WAITER_BYTES;
      if (key.clients.size === 1) this.#bytes += WAITED_KEY_BYTES + key.key.length;
    }
    this.#bytes += client.bytes;
  }

  #waitedOf(keys: Keyspace): WaitedKeys {
    let waited = this.#waited.get(keys);
    if (waited === undefined) {
      this.#waited.set(keys, waited = new WaitedKeys(keys, this.#keyIsReady));
    }
    return waited;
  }

  /** The client waits no longer. */
  #leave(client: BlockedClient): void {
    this.#bytes -= client.bytes;
    for (const waited of client.keys) {
      waited.owner.delete(client, waited);
      if (waited.clients.size === 0) this.#bytes -= WAITED_KEY_BYTES + waited.key.length;
    }
    client.keys.length = client.bytes = 0;
  }

  /** See `WaitingClients`. */
  serveReady(): void {
    while (this.#next < this.#ready.length) {
      if (!this.#look(this.#ready[this.#next])) return;
      this.#next++;
      if (this.#isTimeUp()) return;
    }
    this.#ready = [];
    this.#next = 0;
    this.hasReady = false;
  }

  /** In turns of its own. */
  async #serveRest(): Promise<void> {
    const { executor, gate } = this.#host;
    while (this.hasReady) {
      executor.beginTurn(this.#host.unixMs(gate.begin()));
      this.serveReady();
      this.#host.endTurn();
      const others = this.hasReady ? gate.rest() : gate.pass();
      if (others !== null) await others;
    }
    this.#isServingLate = false;
  }

  /** Everybody who waits is looked at again: what held them back (CLIENT PAUSE) is over. */
  lookAgain(): void {
    for (const waited of this.#waited.values()) waited.markAll();
  }

  /** Whether the turn's time is up; looks at the clock now and then. */
  #isTimeUp(): boolean {
    return ++this.#looks % CLOCK_LOOKS === 0 && this.#host.gate.isDue;
  }

  /** Serves the clients of a key. False when the turn's time is up and there may be more to do. */
  #look(waited: WaitedKey): boolean {
    const { db, key, clients } = waited;
    const { keys } = waited.owner;
    const pass = waited.pass ??= clients.values();
    waited.isReady = false; // a change from here on counts for the next look
    while (true) {
      const next = pass.next();
      if (next.done === true) break;
      const a = keys.peek(db, key, 0, key.length);
      const type = a === 0 || keys.isHidden(a) ? NO_TYPE : keys.typeOf(a);
      const isWanted = type !== NO_TYPE && (waited.types & (1 << type)) !== 0;
      if (!isWanted && waited.removalWaiters === 0) break;
      const client = next.value;
      if (client.type === type || client.wakesOnRemoval) this.#serve(client);
      if (this.#isTimeUp()) return false;
    }
    waited.pass = null;
    return true;
  }

  /** Runs a client's request again. */
  #serve(client: BlockedClient): void {
    const { session, wait, request } = client;
    if (session.closing) return;
    this.#served = client;
    this.#waitsOn = false;
    try {
      const hasRun = this.#host.executor.runAgain(session, request, wait.isSilent);
      if (!hasRun || this.#waitsOn) return;
    } catch (error) {
      this.#host.commandThrew(session, error);
      session.disconnect("a command threw");
    } finally {
      this.#served = null;
    }
    this.#leave(client);
    session.resume(replied);
  }
}

/** The reply is written already. */
function replied(): void {}
