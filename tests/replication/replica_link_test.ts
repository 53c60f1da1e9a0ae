import { assert, assertEquals } from "@std/assert";
import { LINK_MOVES } from "../../src/replication/link_state.ts";
import { JUNK_LINE_BYTES_MAX } from "../../src/replication/replica_input.ts";
import {
  DEFAULT_LINK_SETTINGS,
  JOINED_BYTES_MAX,
  LINK_ACKED,
  LINK_CLAIM,
  LINK_CLOSED,
  LINK_NOTHING,
  LINK_WAKE,
  OUTPUT_BYTES,
  OUTPUT_FINISH,
  OUTPUT_LOST,
  OUTPUT_WAIT,
  ReplicaLink,
} from "../../src/replication/replica_link.ts";
import { QUEUED_CHUNK_BYTES_MAX } from "../../src/replication/ship_queue.ts";
import {
  chainId,
  CHUNK_BYTES_MAX,
  CHUNK_HEAD_BYTES,
  encodeBareFrame,
  encodeReplicaAck,
  UNNUMBERED_CAPABILITY,
} from "../../src/replication/wire.ts";
import {
  acceptedLink,
  bytes,
  concat,
  FakeSource,
  HISTORY_A,
  HISTORY_B,
  pumpAll,
  request,
  tickUntil,
} from "./support.ts";
import { latin1 } from "../../src/base/ascii.ts";

const ACK_5 = `+ACK 5 HISTORY ${HISTORY_A} SHARD 1 SHARDS 2\r\n`;

function ping(next: number, sequence: number): string {
  return `+PING ${HISTORY_A} ${next} ${sequence}\r\n`;
}

function frame(offset: number, name: string): string {
  return latin1(encodeBareFrame(String(offset), name));
}

function send(link: ReplicaLink, data: Uint8Array, nowMs = 0): number {
  return link.receive(data, 0, data.length, nowMs);
}

/** A source with frames 3..6, and a link that claimed `from` of `history` (v1 when null). */
function claimed(from: number, history: string | null, id = "r1"): [FakeSource, ReplicaLink] {
  const source = new FakeSource({ firstOffset: 3 });
  for (const name of ["A", "B", "C", "D"]) source.append(name);
  const link = acceptedLink(source);
  const args = ["REPLICATE", "FROM", String(from), "ID", id];
  if (history !== null) args.push("HISTORY", history);
  assertEquals(send(link, request(...args)), LINK_CLAIM);
  return [source, link];
}

/** A v2 link that streams from 5, with frames 5 and 6 and the first heartbeat written. */
function streaming(): [FakeSource, ReplicaLink] {
  const [source, link] = claimed(5, HISTORY_A);
  link.acceptFrames();
  assertEquals(pumpAll(link), ACK_5 + ping(7, 4) + frame(5, "C") + frame(6, "D"));
  return [source, link];
}

/** A v2 link in the middle of a ship at cut 7, begun at `nowMs`, its marks written. */
function shipping(limits = {}, settings = DEFAULT_LINK_SETTINGS): [FakeSource, ReplicaLink] {
  const source = new FakeSource({ firstOffset: 3, ...limits });
  for (const name of ["A", "B", "C", "D"]) source.append(name);
  const link = acceptedLink(source, 0, settings);
  send(link, request("REPLICATE", "FROM", "0", "ID", "r1", "HISTORY", "?"));
  link.acceptShip("noHistory");
  link.beginShip(7, source.backlog.pin(7)!);
  assertEquals(pumpAll(link), `+ACK 7 HISTORY ${HISTORY_A} SHARD 1 SHARDS 2\r\n+SNAPSHOT\r\n`);
  return [source, link];
}

function offer(link: ReplicaLink, text: string): void {
  link.offerChunk(bytes(text), 0, text.length);
}

Deno.test("the legal moves are those of the protocol, and closed is final", () => {
  assertEquals(LINK_MOVES, {
    handshakePending: ["ackSent", "closed"],
    ackSent: ["streaming", "snapshotShipping", "closed"],
    streaming: ["snapshotShipping", "closed"],
    snapshotShipping: ["streaming", "closed"],
    closed: [],
  });
});

Deno.test("v1 gets the asked offset back, then frames, and nothing else ever", () => {
  const [source, link] = claimed(5, null);
  link.acceptFrames();
  assertEquals(link.state, { at: "ackSent", id: "r1", fromOffset: 5 });
  assertEquals(pumpAll(link), "+ACK 5\r\n" + frame(5, "C") + frame(6, "D"));
  assertEquals(link.state, { at: "streaming", id: "r1", sentOffset: 7, ackedOffset: 7 });
  assertEquals(link.tick(60_000), LINK_NOTHING);
  link.requestAck();
  assertEquals(pumpAll(link, 60_000), "");
  source.append("E");
  assertEquals(pumpAll(link, 60_001), frame(7, "E"));
});

Deno.test("a claim in another history's numbers is answered in ours, and counted in them", () => {
  for (const [db, said] of [[3, " DB 3"], [-1, ""]] as const) {
    const [, link] = claimed(900, HISTORY_B);
    link.acceptFrames({ from: 5, db });
    const answer = `${ACK_5.slice(0, -2)} CONTINUES 900${said}\r\n`;
    assertEquals(pumpAll(link), answer + ping(7, 4) + frame(5, "C") + frame(6, "D"));
    assertEquals(link.neededFrom, 5);
    assertEquals(send(link, request("REPLCONF", "ACK", "7")), LINK_ACKED);
    link.close("PeerClosed");
    assertEquals(link.state.at === "closed" && link.state.offset, 7);
  }
});

