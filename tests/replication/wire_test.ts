import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Backlog, type Cursor } from "../../src/replication/backlog.ts";
import { NumberedFrames } from "../../src/replication/numbered_frames.ts";
import {
  CHAIN_NODES_MAX,
  chainId,
  CHUNK_BYTES_MAX,
  CHUNK_HEAD_BYTES,
  CHUNK_TAIL_BYTES,
  encodeAckV1,
  encodeAckV2,
  encodeBareFrame,
  encodeChain,
  encodeFrames,
  encodeHandshake,
  encodeHeartbeat,
  encodeRefusal,
  encodeReplicaAck,
  encodeSnapshotEnd,
  frameChunk,
  GET_ACK_LINE,
  LINE_BYTES_MAX,
  parseOffset,
  SNAPSHOT_BEGIN_LINE,
} from "../../src/replication/wire.ts";
import { DEFAULT_DECODER_LIMITS, StreamDecoder } from "../../src/replication/stream_decoder.ts";
import {
  bytes,
  concat,
  decodePieces,
  DecoderFeed,
  type Event,
  everySplit,
  fixture,
  fixtureBytes,
  HISTORY_A,
  HISTORY_B,
  request,
  toHex,
} from "./support.ts";
import { Random, testSeed } from "../support/random.ts";

const V2_ACK = `+ACK 5 HISTORY ${HISTORY_A} SHARD 1 SHARDS 2\r\n`;
const V2_ACK_EVENT: Event = { kind: "ack", offset: 5, history: HISTORY_A, shard: 1, shards: 2 };
const V1_ACK_EVENT: Event = { kind: "ack", offset: 0, history: "", shard: -1, shards: -1 };

function image(...chunks: string[]): Uint8Array {
  return concat(...chunks.map((chunk) => {
    const buf = new Uint8Array(CHUNK_HEAD_BYTES + chunk.length + CHUNK_TAIL_BYTES);
    buf.set(bytes(chunk), CHUNK_HEAD_BYTES);
    const head = frameChunk(buf, CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + chunk.length);
    return buf.subarray(head);
  }));
}

interface Captured {
  kind: string;
  offset: number;
  len: number;
  args: string[];
}

/** The fixture's expected events in our words; chunks joined into one image. */
function expectedEvents(list: Captured[], stream: Uint8Array): Event[] {
  const events: Event[] = [];
  for (const item of list) {
    if (item.kind === "ack") events.push({ ...V1_ACK_EVENT, offset: item.offset } as Event);
    else if (item.kind === "frame") {
      const args = item.args.map((arg) => latin1(Uint8Array.from(hexBytes(arg))));
      events.push({ kind: "frame", offset: item.offset, args });
    } else if (item.kind === "begin") events.push({ kind: "begin" });
    else if (item.kind === "end") events.push({ kind: "end", offset: item.offset });
    else if (events.at(-1)?.kind !== "image") {
      const text = latin1(stream);
      const start = text.indexOf("KEVYSNAP");
      const joined = text.slice(start, text.indexOf("\r\n+SNAPSHOT_END")).replace(
        "\r\n$4653\r\n",
        "",
      );
      events.push({ kind: "image", bytes: joined });
    }
  }
  return events;
}

