/**
 * Redis's other directives, so that a redis.conf written for Redis loads: those that are harmless
 * without effect, known with their range and default, and those that would change what users or
 * operators rely on, refused by name with the reason.
 *
 * A harmless one that is set to something else than its default is listed in one warning line at
 * start. CONFIG GET and SET know them; nothing reads them.
 *
 * @module
 */
import { FROM_0, INT_FROM_0, PORT, type Setting } from "./setting.ts";
import {
  bytes,
  bytesOrPercent,
  integer,
  type Kind,
  oneOf,
  only,
  text,
  yesNo,
} from "./setting_kinds.ts";
import { anyBytes, freeWords } from "./setting_kinds_composite.ts";

const DISABLED_BY_DEFAULT = ["no", "local", "yes"] as const;
const PERCENT = { min: 1, max: 99 } as const;
const PER_MILLE = { min: 0, max: 1000 } as const;

function inert<T>(
  name: string,
  kind: Kind<T>,
  initial: T,
  extra: { readonly alias?: string; readonly change?: "restart" } = {},
): Setting<T> {
  return {
    name,
    kind,
    initial,
    about: "accepted for Redis's sake; no effect",
    section: "without effect",
    change: "live",
    inert: true,
    ...extra,
  };
}

const RESTART = { change: "restart" } as const;

/** Takes only values under which shoal does what the directive says. */
function unsupported(name: string, values: readonly [string, ...string[]], why: string) {
  return inert(name, only(values, why), values[0], RESTART);
}

const NO_CLUSTER = "Redis Cluster is not supported";
const NO_TLS = "TLS is not supported";

