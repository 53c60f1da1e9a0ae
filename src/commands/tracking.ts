/**
 * Client-side caching: clients are told when a key that they have read changes (CLIENT TRACKING), or,
 * in broadcast mode, when any key with one of their prefixes does. The messages are pushes of RESP3;
 * with REDIRECT they go to another client, in RESP2 as a message on `__redis__:invalidate`.
 *
 * Owns what each client tracks. Keys are remembered when the executor has run a reading command
 * (`Tracker.ran`), and changes are heard from the keyspaces; while nobody tracks, the keyspaces are
 * not listened to and nothing is paid. As in Redis a key is told by its name alone, whatever database
 * it is in, a key is told once and then forgotten, and what one turn changes under a prefix is told
 * in one message when the turn is over.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { KEY_BYTES_MAX } from "../keyspace/entry.ts";
import type { KeyChangeListener, Keyspace } from "../keyspace/keyspace.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import type { Command, CommandSpec } from "./registry.ts";
import type { Session, SessionTracker } from "./session.ts";
import { type ChangedKey, Prefixes } from "./tracking_prefixes.ts";
import { TrackingTable } from "./tracking_table.ts";

const INVALIDATE = ascii("invalidate");
const REDIRECT_BROKEN = ascii("tracking-redir-broken");
const MESSAGE = ascii("message");
const CHANNEL = ascii("__redis__:invalidate");
const NULL2 = ascii("$-1\r\n");
const NULL3 = ascii("_\r\n");

/** Keys dropped at most behind one command when the table is over its limit, those it read apart. */
const DROPS_PER_COMMAND = 100;

/** Bytes that a client's prefix is taken to cost beside its text. */
const PREFIX_BYTES = 128;

/** What tracking needs of the rest of the server. */
export interface TrackingHost {
  /** The shards' keys. */
  readonly keyspaces: readonly Keyspace[];
  /** The client with an id. */
  session(id: number): Session | undefined;
  /** The client whose command is being run, or null. */
  running(): Session | null;
  /**
   * Number of commands run so far, each time counted that one is, before the keys that it has read are
   * noted: while it stays, no client has read anything more.
   */
  runCount(): number;
}

/** How a client wants to be told: the options of CLIENT TRACKING ON. */
export interface TrackingOptions {
  /** Id of the client that is told instead, 0 for itself. */
  readonly redirect: number;
  /** Whether it hears of all changes under its prefixes, read or not. */
  readonly broadcast: boolean;
  /** Only keys read right behind CLIENT CACHING YES are remembered. */
  readonly optIn: boolean;
  /** Keys read right behind CLIENT CACHING NO are not remembered. */
  readonly optOut: boolean;
  /** Whether it is not told of changes by its own commands. */
  readonly noLoop: boolean;
  /** Prefixes to listen to, beside those that it has, as latin-1 text. */
  readonly prefixes: readonly string[];
}

/** One client's tracking; its session has it while it is on. */
export class Tracker implements SessionTracker {
  /** The client. */
  readonly session: Session;
  /** How it wants to be told. */
  options: TrackingOptions;
  /** Whether CLIENT CACHING was said for the next command. */
  caching = false;
  /** Whether the client that it redirects to was found gone. */
  isBroken = false;
  /** Prefixes that it listens to, as latin-1 text. */
  readonly prefixes: Set<string> = new Set();
  /** See `SessionTracker`. */
  bytes = 0;
  readonly #tracking: Tracking;

  /** A client that begins to track. */
  constructor(tracking: Tracking, session: Session, options: TrackingOptions) {
    this.#tracking = tracking;
    this.session = session;
    this.options = options;
  }

  /** See `SessionTracker`. */
  get letters(): string {
    return `t${this.isBroken ? "R" : ""}${this.options.broadcast ? "B" : ""}`;
  }

  /** See `SessionTracker`. */
  get redirect(): number {
    return this.options.redirect;
  }

  /** See `SessionTracker`. */
  ran(call: Call, command: Command): void {
    if (command.isRead) {
      const { broadcast, optIn, optOut } = this.options;
      const isWanted = optIn ? this.caching : !(optOut && this.caching);
      if (!broadcast && isWanted) this.#tracking.remember(this, call, command.spec);
    }
    if (this.caching) this.#endCaching(command);
  }

  /** See `SessionTracker`. */
  refused(command: Command | null): void {
    if (this.caching) this.#endCaching(command);
  }

  /** CLIENT CACHING is about the next command that is not CLIENT, or about a whole transaction. */
  #endCaching(command: Command | null): void {
    if (this.session.transaction !== null) return;
    this.caching = command !== null && command.spec.name.startsWith("client|");
  }

  /** See `SessionTracker`. */
  leave(): void {
    this.#tracking.end(this.session);
  }
}