Deno.test("v2 streams only when the whole ACK has drained, one byte a write", () => {
  const [, link] = claimed(5, HISTORY_A);
  link.acceptFrames();
  for (let i = 0; i < ACK_5.length; i++) {
    assertEquals(link.state.at, "ackSent");
    assertEquals(link.pendingBytes, ACK_5.length - i);
    assertEquals(link.nextOutput(0), OUTPUT_BYTES);
    assertEquals(latin1(link.output), ACK_5.slice(i));
    link.written(1, 0);
  }
  assertEquals(link.state, { at: "streaming", id: "r1", sentOffset: 5, ackedOffset: 5 });
  assertEquals(pumpAll(link, 0, 1), ping(7, 4) + frame(5, "C") + frame(6, "D"));
  assert(link.state.at === "streaming" && link.state.sentOffset === 7);
  assertEquals(link.pendingBytes, 0);
});

Deno.test("a second decision does nothing, and no second ACK is ever sent", () => {
  const [, link] = claimed(5, HISTORY_A);
  link.acceptFrames();
  link.acceptFrames();
  link.acceptShip("evicted");
  const out = pumpAll(link);
  link.acceptFrames();
  assertEquals(
    send(link, request("REPLICATE", "FROM", "5", "ID", "r1", "HISTORY", HISTORY_A)),
    LINK_NOTHING,
  );
  assertEquals((out + pumpAll(link)).split("+ACK").length, 2);
});

Deno.test("bytes behind the handshake belong to what is read next", () => {
  const source = new FakeSource();
  const link = acceptedLink(source);
  const handshake = request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", HISTORY_A);
  const ack = encodeReplicaAck(0);
  assertEquals(send(link, concat(handshake, ack, ack.subarray(0, 11))), LINK_CLAIM);
  link.acceptFrames();
  source.append("A");
  pumpAll(link);
  // What was claimed counts once it is confirmed, and once only.
  assertEquals(link.reachedSequence, -1);
  assertEquals(send(link, ack.subarray(11)), LINK_ACKED);
  assertEquals(send(link, ack), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(1)), LINK_ACKED);
  assert(link.state.at === "streaming" && link.state.ackedOffset === 1);
});

Deno.test("close keeps no id before the ACK, the asked offset behind it", () => {
  const [, pending] = claimed(5, HISTORY_A);
  pending.close("Shutdown", "now");
  assertEquals(pending.state, {
    at: "closed",
    id: null,
    offset: 0,
    because: "Shutdown",
    detail: "now",
  });
  const [, sent] = claimed(5, HISTORY_A);
  sent.acceptFrames();
  sent.close("Shutdown");
  assert(sent.state.at === "closed" && sent.state.id === "r1" && sent.state.offset === 5);
});

Deno.test("close keeps the confirmed offset of a v2 stream and the sent one of a v1 stream", () => {
  const [, v2] = streaming();
  send(v2, encodeReplicaAck(6));
  v2.close("Shutdown");
  assert(v2.state.at === "closed" && v2.state.offset === 6);
  const [, v1] = claimed(3, null);
  v1.acceptFrames();
  pumpAll(v1);
  v1.close("Shutdown");
  assert(v1.state.at === "closed" && v1.state.offset === 7 && v1.state.id === "r1");
});

Deno.test("close keeps the cut of a ship, also behind its end until something is confirmed", () => {
  const [, link] = shipping();
  link.close("ShipFailed");
  assert(link.state.at === "closed" && link.state.offset === 7);
  const [source, ended] = shipping();
  offer(ended, "x");
  ended.endShip();
  pumpAll(ended);
  source.append("E");
  ended.close("Shutdown");
  assert(ended.state.at === "closed" && ended.state.offset === 7);
});

Deno.test("close is idempotent from every state", () => {
  for (const link of [claimed(5, HISTORY_A)[1], streaming()[1], shipping()[1]]) {
    link.close("NoProgress", "first");
    const kept = structuredClone(link.state);
    link.close("Shutdown", "second");
    link.receiveEnd("third");
    link.reject({ kind: "rejection", name: "TooMany", argc: null, detail: "" });
    link.acceptFrames();
    link.acceptShip("evicted");
    link.requestShip("evicted");
    link.requestAck();
    offer(link, "late");
    link.endShip();
    assertEquals(link.tick(1e9), LINK_NOTHING);
    assertEquals(send(link, bytes("anything")), LINK_NOTHING);
    assertEquals(link.credits, 0);
    assertEquals(link.nextOutput(0), OUTPUT_FINISH);
    link.dispose();
    assertEquals(link.state, kept);
  }
});

Deno.test("a view on its way stays readable after a close, until the pump has stopped", () => {
  const source = new FakeSource({ limitBytes: 8192 });
  for (let i = 0; i < 20; i++) source.append("SET", "k", "v".repeat(100));
  const link = acceptedLink(source);
  send(link, request("REPLICATE", "FROM", "0", "ID", "r"));
  link.acceptFrames();
  link.nextOutput(0);
  link.written(link.output.length, 0);
  assertEquals(link.nextOutput(0), OUTPUT_BYTES);
  const view = link.output;
  const before = latin1(view);
  link.close("Shutdown");
  for (let i = 0; i < 1000; i++) source.append("SET", "other", "w".repeat(100));
  assertEquals(latin1(view), before);
  assertEquals(link.nextOutput(0), OUTPUT_BYTES);
  link.written(10, 0);
  assertEquals(latin1(link.output), before.slice(10));
  link.dispose();
  assertEquals(link.nextOutput(0), OUTPUT_FINISH);
});

