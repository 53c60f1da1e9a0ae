/**
 * The clients of a server: accepting them, counting them, pausing them, finding one to close.
 *
 * @module
 */

import { addressOf, isLoopback } from "../base/address.ts";
import { type Clock, UnixTime } from "../base/clock.ts";
import type { Gate } from "../base/gate.ts";
import { TIMER_MS_MAX } from "../base/timer.ts";
import type { Session } from "../commands/session.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Log } from "../observability/log.ts";
import type { RequestLimits } from "../resp/request_parser.ts";
import { ascii } from "../base/ascii.ts";
import { REPLY_BYTES_MAX } from "../resp/reply_writer.ts";
import { acceptLoop, lacksDescriptor } from "../shard/accept.ts";
import { ClientConnection, type ConnectionHost, type ListenerLimits } from "./client_connection.ts";
import type { Config } from "./config.ts";
import { type Executor, GUARD_PAUSE_ALL, GUARD_PAUSE_WRITE } from "./executor.ts";

const MAX_CLIENTS = ascii("-ERR max number of clients reached\r\n");
const PROTECTED = ascii(
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password " +
    "is set for the default user. In this mode connections are only accepted from the loopback " +
    "interface. If you want to connect from external computers, set a password with requirepass, " +
    "or turn protected mode off with --protected-mode no.\r\n",
);

/** File descriptors that clients leave to files, replicas and who is refused, as many as Redis does. */
const RESERVED_DESCRIPTORS = 32;
/**
 * Time from one lack of descriptors that is acted upon to the next, in ms: sockets that were closed for the
 * first give theirs back only when the event loop has been round, and every listener lacks one.
 */
const DESCRIPTORS_BACK_MS = 1_000;

/** What a reply writer takes beyond a limit, so that a reply of just that size fits. */
const REPLY_SLACK_BYTES = 64;

/** Largest request buffer whatever `client-query-buffer-limit` says: offsets in it are 32 bits. */
export const QUERY_BUFFER_BYTES_MAX = 2 ** 31 - 1;

/**
 * Request buffers above 64 KiB that clients may keep between requests, all together: those who send
 * large values all the time need not make a new one each time, and many idle clients hold little.
 */
export const LARGE_BUFFERS_BYTES_MAX = 64 * 2 ** 20;

/** What the clients need of the rest of the server. */
export interface ClientsHost {
  /** Runs requests. */
  readonly executor: Executor;
  /** Lets others run. */
  readonly gate: Gate;
  /** Settings in force. */
  readonly config: Config;
  /** Its log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** After each turn: what was appended goes to the replicas. */
  endTurn(): void;
  /** The shards. */
  readonly node: {
    readonly sequence: { readonly writes: number };
    readonly shards: readonly { readonly keys: Pick<Keyspace, "holdsExpired"> }[];
  };
  /** Awaited before replies leave; null when nothing has to reach the disk first. */
  beforeReplies(writes: number): Promise<void> | null;
  /** Nobody is there any longer who could wait for that. */
  endWaits(): void;
  /** What held requests back is over, and those who wait for keys may be served again. */
  unheld(): void;
}

/** See the module's text. */
export class Clients implements ConnectionHost {
  /** See `ConnectionHost`. */
  readonly executor: Executor;
  /** See `ConnectionHost`. */
  readonly gate: Gate;
  /** See `ConnectionHost`. */
  queryBufferBytesMax!: number;
  /** See `ConnectionHost`. */
  outputBytesMax!: number;
  /** See `ConnectionHost`. */
  outputSoftBytes!: number;
  /** See `ConnectionHost`. */
  outputSoftMs!: number;
  /** See `ConnectionHost`. */
  listenerLimits!: ListenerLimits;
  /** See `ConnectionHost`. */
  replyBytesMax!: number;
  /** See `ConnectionHost`. */
  largeBytesLeft: number = LARGE_BUFFERS_BYTES_MAX;
  /** See `ConnectionHost`. */
  requestLimits!: Readonly<RequestLimits>;
  /** See `ConnectionHost`. */
  readonly held: Set<() => void> = new Set();
  /** See `ConnectionHost`. */
  retries = 0;
  /** Connections accepted since the start. */
  accepted = 0;
  /** Connections refused because of `maxclients` or protected mode. */
  refused = 0;
  /** Connections that failed before they were accepted. */
  failedAccepts = 0;
  /** Bytes read from clients that have left. */
  goneReadBytes = 0;
  /** Bytes written to clients that have left. */
  goneWroteBytes = 0;
  /** Unix ms at which a pause ends; 0 without one. */
  pausedUntilMs = 0;

