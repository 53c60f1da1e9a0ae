import { assertEquals } from "@std/assert";
import { infoText } from "../../src/server/info_format.ts";
import { replicationLines } from "../../src/server/info_replication.ts";
import type { ReplicationStatus, UpstreamStatus } from "../../src/shard/replication_status.ts";

const NODE = "a".repeat(40);
const HISTORY = "b".repeat(40);
const SETTINGS = {
  replicaReadOnly: true,
  replicaPriority: 100,
  minReplicasToWrite: 0,
  minReplicasMaxLagSeconds: 10,
};

const ALONE: ReplicationStatus = {
  upstream: null,
  replicas: [],
  links: [],
  slots: [],
  sequence: 0,
  nodeId: NODE,
  syncs: {
    full: 0,
    partialOk: 0,
    partialErr: 0,
    fullAborted: 0,
    fullReasons: new Map(),
    abortReasons: new Map(),
    rejections: new Map(),
  },
  backlog: {
    active: false,
    limitBytes: 1000,
    sizeBytes: 0,
    memoryBytes: 0,
    shards: [{ oldestOffset: 0, nextOffset: 0, history: HISTORY }],
  },
};

const UPSTREAM: UpstreamStatus = {
  host: "127.0.0.1",
  port: 7000,
  phase: "connected",
  isUp: true,
  isSyncing: false,
  lastIoSeconds: 1,
  downSeconds: -1,
  syncBytes: 0,
  syncTotalBytes: 0,
  readSequence: 90,
  appliedSequence: 88,
  lagFrames: 2,
  shards: 1,
  lastError: "",
  links: [{ shard: 0, state: "streaming", nextOffset: 88, history: HISTORY }],
};

/** The lines as text, without the heading. */
function text(status: ReplicationStatus, settings = SETTINGS): string[] {
  const lines = () => replicationLines(status, settings, 1, "no-failover");
  return infoText([{ title: "R", byDefault: true, lines }], []).split("\r\n").slice(1, -1);
}

Deno.test("a primary without replicas shows Redis's fields", () => {
  assertEquals(text(ALONE), [
    "role:master",
    "connected_slaves:0",
    "master_failover_state:no-failover",
    `master_replid:${NODE}`,
    `master_replid2:${"0".repeat(40)}`,
    "master_repl_offset:0",
    "second_repl_offset:-1",
    "repl_backlog_active:0",
    "repl_backlog_size:1000",
    "repl_backlog_first_byte_offset:0",
    "repl_backlog_histlen:0",
    `shard0_offsets:history=${HISTORY},oldest=0,next=0`,
    "sync_full_reasons:",
    "sync_full_aborted_reasons:",
    "replication_handshake_rejections:",
  ]);
});

Deno.test("a primary shows a replica as a whole, and each of its links", () => {
  const link = {
    id: "r1",
    peer: "127.0.0.1:9",
    state: "streaming",
    sentOffset: 7,
    ackedOffset: 6,
    ackAssumed: false,
    pendingBytes: 5,
    lagSeconds: 0,
  };
  const lines = text({
    ...ALONE,
    sequence: 20,
    replicas: [{
      id: "r1",
      ip: "127.0.0.1",
      port: 6380,
      phase: "online",
      offset: 12,
      lagSeconds: 1,
    }],
    links: [
      { ...link, shard: 0 },
      { ...link, shard: 0, id: "old", ackAssumed: true },
      { ...link, shard: 1 },
    ],
    slots: [{ id: "away", shard: 1, offset: 3, remainingMs: 900 }],
    syncs: { ...ALONE.syncs, fullReasons: new Map([["evicted", 2], ["noHistory", 1]]) },
    backlog: {
      ...ALONE.backlog,
      active: true,
      sizeBytes: 77,
      shards: [
        { oldestOffset: 4, nextOffset: 10, history: HISTORY },
        { oldestOffset: 1, nextOffset: 10, history: NODE },
      ],
    },
  }, { ...SETTINGS, minReplicasToWrite: 1 });
  const shown = (start: string) => lines.filter((line) => line.startsWith(start));
  assertEquals(shown("min_slaves"), ["min_slaves_good_slaves:1"]);
  assertEquals(shown("slave0"), [
    "slave0:ip=127.0.0.1,port=6380,state=online,offset=12,lag=1,id=r1",
  ]);
  assertEquals(shown("shard0_link"), [
    "shard0_link0:id=r1,peer=127.0.0.1:9,state=streaming,sent=7,acked=6,pending_bytes=5,lag=0",
    "shard0_link1:id=old,peer=127.0.0.1:9,state=streaming,sent=7,acked=6,pending_bytes=5,lag=0," +
    "ack=assumed",
  ]);
  assertEquals(shown("shard1_link").length, 1);
  assertEquals(shown("slot"), ["slot0:id=away,shard=1,offset=3,remaining_ms=900"]);
  assertEquals(shown("sync_full_reasons"), ["sync_full_reasons:evicted=2,noHistory=1"]);
  assertEquals(shown("repl_backlog_first"), ["repl_backlog_first_byte_offset:5"]);
  assertEquals(shown("repl_backlog_histlen"), ["repl_backlog_histlen:77"]);
});

Deno.test("a replica shows its upstream before its own replicas", () => {
  assertEquals(text({ ...ALONE, upstream: UPSTREAM }).slice(0, 16), [
    "role:slave",
    "master_host:127.0.0.1",
    "master_port:7000",
    "master_link_status:up",
    "master_last_io_seconds_ago:1",
    "master_sync_in_progress:0",
    "slave_read_repl_offset:90",
    "slave_repl_offset:88",
    "slave_lag_frames:2",
    "slave_priority:100",
    "slave_read_only:1",
    "replica_announced:1",
    "master_shards:1",
    "master_last_error:",
    `master_shard0:state=streaming,next=88,history=${HISTORY}`,
    "connected_slaves:0",
  ]);
});

Deno.test("a replica that syncs shows how far, and since when its link is down", () => {
  const upstream: UpstreamStatus = {
    ...UPSTREAM,
    isUp: false,
    isSyncing: true,
    downSeconds: 4,
    syncBytes: 25,
    syncTotalBytes: 100,
  };
  const lines = text({ ...ALONE, upstream });
  assertEquals(lines.filter((line) => /^master_(sync|link|last_io)/.test(line)), [
    "master_link_status:down",
    "master_last_io_seconds_ago:-1",
    "master_sync_in_progress:1",
    "master_sync_total_bytes:100",
    "master_sync_read_bytes:25",
    "master_sync_left_bytes:75",
    "master_sync_perc:25.00",
    "master_sync_last_io_seconds_ago:1",
    "master_link_down_since_seconds:4",
  ]);
  const unknown = text({ ...ALONE, upstream: { ...upstream, syncTotalBytes: 0 } });
  assertEquals(unknown.filter((line) => /left|perc/.test(line)), [
    "master_sync_left_bytes:-1",
    "master_sync_perc:0.00",
  ]);
});