Deno.test("acknowledgements grow, never past what was sent, and old ones change nothing", () => {
  const [, link] = streaming();
  assertEquals(send(link, encodeReplicaAck(6)), LINK_ACKED);
  assertEquals(send(link, encodeReplicaAck(6)), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(2)), LINK_NOTHING);
  assertEquals(link.state, { at: "streaming", id: "r1", sentOffset: 7, ackedOffset: 6 });
  assertEquals(send(link, concat(encodeReplicaAck(7), encodeReplicaAck(1))), LINK_ACKED);
  assertEquals(send(link, encodeReplicaAck(8)), LINK_CLOSED);
  assert(link.state.at === "closed" && link.state.because === "AckAhead");
  assertEquals(link.state.offset, 7);
});

Deno.test("an acknowledgement may overtake the report of the write it answers", () => {
  const [source, link] = streaming();
  source.append("E");
  assertEquals(link.nextOutput(10), OUTPUT_BYTES);
  assertEquals(send(link, encodeReplicaAck(8)), LINK_ACKED);
  link.written(link.output.length, 10);
  assert(link.state.at === "streaming" && link.state.sentOffset === 8);
});

Deno.test("acknowledgements arrive in any pieces; other requests pass unread", () => {
  const data = concat(
    encodeReplicaAck(5),
    bytes("\r\n*0\r\n"),
    request("REPLCONF", "CAPA", "x"),
    request("PING"),
    bytes("replconf ack 6\n"),
    encodeReplicaAck(7),
  );
  for (let cut = 0; cut <= data.length; cut++) {
    const [, link] = streaming();
    send(link, data.subarray(0, cut));
    send(link, data.subarray(cut));
    assert(link.state.at === "streaming" && link.state.ackedOffset === 7, `cut ${cut}`);
  }
  const [, link] = streaming();
  for (const byte of data) send(link, Uint8Array.of(byte));
  assert(link.state.at === "streaming" && link.state.ackedOffset === 7);
});

Deno.test("what is on a replica's disk arrives in any pieces, and is nothing before it is said", () => {
  const data = concat(
    encodeReplicaAck(5),
    encodeReplicaAck(6, 5),
    request("REPLCONF", "CAPA", "x"),
    bytes("replconf fack 6\n"),
    encodeReplicaAck(7, 6),
  );
  for (let cut = 0; cut <= data.length; cut++) {
    const [, link] = streaming();
    const outcomes = [send(link, data.subarray(0, cut)), send(link, data.subarray(cut))];
    assert(link.state.at === "streaming" && link.state.ackedOffset === 7, `cut ${cut}`);
    assert(outcomes.includes(LINK_ACKED), `cut ${cut}`);
    assertEquals([link.marks.reached, link.syncedSequence], [4, 0], `cut ${cut}`);
    assertEquals(send(link, encodeReplicaAck(7, 7)), LINK_ACKED);
    assertEquals(link.syncedSequence, 4);
  }
  const [, link] = streaming();
  send(link, encodeReplicaAck(7));
  assertEquals([link.marks.reached, link.syncedSequence], [4, -1], "it says nothing of its disk");
});

Deno.test("what is on a replica's disk grows, never past what it has confirmed", () => {
  const [, link] = streaming();
  send(link, encodeReplicaAck(6));
  assertEquals(send(link, encodeReplicaAck(6, 6)), LINK_ACKED);
  assertEquals(send(link, encodeReplicaAck(6, 6)), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(6, 2)), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(7, 6)), LINK_ACKED);
  assertEquals(link.syncedSequence, 0);
  assertEquals(send(link, encodeReplicaAck(7, 7)), LINK_ACKED);
  assertEquals(link.syncedSequence, 4);

  const [source, ahead] = streaming();
  source.append("E");
  pumpAll(ahead);
  send(ahead, encodeReplicaAck(7));
  assertEquals(send(ahead, encodeReplicaAck(7, 8)), LINK_CLOSED);
  assert(ahead.state.at === "closed" && ahead.state.because === "SyncAhead");
  assertEquals(ahead.state.detail, "8 is on its disk, acknowledged 7");
  assertEquals(ahead.syncedSequence, -1);
});

Deno.test("a heartbeat that makes what is on a replica's disk cover more says so, once", () => {
  const [source, link] = streaming();
  send(link, encodeReplicaAck(7, 7));
  assert(link.takeProgress() && !link.takeProgress());
  source.sequence = 100;
  link.requestAck();
  assertEquals(pumpAll(link, 1), ping(7, 100) + "+GETACK\r\n");
  assertEquals(link.syncedSequence, 100);
  assert(link.takeProgress() && !link.takeProgress());
});

Deno.test("many heartbeats between two syncs of a replica are all covered by the second", () => {
  const [source, link] = streaming();
  send(link, encodeReplicaAck(7, 7));
  for (let i = 1; i <= 20; i++) {
    source.append("E");
    link.requestAck();
    pumpAll(link, i);
    send(link, encodeReplicaAck(7 + i, 7), i);
  }
  assertEquals([link.marks.reached, link.syncedSequence], [24, 4]);
  send(link, encodeReplicaAck(27, 17), 21);
  assertEquals(link.syncedSequence, 14);
  send(link, encodeReplicaAck(27, 27), 22);
  assertEquals(link.syncedSequence, 24);
});

Deno.test("a ship makes what was on a replica's disk nothing", () => {
  const [, link] = shipping();
  offer(link, "x");
  link.endShip();
  send(link, encodeReplicaAck(0, 0));
  pumpAll(link);
  assertEquals(send(link, encodeReplicaAck(0, 0)), LINK_NOTHING, "said before the ship's end");
  assertEquals(link.syncedSequence, -1);
  send(link, encodeReplicaAck(7));
  assertEquals([link.marks.reached, link.syncedSequence], [4, -1]);
  send(link, encodeReplicaAck(7, 7));
  assertEquals(link.syncedSequence, 4);
  link.requestShip("evicted");
  const source = new FakeSource({ firstOffset: 7 });
  link.beginShip(7, source.backlog.pin(7)!);
  assertEquals(link.syncedSequence, -1);
});