  /** Clients that there are descriptors for, as far as is known. */
  #affordable = Infinity;
  /** When the last lack of descriptors was acted upon. */
  #lackedMs = -Infinity;
  /** Connections that are being refused. */
  #refusing = 0;
  readonly #host: ClientsHost;
  readonly #open = new Map<number, ClientConnection>();
  /** Clients with pushes to send when the code that runs now is done. */
  #toSend: ClientConnection[] = [];
  readonly #sendDue = () => {
    const due = this.#toSend;
    this.#toSend = [];
    for (const connection of due) connection.sendPushes();
  };
  #nextId = 1;
  readonly #unixTime: UnixTime;
  #pauseTimer: ReturnType<typeof setTimeout> | undefined;
  /** Guards that CLIENT PAUSE has set. */
  #pauseGuards = 0;
  /** Why the server itself holds writes: how many reasons there are. */
  #writeHolds = 0;

  /** No clients yet. */
  constructor(host: ClientsHost) {
    this.#host = host;
    this.executor = host.executor;
    this.gate = host.gate;
    this.#unixTime = new UnixTime(host.clock);
    this.applySettings();
  }

  /** Takes the limits from the settings again, after they changed. */
  applySettings(): void {
    const { config } = this.#host;
    const { normal, pubsub } = config.clientOutputBufferLimits;
    this.queryBufferBytesMax = Math.min(config.clientQueryBufferBytes, QUERY_BUFFER_BYTES_MAX);
    this.outputBytesMax = normal.hardBytes;
    this.outputSoftBytes = normal.softBytes;
    this.outputSoftMs = normal.softSeconds * 1000;
    this.listenerLimits = {
      hardBytes: pubsub.hardBytes,
      softBytes: pubsub.softBytes,
      softMs: pubsub.softSeconds * 1000,
    };
    this.replyBytesMax = Math.min(
      REPLY_BYTES_MAX,
      Math.max(normal.hardBytes || Infinity, pubsub.hardBytes || Infinity) + REPLY_SLACK_BYTES,
    );
    this.requestLimits = requestLimits(config);
    for (const connection of this.#open.values()) connection.applyLimits();
  }

  /** Follows the system clock, which may be set at any time. */
  syncClock(): void {
    this.#unixTime.sync();
  }

  /** See `ConnectionHost`: one clock is read per turn, the other follows from it. */
  unixMs(monotonicMs: number): number {
    return this.#unixTime.ms(monotonicMs);
  }

  /** Unix microseconds of a monotonic time. */
  unixMicroseconds(monotonicMs: number): number {
    return this.#unixTime.microseconds(monotonicMs);
  }

  /** See `ConnectionHost`. */
  endTurn(): void {
    this.#host.endTurn();
  }

  /** See `ConnectionHost`. */
  beforeReplies(writes: number): Promise<void> | null {
    return this.#host.beforeReplies(writes);
  }

  /** See `ConnectionHost`. */
  get sequence(): { readonly writes: number } {
    return this.#host.node.sequence;
  }

  /** See `ConnectionHost`. */
  get turnWrites(): number {
    return this.executor.turnWrites;
  }

  /** See `ConnectionHost`: all that one turn pushed to a client leaves in one write. */
  sendSoon(connection: ClientConnection): void {
    if (this.#toSend.push(connection) === 1) queueMicrotask(this.#sendDue);
  }

  /** Accepts clients until the listener is closed. */
  accept(listener: Deno.Listener): Promise<void> {
    return acceptLoop(listener, {
      accepted: (conn) => this.#welcome(conn),
      failed: (error) => {
        this.failedAccepts++;
        if (lacksDescriptor(error)) return this.descriptorLacked();
        const { log } = this.#host;
        if (error instanceof Deno.errors.NotConnected) {
          log.verbose("a client was gone before it was accepted", { error: error.message });
        } else log.warning("a client could not be accepted", { error: error.message });
      },
    });
  }

  /** Clients at once: `maxclients`, or fewer where the process may not have as many descriptors. */
  get countMax(): number {
    return Math.min(this.#host.config.maxClients, this.#affordable);
  }

  /**
   * No file descriptor was left for who came. From now on there are fewer clients than that, so that files
   * can be opened and replicas accepted: the newest are closed, and others refused. The system does not tell
   * how many there may be. Where clients have no more than is reserved, it is not they who have the rest.
   */
  descriptorLacked(): void {
    const { clock, config, log } = this.#host;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lackedMs < DESCRIPTORS_BACK_MS) return;
    this.#lackedMs = nowMs;
    const clients = this.#open.size + this.#refusing - RESERVED_DESCRIPTORS;
    if (clients > 0) this.#affordable = Math.min(this.#affordable, clients);
    log.warning(
      "no file descriptor is left: raise the limit of open files, then change maxclients",
      {
        clients: this.#open.size,
        clients_from_now_on: this.countMax,
        maxclients: config.maxClients,
      },
    );
    for (const connection of [...this.#open.values()].slice(this.countMax)) {
      connection.dismiss(MAX_CLIENTS, "no file descriptor is left");
    }
  }

  /** Lets in as many as `maxclients` again, until descriptors are found lacking. */
  forgetLack(): void {
    this.#affordable = Infinity;
  }

  #welcome(conn: Deno.Conn): void {
    const { config, log, clock } = this.#host;
    const peer = addressOf(conn.remoteAddr);
    if (this.#open.size >= this.countMax) return this.#refuse(conn, MAX_CLIENTS, peer);
    if (config.protectedMode && config.requirePass === "" && !isLocal(conn.remoteAddr)) {
      return this.#refuse(conn, PROTECTED, peer);
    }
    if ("setNoDelay" in conn) {
      try {
        (conn as Deno.TcpConn).setNoDelay(true);
        if (config.tcpKeepaliveSeconds > 0) (conn as Deno.TcpConn).setKeepAlive(true);
      } catch {
        // Gone already: the first read will tell.
      }
    }
    const id = this.takeId();
    const connection = new ClientConnection(conn, this, {
      id,
      peer,
      local: addressOf(conn.localAddr),
      nowMs: clock.nowMs(),
      authenticated: config.requirePass === "",
    });
    this.#open.set(id, connection);
    this.accepted++;
    if (log.isVerbose()) log.verbose("client connected", { client: id, peer });
    void connection.serve();
  }

  /** An id for a client, or for a link of replication among them. */
  takeId(): number {
    return this.#nextId++;
  }

  /** Says why and closes, without waiting for a peer that does not listen. */
  #refuse(conn: Deno.Conn, line: Uint8Array, peer: string): void {
    this.refused++;
    this.#refusing++;
    this.#host.log.warning("client refused", {
      peer,
      reason: line === PROTECTED ? "protected-mode" : "maxclients",
    });
    void conn.write(line).catch(() => 0).finally(() => {
      this.#refusing--;
      try {
        conn.close();
      } catch {
        // Gone already.
      }
    });
  }

  /** See `ConnectionHost`. */
  failed({ session }: Pick<ClientConnection, "session">, error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined;
    const { id, peer, lastCommand } = session;
    const fields = { client: id, peer, command: lastCommand, error, stack };
    this.#host.log.warning("bug: a command threw; its client is closed", fields);
  }

  /** See `ConnectionHost`. */
  closed(connection: ClientConnection, reason: string): void {
    const { session } = connection;
    this.#open.delete(session.id);
    this.goneReadBytes += session.readBytes;
    this.goneWroteBytes += session.wroteBytes;
    const { log } = this.#host;
    const usual = reason.startsWith("client ") || reason === "QUIT";
    if (!usual) log.notice("client closed", { client: session.id, peer: session.peer, reason });
    else if (log.isVerbose()) {
      log.verbose("client closed", { client: session.id, peer: session.peer, reason });
    }
  }

  /** Number of connected clients. */
  get count(): number {
    return this.#open.size;
  }

  /** Clients waiting in a blocking command, or for the end of a pause, as Redis counts them. */
  get blocked(): number {
    let blocked = 0;
    for (const { session, isHeld } of this.#open.values()) {
      if (session.suspension !== null || isHeld) blocked++;
    }
    return blocked;
  }

  /** Sessions in order of connecting. */
  *sessions(): Generator<Session> {
    for (const connection of this.#open.values()) yield connection.session;
  }

  /** The session with an id. */
  session(id: number): Session | undefined {
    return this.#open.get(id)?.session;
  }

  /** Closes the connection of a client, who is gone for whatever runs from here on. */
  kill({ id }: Session, reason: string): void {
    this.#open.get(id)?.kill(reason);
  }

  /** Bytes of all request and reply buffers. */
  bufferBytes(): number {
    let bytes = 0;
    for (const connection of this.#open.values()) bytes += connection.bufferBytes;
    return bytes;
  }

  /** Bytes read from all clients ever. */
  readBytes(): number {
    let bytes = this.goneReadBytes;
    for (const { session } of this.#open.values()) bytes += session.readBytes;
    return bytes;
  }

  /** Bytes written to all clients ever. */
  wroteBytes(): number {
    let bytes = this.goneWroteBytes;
    for (const { session } of this.#open.values()) bytes += session.wroteBytes;
    return bytes;
  }

  /** Closes idle clients and gives their large buffers back. Called once a second. */
  sweep(nowMs: number): void {
    const idleMs = this.#host.config.timeoutSeconds * 1000;
    for (const connection of this.#open.values()) {
      connection.sweep(nowMs);
      const { session } = connection;
      if (idleMs === 0 || session.suspension !== null || connection.isHeld) continue;
      if (session.subscriptions !== null || session.monitor !== null) continue; // it waits for messages
      if (nowMs - session.lastActiveMs > idleMs) connection.close("idle longer than timeout");
    }
  }

  /** CLIENT PAUSE: holds all commands, or those that write, until `untilMs`; nothing expires meanwhile. */
  pause(untilMs: number, all: boolean): void {
    // A pause never gets shorter or weaker by another (as in Redis).
    this.pausedUntilMs = Math.max(this.pausedUntilMs, untilMs);
    this.#pauseGuards |= all ? GUARD_PAUSE_ALL : GUARD_PAUSE_WRITE;
    this.#guardPauses();
    this.#awaitPauseEnd();
  }

  #awaitPauseEnd(): void {
    clearTimeout(this.#pauseTimer);
    const leftMs = Math.max(0, this.pausedUntilMs - this.#host.clock.nowMs());
    // A longer delay than a timer can have would end at once.
    this.#pauseTimer = leftMs > TIMER_MS_MAX
      ? setTimeout(() => this.#awaitPauseEnd(), TIMER_MS_MAX)
      : setTimeout(() => this.unpause(), leftMs);
  }

  /** CLIENT UNPAUSE: ends what `pause` began. Writes that the server itself holds stay held. */
  unpause(): void {
    clearTimeout(this.#pauseTimer);
    this.pausedUntilMs = 0;
    this.#pauseGuards = 0;
    this.#guardPauses();
    this.retryHeld();
  }

  /**
   * Holds commands that write, and what deadlines would remove, whatever pauses clients ask for or end,
   * until the function returned is called: while the server stops, or while its data are replaced.
   */
  holdWrites(): () => void {
    let holds = true;
    this.#writeHolds++;
    this.#guardPauses();
    return () => {
      if (!holds) return;
      holds = false;
      this.#writeHolds--;
      this.#guardPauses();
      this.retryHeld();
    };
  }

  #guardPauses(): void {
    const { executor } = this;
    executor.guards &= ~(GUARD_PAUSE_ALL | GUARD_PAUSE_WRITE);
    executor.guards |= this.#pauseGuards | (this.#writeHolds > 0 ? GUARD_PAUSE_WRITE : 0);
    for (const { keys } of this.#host.node.shards) keys.holdsExpired = this.isPaused;
  }

  /** What was held is tried again, and held again if what held it is not over. */
  retryHeld(): void {
    this.retries++;
    const held = [...this.held];
    this.held.clear();
    for (const wake of held) wake();
    this.#host.unheld();
  }

  /** Ends every wait that may be ended with an error, behind which the client is closed. */
  endWaits(error: Uint8Array): void {
    for (const { session } of this.#open.values()) {
      const { suspension } = session;
      if (suspension === null || !suspension.unblockable) continue;
      session.closing = true;
      session.resume((reply) => suspension.failed(reply, error));
    }
  }

  /** Whether writing commands are held. */
  get isPaused(): boolean {
    return (this.executor.guards & (GUARD_PAUSE_ALL | GUARD_PAUSE_WRITE)) !== 0;
  }

  /** Lets replies that are being written go out, at most for `graceMs`, then closes all. */
  async closeAll(graceMs: number): Promise<void> {
    // What was held is not run any more: it would be lost after its reply.
    clearTimeout(this.#pauseTimer);
    const stopMs = this.#host.clock.monotonicMs() + graceMs;
    while (this.#host.clock.monotonicMs() < stopMs) {
      let busy = false;
      for (const connection of this.#open.values()) busy ||= connection.isBusy;
      if (!busy) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const connection of [...this.#open.values()]) connection.close("client: server stops");
    this.#host.endWaits();
    while (this.#open.size > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

function requestLimits(config: Config): RequestLimits {
  return {
    maxArgs: 1_048_576,
    maxBulkBytes: config.protoMaxBulkBytes,
    maxInlineBytes: 65_536,
  };
}

/** Whether an address is this machine's loopback. */
export function isLocal(addr: Deno.Addr): boolean {
  return addr.transport !== "tcp" || isLoopback(addr.hostname);
}
