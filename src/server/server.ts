/**
 * The server: puts the parts together, starts them in order, stops them in order. What each part
 * does is written where the part is.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { type Clock, SYSTEM_CLOCK } from "../base/clock.ts";
import { Gate } from "../base/gate.ts";
import { explainFailure, explainRefusedPlaces, type HostPort } from "../base/permissions.ts";
import { type CommandSpec, CommandTable } from "../commands/registry.ts";
import type { Call } from "../commands/call.ts";
import type { Session } from "../commands/session.ts";
import { KeyspaceEvents } from "../commands/keyspace_events.ts";
import { PubSub } from "../commands/pubsub.ts";
import { Tracking } from "../commands/tracking.ts";
import { WatchBudget } from "../keyspace/watches.ts";
import { prefault } from "../memory/prefault.ts";
import { Latency } from "../observability/latency.ts";
import type { Log } from "../observability/log.ts";
import { SlowLog } from "../observability/slowlog.ts";
import { DataLocks } from "../persistence/data_lock.ts";
import { DISK } from "../persistence/disk.ts";
import type { Storage } from "../persistence/storage.ts";
import { Background } from "../shard/background.ts";
import { Failover } from "../shard/failover.ts";
import { Node } from "../shard/node.ts";
import { PromotionTickets } from "../shard/promotion.ts";
import { Replication } from "../shard/replication.ts";
import { Backups } from "./backup.ts";
import {
  type BindAddress,
  bindAddresses,
  listenOnEach,
  sortByPermission,
} from "./bind_addresses.ts";
import { BlockedClients } from "./blocked_clients.ts";
import { Clients } from "./clients.ts";
import { allCommands } from "./command_set.ts";
import { COLLECTION_SETTINGS, collectionLimits } from "./collection_settings.ts";
import type { Config } from "./config.ts";
import { greatestPort, replicationPortBase } from "./config_sources.ts";
import {
  type ExecutionObserver,
  Executor,
  GUARD_APPEND_ONLY,
  GUARD_LOADING,
  GUARD_MISCONF,
  GUARD_NOREPLICAS,
  GUARD_READONLY,
  GUARD_STALE,
} from "./executor.ts";
import { appendOnlyError } from "../resp/errors.ts";
import { Monitors } from "./monitors.ts";
import { Persistence } from "./persistence.ts";
import { secretArguments } from "./secrets.ts";
import { ErrorStats, LoopLag, Rate } from "./stats.ts";

/** How long a stop waits for replies that are being written, in ms. */
const CLOSE_GRACE_MS = 2_000;
/** Time after the start at which the first snapshot worker is started, in ms. */
const WARM_AFTER_MS = 1_000;
/** Number of TCP ports. */
const PORTS = 65_536;
/** Ports that neither services nor the system's own choices use much: 10240 to 32767. */
const QUIET_PORT_FIRST = 10_240;
const QUIET_PORTS = 22_528;
/** Tries to find a free run of ports when the system picks the client port. */
const PICK_ATTEMPTS = 50;

const ERR_ROLE_CHANGED = ascii(
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
);

/** A start that failed for a reason that the operator can mend; the message is one line. */
export class StartError extends Error {
  /** Tells it from other errors. */
  override readonly name = "StartError";
}

/** Another has a port that nobody asked for: another one will do. */
class PickedPortTaken extends StartError {}

