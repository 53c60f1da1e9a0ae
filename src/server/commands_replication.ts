/**
 * ROLE, REPLICAOF, WAIT, WAITAOF, REPLCONF and what else clients say about replication. Replicas
 * themselves talk on the replication ports; over the client port a node only asks for the layout.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { timeoutMsArgument } from "../commands/blocking.ts";
import type { Call } from "../commands/call.ts";
import type { ArgumentDoc, CommandSpec } from "../commands/registry.ts";
import { ERR_NOT_POSITIVE, ERR_SYNTAX } from "../resp/errors.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { ADMIN_ANYTIME, integerArgument, utf8, word } from "./command_parts.ts";
import { answerQuestion, answerRequest } from "./promotion_answers.ts";
import type { Server } from "./server.ts";
import { Wait } from "./wait.ts";

/** Version of the replication protocol that REPLCONF LAYOUT announces. */
const PROTOCOL_VERSION = 2;
/** Longest address that REPLCONF IP-ADDRESS takes (Redis's `NET_HOST_STR_LEN`). */
const ADDRESS_BYTES_MAX = 255;
/** Longest host name that REPLICAOF takes, in bytes (DNS's limit). */
const HOST_BYTES_MAX = 253;

const ERR_PORT = ascii("ERR Invalid master port");
const ERR_HOST = ascii("ERR Invalid master host");
const ERR_WAIT_REPLICA = ascii(
  "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a " +
    "replica is configured to be writable (which is not the default) writes to replicas are just " +
    "local and are not propagated.",
);
const ERR_WAITAOF_REPLICA = ascii(
  "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are " +
    "just local and are not propagated.",
);
const ERR_WAITAOF_OFF = ascii(
  "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
);
const ERR_NUMLOCAL = ascii("ERR value is out of range, value must between 0 and 1");
const ERR_RDB_ONLY = ascii("ERR value is out of range, value must between 0 and 1");
const ERR_NO_CLUSTER = ascii("ERR This instance has cluster support disabled");
const ERR_FAILING_OVER = ascii("ERR REPLICAOF not allowed while failing over.");
const SAME_MASTER = ascii("OK Already connected to specified master");