/** Directives that load, show and change like in Redis, and do nothing. */
export const INERT_SETTINGS: readonly Setting[] = [
  unsupported("cluster-enabled", ["no"], NO_CLUSTER),
  { ...unsupported("tls-port", ["0"], NO_TLS), change: "live" },
  { ...unsupported("tls-replication", ["no"], NO_TLS), change: "live" },
  { ...unsupported("tls-cluster", ["no"], NO_TLS), change: "live" },
  unsupported("daemonize", ["no"], "shoal runs in the foreground; leave it to a service manager"),
  unsupported("supervised", ["no", "auto"], "shoal does not notify a service manager"),
  unsupported("unixsocket", [""], "Unix sockets are not supported"),
  unsupported("aclfile", [""], "ACL users are not supported yet"),

  {
    ...unsupported(
      "aof-use-rdb-preamble",
      ["yes"],
      "the base of an append-only file is an RDB image",
    ),
    change: "live",
  },
  inert("aof-timestamp-enabled", yesNo(), false),
  inert("aof-rewrite-incremental-fsync", yesNo(), true),
  inert("aof-disable-auto-gc", yesNo(), false),

  inert("unixsocketperm", text({ emptyCounts: true }), "0", RESTART),
  inert("bind-source-addr", text(), ""),
  inert("socket-mark-id", integer({ min: 0, max: 4_294_967_295 }), 0, RESTART),
  inert("io-threads", integer({ min: 1, max: 128 }), 1, RESTART),
  inert("io-threads-do-reads", yesNo(), false, RESTART),
  inert("maxmemory-clients", bytesOrPercent(), 0),
  inert("always-show-logo", yesNo(), false, RESTART),
  inert("set-proc-title", yesNo(), true, RESTART),
  inert("proc-title-template", text(), "{title} {listen-addr} {server-mode}"),
  inert("locale-collate", text(), ""),
  inert("syslog-enabled", yesNo(), false, RESTART),
  inert("syslog-ident", text(), "redis", RESTART),
  inert(
    "syslog-facility",
    oneOf(["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]),
    "local0",
    RESTART,
  ),
  inert("crash-log-enabled", yesNo(), true),
  inert("crash-memcheck-enabled", yesNo(), true),
  inert("ignore-warnings", text(), ""),
  inert("oom-score-adj", oneOf(["no", "yes", "relative", "absolute"]), "no"),
  inert("oom-score-adj-values", freeWords("three numbers"), ["0", "200", "800"]),
  inert("disable-thp", yesNo(), true, RESTART),
  inert("jemalloc-bg-thread", yesNo(), true),
  inert("server_cpulist", text(), "", RESTART),
  inert("bio_cpulist", text(), "", RESTART),
  inert("aof_rewrite_cpulist", text(), "", RESTART),
  inert("bgsave_cpulist", text(), "", RESTART),
  inert("dynamic-hz", yesNo(), true),
  inert("activerehashing", yesNo(), true),
  inert("activedefrag", yesNo(), false),
  inert("active-defrag-ignore-bytes", bytes({ min: 1, max: FROM_0.max }), 104_857_600),
  inert("active-defrag-threshold-lower", integer(PER_MILLE), 10),
  inert("active-defrag-threshold-upper", integer(PER_MILLE), 100),
  inert("active-defrag-cycle-min", integer(PERCENT), 1),
  inert("active-defrag-cycle-max", integer(PERCENT), 25),
  inert("active-defrag-max-scan-fields", integer({ min: 1, max: FROM_0.max }), 1000),
  inert("active-expire-effort", integer({ min: 1, max: 10 }), 1),
  inert("list-compress-depth", integer(INT_FROM_0), 0),
  inert("lazyfree-lazy-eviction", yesNo(), false),
  inert("lazyfree-lazy-expire", yesNo(), false),
  inert("lazyfree-lazy-server-del", yesNo(), false),
  inert("lazyfree-lazy-user-del", yesNo(), false),
  inert("lazyfree-lazy-user-flush", yesNo(), false),
  inert("rdb-del-sync-files", yesNo(), false),
  inert("rdb-save-incremental-fsync", yesNo(), true),
  inert("sanitize-dump-payload", oneOf(["no", "yes", "clients"]), "no"),

  inert("replica-lazy-flush", yesNo(), false, { alias: "slave-lazy-flush" }),
  inert("replica-ignore-maxmemory", yesNo(), true, { alias: "slave-ignore-maxmemory" }),
  inert("replica-ignore-disk-write-errors", yesNo(), false),
  inert("replica-announced", yesNo(), true),
  inert("propagation-error-behavior", oneOf(["ignore", "panic", "panic-on-replicas"]), "ignore"),
  inert("repl-diskless-sync", yesNo(), true),
  inert("repl-diskless-sync-delay", integer(INT_FROM_0), 5),
  inert("repl-diskless-sync-max-replicas", integer(INT_FROM_0), 0),
  inert("repl-diskless-load", oneOf(["disabled", "on-empty-db", "swapdb"]), "disabled"),
  inert("repl-disable-tcp-nodelay", yesNo(), false),

  inert("busy-reply-threshold", integer(FROM_0), 5000, { alias: "lua-time-limit" }),
  inert("enable-module-command", oneOf(DISABLED_BY_DEFAULT), "no", RESTART),
  inert("acllog-max-len", integer(FROM_0), 128),
  inert("acl-pubsub-default", oneOf(["allchannels", "resetchannels"]), "resetchannels"),

  inert("cluster-config-file", text(), "nodes.conf", RESTART),
  inert("cluster-port", integer(PORT), 0, RESTART),
  inert("cluster-node-timeout", integer(FROM_0), 15_000),
  inert("cluster-announce-ip", text(), ""),
  inert("cluster-announce-hostname", text(), ""),
  inert("cluster-announce-human-nodename", text(), ""),
  inert("cluster-announce-port", integer(PORT), 0),
  inert("cluster-announce-bus-port", integer(PORT), 0),
  inert("cluster-announce-tls-port", integer(PORT), 0),
  inert("cluster-preferred-endpoint-type", oneOf(["ip", "hostname", "unknown-endpoint"]), "ip"),
  inert("cluster-migration-barrier", integer(INT_FROM_0), 1),
  inert("cluster-replica-validity-factor", integer(INT_FROM_0), 10, {
    alias: "cluster-slave-validity-factor",
  }),
  inert("cluster-replica-no-failover", yesNo(), false, { alias: "cluster-slave-no-failover" }),
  inert("cluster-require-full-coverage", yesNo(), true),
  inert("cluster-allow-replica-migration", yesNo(), true),
  inert("cluster-allow-reads-when-down", yesNo(), false),
  inert("cluster-allow-pubsubshard-when-down", yesNo(), true),
  inert("cluster-link-sendbuf-limit", anyBytes(), 0),

  inert("tls-auth-clients", oneOf(["no", "yes", "optional"]), "yes"),
  inert("tls-prefer-server-ciphers", yesNo(), false),
  inert("tls-session-caching", yesNo(), true),
  inert("tls-session-cache-size", integer(INT_FROM_0), 20_480),
  inert("tls-session-cache-timeout", integer(INT_FROM_0), 300),
  ...[
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-dh-params-file",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-protocols",
    "tls-ciphers",
    "tls-ciphersuites",
  ].map((name) => inert(name, text(), "")),
];

/**
 * Directives of the config file that are no settings and cannot be ignored, with the reason. Of `include`
 * it is the reason elsewhere: the reader of files follows it.
 */
export const REFUSED_DIRECTIVES: ReadonlyMap<string, string> = new Map([
  ["user", "ACL users are not supported yet; use requirepass"],
  ["rename-command", "commands cannot be renamed or disabled"],
  ["loadmodule", "modules are not supported"],
  ["sentinel", "shoal is no sentinel"],
  ["include", "allowed in a config file alone"],
]);

/** Directives that Redis itself still reads and ignores, with one value. */
export const DEAD_DIRECTIVES: ReadonlySet<string> = new Set([
  "list-max-ziplist-entries",
  "list-max-ziplist-value",
  "lua-replicate-commands",
]);