/** See the module's text. */
export class Server implements ExecutionObserver {
  /** Settings in force. */
  readonly config: Config;
  /** Its log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock = SYSTEM_CLOCK;
  /** Where files are kept. */
  readonly storage: Storage;
  /** Lets everybody in. */
  readonly gate: Gate;
  /** The shards. */
  readonly node: Node;
  /** The command table. */
  readonly table: CommandTable;
  /** Who listens to which channels. */
  readonly pubsub: PubSub = new PubSub();
  /** Tells them what happens to keys. */
  readonly events: KeyspaceEvents = new KeyspaceEvents(this.pubsub);
  /** What the watches of all clients may take. */
  readonly watchBudget: WatchBudget = new WatchBudget();
  /** Tells clients that cache keys which have changed. */
  readonly tracking: Tracking;
  /** Clients that are shown what is run. */
  readonly monitors: Monitors;
  /** Runs requests. */
  readonly executor: Executor;
  /** The clients. */
  readonly clients: Clients;
  /** Those of them that wait for keys. */
  readonly blocked: BlockedClients;
  /** Work in slices. */
  readonly background: Background;
  /** Files. */
  readonly persistence: Persistence;
  /** Images that are sent to clients. */
  readonly backups: Backups = new Backups(this);
  /** Replicas and upstream. */
  readonly replication: Replication;
  /** A replica that is to take our place. */
  readonly failover: Failover;
  /** What our upstream needs to have us take its place. */
  readonly promotionTickets: PromotionTickets = new PromotionTickets();
  /** Slow commands. */
  readonly slowlog: SlowLog;
  /** Latency events. */
  readonly latency: Latency;
  /** Error replies. */
  readonly errorStats = new ErrorStats();
  /** Lag of the event loop. */
  readonly lag = new LoopLag();
  /** Commands per second. */
  readonly commandRate = new Rate();
  /** Bytes read per second. */
  readonly readRate = new Rate();
  /** Bytes written per second. */
  readonly writeRate = new Rate();
  /** Unix ms of the start. */
  readonly startedMs: number;
  /** This process's run: forty hex digits. */
  readonly runId: string;
  /** Client port in use; 0 without TCP. */
  port = 0;
  /** Replication port of shard 0 in use. */
  replicationPortBase = 0;
  /** Highest number of bytes seen in use. */
  peakBytes = 0;
  /** Resolves when the server has stopped. */
  readonly stopped: Promise<void>;

  /** Whether a CONFIG SET of `bind` found listeners of ours where it would listen; who sets resets it. */
  isInOwnWay = false;

  /** What `port` was picked or taken for: the setting of that time. */
  #portSetting = 0;
  /** Open for clients, by host and port. */
  #listeners = new Map<string, Deno.TcpListener>();
  /** Each resolves when a listener for clients has ended. */
  readonly #accepting = new Set<Promise<void>>();
  /** Whether the server has stopped so far that it listens no more. */
  #isReleased = false;
  readonly #locks: DataLocks;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tickDueMs = 0;
  #lastSweepMs = 0;
  #isWarm = false;
  #stopping: Promise<boolean> | null = null;
  #abortStop: (() => void) | null = null;
  /** Monotonic ms until which a stop waits for replicas, while `#abortStop` is there. */
  #drainsUntilMs = 0;
  #resolveStopped!: () => void;