/** The replication commands of `server`. */
export function replicationCommands(server: Server): CommandSpec[] {
  const { config, log, node } = server;

  function role({ reply }: Call): void {
    const { upstream, replicas, sequence } = server.replication.status();
    if (upstream !== null) {
      reply.array(5);
      reply.bulkText("slave");
      reply.bulkText(upstream.host);
      reply.integer(upstream.port);
      reply.bulkText(upstream.phase);
      reply.integer(upstream.isUp ? upstream.appliedSequence : -1);
      return;
    }
    const online = replicas.filter((replica) => replica.phase === "online");
    reply.array(3);
    reply.bulkText("master");
    reply.integer(sequence);
    reply.array(online.length);
    for (const { ip, port, offset } of online) {
      reply.array(3);
      reply.bulkText(ip);
      reply.bulkText(String(port));
      reply.bulkText(String(offset));
    }
  }

  function replicaOf(call: Call): void {
    const { reply, session } = call;
    const { replication } = server;
    if (server.failover.state !== "no-failover") return reply.error(ERR_FAILING_OVER);
    if (word(call, 1) === "NO" && word(call, 2) === "ONE") {
      if (replication.isFollowing) {
        log.notice("REPLICAOF NO ONE by a client", { client: session.id, peer: session.peer });
        server.unfollow();
      }
      return reply.ok();
    }
    const port = integerArgument(call, 2, ERR_PORT);
    if (Number.isNaN(port)) return;
    // Redis takes 0 as well, to which nobody can connect.
    if (port < 1 || port > 65_535) return reply.error(ERR_PORT);
    const host = utf8(call, 1);
    if (host === null || host === "" || host.length > HOST_BYTES_MAX || /\s/.test(host)) {
      return reply.error(ERR_HOST);
    }
    const before = replication.upstream;
    if (before !== null && before.host === host && before.port === port) {
      return reply.status(SAME_MASTER);
    }
    log.notice("REPLICAOF by a client", {
      client: session.id,
      peer: session.peer,
      upstream: `${host}:${port}`,
    });
    server.follow(host, port);
    reply.ok();
  }

  function wait(call: Call): void {
    const { reply, session } = call;
    const { replication } = server;
    if (replication.isFollowing) return reply.error(ERR_WAIT_REPLICA);
    const wanted = integerArgument(call, 1);
    if (Number.isNaN(wanted)) return;
    const timeoutMs = timeoutMsArgument(call, 2);
    if (Number.isNaN(timeoutMs)) return;
    const sequence = session.lastWriteSequence;
    const count = () => replication.countReplicas(sequence);
    if (count() >= wanted) return reply.integer(count());
    let cancel = (): void => {};
    const waiting = new Wait(call, server, {
      ...(timeoutMs > 0 ? { timeoutMs } : {}),
      expired: (reply) => reply.integer(count()),
      abandoned: () => cancel(),
    });
    cancel = replication.waitForReplicas(sequence, wanted, () => {
      waiting.end((reply) => reply.integer(count()));
    });
  }

  function waitAof(call: Call): void {
    const { reply, session } = call;
    const { replication } = server;
    const local = integerArgument(call, 1);
    if (Number.isNaN(local)) return;
    if (local < 0 || local > 1) return reply.error(ERR_NUMLOCAL);
    const wanted = integerArgument(call, 2, ERR_NOT_POSITIVE);
    if (Number.isNaN(wanted)) return;
    if (wanted < 0) return reply.error(ERR_NOT_POSITIVE);
    const timeoutMs = timeoutMsArgument(call, 3);
    if (Number.isNaN(timeoutMs)) return;
    if (replication.isFollowing) return reply.error(ERR_WAITAOF_REPLICA);
    const isLocal = local === 1;
    if (isLocal && !config.appendOnly) return reply.error(ERR_WAITAOF_OFF);
    const sequence = session.lastWriteSequence;
    const counts = (reply: ReplyWriter): void => {
      reply.array(2);
      reply.integer(replication.isSynced(sequence) ? 1 : 0);
      reply.integer(replication.countSyncedReplicas(sequence));
    };
    const isEnough = (!isLocal || replication.isSynced(sequence)) &&
      replication.countSyncedReplicas(sequence) >= wanted;
    if (isEnough) return counts(reply);
    let cancel = (): void => {};
    const waiting = new Wait(call, server, {
      ...(timeoutMs > 0 ? { timeoutMs } : {}),
      expired: counts,
      abandoned: () => cancel(),
    });
    cancel = replication.waitForSyncs({ sequence, isLocal, count: wanted }, () => {
      waiting.end((reply) => {
        if (isLocal && !config.appendOnly) reply.error(ERR_WAITAOF_OFF);
        else counts(reply);
      });
    });
  }

  function layout({ reply }: Call): void {
    const { shards } = server.replication.status().backlog;
    reply.map(5);
    reply.bulkText("protocol");
    reply.integer(PROTOCOL_VERSION);
    reply.bulkText("shards");
    reply.integer(shards.length);
    reply.bulkText("replication-port-base");
    reply.integer(server.replicationPortBase);
    reply.bulkText("node");
    reply.bulkText(node.id);
    reply.bulkText("history");
    reply.array(shards.length);
    for (const { history } of shards) reply.bulkText(history);
  }

  function replConf(call: Call): void {
    const { reply, session, argc } = call;
    if (argc === 2 && word(call, 1) === "LAYOUT") {
      session.isReplica = true;
      return layout(call);
    }
    const option = argc > 2 ? word(call, 1) : "";
    if (option === "FAILOVER" && argc === 3) return answerQuestion(call, server);
    if (option === "PROMOTE") return answerRequest(call, server);
    if (argc % 2 === 0) return reply.error(ERR_SYNTAX);
    for (let i = 1; i < argc; i += 2) {
      switch (word(call, i)) {
        case "LISTENING-PORT": {
          const port = integerArgument(call, i + 1);
          if (Number.isNaN(port)) return;
          session.announcedPort = port;
          break;
        }
        case "IP-ADDRESS":
          if (call.bytes(i + 1) > ADDRESS_BYTES_MAX) {
            return reply.errorText(
              "ERR REPLCONF ip-address provided by replica instance is too long: " +
                `${call.bytes(i + 1)} bytes`,
            );
          }
          break;
        case "CAPA":
          if (word(call, i + 1) === "EOF") session.takesEndMark = true;
          break;
        case "RDB-ONLY": {
          const rdbOnly = integerArgument(call, i + 1);
          if (Number.isNaN(rdbOnly)) return;
          if (rdbOnly < 0 || rdbOnly > 1) return reply.error(ERR_RDB_ONLY);
          session.rdbOnly = rdbOnly === 1;
          break;
        }
        case "ACK":
        case "GETACK":
          return; // between a primary and a replica, and never answered
        default:
          return reply.errorText(`ERR Unrecognized REPLCONF option: ${call.text(i)}`);
      }
    }
    reply.ok();
  }

  const upstreamArguments: readonly ArgumentDoc[] = [{
    name: "args",
    type: "oneof",
    arguments: [
      {
        name: "host-port",
        type: "block",
        arguments: [{ name: "host", type: "string" }, { name: "port", type: "integer" }],
      },
      {
        name: "no-one",
        type: "block",
        arguments: [
          { name: "no", type: "pure-token", token: "NO" },
          { name: "one", type: "pure-token", token: "ONE" },
        ],
      },
    ],
  }];
  const noCluster = (
    name: string,
    summary: string,
    spec: Partial<CommandSpec> = {},
  ): CommandSpec => ({
    name,
    arity: 1,
    flags: ["loading", "stale", "fast"],
    group: "cluster",
    categories: ["connection"],
    ...spec,
    since: "3.0.0",
    summary,
    complexity: "O(1)",
    run: (call) => call.reply.error(ERR_NO_CLUSTER),
  });

  return [
    {
      name: "role",
      arity: 1,
      flags: ["noscript", "loading", "stale", "fast"],
      categories: ["admin", "dangerous"],
      group: "server",
      since: "2.8.12",
      summary: "Tells whether this is a primary or a replica, and of whom.",
      complexity: "O(N) in the number of replicas",
      run: role,
    },
    {
      name: "replicaof",
      arity: 3,
      flags: ["admin", "noscript", "stale", "no_async_loading"],
      group: "server",
      since: "5.0.0",
      summary: "Follows another node, or nobody; replies before the link is up.",
      complexity: "O(1)",
      arguments: upstreamArguments,
      run: replicaOf,
    },
    {
      name: "slaveof",
      arity: 3,
      flags: ["admin", "noscript", "stale", "no_async_loading"],
      group: "server",
      since: "1.0.0",
      summary: "REPLICAOF by its old name.",
      complexity: "O(1)",
      deprecated: { since: "5.0.0", instead: "`REPLICAOF`" },
      arguments: upstreamArguments,
      run: replicaOf,
    },
    {
      name: "wait",
      arity: 3,
      flags: ["blocking"],
      categories: ["connection"],
      group: "generic",
      since: "3.0.0",
      summary: "Waits until so many replicas have this connection's writes.",
      complexity: "O(N) in the number of replicas",
      tips: ["request_policy:all_shards", "response_policy:agg_min"],
      arguments: [{ name: "numreplicas", type: "integer" }, { name: "timeout", type: "integer" }],
      run: wait,
    },
    {
      name: "waitaof",
      arity: 4,
      flags: ["blocking"],
      categories: ["connection"],
      group: "generic",
      since: "7.2.0",
      summary: "Waits until this connection's writes are synced in the append-only files of this " +
        "node and of so many replicas.",
      complexity: "O(N) in the number of replicas",
      tips: ["request_policy:all_shards", "response_policy:agg_min"],
      arguments: [
        { name: "numlocal", type: "integer" },
        { name: "numreplicas", type: "integer" },
        { name: "timeout", type: "integer" },
      ],
      run: waitAof,
    },
    {
      name: "replconf",
      arity: -1,
      flags: [...ADMIN_ANYTIME, "allow_busy"],
      group: "server",
      since: "3.0.0",
      summary: "Tells a replica how this node is laid out (LAYOUT); for nodes, not for users.",
      complexity: "O(N) in the number of shards",
      isInternal: true,
      run: replConf,
    },
    noCluster("readonly", "Needs Redis Cluster, which this is not."),
    noCluster("readwrite", "Needs Redis Cluster, which this is not."),
    noCluster("asking", "Needs Redis Cluster, which this is not.", { flags: ["fast"] }),
    noCluster("cluster", "Tells clients that ask for a Redis Cluster that this is none.", {
      arity: -2,
      flags: ["stale"],
      categories: [],
    }),
  ];
}
