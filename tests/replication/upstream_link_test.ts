import { assert, assertEquals, assertThrows } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { InvariantError } from "../../src/base/invariant.ts";
import { reconnectDelayMs } from "../../src/replication/backoff.ts";
import {
  ACK,
  FRAME,
  GET_ACK,
  HEARTBEAT,
  NEED_MORE,
  needsFullSync,
  SNAPSHOT_BEGIN,
  SNAPSHOT_BYTES,
  SNAPSHOT_END,
  UPSTREAM_FAILED,
  UpstreamLink,
  type UpstreamOptions,
} from "../../src/replication/upstream_link.ts";
import {
  CHAIN_NODES_MAX,
  chainId,
  encodeChain,
  type HandshakeClaim,
} from "../../src/replication/wire.ts";
import { bytes, everySplit, fixtureBytes, HISTORY_A, HISTORY_B, tickUntil } from "./support.ts";

const CLAIM: HandshakeClaim = {
  version: 2,
  offset: 5,
  id: "r1",
  history: HISTORY_A,
  listeningPort: 6380,
  announcedHost: null,
  capabilities: ["rdb"],
};
const V1_CLAIM: HandshakeClaim = { ...CLAIM, version: 1, history: null };

/** A link, its input buffer, and the events so far by name. */
class Follower {
  readonly link: UpstreamLink;
  readonly events: string[] = [];
  #buf = new Uint8Array(1 << 18);
  #used = 0;

  constructor(o: Partial<UpstreamOptions> = {}) {
    const timeoutMs = () => 5000;
    this.link = new UpstreamLink({ claim: CLAIM, expects: null, timeoutMs, nowMs: 0, ...o });
  }

  read(text: string, nowMs = 0): string[] {
    return this.push(bytes(text), nowMs);
  }