Deno.test("what cannot be read from a v2 replica closes its link by name", () => {
  const rows = [
    "*x\r\n",
    "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\nx\r\n",
    "*2\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n",
    "REPLCONF FACK\r\n",
    "REPLCONF FACK 5 6\r\n",
    "REPLCONF FACK -1\r\n",
    "REPLCONF FACK 18446744073709551616\r\n",
    "*1\r\n$5000\r\n" + "x".repeat(5000),
    "x".repeat(5000),
  ];
  for (const text of rows) {
    const [, link] = streaming();
    assertEquals(send(link, bytes(text)), LINK_CLOSED, text.slice(0, 40));
    assert(link.state.at === "closed" && link.state.because === "BadReplicaInput");
    assert(link.state.detail.length > 0);
  }
});

Deno.test("a v1 replica's input is thrown away, 64 KiB without a newline close it", () => {
  const line = "x".repeat(JUNK_LINE_BYTES_MAX) + "\n";
  for (const piece of [1000, 4096, 65_536, 200_000]) {
    const [, link] = claimed(5, null);
    link.acceptFrames();
    const data = bytes(line.repeat(3) + line.slice(0, -1));
    for (let at = 0; at < data.length; at += piece) {
      assertEquals(send(link, data.subarray(at, at + piece)), LINK_NOTHING, `piece ${piece}`);
    }
    assertEquals(send(link, bytes("y")), LINK_CLOSED);
    assert(link.state.at === "closed" && link.state.because === "JunkLimit");
  }
});

for (const counts of [true, false]) {
  const whose = counts ? "who counts frames" : "whose frames have numbers";
  Deno.test(`a large frame passes in several writes, and no line gets inside it, to ${whose}`, () => {
    largeFramePasses(counts);
  });
}

function largeFramePasses(counts: boolean): void {
  const source = new FakeSource({ limitBytes: 1000 });
  const link = acceptedLink(source);
  const capability = counts ? UNNUMBERED_CAPABILITY : "other";
  const args = ["REPLICATE", "FROM", "0", "ID", "r", "HISTORY", HISTORY_A, "CAPA", capability];
  send(link, request(...args));
  link.acceptFrames();
  const value = "v".repeat(1_000_000);
  pumpAll(link);
  source.append("SET", "k", value);
  let out = "";
  for (let nowMs = 0; link.nextOutput(nowMs) === OUTPUT_BYTES; nowMs += 1000) {
    out += latin1(link.output);
    link.written(link.output.length, nowMs);
    link.requestAck();
    send(link, encodeReplicaAck(0), nowMs);
    if (nowMs === 2000) source.append("NEXT");
    if (nowMs > 30_000) break;
  }
  assert(out.includes(`$1000000\r\n${value}\r\n`));
  const next = counts ? `+FRAMES 1\r\n${latin1(request("NEXT"))}` : frame(1, "NEXT");
  assert(out.includes(next));
}

Deno.test("a replica that counts frames is told their number before them, behind each heartbeat and ship", () => {
  const source = new FakeSource({ firstOffset: 5 });
  const link = acceptedLink(source);
  const args = ["REPLICATE", "FROM", "5", "ID", "r", "HISTORY", HISTORY_A];
  const [a, b] = [request("A"), request("B")].map((frame) => latin1(frame));
  source.append("A");
  send(link, request(...args, "CAPA", UNNUMBERED_CAPABILITY));
  link.acceptFrames();
  const out = pumpAll(link, 0, 7);
  assert(out.endsWith(`${ping(6, 1)}+FRAMES 5\r\n${a}`), out);
  source.append("B");
  assertEquals(pumpAll(link, 10, 7), b);
  assertEquals(link.tick(1000), LINK_WAKE);
  source.append("A");
  assertEquals(pumpAll(link, 1000, 7), `${ping(8, 3)}+FRAMES 7\r\n${a}`);

  // The stream is lost and turns to a ship; behind it frames are counted anew.
  source.backlog.limitBytes = 1;
  for (let i = 0; i < 3; i++) source.append("B".repeat(5_000));
  assertEquals(link.nextOutput(1001), OUTPUT_LOST);
  link.requestShip("evicted");
  const cut = source.backlog.nextOffset;
  link.beginShip(cut, source.backlog.pin(cut)!);
  link.endShip();
  source.append("A");
  const shipped = pumpAll(link, 1010, 7);
  assert(shipped.endsWith(`+FRAMES ${cut}\r\n${a}`), shipped);
  assert(shipped.includes(`+SNAPSHOT_END ${cut}\r\n`));
});

/** A v2 link that streams from 5 and has written all there was, to a replica that counts frames or not. */
function drained(counts: boolean): [FakeSource, ReplicaLink] {
  const source = new FakeSource({ firstOffset: 5 });
  const link = acceptedLink(source);
  const args = ["REPLICATE", "FROM", "5", "ID", "r", "HISTORY", HISTORY_A];
  send(link, request(...args, ...counts ? ["CAPA", UNNUMBERED_CAPABILITY] : []));
  link.acceptFrames();
  pumpAll(link, 0);
  return [source, link];
}

/** All that the link has to write now, write by write. */
function writes(link: ReplicaLink, nowMs: number): string[] {
  const written: string[] = [];
  while (link.nextOutput(nowMs) === OUTPUT_BYTES) {
    written.push(latin1(link.output));
    link.written(link.output.length, nowMs);
  }
  return written;
}