  private constructor(config: Config, log: Log, pollInterval: number, storage: Storage) {
    this.config = config;
    this.log = log;
    this.storage = storage;
    this.#locks = new DataLocks(storage, Deno.pid);
    this.gate = new Gate(pollInterval);
    this.startedMs = this.clock.nowMs();
    this.node = new Node(config, log);
    this.runId = this.node.id;
    this.slowlog = new SlowLog(config.slowlogMaxLen);
    this.latency = new Latency(config.latencyMonitorThresholdMs);
    this.table = new CommandTable(allCommands(this));
    this.executor = new Executor(this.table, this.node, this.node.sequence, this);
    this.executor.call.events = this.events;
    this.clients = new Clients(this);
    this.monitors = new Monitors(this);
    this.tracking = new Tracking({
      keyspaces: this.node.shards.map(({ keys }) => keys),
      session: (id) => this.clients.session(id),
      running: () => this.executor.running,
      runCount: () => this.executor.commands + this.executor.reruns,
    });
    this.blocked = new BlockedClients(this);
    this.executor.waiting = this.executor.call.blocking = this.blocked;
    this.persistence = new Persistence(this);
    const { workers } = this.persistence;
    for (const { keys } of this.node.shards) {
      prefault(keys.arena, (memory, start, stop) => {
        if (this.persistence.isLoading) this.#warmWorker(); // much memory is to come
        return workers.touch(memory, start, stop);
      });
    }
    this.replication = new Replication({
      node: this.node,
      settings: config,
      log,
      gate: this.gate,
      clock: this.clock,
      table: this.table,
      events: this.events,
      monitors: this.monitors,
      workers,
      durability: this.persistence.appendOnly,
      clientPort: () => this.port,
      nextClientId: () => this.clients.takeId(),
      isLoading: () => (this.executor.guards & GUARD_LOADING) !== 0,
      descriptorLacked: () => this.clients.descriptorLacked(),
      guardsChanged: () => this.updateGuards(),
    });
    this.failover = new Failover({
      node: this.node,
      replication: this.replication,
      settings: config,
      log,
      clock: this.clock,
      holdWrites: () => this.clients.holdWrites(),
      followPromoted: (host, port) => this.follow(host, port),
    });
    this.executor.memory.attach({
      gate: this.gate,
      clock: this.clock,
      latency: this.latency,
      isHeldBack: () => this.clients.isPaused || this.persistence.isLoading,
      endTurn: () => this.endTurn(),
      retryHeld: () => this.clients.retryHeld(),
    });
    this.background = new Background(this.node, this.gate, () => this.endTurn());
    this.stopped = new Promise((resolve) => this.#resolveStopped = resolve);
    this.#followSettings();
  }

  /**
   * Starts a server: listens, loads, follows. `pollInterval` is the runtime's
   * `DENO_TOKIO_EVENT_INTERVAL`.
   *
   * @throws {StartError} when an address or a file cannot be used.
   */
  static async start(
    config: Config,
    log: Log,
    pollInterval: number,
    storage: Storage = DISK,
  ): Promise<Server> {
    const server = new Server(config, log, pollInterval, storage);
    try {
      server.#listen();
      server.#tickDueMs = server.clock.monotonicMs();
      server.#tick();
      await server.#load();
      const upstream = config.replicaOf;
      if (upstream !== null) {
        const restored = server.persistence.restoredUpstream;
        server.replication.follow(upstream.host, upstream.port, restored);
      }
      server.updateGuards();
      return server;
    } catch (error) {
      await server.#release();
      throw error;
    }
  }

  async #load(): Promise<void> {
    this.executor.guards |= GUARD_LOADING;
    await this.lockData();
    await this.persistence.load();
    this.executor.guards &= ~GUARD_LOADING;
  }

  /** See `PersistenceHost`. Two servers on one data set would overwrite what the other wrote. */
  async lockData(): Promise<void> {
    const { dir, dbFilename, appendDirname } = this.config;
    const names = this.persistence.keepsFrames ? [dbFilename, appendDirname] : [dbFilename];
    await this.#locks.take(names.map((name) => `${dir}/${name}.lock`));
  }