function hexBytes(text: string): number[] {
  return (text.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
}

/** All frames from the cursor on, as kevy wants them. */
function numbered(backlog: Backlog, cursor: Cursor): Uint8Array<ArrayBuffer> {
  backlog.view(cursor, 1 << 20);
  const { segment: { buf, view }, byte, viewStop, offset } = cursor;
  return new NumberedFrames().encode(buf, view, byte, viewStop, offset);
}

for (const name of ["frames", "resume-from-2"]) {
  const stream = fixtureBytes(`${name}.bin`);
  const expected = expectedEvents(fixture(`${name}.json`).expected, stream);

  Deno.test(`kevy's ${name} stream decodes to its commands at every split`, () => {
    for (const [split, pieces] of everySplit(stream)) {
      assertEquals(decodePieces(pieces), expected, split);
    }
  });

  Deno.test(`kevy's ${name} stream is what a backlog encodes of its commands`, () => {
    const [ack, ...frames] = expected;
    assert(ack.kind === "ack");
    const backlog = new Backlog({ limitBytes: 1 << 20, firstOffset: ack.offset });
    for (const frame of frames) {
      assert(frame.kind === "frame");
      const args = frame.args.map(bytes);
      backlog.beginFrame(args.length, args.reduce((sum, arg) => sum + arg.length, 0));
      for (const arg of args) backlog.arg(arg, 0, arg.length);
      assertEquals(backlog.endFrame(), frame.offset);
    }
    const cursor = backlog.cursorAt(ack.offset)!;
    const encoded = concat(encodeAckV1(String(ack.offset)), numbered(backlog, cursor));
    assertEquals(toHex(encoded), toHex(stream));
  });
}

Deno.test("kevy's snapshot stream decodes at splits around every mark and in fixed pieces", () => {
  const stream = fixtureBytes("snapshot-ship.bin");
  const described = fixture("snapshot-ship.json");
  const expected = expectedEvents(described.expected, stream);
  const shipped = expected.find((event) => event.kind === "image")!;
  assert(shipped.kind === "image");
  assertEquals(shipped.bytes.length, described.snapshot_total_bytes);
  const second = latin1(stream).indexOf("\r\n$4653");
  const cuts = new Set<number>();
  for (const mark of [0, 30, second, stream.length - 60]) {
    for (let i = 0; i < 90; i++) cuts.add(Math.min(mark + i, stream.length));
  }
  for (const cut of cuts) {
    assertEquals(decodePieces([stream.subarray(0, cut), stream.subarray(cut)]), expected, `${cut}`);
  }
  for (const size of [1, 7, 1000, 65_536]) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) pieces.push(stream.subarray(at, at + size));
    assertEquals(decodePieces(pieces), expected, `pieces of ${size}`);
  }
});

Deno.test("kevy's snapshot stream is what our encoders make of the same image", () => {
  const stream = fixtureBytes("snapshot-ship.bin");
  const [ack, , shipped, end, ...frames] = decodePieces([stream]);
  assert(ack.kind === "ack" && shipped.kind === "image" && end.kind === "end");
  const backlog = new Backlog({ limitBytes: 1 << 20, firstOffset: end.offset });
  for (const frame of frames) {
    assert(frame.kind === "frame");
    backlog.beginFrame(frame.args.length, 100);
    for (const arg of frame.args.map(bytes)) backlog.arg(arg, 0, arg.length);
    backlog.endFrame();
  }
  const encoded = concat(
    encodeAckV1("0"),
    SNAPSHOT_BEGIN_LINE,
    image(shipped.bytes.slice(0, CHUNK_BYTES_MAX), shipped.bytes.slice(CHUNK_BYTES_MAX)),
    encodeSnapshotEnd(end.offset),
    numbered(backlog, backlog.cursorAt(end.offset)!),
  );
  assert(toHex(encoded) === toHex(stream));
});

Deno.test("a kevy replica's handshake is what we send to a kevy", () => {
  for (const [shard, sent] of fixture("replica-handshake.json").bytes.entries()) {
    const handshake = encodeHandshake({
      version: 1,
      offset: 0,
      id: `kevy-replica-${shard}`,
      history: null,
      listeningPort: 6379,
      announcedHost: null,
      capabilities: ["ignored"],
    });
    assertEquals(toHex(handshake), sent);
  }
});

Deno.test("a v2 stream with a ship and heartbeats decodes to what was encoded, at every split", () => {
  const stream = concat(
    encodeHeartbeat(HISTORY_B, 4, 99),
    encodeAckV2({ offset: 5, history: HISTORY_A, shard: 1, shards: 2 }),
    SNAPSHOT_BEGIN_LINE,
    image("abc"),
    SNAPSHOT_BEGIN_LINE,
    image("\r\n+SNAPSHOT_END 1\r\n", "$"),
    encodeHeartbeat(HISTORY_A, 6, 100),
    ascii("$0\r\n\r\n"),
    image("*2\r\n"),
    GET_ACK_LINE,
    encodeSnapshotEnd(5),
    encodeBareFrame("5", "FLUSHALL"),
    GET_ACK_LINE,
    encodeHeartbeat(HISTORY_A, 6, 9_007_199_254_740_991),
  );
  const expected: Event[] = [
    { kind: "heartbeat", history: HISTORY_B, offset: 4, sequence: 99 },
    V2_ACK_EVENT,
    { kind: "begin" },
    { kind: "image", bytes: "abc" },
    { kind: "begin" },
    { kind: "image", bytes: "\r\n+SNAPSHOT_END 1\r\n$" },
    { kind: "heartbeat", history: HISTORY_A, offset: 6, sequence: 100 },
    { kind: "image", bytes: "*2\r\n" },
    { kind: "getAck" },
    { kind: "end", offset: 5 },
    { kind: "frame", offset: 5, args: ["FLUSHALL"] },
    { kind: "getAck" },
    { kind: "heartbeat", history: HISTORY_A, offset: 6, sequence: 9_007_199_254_740_991 },
  ];
  for (const [split, pieces] of everySplit(stream)) {
    assertEquals(decodePieces(pieces), expected, split);
  }
});