Deno.test("frames that somebody waits for, the question and the next frame's number are one write", () => {
  for (const counts of [true, false]) {
    const [source, link] = drained(counts);
    source.append("A");
    link.requestAck();
    const asked = `${ping(6, 1)}+GETACK\r\n${counts ? "+FRAMES 6\r\n" : ""}`;
    assertEquals(writes(link, 1), [(counts ? latin1(request("A")) : frame(5, "A")) + asked]);
    assertEquals(link.pendingBytes, 0);
    assertEquals(send(link, encodeReplicaAck(6), 2), LINK_ACKED);
    source.append("B");
    assertEquals(writes(link, 2), [counts ? latin1(request("B")) : frame(6, "B")]);
  }
});

Deno.test("frames of more than JOINED_BYTES_MAX are not copied for the question's sake", () => {
  for (const over of [0, 1]) {
    const [source, link] = drained(true);
    const name = "A".repeat(JOINED_BYTES_MAX - "*1\r\n$16370\r\n\r\n".length + over);
    source.append(name);
    link.requestAck();
    const frames = latin1(request(name));
    assertEquals(frames.length, JOINED_BYTES_MAX + over);
    const asked = `${ping(6, 1)}+GETACK\r\n+FRAMES 6\r\n`;
    assertEquals(writes(link, 1), over === 0 ? [frames + asked] : [frames, asked]);
  }
});

Deno.test("frames and a question that are written byte by byte are sent when their own last byte is", () => {
  const [source, link] = drained(false);
  source.append("A");
  link.requestAck();
  const frames = frame(5, "A").length;
  for (let sent = 0; link.nextOutput(1) === OUTPUT_BYTES; sent++) {
    assert(link.state.at === "streaming");
    assertEquals(link.state.sentOffset, sent < frames ? 5 : 6, `${sent} bytes`);
    link.written(1, 1);
  }
  assert(link.state.at === "streaming" && link.state.sentOffset === 6);
});

Deno.test("heartbeats come at once, every second, and soon after a busy link has drained", () => {
  const [source, link] = streaming();
  const beat = (nowMs: number) => {
    send(link, encodeReplicaAck(0), nowMs);
    return link.tick(nowMs) === LINK_WAKE ? pumpAll(link, nowMs) : "";
  };
  // Frames were sent behind the first heartbeat.
  assertEquals(beat(50), "");
  assertEquals(beat(100), ping(7, 4));
  assertEquals(beat(200), "");
  assertEquals(beat(1099), "");
  assertEquals(beat(1100), ping(7, 4));
  source.append("E");
  source.sequence = 90;
  assertEquals(pumpAll(link, 1110), frame(7, "E"));
  assertEquals(beat(1150), "");
  assertEquals(beat(1200), ping(8, 90));
  assertEquals(beat(2199), "");
});

Deno.test("an acknowledgement is asked for behind the frames it is wanted for", () => {
  const [source, link] = streaming();
  source.append("E");
  link.requestAck();
  assertEquals(link.tick(1), LINK_WAKE);
  assertEquals(pumpAll(link, 1), frame(7, "E") + ping(8, 5) + "+GETACK\r\n");
  assertEquals(pumpAll(link, 2), "");
  send(link, encodeReplicaAck(8), 3);
  assertEquals(link.marks.reached, 5);
});

Deno.test("the node's sequence is covered when the frames before its heartbeat are confirmed", () => {
  const [source, link] = streaming();
  assertEquals(link.marks.reached, -1);
  send(link, encodeReplicaAck(6));
  assertEquals(link.marks.reached, -1);
  send(link, encodeReplicaAck(7));
  assertEquals(link.marks.reached, 4);
  source.append("E");
  source.sequence = 100;
  assertEquals(pumpAll(link, 500), frame(7, "E") + ping(8, 100));
  assertEquals(link.marks.reached, 4);
  send(link, encodeReplicaAck(8), 700);
  assertEquals(link.marks.reached, 100);
});

Deno.test("a heartbeat that makes what was confirmed cover more says so, once", () => {
  const [source, link] = streaming();
  assert(!link.takeProgress());
  send(link, encodeReplicaAck(7));
  assert(link.takeProgress() && !link.takeProgress());
  // Frames of other shards: this shard's part of them is none.
  source.sequence = 100;
  link.requestAck();
  assertEquals(pumpAll(link, 1), ping(7, 100) + "+GETACK\r\n");
  assertEquals(link.reachedSequence, 100);
  assert(link.takeProgress() && !link.takeProgress());
  assertEquals(send(link, encodeReplicaAck(7), 2), LINK_NOTHING);
  source.append("E");
  source.sequence = 101;
  assertEquals(pumpAll(link, 1000), frame(7, "E") + ping(8, 101));
  assert(!link.takeProgress());
});

Deno.test("heartbeats suit a replica whose timeout is shorter than our period", () => {
  const link = acceptedLink(new FakeSource());
  const handshake = ["REPLICATE", "FROM", "0", "ID", "r", "HISTORY", HISTORY_A, "TIMEOUT", "1000"];
  assertEquals(send(link, request(...handshake)), LINK_CLAIM);
  link.acceptFrames();
  pumpAll(link);
  assertEquals(link.tick(249), LINK_NOTHING);
  for (const nowMs of [250, 500, 750, 1000]) {
    assertEquals(link.tick(nowMs), LINK_WAKE);
    assertEquals(pumpAll(link, nowMs), ping(0, 0));
    send(link, encodeReplicaAck(0), nowMs);
  }
});