/** See the module's text. One per server. */
export class Tracking implements KeyChangeListener {
  /** `tracking-table-max-keys`; 0 for no limit but the table's own. */
  keysMax = 1_000_000;
  /** Keys that were told as changed to keep to the limits. */
  droppedKeys = 0;
  readonly #host: TrackingHost;
  readonly #trackers = new Set<Tracker>();
  readonly #prefixes = new Prefixes();
  /** Made when the first client tracks. */
  #table: TrackingTable | null = null;
  /** Number of commands begun when all was last told to be gone. */
  #flushedAt = -1;
  #isBroadcastDue = false;
  readonly #broadcastDue = () => this.#broadcast();
  readonly #keys = new ReplyWriter(1_024);

  /** Nobody tracks yet. */
  constructor(host: TrackingHost) {
    this.#host = host;
  }

  /** Clients that track. */
  get clients(): number {
    return this.#trackers.size;
  }

  /** Keys remembered. */
  get keys(): number {
    return this.#table?.keys ?? 0;
  }

  /** Pairs of a key remembered and a client that has read it. */
  get items(): number {
    return this.#table?.items ?? 0;
  }

  /** Prefixes that clients listen to. */
  get prefixes(): number {
    return this.#prefixes.size;
  }

  /** Bytes that the table takes. */
  get bytes(): number {
    return this.#table?.bytes ?? 0;
  }

  // ---- who tracks ------------------------------------------------------------------------------

  /** Turns tracking on, or changes how; the options agree with each other and with what was on. */
  begin(session: Session, options: TrackingOptions): void {
    let tracker = session.tracker as Tracker | null;
    if (tracker === null) {
      session.tracker = tracker = new Tracker(this, session, options);
      this.#open();
      this.#trackers.add(tracker);
    }
    tracker.options = options;
    tracker.isBroken = false;
    if (!options.broadcast) return;
    for (const prefix of options.prefixes.length === 0 ? [""] : options.prefixes) {
      if (tracker.prefixes.has(prefix)) continue;
      tracker.prefixes.add(prefix);
      tracker.bytes += prefix.length + PREFIX_BYTES;
      this.#prefixes.add(prefix, session);
    }
  }

  /** Turns tracking off; nothing if it is. */
  end(session: Session): void {
    const tracker = session.tracker as Tracker | null;
    if (tracker === null) return;
    session.tracker = null;
    this.#trackers.delete(tracker);
    for (const prefix of tracker.prefixes) this.#prefixes.remove(prefix, session);
  }