Deno.test("frames without numbers are counted from where they begin to the next snapshot, at every split", () => {
  const [set, del] = [request("SET", "k", "*2\r\n:9\r\n"), request("DEL", "k")];
  const stream = concat(
    encodeAckV2({ offset: 5, history: HISTORY_A, shard: 1, shards: 2 }),
    encodeHeartbeat(HISTORY_A, 7, 100),
    encodeFrames(5),
    set,
    GET_ACK_LINE,
    del,
    encodeFrames(7),
    SNAPSHOT_BEGIN_LINE,
    encodeSnapshotEnd(40),
    encodeBareFrame("40", "FLUSHALL"),
    encodeFrames(41),
    request("PING"),
    request("*2"),
  );
  const expected: Event[] = [
    V2_ACK_EVENT,
    { kind: "heartbeat", history: HISTORY_A, offset: 7, sequence: 100 },
    { kind: "frames", offset: 5 },
    { kind: "frame", offset: 5, args: ["SET", "k", "*2\r\n:9\r\n"] },
    { kind: "getAck" },
    { kind: "frame", offset: 6, args: ["DEL", "k"] },
    { kind: "frames", offset: 7 },
    { kind: "begin" },
    { kind: "end", offset: 40 },
    { kind: "frame", offset: 40, args: ["FLUSHALL"] },
    { kind: "frames", offset: 41 },
    { kind: "frame", offset: 41, args: ["PING"] },
    { kind: "frame", offset: 42, args: ["*2"] },
  ];
  for (const [split, pieces] of everySplit(stream)) {
    assertEquals(decodePieces(pieces), expected, split);
  }
});

Deno.test("frames are numbered alike whatever the views of them are", () => {
  const rnd = new Random(testSeed(20_261_129));
  for (let round = 0; round < 60; round++) {
    const first = rnd.pick([0, 97, 2 ** 31 - 3, 999_999_990]);
    const backlog = new Backlog({ limitBytes: 1 << 22, firstOffset: first });
    let expected = "";
    for (let i = 0; i < 40; i++) {
      const frame = request("SET", "v".repeat(rnd.below(rnd.below(6) === 0 ? 30_000 : 50)));
      backlog.appendEncoded(frame, 0, frame.length);
      expected += `*2\r\n:${first + i}\r\n${latin1(frame)}`;
    }
    const numbered = new NumberedFrames();
    const cursor = backlog.cursorAt(first)!;
    let out = "";
    for (let view; (view = backlog.view(cursor, 1 + rnd.below(20_000))) !== null;) {
      const { segment, byte, viewStop, offset } = cursor;
      out += latin1(numbered.encode(segment.buf, segment.view, byte, viewStop, offset));
      backlog.advance(cursor, view.length);
    }
    assert(out === expected, `round ${round}`);
  }
});

const OPENING = "+ACK 0\r\n";
const IN_SNAPSHOT = OPENING + "+SNAPSHOT\r\n";
const FRAME_0 = "*2\r\n:0\r\n*1\r\n$1\r\nA\r\n";
const FRAME_EVENT: Event = { kind: "frame", offset: 0, args: ["A"] };