Deno.test("heartbeats suit our own timeout, and a replica that is quiet for its part is asked", () => {
  const settings = { ...DEFAULT_LINK_SETTINGS, timeoutMs: 1000, heartbeatMs: 10_000 };
  const peer = { peer: "10.0.0.7:1", peerHost: "10.0.0.7" };
  const link = new ReplicaLink({ source: new FakeSource(), settings, ...peer, nowMs: 0 });
  send(link, request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", HISTORY_A));
  link.acceptFrames();
  pumpAll(link);
  send(link, encodeReplicaAck(0), 10);
  assertEquals(link.tick(249), LINK_NOTHING);
  assertEquals(pumpAll(link, 250), ping(0, 0));
  assertEquals(pumpAll(link, 500), ping(0, 0) + "+GETACK\r\n");
  assertEquals(pumpAll(link, 501), "");
  send(link, encodeReplicaAck(0), 510);
  assertEquals(link.tick(749), LINK_NOTHING);
  assertEquals(pumpAll(link, 750), ping(0, 0));
  assertEquals(tickUntil(link, 750, 1509, LINK_NOTHING, LINK_WAKE), LINK_WAKE);
  assertEquals(link.tick(1510), LINK_CLOSED);
});

Deno.test("a v2 replica that is silent, or takes nothing, is closed by name", () => {
  const [, silent] = streaming();
  assertEquals(tickUntil(silent, 0, 4999, LINK_NOTHING, LINK_WAKE), LINK_WAKE);
  assertEquals(silent.tick(5000), LINK_CLOSED);
  assert(silent.state.at === "closed" && silent.state.because === "SilentReplica");

  const [source, stuck] = streaming();
  source.append("E");
  send(stuck, encodeReplicaAck(7), 3000);
  assertEquals(stuck.nextOutput(3000), OUTPUT_BYTES);
  send(stuck, encodeReplicaAck(7), 7000);
  stuck.written(1, 4000);
  assertEquals(stuck.tick(4000), LINK_WAKE);
  assertEquals(tickUntil(stuck, 4000, 8999, LINK_WAKE), LINK_WAKE);
  assertEquals(stuck.tick(9000), LINK_CLOSED);
  assert(stuck.state.at === "closed" && stuck.state.because === "NoProgress");
});

Deno.test("time in which we stood still is neither the replica's silence nor its standing still", () => {
  const [source, link] = streaming();
  source.append("E");
  assertEquals(link.nextOutput(0), OUTPUT_BYTES);
  assertEquals(link.tick(50), LINK_NOTHING);
  // What it took and said meanwhile is seen after the tick that comes late.
  assertEquals(link.tick(60_000), LINK_WAKE);
  link.written(link.output.length, 60_001);
  send(link, encodeReplicaAck(7), 60_001);
  assertEquals(tickUntil(link, 60_001, 65_000, LINK_NOTHING, LINK_WAKE), LINK_WAKE);
  assertEquals(link.tick(65_001), LINK_CLOSED);

  const late = acceptedLink(new FakeSource());
  assertEquals(late.tick(60_000), LINK_NOTHING);
  assertEquals(send(late, request("REPLICATE", "FROM", "0", "ID", "r"), 60_001), LINK_CLAIM);
});

Deno.test("a replica that takes chunks may be silent, and is given up a timeout after the last", () => {
  const [, link] = shipping();
  const take = (nowMs: number) => {
    offer(link, "x".repeat(100));
    pumpAll(link, nowMs);
  };
  for (let nowMs = 100; nowMs <= 20_000; nowMs += 100) {
    assert(link.tick(nowMs) !== LINK_CLOSED, `${nowMs} ms`);
    take(nowMs);
  }
  link.endShip();
  pumpAll(link, 20_000);
  assertEquals(link.state.at, "streaming");
  assertEquals(tickUntil(link, 20_000, 24_999, LINK_NOTHING, LINK_WAKE), LINK_WAKE);
  assertEquals(link.tick(25_000), LINK_CLOSED);
  assert(link.state.at === "closed" && link.state.because === "SilentReplica");
});

Deno.test("heartbeats that a replica takes during a ship are no sign of its life", () => {
  const [, link] = shipping();
  for (let nowMs = 100; nowMs < 5000; nowMs += 100) {
    assert(link.tick(nowMs) !== LINK_CLOSED, `${nowMs} ms`);
    pumpAll(link, nowMs);
  }
  assertEquals(link.tick(5000), LINK_CLOSED);
  assert(link.state.at === "closed" && link.state.because === "SilentReplica");
});

Deno.test("an idle v1 link is never closed for silence, a stuck one is", () => {
  const [source, link] = claimed(5, null);
  link.acceptFrames();
  pumpAll(link);
  assertEquals(link.tick(1e9), LINK_NOTHING);
  source.append("E");
  link.nextOutput(1e9);
  assertEquals(tickUntil(link, 1e9, 1e9 + 5000, LINK_NOTHING), LINK_CLOSED);
});

Deno.test("chunks are asked for as far as repl-output-limit has room for them, as it is now", () => {
  const settings = { ...DEFAULT_LINK_SETTINGS, pendingBytesMax: 10 * QUEUED_CHUNK_BYTES_MAX };
  const [, link] = shipping({}, settings);
  assertEquals(link.credits, 10);
  for (let i = 0; i < 10; i++) offer(link, "x".repeat(CHUNK_BYTES_MAX));
  assertEquals([link.chunksWaiting, link.credits], [10, 0]);
  const writeOne = () => {
    assertEquals(link.nextOutput(0), OUTPUT_BYTES);
    link.written(link.output.length, 0);
  };
  writeOne();
  assertEquals(link.credits, 1);
  offer(link, "x");
  assertEquals(link.credits, 0, "less than the largest chunk has no room");
  settings.pendingBytesMax = 9 * QUEUED_CHUNK_BYTES_MAX;
  writeOne();
  assertEquals([link.chunksWaiting, link.credits], [9, 0]);
  writeOne();
  assertEquals([link.chunksWaiting, link.credits], [8, 1]);
  settings.pendingBytesMax = 20 * QUEUED_CHUNK_BYTES_MAX;
  assertEquals(link.credits, 12);
});

Deno.test("a ship is the ACK of its cut, chunks, an end, and the frames from the cut on", () => {
  const [source, link] = shipping();
  assertEquals(link.state, { at: "snapshotShipping", id: "r1", cutOffset: 7, sentBytes: 0 });
  assertEquals(link.nextOutput(0), OUTPUT_WAIT);
  source.append("E");
  const credits = link.credits;
  assert(credits > 0);
  offer(link, "abc");
  offer(link, "x".repeat(CHUNK_BYTES_MAX));
  assertEquals(pumpAll(link, 0, 5), `$3\r\nabc\r\n$65536\r\n${"x".repeat(CHUNK_BYTES_MAX)}\r\n`);
  assertEquals(link.credits, credits);
  offer(link, "last");
  link.endShip();
  assertEquals(link.credits, 0);
  assertEquals(
    pumpAll(link),
    "$4\r\nlast\r\n+SNAPSHOT_END 7\r\n" + ping(8, 5) + frame(7, "E"),
  );
  assertEquals(link.state, { at: "streaming", id: "r1", sentOffset: 8, ackedOffset: null });
  assert(!link.caughtUp);
  // What was said before or during the ship confirms nothing.
  assertEquals(send(link, encodeReplicaAck(0)), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(6)), LINK_NOTHING);
  assertEquals(send(link, encodeReplicaAck(7)), LINK_ACKED);
  link.nextOutput(1);
  assert(link.caughtUp);
});

