/**
 * Settings of listening, clients, security, process, log and observation, in the order in which they
 * are shown.
 *
 * @module
 */
import type { ServingValues } from "./config_values.ts";
import { FROM_0, INT_FROM_0, PORT, RESTART, section, type SettingTable } from "./setting.ts";
import {
  bytes,
  INT_MAX,
  integer,
  LONG_MAX,
  oneOf,
  someOf,
  text,
  UINT_MAX,
  wordList,
  yesNo,
} from "./setting_kinds.ts";
import { keyspaceEvents, outputLimits, percentiles } from "./setting_kinds_composite.ts";

const network = section("network");
const security = section("security");
const general = section("general");
const logging = section("log");
const observing = section("slow log, latency, events");

const ALLOWANCE = ["no", "local", "yes"] as const;

/** What `shutdown-on-sigint` and `shutdown-on-sigterm` take. */
const SIGNAL_FLAGS = someOf("default", ["save", "nosave", "now", "force"], {
  words: ["save", "nosave"],
  refused: "shutdown options SAVE and NOSAVE can't be used simultaneously",
});

/** Addresses `bind` takes, Redis's CONFIG_BINDADDR_MAX. */
const BIND_ADDRESSES_MAX = 16;
const BIND_ALLOWED = `1 to ${BIND_ADDRESSES_MAX} addresses`;

/** Listening, clients, security, process, log, observation. */
export const SERVING_SETTINGS: SettingTable<ServingValues> = {
  bind: network(
    "bind",
    wordList({
      allowed: BIND_ALLOWED,
      none: `it must listen somewhere: allowed is ${BIND_ALLOWED}`,
      max: BIND_ADDRESSES_MAX,
      tooMany: "Too many bind addresses specified.",
      check: (word) =>
        word === "" || word === "-" ? "Failed to bind to specified addresses." : null,
    }),
    ["127.0.0.1"],
    "addresses to listen on; '-' before one excuses that it is absent or not permitted; * is every " +
      "IPv4 address, ::* every IPv6 one and, on Linux, every IPv4 one",
  ),
  port: network("port", integer(PORT), 6379, "port for clients; 0 picks a free one"),
  protectedMode: network(
    "protected-mode",
    yesNo(),
    true,
    "refuse other machines while there is no password",
  ),
  tcpBacklog: network(
    "tcp-backlog",
    integer(INT_FROM_0),
    511,
    "connections that may wait to be accepted",
    RESTART,
  ),
  timeoutSeconds: network(
    "timeout",
    integer(INT_FROM_0),
    0,
    "seconds until an idle client is closed; 0 never",
  ),
  tcpKeepaliveSeconds: network(
    "tcp-keepalive",
    integer(INT_FROM_0),
    300,
    "above 0: TCP keep-alive (its period is the system's)",
  ),
  maxClients: network(
    "maxclients",
    integer({ min: 1, max: UINT_MAX }),
    10_000,
    "clients at once; fewer where the process may not have as many files open",
  ),
  clientOutputBufferLimits: network(
    "client-output-buffer-limit",
    outputLimits(),
    {
      normal: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
      replica: { hardBytes: 268_435_456, softBytes: 67_108_864, softSeconds: 60 },
      pubsub: { hardBytes: 33_554_432, softBytes: 8_388_608, softSeconds: 60 },
    },
    "unread replies at which a client is closed, by class; for replicas without effect, since " +
      "what they have not read waits in the backlog",
  ),
  clientQueryBufferBytes: network(
    "client-query-buffer-limit",
    bytes({ min: 1_048_576, max: LONG_MAX }),
    1_073_741_824,
    "unparsed input at which a client is closed",
  ),
  protoMaxBulkBytes: network(
    "proto-max-bulk-len",
    bytes({ min: 1_048_576, max: LONG_MAX }),
    536_870_912,
    "largest argument of a request",
  ),
  trackingTableMaxKeys: network(
    "tracking-table-max-keys",
    integer(FROM_0),
    1_000_000,
    "keys remembered for clients that cache; 0: up to 256 MiB",
  ),

  requirePass: security("requirepass", text(), "", "password of the default user", {
    secret: true,
  }),
  enableDebugCommand: security(
    "enable-debug-command",
    oneOf(ALLOWANCE),
    "local",
    "who may use DEBUG (Redis: no; here clients of this machine may)",
    RESTART,
  ),
  enableProtectedConfigs: security(
    "enable-protected-configs",
    oneOf(ALLOWANCE),
    "no",
    "who may change dir and dbfilename at run time",
    RESTART,
  ),

  databases: general(
    "databases",
    integer({ min: 1, max: 10_000 }),
    16,
    "numbered databases",
    RESTART,
  ),
  hz: general(
    "hz",
    integer({ min: 0, max: INT_MAX, clamp: [1, 500] }),
    10,
    "background cycles per second, 1 to 500",
  ),
  pidFile: general(
    "pidfile",
    text(),
    "",
    "file that holds the process id while running; a relative path counts from dir",
    RESTART,
  ),
  shutdownOnSigint: general(
    "shutdown-on-sigint",
    SIGNAL_FLAGS,
    [],
    "what SIGINT does beside ending",
  ),
  shutdownOnSigterm: general(
    "shutdown-on-sigterm",
    SIGNAL_FLAGS,
    [],
    "what SIGTERM does beside ending",
  ),
  shutdownTimeoutSeconds: general(
    "shutdown-timeout",
    integer(INT_FROM_0),
    10,
    "seconds a shutdown waits for replicas",
  ),

  logLevel: logging(
    "loglevel",
    oneOf(["debug", "verbose", "notice", "warning", "nothing"]),
    "notice",
    "least severe level that is logged",
  ),
  logFile: logging(
    "logfile",
    text({ emptyCounts: true }),
    "",
    "file for the log, a relative path counts from dir; empty: standard error",
    RESTART,
  ),
  logFormat: logging("log-format", oneOf(["text", "json"]), "text", "form of a log line", RESTART),

  slowlogSlowerThanUs: observing(
    "slowlog-log-slower-than",
    integer({ min: -1, max: LONG_MAX }),
    10_000,
    "microseconds from which a command is slow; -1 never",
  ),
  slowlogMaxLen: observing("slowlog-max-len", integer(FROM_0), 128, "entries of the slow log"),
  latencyMonitorThresholdMs: observing(
    "latency-monitor-threshold",
    integer(FROM_0),
    0,
    "milliseconds from which LATENCY records an event; 0 never",
  ),
  latencyTracking: observing(
    "latency-tracking",
    yesNo(),
    true,
    "whether how long commands take is kept for LATENCY HISTOGRAM and INFO latencystats",
  ),
  latencyTrackingInfoPercentiles: observing(
    "latency-tracking-info-percentiles",
    percentiles(),
    [50, 99, 99.9],
    "what INFO latencystats shows of it",
  ),
  notifyKeyspaceEvents: observing(
    "notify-keyspace-events",
    keyspaceEvents(),
    "",
    "classes of keyspace events to publish",
  ),
};