const MALFORMED: [string, string, string][] = [
  ["a bulk outside a snapshot", OPENING + "$1\r\na\r\n", "BadEnvelope"],
  ["an integer", OPENING + ":1\r\n", "BadEnvelope"],
  ["a refusal behind the ACK", OPENING + "-ERR no\r\n", "BadEnvelope"],
  ["an inline command", OPENING + "SET a b\r\n", "BadEnvelope"],
  ["a line end", OPENING + "\r\n", "BadEnvelope"],
  ["an array of three", OPENING + "*3\r\n:0\r\n", "BadEnvelope"],
  ["an array of 22", OPENING + "*22\r\n:0\r\n", "BadEnvelope"],
  ["an empty array", OPENING + "*0\r\n", "BadEnvelope"],
  ["a null array", OPENING + "*-1\r\n", "BadEnvelope"],
  ["an envelope without a line feed", OPENING + "*2\rx", "BadEnvelope"],
  ["an unknown line", OPENING + "+HELLO\r\n", "BadEnvelope"],
  ["a second ACK", OPENING + OPENING, "BadEnvelope"],
  ["an end without a snapshot", OPENING + "+SNAPSHOT_END 4\r\n", "BadEnvelope"],
  ["a line that ends with a bare line feed", OPENING + "+GETACK\n", "BadEnvelope"],
  ["a heartbeat without a history", OPENING + "+PING x 1 2\r\n", "BadEnvelope"],
  ["a frame before the ACK", FRAME_0, "BadEnvelope"],
  ["a snapshot before the ACK", "+SNAPSHOT\r\n", "BadEnvelope"],
  ["a request for an ACK before the ACK", "+GETACK\r\n", "BadEnvelope"],
  ["an origin before the ACK", "+ORIGIN\r\n", "BadEnvelope"],
  ["an origin without a place", OPENING + "+ORIGIN 7\r\n", "BadEnvelope"],
  ["an origin of no history", OPENING + "+ORIGIN 7 abc:1:0\r\n", "BadEnvelope"],
  ["an origin without a database", `${OPENING}+ORIGIN 7 ${HISTORY_A}:1\r\n`, "BadEnvelope"],
  ["an origin of no frame of ours", `${OPENING}+ORIGIN x ${HISTORY_A}:1:0\r\n`, "BadOffset"],
  ["an origin in a snapshot", `${IN_SNAPSHOT}+ORIGIN\r\n`, "UnexpectedInSnapshot"],
  ["a chain before the ACK", `+CHAIN ${chainId(HISTORY_A)}\r\n`, "BadEnvelope"],
  ["a chain of nobody", OPENING + "+CHAIN\r\n", "BadEnvelope"],
  ["a chain of no node", `${OPENING}+CHAIN ${HISTORY_A}\r\n`, "BadEnvelope"],
  [
    "a chain in a snapshot",
    `${IN_SNAPSHOT}+CHAIN ${chainId(HISTORY_A)}\r\n`,
    "UnexpectedInSnapshot",
  ],
  ["a beginning of frames before the ACK", "+FRAMES 0\r\n", "BadEnvelope"],
  ["a beginning of frames without a number", OPENING + "+FRAMES\r\n", "BadEnvelope"],
  ["a beginning of frames with two numbers", OPENING + "+FRAMES 1 2\r\n", "BadEnvelope"],
  ["a beginning of frames at no number", OPENING + "+FRAMES x\r\n", "BadOffset"],
  ["a beginning of frames below 0", OPENING + "+FRAMES -1\r\n", "NegativeOffset"],
  ["a beginning of frames in a snapshot", IN_SNAPSHOT + "+FRAMES 0\r\n", "UnexpectedInSnapshot"],
  ["a numbered frame where none is", `${OPENING}+FRAMES 0\r\n${FRAME_0}`, "BadPayload"],
  ["an empty frame without a number", `${OPENING}+FRAMES 0\r\n*0\r\n`, "BadPayload"],
  [
    "a frame without a number behind a snapshot",
    `${OPENING}+FRAMES 0\r\n+SNAPSHOT\r\n+SNAPSHOT_END 0\r\n*1\r\n$1\r\nA\r\n`,
    "BadEnvelope",
  ],
  ["an odd ACK", "+ACK 1 HISTORY\r\n", "BadEnvelope"],
  ["an ACK without its shard", `+ACK 1 HISTORY ${HISTORY_A}\r\n`, "BadEnvelope"],
  ["an ACK of shard 2 of 2", `+ACK 1 HISTORY ${HISTORY_A} SHARD 2 SHARDS 2\r\n`, "BadEnvelope"],
  ["an upper-case history", V2_ACK.replace(/a/g, "A"), "BadEnvelope"],
  [
    "an ACK that continues no number",
    `+ACK 1 HISTORY ${HISTORY_A} SHARD 0 SHARDS 2 CONTINUES -1\r\n`,
    "BadEnvelope",
  ],
  [
    "an ACK with a database that is no number",
    `+ACK 1 HISTORY ${HISTORY_A} SHARD 0 SHARDS 2 CONTINUES 1 DB x\r\n`,
    "BadEnvelope",
  ],
  ["an ACK without a number", "+ACK \r\n", "BadOffset"],
  ["an ACK of minus one", "+ACK -1\r\n", "NegativeOffset"],
  ["an offset that is a bulk", OPENING + "*2\r\n$2\r\n42\r\n", "BadOffset"],
  ["an empty offset", OPENING + "*2\r\n:\r\n", "BadOffset"],
  ["an offset with a sign", OPENING + "*2\r\n:+1\r\n", "BadOffset"],
  ["an offset with letters", OPENING + "*2\r\n:1x\r\n", "BadOffset"],
  ["an offset of 2^64", OPENING + "*2\r\n:18446744073709551616\r\n", "BadOffset"],
  ["a lone minus", OPENING + "*2\r\n:-\r\n", "BadOffset"],
  ["a negative offset", OPENING + "*2\r\n:-7\r\n", "NegativeOffset"],
  ["an offset line without an end", OPENING + "*2\r\n:" + "0".repeat(300), "LineTooLong"],
  ["a heartbeat with a negative offset", `${OPENING}+PING ${HISTORY_A} -1 2\r\n`, "NegativeOffset"],
  ["a heartbeat with a bad sequence", `${OPENING}+PING ${HISTORY_A} 1 z\r\n`, "BadOffset"],
  ["a snapshot's end without a cut", IN_SNAPSHOT + "+SNAPSHOT_END \r\n", "BadOffset"],
  ["a payload that is no array", OPENING + "*2\r\n:0\r\nPING\r\n", "BadPayload"],
  ["a payload with an integer", OPENING + "*2\r\n:0\r\n*1\r\n:1\r\n", "BadPayload"],
  ["an empty payload", OPENING + "*2\r\n:0\r\n*0\r\n", "BadPayload"],
  ["a null payload", OPENING + "*2\r\n:0\r\n*-1\r\n", "BadPayload"],
  ["a payload with a null", OPENING + "*2\r\n:0\r\n*1\r\n$-1\r\n", "BadPayload"],
  ["a payload of too many", OPENING + "*2\r\n:0\r\n*1048577\r\n", "BadPayload"],
  ["an argument that is longer", OPENING + "*2\r\n:0\r\n*1\r\n$1\r\nAB\r\n", "BadPayload"],
  ["a chunk with a negative length", IN_SNAPSHOT + "$-1\r\n", "BadPayload"],
  ["a chunk that is too long", IN_SNAPSHOT + "$65537\r\n", "BadPayload"],
  ["a chunk that is longer", IN_SNAPSHOT + "$1\r\nab\r\n", "BadPayload"],
  ["a chunk without its line feed", IN_SNAPSHOT + "$1\r\na\rb", "BadPayload"],
  ["a frame in a snapshot", IN_SNAPSHOT + FRAME_0, "UnexpectedInSnapshot"],
  ["an unknown line in a snapshot", IN_SNAPSHOT + "+HELLO\r\n", "UnexpectedInSnapshot"],
  ["an ACK in a snapshot", IN_SNAPSHOT + OPENING, "UnexpectedInSnapshot"],
  ["an integer in a snapshot", IN_SNAPSHOT + ":1\r\n", "BadEnvelope"],
  ["a line without an end", OPENING + "+" + "x".repeat(300), "LineTooLong"],
  ["a line of 257 bytes", OPENING + "+" + "x".repeat(256) + "\r\n", "LineTooLong"],
  ["a refusal without an end", "-ERR " + "x".repeat(300), "LineTooLong"],
  ["a chunk header without an end", IN_SNAPSHOT + "$" + "0".repeat(300), "LineTooLong"],
];