  /** Binds the client port and a replication port per shard. */
  #listen(): void {
    const addresses = this.#permitted(this.#portsToBind());
    for (let attempt = 1;; attempt++) {
      try {
        this.#bind(addresses, attempt);
        return;
      } catch (error) {
        this.#unbind();
        if (error instanceof PickedPortTaken && attempt < PICK_ATTEMPTS) continue;
        throw error;
      }
    }
  }

  /** The ports that the settings name, and 0 where they leave the choice to us. */
  #portsToBind(): number[] {
    const { config } = this;
    if (config.port === 0 && config.replicationPortBase === 0) return [0];
    const base = replicationPortBase(config, config.port);
    return [config.port, ...this.node.shards.map(({ index }) => base + index)];
  }

  /**
   * The addresses of `bind` that the permissions let us use at all `ports`; what is left out is told.
   *
   * @throws {StartError} naming every place that is refused.
   */
  #permitted(ports: readonly number[]): readonly BindAddress[] {
    const { bind } = this.config;
    const { permitted, leftOut, refused } = sortByPermission(bindAddresses(bind), ports);
    if (refused.length > 0) throw new StartError(explainRefusedPlaces(refused));
    for (const places of leftOut) {
      const reason = explainRefusedPlaces(places);
      this.log.warning("an address of bind is left out", { address: places[0].host, reason });
    }
    return permitted;
  }

  #bind(addresses: readonly BindAddress[], attempt: number): void {
    const { config } = this;
    this.port = this.#bindClients(addresses, config.port);
    this.#portSetting = config.port;
    this.replicationPortBase = replicationPortBase(config, this.port);
    const isPicked = config.port === 0 && config.replicationPortBase === 0;
    if (isPicked) {
      const fits = this.replicationPortBase + config.shards <= PORTS;
      // Ports above the one that the system picked may be taken by connections, or not exist.
      if (attempt > 1 || !fits) this.replicationPortBase = quietPort(config.shards);
    }
    for (const shard of this.node.shards) {
      const port = this.replicationPortBase + shard.index;
      // The system may also have picked, for clients, a port that was named for replicas.
      const mayBeOther = isPicked || (config.port === 0 && port === this.port);
      listenOnEach(addresses, port, (hostname) => {
        this.replication.listen(shard, hostname, port);
        return port;
      }, (error, place) => notListening(error, place, mayBeOther));
    }
  }

  /**
   * Listens for clients on each address, keeps what is open already and closes what is no longer
   * named. Gives the port, which the first address picks if it is 0. When it throws, nothing has
   * changed.
   */
  #bindClients(addresses: readonly BindAddress[], port: number): number {
    const { config: { bind, tcpBacklog } } = this;
    const named = new Map<string, Deno.TcpListener>();
    const opened: Deno.TcpListener[] = [];
    try {
      const bound = listenOnEach(addresses, port, (hostname, at) => {
        const open = this.#listeners.get(`${hostname} ${at}`);
        const listener = open ?? Deno.listen({ hostname, port: at, tcpBacklog });
        if (open === undefined) opened.push(listener);
        named.set(`${hostname} ${listener.addr.port}`, listener);
        return listener.addr.port;
      }, (error, place) => notListening(error, place, port === 0));
      if (named.size === 0) {
        throw new StartError(
          `nowhere to listen: no address of 'bind' is there and permitted: ${bind.join(" ")}`,
        );
      }
      for (const [name, listener] of this.#listeners) if (!named.has(name)) listener.close();
      this.#listeners = named;
      for (const listener of opened) this.#accept(listener);
      return bound;
    } catch (error) {
      for (const listener of opened) listener.close();
      throw error;
    }
  }

  #accept(listener: Deno.TcpListener): void {
    const accepting = this.clients.accept(listener)
      .finally(() => this.#accepting.delete(accepting));
    this.#accepting.add(accepting);
  }

  /**
   * CONFIG SET port or bind: clients that are connected stay. Replication ports stay where they are, and
   * so does a port that was picked for a setting of 0 which is still there.
   */
  #rebind(): string | null {
    const { config } = this;
    const moves = config.port !== this.#portSetting;
    const port = moves ? config.port : this.port;
    const greatest = greatestPort(config);
    if (port > greatest) return `without replication-port-base the port may be up to ${greatest}`;
    try {
      this.port = this.#bindClients(this.#permitted([port]), port);
      this.#portSetting = config.port;
      this.log.notice("listens anew", { port: this.port, bind: config.bind.join(" ") });
      return null;
    } catch (error) {
      const isTaken = error instanceof Error && error.cause instanceof Deno.errors.AddrInUse;
      this.isInOwnWay = isTaken && port === this.port && this.#listeners.size > 0;
      // Whoever asked closes them and asks again (`outOfOwnWay`).
      if (!this.isInOwnWay) {
        this.log.warning(error instanceof Error ? error.message : String(error));
      }
      return moves
        ? "Unable to listen on this port. Check server logs."
        : "Failed to bind to specified addresses.";
    }
  }

  /**
   * After a CONFIG SET that `isInOwnWay` says of: closes the listeners for clients and runs `set`, which
   * listens anew; listens where it did when that refuses. Gives what `set` gives.
   */
  async outOfOwnWay(set: () => string | null): Promise<string | null> {
    const ended = [...this.#accepting];
    this.#closeListeners();
    await Promise.all(ended); // a port is free only then
    if (this.#isReleased) return null;
    const refused = set();
    if (refused !== null) this.#rebind();
    return refused;
  }

  #closeListeners(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }

  #unbind(): void {
    this.#closeListeners();
    this.replication.stopListening();
  }

  #limitCollections(): void {
    const limits = collectionLimits(this.config);
    for (const { keys } of this.node.shards) Object.assign(keys.limits, limits);
  }

  #followSettings(): void {
    const { config } = this;
    this.#applySettings();
    this.#limitCollections();
    config.afterChange([...COLLECTION_SETTINGS], () => this.#limitCollections());
    config.onChange(["port", "bind"], () => this.#rebind());
    config.afterChange(["maxClients"], () => this.clients.forgetLack());
    this.tracking.keysMax = config.trackingTableMaxKeys;
    config.afterChange(["trackingTableMaxKeys"], () => {
      this.tracking.keysMax = config.trackingTableMaxKeys;
    });
    this.#chooseEvents();
    config.afterChange(["notifyKeyspaceEvents"], () => this.#chooseEvents());
    config.afterChange(
      [
        "slowlogSlowerThanUs",
        "slowlogMaxLen",
        "latencyMonitorThresholdMs",
        "latencyTracking",
        "maxMemoryBytes",
        "maxMemoryPolicy",
        "maxMemorySamples",
        "maxMemoryTenacity",
        "lfuLogFactor",
        "lfuDecayMinutes",
        "protoMaxBulkBytes",
        "clientQueryBufferBytes",
        "clientOutputBufferLimits",
        "replBacklogBytes",
        "replPinBytes",
        "save",
        "stopWritesOnBgsaveError",
        "replicaReadOnly",
        "replicaServeStaleData",
        "minReplicasToWrite",
        "minReplicasMaxLagSeconds",
        "logLevel",
      ],
      () => {
        this.#applySettings();
        this.log.level = config.logLevel;
        this.updateGuards();
      },
    );
  }

  /** What others keep of the settings, at the start and after each change. */
  #applySettings(): void {
    const { config } = this;
    this.executor.slowerThanMicroseconds = slowFromMicroseconds(config);
    this.executor.tracksLatency = config.latencyTracking;
    this.executor.memory.follow(config, this.clock.nowMs());
    this.executor.queueBytesMax = config.clientQueryBufferBytes;
    this.executor.call.limits.stringBytesMax = config.protoMaxBulkBytes;
    this.slowlog.maxEntries = config.slowlogMaxLen;
    this.latency.thresholdMs = config.latencyMonitorThresholdMs;
    this.clients.applySettings();
    for (const shard of this.node.shards) {
      const { backlog } = shard;
      if (backlog === null) continue;
      backlog.limitBytes = shard.backlogLimitBytes;
      backlog.pinLimitBytes = config.replPinBytes;
    }
  }

  /** Tells of the events on keys that the settings name. */
  #chooseEvents(): void {
    this.events.choose(this.config.notifyKeyspaceEvents);
    for (const shard of this.node.shards) {
      shard.events = this.events;
      this.events.observe(shard.keys);
    }
  }

  /** Becomes a replica, or one of another node: what clients wait for may never come now. */
  follow(host: string, port: number): void {
    this.replication.follow(host, port);
    this.clients.endWaits(ERR_ROLE_CHANGED);
    this.config.assign("replicaOf", { host, port });
  }

  /** Becomes a primary. */
  unfollow(): void {
    this.replication.unfollow();
    this.config.assign("replicaOf", null);
  }

  /** Works out what is refused now. */
  updateGuards(): void {
    const { config, executor, replication } = this;
    // A replica has what its primary has, which evicts for both.
    executor.memory.isIgnored = replication.isFollowing;
    const kept = executor.guards &
      ~(GUARD_READONLY | GUARD_STALE | GUARD_MISCONF | GUARD_NOREPLICAS | GUARD_APPEND_ONLY);
    let guards = 0;
    if (replication.isFollowing) {
      if (config.replicaReadOnly) guards |= GUARD_READONLY;
      else replication.noteWritable();
      if (!config.replicaServeStaleData && !replication.isLinkUp) guards |= GUARD_STALE;
    }
    if (this.persistence.refusesWrites) guards |= GUARD_MISCONF;
    const { failure } = this.persistence.appendOnly;
    if (failure !== null) {
      guards |= GUARD_APPEND_ONLY;
      executor.appendOnlyError = appendOnlyError(failure);
    }
    if (
      !replication.isFollowing &&
      config.minReplicasToWrite > 0 && config.minReplicasMaxLagSeconds > 0 &&
      replication.goodReplicas(config.minReplicasMaxLagSeconds) < config.minReplicasToWrite
    ) {
      guards |= GUARD_NOREPLICAS;
    }
    executor.guards = kept | guards;
  }

  /** After each turn that may have written: frames go to the replicas. */
  endTurn(): void {
    this.replication.endTurn();
  }

  /** See `ClientsHost`. */
  beforeReplies(writes: number): Promise<void> | null {
    return this.persistence.appendOnly.beforeReplies(writes);
  }

  /** See `ClientsHost`. */
  endWaits(): void {
    this.persistence.appendOnly.endWaits();
  }

  /** See `ClientsHost`. */
  unheld(): void {
    this.blocked.lookAgain();
  }

  /** See `BlockedClientsHost`. */
  unixMs(monotonicMs: number): number {
    return this.clients.unixMs(monotonicMs);
  }

  /** See `BlockedClientsHost`. */
  commandThrew(session: Session, error: unknown): void {
    this.clients.failed({ session }, error);
  }

  /** See `ExecutionObserver`. */
  slow(call: Call, microseconds: number): void {
    const slower = this.config.slowlogSlowerThanUs;
    if (slower >= 0 && microseconds >= slower && !call.spec.flags.includes("skip_slowlog")) {
      this.slowlog.record(call, microseconds, secretArguments(call));
    }
    this.latency.note("command", microseconds / 1000, call.nowMs);
  }

  /** See `ExecutionObserver`. */
  errorReplied(buf: Uint8Array, at: number, stop: number): void {
    this.errorStats.count(buf, at, stop);
  }

  /** See `LateErrors`. */
  errorRepliedLate(spec: CommandSpec, buf: Uint8Array, at: number, stop: number): void {
    const command = this.table.described(spec);
    if (command !== null) command.failed++;
    this.errorReplied(buf, at, stop);
  }

  /** Calls itself `hz` times a second. An error in one part of it is a bug, and stops no other part. */
  #tick(): void {
    const now = this.clock.monotonicMs();
    const nowMs = this.clock.nowMs();
    this.lag.note(this.#tickDueMs, now);
    attempt(() => this.clients.syncClock());
    attempt(() => this.executor.memory.tick(nowMs));
    attempt(() => this.#measure(now, nowMs));
    attempt(() => this.background.start(() => this.clock.nowMs()));
    attempt(() => this.replication.tick());
    attempt(() => this.failover.tick());
    attempt(() => this.persistence.appendOnly.tick());
    if (now - this.#lastSweepMs >= 1000) {
      this.#lastSweepMs = now;
      if (nowMs - this.startedMs >= WARM_AFTER_MS) attempt(() => this.#warmWorker());
      attempt(() => this.clients.sweep(nowMs));
      attempt(() => this.tracking.sweep());
      attempt(() => this.persistence.tick(nowMs));
      attempt(() => this.updateGuards());
      attempt(() => this.log.reportHeldBack());
    }
    const period = 1000 / this.config.hz;
    this.#tickDueMs = this.clock.monotonicMs() + period;
    this.#timer = setTimeout(() => this.#tick(), period);
  }

  #measure(now: number, nowMs: number): void {
    this.latency.note("event-loop", this.lag.lastMs, nowMs);
    this.commandRate.sample(this.executor.commands, now);
    this.readRate.sample(this.clients.readBytes(), now);
    this.writeRate.sample(this.clients.wroteBytes(), now);
    this.peakBytes = Math.max(this.peakBytes, this.node.usedBytes());
  }

  /** Has a worker from now on: a second after the start, when whoever started us has got the first answers. */
  #warmWorker(): void {
    if (this.#isWarm) return;
    this.#isWarm = true;
    try {
      this.persistence.workers.warm();
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      this.log.warning("no snapshot worker can be started: no saves, no full synchronizations", {
        error: said,
      });
    }
  }

  /**
   * Stops: no more clients, replies flushed, replicas given what they miss, saved where that is
   * configured (or as `save` says). False, and the server goes on, when the save failed and `force`
   * is not set.
   */
  stop(options: { save: boolean | null; force: boolean; now: boolean }): Promise<boolean> {
    return this.#stopping ??= this.#stop(options).then((done) => {
      if (!done) this.#stopping = null;
      return done;
    });
  }

  /** Calls a stop off while it waits for replicas; false when none does. */
  abortStop(): boolean {
    const abort = this.#abortStop;
    this.#abortStop = null;
    abort?.();
    return abort !== null;
  }

  /** For how many ms more a stop may wait for replicas; null when none does. */
  get drainMs(): number | null {
    if (this.#abortStop === null) return null;
    return Math.max(0, Math.ceil(this.#drainsUntilMs - this.clock.monotonicMs()));
  }

  /** Whether a stop is under way. */
  get isStopping(): boolean {
    return this.#stopping !== null;
  }

  async #stop(
    options: { save: boolean | null; force: boolean; now: boolean },
  ): Promise<boolean> {
    const { config, log } = this;
    log.notice("stopping", { save: String(options.save ?? "as configured") });
    // Writes are held, not refused, until it is clear that the server stops.
    const letWrite = this.clients.holdWrites();
    await this.failover.end("this node stops");
    if (!options.now && !this.replication.isFollowing) {
      let isAborted = false;
      this.#abortStop = () => isAborted = true;
      this.#drainsUntilMs = this.clock.monotonicMs() + config.shutdownTimeoutSeconds * 1000;
      await this.replication.drain(this.#drainsUntilMs, () => isAborted);
      this.#abortStop = null;
      if (isAborted) {
        log.notice("not stopping, as a client asked");
        letWrite();
        return false;
      }
    }
    // A replica follows on while it saves: the file says where in the upstream's lines it was frozen.
    if (options.save ?? config.save.length > 0) {
      const saved = await this.persistence.saveForStop();
      if (!saved && !options.force) {
        log.warning("not stopping, since the snapshot could not be written");
        letWrite();
        return false;
      }
    }
    await this.#release();
    log.notice("stopped");
    this.#resolveStopped();
    return true;
  }

  async #release(): Promise<void> {
    this.#isReleased = true;
    this.#closeListeners();
    clearTimeout(this.#timer);
    await this.persistence.settle();
    this.persistence.appendOnly.beginStop();
    await this.replication.close();
    await this.clients.closeAll(CLOSE_GRACE_MS);
    await this.background.settled();
    await this.persistence.close();
    await this.#locks.release();
  }
}

/** Runs `part`; what it throws is told as an error that nobody caught (`cli/bugs.ts`). */
function attempt(part: () => void): void {
  try {
    part();
  } catch (error) {
    reportError(error);
  }
}

/** A random port below those that systems give to connections, with room for `shards` of them. */
function quietPort(shards: number): number {
  return QUIET_PORT_FIRST + Math.floor(Math.random() * (QUIET_PORTS - shards));
}

/**
 * The error for a place that cannot be listened on, naming it. `isPicked` says that nobody asked for just
 * this port: one that is taken is told as such.
 */
function notListening(error: unknown, place: HostPort, isPicked: boolean): StartError {
  const isTaken = isPicked && error instanceof Deno.errors.AddrInUse;
  const line = explainFailure(error, { to: "listen", ...place });
  return new (isTaken ? PickedPortTaken : StartError)(line, { cause: error });
}

/** Duration from which the slow log or the latency monitor wants to hear of a command; -1: never. */
function slowFromMicroseconds(config: Config): number {
  const slower = config.slowlogSlowerThanUs;
  const latency = config.latencyMonitorThresholdMs * 1000;
  if (latency === 0) return slower;
  return slower < 0 ? latency : Math.min(slower, latency);
}