Deno.test("chunks are framed in place where the worker left room", () => {
  const [, link] = shipping();
  const buf = new Uint8Array(200);
  buf.fill(65, CHUNK_HEAD_BYTES, 108);
  link.offerChunk(buf, CHUNK_HEAD_BYTES, 108);
  assertEquals(link.nextOutput(0), OUTPUT_BYTES);
  assert(link.output.buffer === buf.buffer);
  assertEquals(latin1(link.output), `$100\r\n${"A".repeat(100)}\r\n`);
});

Deno.test("a replica that reads slowly holds at most the window, whatever the worker makes", () => {
  const [, link] = shipping();
  let made = 0;
  for (let round = 0; round < 100; round++) {
    for (let credits = link.credits; credits > 0; credits--, made++) {
      link.offerChunk(new Uint8Array(CHUNK_BYTES_MAX), 0, CHUNK_BYTES_MAX);
    }
    assert(link.pendingBytes <= DEFAULT_LINK_SETTINGS.pendingBytesMax);
    if (link.nextOutput(round) === OUTPUT_BYTES) {
      link.written(Math.min(1000, link.output.length), round);
    }
  }
  assertEquals(made, 16, "a window of 15, and one that was written");
});

Deno.test("a v2 replica that waits for a freeze gets heartbeats before its ACK", () => {
  const [, link] = claimed(1, HISTORY_B);
  link.acceptShip("otherHistory");
  assertEquals(link.waiting, "otherHistory");
  assertEquals(pumpAll(link, 500), "");
  assertEquals(link.tick(1000), LINK_WAKE);
  assertEquals(pumpAll(link, 1000), ping(7, 4));
  assertEquals(link.state.at, "handshakePending");
  send(link, encodeReplicaAck(0), 1000);
  assertEquals(tickUntil(link, 1000, 5999, LINK_NOTHING, LINK_WAKE), LINK_WAKE);
  assertEquals(link.tick(6000), LINK_CLOSED);
});

Deno.test("a v2 replica gets heartbeats between the chunks of a ship", () => {
  const [, link] = shipping();
  offer(link, "a");
  offer(link, "b");
  link.nextOutput(0);
  link.written(1, 0);
  assertEquals(latin1(link.output), "1\r\na\r\n");
  link.written(link.output.length, 1000);
  assertEquals(pumpAll(link, 1000), ping(7, 4) + "$1\r\nb\r\n");
});

Deno.test("a v1 replica is told to drop what it has, under the number it expects", () => {
  const source = new FakeSource({ firstOffset: 3 });
  const link = acceptedLink(source);
  send(link, request("REPLICATE", "FROM", "18446744073709551615", "ID", "k"));
  link.acceptShip("ahead");
  assertEquals(pumpAll(link), "+ACK 18446744073709551615\r\n");
  assertEquals(link.state.at, "ackSent");
  assertEquals(link.tick(100_000), LINK_NOTHING);
  link.beginShip(3, source.backlog.pin(3)!);
  const flush = `*2\r\n:18446744073709551615\r\n*1\r\n$8\r\nFLUSHALL\r\n`;
  assertEquals(pumpAll(link), flush + "+SNAPSHOT\r\n");
  assertEquals(link.state.at, "snapshotShipping");
  offer(link, "KEVYSNAP");
  link.endShip();
  source.append("A");
  assertEquals(pumpAll(link, 2000), "$8\r\nKEVYSNAP\r\n+SNAPSHOT_END 3\r\n" + frame(3, "A"));
  assert(link.caughtUp);
});

Deno.test("a ship that begins before a v1 ACK has drained follows it", () => {
  const [source, link] = claimed(0, null);
  link.acceptShip("evicted");
  link.beginShip(7, source.backlog.pin(7)!);
  assertEquals(link.state.at, "ackSent");
  assertEquals(pumpAll(link), "+ACK 0\r\n" + frame(0, "FLUSHALL") + "+SNAPSHOT\r\n");
  assertEquals(link.state.at, "snapshotShipping");
});