  /**
   * Gives the table up while nobody tracks. Not as soon as the last one stops: who turns tracking off
   * and on again is still told of what it had read. Called once a second.
   */
  sweep(): void {
    if (this.#table === null || this.#trackers.size > 0) return;
    this.#table = null;
    for (const keys of this.#host.keyspaces) keys.removeChangeListener(this);
  }

  #open(): void {
    if (this.#table !== null) return;
    this.#table = new TrackingTable();
    for (const keys of this.#host.keyspaces) keys.addChangeListener(this);
  }

  // ---- what was read ---------------------------------------------------------------------------

  /** Remembers that a client has read the keys of the command that has just run. */
  remember(tracker: Tracker, call: Call, { keys, findKeys }: CommandSpec): void {
    if (findKeys !== undefined) {
      for (const i of findKeys(call)) this.#rememberKey(tracker, call, i);
    } else if (keys !== undefined) {
      const last = keys.last < 0 ? call.argc + keys.last : keys.last;
      for (let i = keys.first; i <= last && i < call.argc; i += keys.step) {
        this.#rememberKey(tracker, call, i);
      }
    }
    // A limit that was lowered is come to by and by.
    for (let drops = 0; drops < DROPS_PER_COMMAND && this.#isOverLimit; drops++) this.#dropOne();
  }

  #rememberKey(tracker: Tracker, call: Call, i: number): void {
    const { buf } = call;
    const start = call.starts[i];
    const stop = call.stops[i];
    if (stop - start > KEY_BYTES_MAX) return; // there will never be such a key
    const table = this.#table!;
    const { id } = tracker.session;
    for (let drops = 0; !table.remember(id, buf, start, stop); drops++) {
      // Without room the client must not keep what it has just read.
      if (drops === DROPS_PER_COMMAND) return this.#tellKey(tracker, buf, start, stop);
      this.#dropOne();
    }
    if (this.#isOverLimit) this.#dropOne();
  }

  get #isOverLimit(): boolean {
    return this.keysMax > 0 && this.#table!.keys > this.keysMax;
  }

  /** Tells a random key's readers that it has changed, and forgets it. */
  #dropOne(): void {
    const a = this.#table!.random();
    if (a === 0) return;
    this.droppedKeys++;
    this.#invalidate(a);
  }

  // ---- what has changed ------------------------------------------------------------------------

  /** See `KeyChangeListener`. */
  keyChanged(
    _db: number,
    u8: Uint8Array,
    start: number,
    stop: number,
    _isRemoval: boolean,
    isExpiry: boolean,
  ): void {
    if (this.#prefixes.size > 0) {
      // What a deadline does is nobody's doing, whoever comes upon it.
      this.#noteForBroadcast(u8, start, stop, isExpiry ? null : this.#host.running());
    }
    const table = this.#table;
    if (table === null || table.keys === 0) return;
    const a = table.find(u8, start, stop);
    if (a !== 0) this.#invalidate(a);
  }

  /**
   * See `KeyChangeListener`. Everybody is told that everything may have changed, once for all
   * databases and shards that one command empties.
   */
  databaseChanged(): void {
    const runs = this.#host.runCount();
    if (this.#flushedAt === runs) return;
    this.#flushedAt = runs;
    this.#table?.clear();
    for (const tracker of this.#trackers) {
      const to = this.#addressee(tracker);
      if (to === null) continue;
      const nothing = tracker.session.reply.resp3 ? NULL3 : NULL2;
      beginMessage(to).raw(nothing, 0, nothing.length);
      to.endPush();
    }
  }

  /** Tells the readers of a key and forgets it. */
  #invalidate(a: number): void {
    const table = this.#table!;
    const u8 = table.bytesOf(a);
    const start = table.keyStart(a);
    const stop = start + table.keyLength(a);
    const running = this.#host.running();
    table.readersOf(a);
    for (let i = 0; i < table.idCount; i++) {
      const session = this.#host.session(table.ids[i]);
      const tracker = session?.tracker as Tracker | null | undefined;
      if (tracker === null || tracker === undefined) continue;
      const { broadcast, noLoop } = tracker.options;
      if (broadcast || (noLoop && session === running)) continue;
      this.#tellKey(tracker, u8, start, stop);
    }
    table.remove(a);
  }

  #noteForBroadcast(
    u8: Uint8Array,
    start: number,
    stop: number,
    changer: Session | null,
  ): void {
    if (!this.#prefixes.note(u8, start, stop, changer)) return;
    if (this.#prefixes.isFull) return this.#broadcast();
    if (this.#isBroadcastDue) return;
    this.#isBroadcastDue = true;
    // A turn holds no await, so this runs when it is over, whosever it is.
    queueMicrotask(this.#broadcastDue);
  }

  /** Tells the clients in broadcast mode what has changed. */
  #broadcast(): void {
    this.#isBroadcastDue = false;
    for (const [{ listeners }, changed] of this.#prefixes.takeChanged()) {
      this.#encode(changed, null);
      for (const session of listeners) {
        const tracker = session.tracker as Tracker;
        const isOwn = ([, changer]: ChangedKey) => changer === session;
        if (!tracker.options.noLoop || !changed.some(isOwn)) {
          this.#tellEncoded(tracker);
          continue;
        }
        if (this.#encode(changed, session) > 0) this.#tellEncoded(tracker);
        this.#encode(changed, null);
      }
    }
    this.#keys.at = 0;
    this.#keys.shrink();
  }

  /** Encodes the keys that others than `except` changed in `#keys`; how many they are. */
  #encode(changed: readonly ChangedKey[], except: Session | null): number {
    const out = this.#keys;
    out.at = 0;
    const told = except === null ? changed : changed.filter(([, changer]) => changer !== except);
    out.array(told.length);
    for (const [key] of told) {
      const bytes = Uint8Array.from(key, (char) => char.charCodeAt(0));
      out.bulk(bytes, 0, bytes.length);
    }
    return told.length;
  }

  // ---- telling ---------------------------------------------------------------------------------

  #tellKey(tracker: Tracker, u8: Uint8Array, start: number, stop: number): void {
    const to = this.#addressee(tracker);
    if (to === null) return;
    const out = beginMessage(to);
    out.array(1);
    out.bulk(u8, start, stop);
    to.endPush();
  }

  #tellEncoded(tracker: Tracker): void {
    const to = this.#addressee(tracker);
    if (to === null) return;
    beginMessage(to).raw(this.#keys.buf, 0, this.#keys.at);
    to.endPush();
  }

  /** The client that a tracker's messages go to; null where they cannot be sent. */
  #addressee(tracker: Tracker): Session | null {
    const { session, redirect } = tracker;
    if (redirect === 0) return session.reply.resp3 && !session.closing ? session : null;
    const to = this.#host.session(redirect);
    if (to !== undefined && !to.closing) {
      // RESP2 has no pushes: only a client that listens to channels can tell messages from replies.
      return to.reply.resp3 || to.subscriptions !== null ? to : null;
    }
    tracker.isBroken = true;
    if (!session.reply.resp3 || session.closing) return null;
    const out = session.beginPush();
    out.push(2);
    out.bulk(REDIRECT_BROKEN, 0, REDIRECT_BROKEN.length);
    out.integer(redirect);
    session.endPush();
    return null;
  }
}

/** Begins a message to a client; its keys follow, then `endPush`. */
function beginMessage(to: Session): ReplyWriter {
  const out = to.beginPush();
  if (out.resp3) {
    out.push(2);
    out.bulk(INVALIDATE, 0, INVALIDATE.length);
  } else {
    out.array(3);
    out.bulk(MESSAGE, 0, MESSAGE.length);
    out.bulk(CHANNEL, 0, CHANNEL.length);
  }
  return out;
}