  push(data: Uint8Array, nowMs = 0): string[] {
    const { link } = this;
    const { decoder } = link;
    const before = this.events.length;
    this.#buf.copyWithin(0, decoder.begin, this.#used);
    this.#used -= decoder.begin;
    decoder.rebase(decoder.begin);
    this.#buf.set(data, this.#used);
    this.#used += data.length;
    link.received(nowMs);
    while (true) {
      const event = link.next(this.#buf, this.#used);
      if (event === NEED_MORE) break;
      this.events.push(this.#name(event));
      if (event === UPSTREAM_FAILED) break;
    }
    return this.events.slice(before);
  }

  #name(event: number): string {
    const { decoder, state } = this.link;
    switch (event) {
      case FRAME:
        return `frame ${decoder.offset} ${latin1(this.#buf, decoder.starts[0], decoder.stops[0])}`;
      case ACK:
        return `ack ${decoder.offset}`;
      case SNAPSHOT_BEGIN:
        return "begin";
      case SNAPSHOT_BYTES:
        return `image ${latin1(this.#buf, decoder.bytesStart, decoder.bytesStop)}`;
      case SNAPSHOT_END:
        return `end ${decoder.offset}`;
      case HEARTBEAT:
        return `ping ${decoder.offset} ${decoder.sequence}`;
      case GET_ACK:
        return "getack";
      default:
        return state.at === "failed" ? `failed ${state.error}` : `event ${event}`;
    }
  }
}

function ack(offset: number, history = HISTORY_A): string {
  return `+ACK ${offset} HISTORY ${history} SHARD 1 SHARDS 2\r\n`;
}

function ping(next: number, sequence: number, history = HISTORY_A): string {
  return `+PING ${history} ${next} ${sequence}\r\n`;
}

function frame(offset: number, name = "A"): string {
  return `*2\r\n:${offset}\r\n*1\r\n$${name.length}\r\n${name}\r\n`;
}

Deno.test("the handshake carries the claim in either version", () => {
  assertEquals(
    latin1(new Follower().link.handshake()),
    "*11\r\n$9\r\nREPLICATE\r\n$4\r\nFROM\r\n$1\r\n5\r\n$2\r\nID\r\n$2\r\nr1\r\n$7\r\nHISTORY\r\n" +
      `$40\r\n${HISTORY_A}\r\n$14\r\nLISTENING-PORT\r\n$4\r\n6380\r\n$4\r\nCAPA\r\n$3\r\nrdb\r\n`,
  );
  const empty = new Follower({ claim: { ...CLAIM, history: null, listeningPort: null } });
  assert(latin1(empty.link.handshake()).includes("$7\r\nHISTORY\r\n$1\r\n?\r\n"));
  const known = new Follower({ claim: { ...CLAIM, password: "secret" } });
  assert(latin1(known.link.handshake()).includes("$4\r\nAUTH\r\n$6\r\nsecret\r\n"));
  assert(latin1(new Follower({ claim: V1_CLAIM }).link.handshake()).startsWith("*5\r\n"));
});

Deno.test("a resume streams from the claimed offset, at every split", () => {
  const stream = ack(5) + ping(7, 3) + frame(5) + frame(6, "BC") + ping(7, 4) + "+GETACK\r\n";
  for (const [split, pieces] of everySplit(bytes(stream))) {
    const follower = new Follower();
    for (const piece of pieces) follower.push(piece);
    assertEquals(
      follower.events,
      ["ack 5", "ping 7 3", "frame 5 A", "frame 6 BC", "ping 7 4", "getack"],
      split,
    );
    assertEquals(follower.link.state, { at: "streaming", expectedOffset: 7 });
    assertEquals(follower.link.upstreamOffset, 7);
  }
});

Deno.test("a resume in the primary's own numbers streams from what the claim is there", () => {
  const there = `${ack(900, HISTORY_B).slice(0, -2)} CONTINUES 5 DB 3\r\n`;
  const stream = there + ping(902, 9, HISTORY_B) + frame(900) + frame(901);
  for (const [split, pieces] of everySplit(bytes(stream))) {
    const follower = new Follower();
    for (const piece of pieces) follower.push(piece);
    assertEquals(follower.events, ["ack 900", "ping 902 9", "frame 900 A", "frame 901 A"], split);
    const { link } = follower;
    assertEquals(link.state, { at: "streaming", expectedOffset: 902 });
    assertEquals([link.isRenumbered, link.renumberedDb, link.history], [true, 3, HISTORY_B]);
    assertEquals(link.appliedOffset, 900);
  }
  const unknown = new Follower();
  unknown.read(`${ack(900, HISTORY_B).slice(0, -2)} CONTINUES 5\r\n` + frame(900));
  assertEquals([unknown.link.isRenumbered, unknown.link.renumberedDb], [true, -1]);
  assertEquals(unknown.link.state, { at: "streaming", expectedOffset: 901 });
});

Deno.test("other numbers are not taken for a snapshot's, nor without being asked for", () => {
  const shipped = new Follower();
  shipped.read(ack(900, HISTORY_B) + "+SNAPSHOT\r\n$1\r\nx\r\n+SNAPSHOT_END 900\r\n");
  assertEquals(shipped.link.isRenumbered, false);
  const gap = new Follower();
  assertEquals(gap.read(ack(900, HISTORY_B) + frame(900)), ["ack 900", "failed OffsetGap"]);
});

Deno.test("until frames or a heartbeat come, the claim is not known to be accepted", () => {
  const follower = new Follower();
  follower.read(ack(5, HISTORY_B));
  assertEquals(follower.link.state, { at: "acked", offset: 5 });
  assertEquals(follower.link.appliedOffset, 0);
  follower.read(ping(5, 9, HISTORY_B));
  assertEquals(follower.link.state, { at: "streaming", expectedOffset: 5 });
  assertEquals([follower.link.history, follower.link.appliedOffset], [HISTORY_B, 5]);
  assertEquals(follower.link.marks.reached, 9);

  const framed = new Follower();
  framed.read(ack(5, HISTORY_B) + frame(5));
  assertEquals(framed.link.state, { at: "streaming", expectedOffset: 6 });

  const shipped = new Follower();
  shipped.read(ack(5, HISTORY_B) + "+SNAPSHOT\r\n");
  assertEquals(shipped.link.state.at, "receivingSnapshot");
  assertEquals(shipped.link.appliedOffset, 0);
});

Deno.test("a ship is delivered piece by piece and changes nothing before it is applied", () => {
  const follower = new Follower();
  follower.read(ack(900) + "+SNAPSHOT\r\n$10\r\nabc");
  follower.read("defg");
  assertEquals(follower.link.state, { at: "receivingSnapshot", receivedBytes: 7 });
  follower.read("hij\r\n" + ping(905, 70) + "$1\r\nk\r\n+SNAPSHOT_END 900\r\n");
  assertEquals(follower.events, [
    "ack 900",
    "begin",
    "image abc",
    "image defg",
    "image hij",
    "ping 905 70",
    "image k",
    "end 900",
  ]);
  const { link } = follower;
  assertEquals(link.state, { at: "streaming", expectedOffset: 900 });
  assertEquals([link.appliedOffset, link.marks.reached], [0, -1]);
  link.applied(900);
  assertEquals(link.upstreamOffset, 905);
  follower.read(ping(900, 70));
  assertEquals(link.marks.reached, 70);
});

Deno.test("a second begin starts over, also in the middle of a stream", () => {
  const follower = new Follower();
  follower.read(ack(5) + frame(5));
  follower.link.applied(6);
  follower.read("+SNAPSHOT\r\n$1\r\na\r\n+SNAPSHOT\r\n$1\r\nb\r\n");
  assertEquals(follower.link.state, { at: "receivingSnapshot", receivedBytes: 1 });
  assertEquals(follower.link.appliedOffset, 0);
  follower.read("+SNAPSHOT_END 80\r\n" + frame(80));
  assertEquals(follower.link.state, { at: "streaming", expectedOffset: 81 });
});

const CHAIN_B = chainId(HISTORY_B);
const NODE = "e".repeat(40);
const IN_CHAIN: Partial<UpstreamOptions> = { claim: { ...CLAIM, id: NODE } };
const NODES_17 = Array.from(
  { length: CHAIN_NODES_MAX + 1 },
  (_, i) => String(100 + i).repeat(4),
);

function chain(...nodes: string[]): string {
  return latin1(encodeChain(nodes));
}

Deno.test("a chain is what was told last, of at most 16 nodes", () => {
  const follower = new Follower(IN_CHAIN);
  const { link } = follower;
  follower.read(ack(5) + ping(5, 1));
  assertEquals(link.chain, []);
  for (const nodes of [[CHAIN_B], NODES_17.slice(1), [CHAIN_B]]) {
    follower.read(chain(...nodes) + frame(link.appliedOffset));
    assertEquals(link.chain, nodes);
    link.applied(link.appliedOffset + 1);
  }
  assertEquals(link.state, { at: "streaming", expectedOffset: 8 });
});

const FAILURES: [string, Partial<UpstreamOptions>, string, string][] = [
  ["a refusal", {}, "-ERR TooMany replicas\r\n", "Refused"],
  ["a v1 answer to a v2 handshake", {}, "+ACK 5\r\n", "BadAck"],
  [
    "an answer that continues another claim",
    {},
    `${ack(900, HISTORY_B).slice(0, -2)} CONTINUES 6\r\n`,
    "BadAck",
  ],
  [
    "an answer that continues nothing",
    { claim: { ...CLAIM, history: null } },
    `${ack(900, HISTORY_B).slice(0, -2)} CONTINUES 5\r\n`,
    "BadAck",
  ],
  ["another shard", { expects: { shard: 0, shards: 2 } }, ack(5), "WrongShard"],
  ["another number of shards", { expects: { shard: 1, shards: 3 } }, ack(5), "WrongShard"],
  ["a gap", {}, ack(5) + frame(6), "OffsetGap"],
  ["a repeated frame", {}, ack(5) + frame(5) + frame(5), "OffsetGap"],
  [
    "an offset past 2^53",
    {},
    ack(5) + frame(5) + "*2\r\n:18446744073709551615\r\n*1\r\n$1\r\nA\r\n",
    "OffsetGap",
  ],
  ["frames at another offset than the claimed one", {}, ack(9) + frame(9), "OffsetGap"],
  [
    "frames where there is no data",
    { claim: { ...CLAIM, history: null } },
    ack(5) + frame(5),
    "OffsetGap",
  ],
  [
    "a gap behind a snapshot",
    {},
    ack(9) + "+SNAPSHOT\r\n+SNAPSHOT_END 9\r\n" + frame(10),
    "OffsetGap",
  ],
  ["another history", {}, ack(5) + ping(5, 1) + ping(5, 1, HISTORY_B), "HistoryChanged"],
  ["a heartbeat on a v1 link", { claim: V1_CLAIM }, "+ACK 5\r\n" + ping(5, 1), "BadEnvelope"],
  ["GETACK on a v1 link", { claim: V1_CLAIM }, "+ACK 5\r\n+GETACK\r\n", "BadEnvelope"],
  ["ORIGIN on a v1 link", { claim: V1_CLAIM }, "+ACK 5\r\n+ORIGIN\r\n", "BadEnvelope"],
  ["CHAIN on a v1 link", { claim: V1_CLAIM }, `+ACK 5\r\n+CHAIN ${CHAIN_B}\r\n`, "BadEnvelope"],
  ["FRAMES on a v1 link", { claim: V1_CLAIM }, "+ACK 5\r\n+FRAMES 5\r\n", "BadEnvelope"],
  ["frames that begin at another number", {}, ack(5) + "+FRAMES 6\r\n", "OffsetGap"],
  [
    "a count of frames that is another",
    {},
    ack(5) + "+FRAMES 5\r\n*1\r\n$1\r\nA\r\n+FRAMES 7\r\n",
    "OffsetGap",
  ],
  [
    "frames without numbers where there is no data",
    { claim: { ...CLAIM, history: null } },
    ack(5) + "+FRAMES 5\r\n",
    "OffsetGap",
  ],
  ["a chain with this node in it", IN_CHAIN, ack(5) + chain(CHAIN_B, chainId(NODE)), "Circle"],
  ["a chain of 17 nodes", {}, ack(5) + chain(...NODES_17), "ChainTooLong"],
  ["a bad envelope", {}, ack(5) + "*3\r\n", "BadEnvelope"],
  ["a negative offset", {}, ack(5) + "*2\r\n:-1\r\n", "NegativeOffset"],
  ["a frame in a snapshot", {}, ack(5) + "+SNAPSHOT\r\n" + frame(5), "UnexpectedInSnapshot"],
];

for (const [what, options, text, error] of FAILURES) {
  Deno.test(`${what} fails the link as ${error} at every split, for good`, () => {
    for (const [split, pieces] of everySplit(bytes(text))) {
      const follower = new Follower(options);
      for (const piece of pieces) follower.push(piece);
      assertEquals(follower.events.at(-1), `failed ${error}`, split);
      assertEquals(follower.read(frame(5)), [`failed ${error}`], split);
      const { state } = follower.link;
      assert(state.at === "failed" && state.detail.length > 0);
      assertEquals(follower.link.ackDue(1e9), false);
      assertEquals(follower.link.tick(1e9), false);
    }
  });
}

Deno.test("a gap names what was expected, which is what the next handshake asks for", () => {
  const follower = new Follower();
  follower.read(ack(5) + frame(5) + frame(7));
  const { state } = follower.link;
  assert(state.at === "failed");
  assertEquals(state.detail, "found frame 7, expected 6");
});

Deno.test("acknowledgements come every second, soon after frames, and when asked for", () => {
  const follower = new Follower();
  const { link } = follower;
  assert(!link.ackDue(10_000), "not before anything was heard");
  follower.read(ack(5) + ping(5, 1));
  // What was claimed is confirmed soon: until then it counts for nothing.
  assert(!link.ackDue(99));
  assert(link.ackDue(100));
  assertEquals(latin1(link.takeAck(0)), "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n5\r\n");
  assert(!link.ackDue(999));
  assert(link.ackDue(1000));
  link.takeAck(1000);
  assert(!link.ackDue(1999));
  follower.read(frame(5));
  link.applied(6);
  assert(!link.ackDue(1099));
  assert(link.ackDue(1100));
  assert(latin1(link.takeAck(1100)).endsWith("$1\r\n6\r\n"));
  assert(!link.ackDue(1101));
  follower.read("+GETACK\r\n");
  assert(link.ackDue(1101));
  link.takeAck(1101);
  assert(!link.ackDue(1102));
});

Deno.test("an acknowledgement says what is on disk, never more than it confirms", () => {
  const follower = new Follower();
  const { link } = follower;
  follower.read(ack(5) + ping(5, 1) + frame(5));
  link.applied(6);
  assert(!latin1(link.takeAck(1000)).includes("FACK"));
  assert(latin1(link.takeAck(1000, 6, 0)).endsWith("$4\r\nFACK\r\n$1\r\n0\r\n"));
  assert(latin1(link.takeAck(1000, 6, 6)).endsWith("$4\r\nFACK\r\n$1\r\n6\r\n"));
  assertThrows(() => link.takeAck(1000, 5, 6), InvariantError);
});

Deno.test("nothing is confirmed before a resume is certain, nor during a ship", () => {
  const follower = new Follower();
  const { link } = follower;
  follower.read(ping(8, 1), 500);
  assertEquals(link.state.at, "awaitingAck");
  assert(link.ackDue(500), "whatever the primary's timeout is, it is answered in time");
  link.takeAck(500);
  assert(!link.ackDue(999));
  follower.read(ping(8, 1), 1000);
  assert(link.ackDue(1000), "a primary that waits for a freeze hears that we are there");
  assert(latin1(link.takeAck(1000)).endsWith("$1\r\n0\r\n"));
  follower.read(ack(8), 1500);
  assert(latin1(link.takeAck(2000)).endsWith("$1\r\n0\r\n"));
  follower.read("+SNAPSHOT\r\n$1\r\nx\r\n", 2500);
  assert(link.ackDue(3000));
  assert(latin1(link.takeAck(3000)).endsWith("$1\r\n0\r\n"));
  follower.read("+SNAPSHOT_END 8\r\n", 3500);
  assert(latin1(link.takeAck(4000)).endsWith("$1\r\n0\r\n"));
  link.applied(8);
  assert(latin1(link.takeAck(5000)).endsWith("$1\r\n8\r\n"));
});

Deno.test("a silent primary is noticed; v1 may be silent while it streams", () => {
  const { link } = new Follower();
  assertEquals(tickUntil(link, 0, 4999, false), false);
  assertEquals(link.tick(5000), true);
  assert(link.state.at === "failed" && link.state.error === "SilentPrimary");
  assertEquals(link.tick(6000), false);

  const v1 = new Follower({ claim: V1_CLAIM });
  v1.read("+ACK 5\r\n");
  assert(!v1.link.ackDue(1e9));
  assertEquals(v1.link.tick(1e9), false);
  v1.read("+SNAPSHOT\r\n", 1e9);
  assertEquals(tickUntil(v1.link, 1e9, 1e9 + 59_999, false), false);
  assertEquals(v1.link.tick(1e9 + 60_000), true);
});

Deno.test("the timeout of a link that there is, and the pace that it asks for, are those of the moment", () => {
  let timeoutMs = 60_000;
  const follower = new Follower({ timeoutMs: () => timeoutMs });
  const { link } = follower;
  follower.read(ack(5) + ping(5, 0));
  link.takeAck(0);
  assertEquals([tickUntil(link, 0, 1100, false), link.ackDue(500)], [false, false]);
  timeoutMs = 1200;
  assertEquals([link.ackDue(399), link.ackDue(400)], [false, true]);
  assertEquals(link.tick(1199), false);
  timeoutMs = 2000;
  assertEquals(tickUntil(link, 1199, 1999, false), false);
  assertEquals(link.tick(2000), true);
});

Deno.test("time in which we stood still is not the primary's silence", () => {
  const stalled = new Follower();
  stalled.read(ack(5) + ping(5, 1), 10);
  assertEquals(stalled.link.tick(100), false);
  // What it said meanwhile is read after the tick that comes late.
  assertEquals(stalled.link.tick(60_000), false);
  stalled.read(ping(5, 1), 60_001);
  assertEquals(tickUntil(stalled.link, 60_001, 65_000, false), false);
  assertEquals(stalled.link.tick(65_001), true);

  const dead = new Follower();
  assertEquals(dead.link.tick(60_000), false);
  assertEquals(tickUntil(dead.link, 60_000, 63_749, false), false);
  assertEquals(dead.link.tick(63_750), true);
});

Deno.test("kevy's captured streams are followed to their ends", () => {
  const frames = new Follower({ claim: { ...V1_CLAIM, offset: 0 } });
  frames.push(fixtureBytes("frames.bin"));
  assertEquals(frames.link.state, { at: "streaming", expectedOffset: 24 });
  const shipped = new Follower({ claim: { ...V1_CLAIM, offset: 0 } });
  shipped.push(fixtureBytes("snapshot-ship.bin"));
  assertEquals(shipped.link.state, { at: "streaming", expectedOffset: 109 });
  const resumed = new Follower({ claim: { ...V1_CLAIM, offset: 2 } });
  resumed.push(fixtureBytes("resume-from-2.bin"));
  assertEquals(resumed.events, ["ack 2", "frame 2 SET", "frame 3 SET"]);
});

Deno.test("the caller's own failures end the link once, some ask for a full sync", () => {
  const { link } = new Follower();
  link.fail("ForeignCommand", "SHUTDOWN");
  link.fail("Stopped", "");
  assert(link.state.at === "failed" && link.state.error === "ForeignCommand");
  assert(needsFullSync("ForeignCommand") && needsFullSync("ApplyFailed"));
  assert(needsFullSync("UnitTooLarge") && needsFullSync("FrameTooLarge"));
  assert(!needsFullSync("OffsetGap") && !needsFullSync("BadSnapshot"));
});

Deno.test("reconnecting waits longer and longer, never all at once, never for ever", () => {
  const low = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) =>
    reconnectDelayMs({ failures, random: 0 })
  );
  assertEquals(low, [50, 100, 200, 400, 800, 1600, 2500, 2500]);
  assertEquals(reconnectDelayMs({ failures: 1, random: 0.999999 }) < 100, true);
  assertEquals(reconnectDelayMs({ failures: 50, random: 0.5 }), 3750);
});