for (const version of [1, 2]) {
  Deno.test(`a v${version} stream that the backlog has overtaken turns to a ship and back`, () => {
    const source = new FakeSource({ limitBytes: 8192 });
    const link = acceptedLink(source);
    const args = ["REPLICATE", "FROM", "0", "ID", "r"];
    if (version === 2) args.push("HISTORY", HISTORY_A);
    send(link, request(...args));
    link.acceptFrames();
    source.append("FIRST");
    const opening = pumpAll(link);
    assert(opening.endsWith(frame(0, "FIRST")));
    for (let i = 0; i < 500; i++) source.append("SET", "k", "v".repeat(100));
    pumpAll(link, 1);
    assertEquals(link.nextOutput(1), OUTPUT_LOST);
    assertEquals(link.nextOutput(1), OUTPUT_LOST);
    assert(link.state.at === "streaming");
    const sent = link.state.sentOffset;
    assert(sent < source.backlog.oldestOffset);
    link.requestShip("evicted");
    assertEquals(pumpAll(link, 2), "");
    assertEquals(link.tick(1100), version === 2 ? LINK_WAKE : LINK_NOTHING);
    assertEquals(pumpAll(link, 1100), version === 2 ? ping(501, 501) : "");
    link.beginShip(501, source.backlog.pin(501)!);
    assertEquals(link.state.at, "snapshotShipping");
    assertEquals(
      pumpAll(link, 1101),
      (version === 1 ? frame(sent, "FLUSHALL") : "") + "+SNAPSHOT\r\n",
    );
    offer(link, "image");
    link.endShip();
    source.append("NEXT");
    const rest = pumpAll(link, 1102);
    assert(rest.startsWith("$5\r\nimage\r\n+SNAPSHOT_END 501\r\n"));
    assert(rest.endsWith(frame(501, "NEXT")));
  });
}

Deno.test("the frames since the cut are kept until the stream has nearly caught up", () => {
  const [source, link] = shipping({ limitBytes: 10_000, pinLimitBytes: 1 << 20 });
  offer(link, "image");
  for (let i = 0; i < 3000; i++) source.append("SET", "k", "v".repeat(100));
  link.endShip();
  // Frames come faster than they go: without the pin the stream would be lost at once.
  for (let round = 0; round < 600; round++) {
    const outcome = link.nextOutput(round);
    assert(outcome !== OUTPUT_LOST, `round ${round}`);
    if (outcome === OUTPUT_BYTES) link.written(Math.min(link.output.length, 65_536), round);
    if (round < 20) source.append("SET", "k", "v".repeat(100));
  }
  assertEquals(link.state, {
    at: "streaming",
    id: "r1",
    sentOffset: source.backlog.nextOffset,
    ackedOffset: null,
  });
  source.append("SET", "k", "v");
  assert(source.backlog.sizeBytes <= 10_000, "the pin is gone");
});

Deno.test("a ship that outgrows what may be kept closes the link and names the limit", () => {
  const [source, link] = shipping({ limitBytes: 10_000, pinLimitBytes: 50_000 });
  for (let i = 0; i < 1000; i++) source.append("SET", "k", "v".repeat(100));
  assertEquals(link.nextOutput(0), OUTPUT_FINISH);
  assert(link.state.at === "closed" && link.state.because === "ShipOverrun");
  assert(link.state.detail.includes("50000"));
  assertEquals(link.state.offset, 7);
  assert(source.backlog.sizeBytes <= 10_000);
});

Deno.test("a ship that begins on a closed link gives its pin back", () => {
  const [source, link] = claimed(0, HISTORY_A);
  link.acceptShip("evicted");
  link.close("PeerClosed");
  link.beginShip(7, source.backlog.pin(7)!);
  source.backlog.limitBytes = 1000;
  for (let i = 0; i < 100; i++) source.append("SET", "k", "v".repeat(100));
  assert(!source.backlog.holds(7));
});

Deno.test("what a link may still need is its acknowledged offset, its cut, or nothing", () => {
  const [, pending] = claimed(5, HISTORY_A);
  assertEquals(pending.neededFrom, Infinity);
  const [, stream] = streaming();
  assertEquals(stream.neededFrom, 5);
  send(stream, encodeReplicaAck(7));
  assertEquals(stream.neededFrom, 7);
  const [, ship] = shipping();
  assertEquals(ship.neededFrom, 7);
  ship.close("Shutdown");
  assertEquals(ship.neededFrom, Infinity);
});

Deno.test("the two versions are remembered under different keys", () => {
  assertEquals(claimed(5, HISTORY_A, "r")[1].key, "r");
  assertEquals(claimed(5, null, "r")[1].key, "r\n10.0.0.7");
  assertEquals(acceptedLink(new FakeSource()).key, null);
});

Deno.test("a replica that asks is told each change of the chain once, between frames", () => {
  const [CHAIN_A, CHAIN_B] = [HISTORY_A, HISTORY_B].map(chainId);
  for (const asks of [true, false]) {
    const source = new FakeSource();
    source.append("A");
    const link = acceptedLink(source);
    const args = ["REPLICATE", "FROM", "0", "ID", "r1", "HISTORY", HISTORY_A];
    send(link, request(...args, "CAPA", asks ? "chain" : "origin"));
    link.acceptFrames();
    const told: string[] = [];
    const look = () => {
      const lines = pumpAll(link, 0, 7).match(/\+CHAIN.*\r\n/g) ?? [];
      told.push(...lines.map((line) => line.trim()));
    };
    look();
    for (const chain of [[CHAIN_A, CHAIN_B], [CHAIN_A]]) {
      source.chain = chain;
      source.append("B");
      look();
      source.append("C");
      look();
    }
    const own = `+CHAIN ${CHAIN_A}`;
    const all = [own, `${own} ${CHAIN_B}`, own];
    assertEquals(told, asks ? all : []);
    link.dispose();
  }
});