for (const [name, text, error] of MALFORMED) {
  Deno.test(`${name} is ${error} at every split, once and for all`, () => {
    const stream = bytes(text);
    for (const [split, pieces] of everySplit(stream)) {
      const feed = new DecoderFeed();
      for (const piece of pieces) {
        if (feed.events.at(-1)?.kind !== "failed") feed.push(piece);
      }
      assertEquals(feed.events.at(-1), { kind: "failed", error }, split);
      feed.push(bytes(FRAME_0));
      assertEquals(feed.events.at(-1), { kind: "failed", error }, split);
      assert(feed.decoder.errorDetail.length > 0);
    }
  });
}

Deno.test("a refusal gives the primary's words", () => {
  for (const [split, pieces] of everySplit(encodeRefusal("BadOffset\r\nmore"))) {
    assertEquals(decodePieces(pieces), [{ kind: "refused", text: "ERR BadOffset  more" }], split);
  }
  const long = encodeRefusal("\u00e9".repeat(500));
  assert(long.length <= LINE_BYTES_MAX + 2 && long.length > LINE_BYTES_MAX);
});

Deno.test("a line of 256 bytes passes", () => {
  const ack = "+ACK 1 " + "x".repeat(119) + " " + "y".repeat(129);
  assertEquals(ack.length, LINE_BYTES_MAX);
  assertEquals(decodePieces([bytes(ack + "\r\n")]).at(-1)?.kind, "failed");
  const padded = "+ACK " + "0".repeat(250) + "1\r\n";
  assertEquals(padded.length, LINE_BYTES_MAX + 2);
  for (const [split, pieces] of everySplit(bytes(padded))) {
    assertEquals(decodePieces(pieces), [{ ...V1_ACK_EVENT, offset: 1 } as Event], split);
  }
});

Deno.test("the longest chain fits into a line, and is told of a longer one", () => {
  const nodes = Array.from({ length: CHAIN_NODES_MAX + 1 }, () => chainId(HISTORY_B));
  const line = encodeChain(nodes);
  assert(line.length <= LINE_BYTES_MAX + 2);
  assertEquals(encodeChain([...nodes, nodes[0]]), line);
  for (const [split, pieces] of everySplit(concat(bytes(OPENING), line))) {
    assertEquals(decodePieces(pieces).at(-1), { kind: "chain", nodes }, split);
  }
});

Deno.test("offsets are clamped above 2^53 and refused above 2^64", () => {
  const read = (text: string) => parseOffset(bytes(text), 0, text.length);
  assertEquals(read("007"), 7);
  assertEquals(read("000"), 0);
  assertEquals(read("9007199254740991"), Number.MAX_SAFE_INTEGER);
  assertEquals(read("9007199254740993"), Number.MAX_SAFE_INTEGER);
  assertEquals(read("18446744073709551615"), Number.MAX_SAFE_INTEGER);
  assertEquals(read("000018446744073709551615"), Number.MAX_SAFE_INTEGER);
  for (const bad of ["", "-1", "+1", " 1", "1 ", "18446744073709551616", "99999999999999999999"]) {
    assertEquals(read(bad), -1, bad);
  }
  assertEquals(read("100000000000000000000"), -1);
});

Deno.test("endless empty chunks and events in one buffer cost no stack", () => {
  const feed = new DecoderFeed();
  feed.push(bytes(IN_SNAPSHOT + "$0\r\n\r\n".repeat(100_000)));
  feed.push(bytes("+SNAPSHOT_END 0\r\n" + FRAME_0));
  assertEquals(feed.events.slice(-2), [{ kind: "end", offset: 0 }, FRAME_EVENT]);
});

Deno.test("a large frame passes; one past the limit is FrameTooLarge before its bytes are awaited", () => {
  const limits = { ...DEFAULT_DECODER_LIMITS, maxFrameBytes: 1_000_000 };
  const value = "v".repeat(900_000);
  const feed = new DecoderFeed(new StreamDecoder(limits));
  feed.push(bytes(`${OPENING}*2\r\n:0\r\n*2\r\n$1\r\nk\r\n$900000\r\n`));
  assertEquals(feed.decoder.wantedBytes, 900_000);
  feed.push(bytes(value + "\r\n"));
  assertEquals(feed.events.at(-1), { kind: "frame", offset: 0, args: ["k", value] });
  feed.push(bytes(`*2\r\n:1\r\n*3\r\n$1\r\nk\r\n$600000\r\n${"w".repeat(600_000)}\r\n$500000\r\n`));
  assertEquals(feed.events.at(-1), { kind: "failed", error: "FrameTooLarge" });
});

Deno.test("a chunk is framed in place, whatever its length", () => {
  for (const length of [1, 9, 10, 99, 100, 9999, 10_000, CHUNK_BYTES_MAX]) {
    const text = "x".repeat(length);
    assertEquals(latin1(image(text)), `$${length}\r\n${text}\r\n`);
  }
});

Deno.test("an acknowledgement is an array of bulks, what is on disk another", () => {
  const ack = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$2\r\n42\r\n";
  assertEquals(latin1(encodeReplicaAck(42)), ack);
  assertEquals(
    latin1(encodeReplicaAck(42, 7)),
    ack + "*3\r\n$8\r\nREPLCONF\r\n$4\r\nFACK\r\n$1\r\n7\r\n",
  );
  assert(latin1(encodeReplicaAck(0, 0)).endsWith("FACK\r\n$1\r\n0\r\n"));
});
