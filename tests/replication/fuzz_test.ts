/**
 * Mutated bytes against everything that reads a peer. Whatever comes, a reader answers with one of
 * its named errors or waits; it never throws, never loops, never keeps more than it was sent, and
 * gives the same answer however the bytes are cut.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { reject } from "../../src/replication/handshake.ts";
import {
  LINK_CLAIM,
  LINK_CLOSED,
  OUTPUT_BYTES,
  OUTPUT_FINISH,
  type ReplicaLink,
} from "../../src/replication/replica_link.ts";
import { encodeReplicaAck } from "../../src/replication/wire.ts";
import { Random, testSeed } from "../support/random.ts";
import {
  acceptedLink,
  bytes,
  concat,
  decodePieces,
  DecoderFeed,
  FakeSource,
  fixtureBytes,
  HISTORY_A,
  HISTORY_B,
  pumpAll,
  request,
} from "./support.ts";

const SEED = 91_000;

/** What a mutation likes to put in: the words, marks and numbers on which readers branch. */
const TOKENS = [
  "\r\n",
  "\n",
  "\r",
  "*",
  "$",
  ":",
  "+",
  "-",
  "*2\r\n",
  "*-1\r\n",
  "$-1\r\n",
  "$0\r\n\r\n",
  "*1048576\r\n",
  "*1048577\r\n",
  "$536870912\r\n",
  "$536870913\r\n",
  "$65537\r\n",
  "18446744073709551615",
  "18446744073709551616",
  "9007199254740993",
  "-1",
  "0",
  "+SNAPSHOT\r\n",
  "+SNAPSHOT_END 1\r\n",
  "+ACK 0\r\n",
  "+GETACK\r\n",
  `+PING ${HISTORY_A} 1 1\r\n`,
  "+ORIGIN\r\n",
  "ORIGIN",
  "+CHAIN",
  "+FRAMES 0\r\n",
  "-ERR x\r\n",
  "REPLICATE",
  "HISTORY",
  "CAPA",
  "AUTH",
  '"',
  "'",
  "\\x0",
  " ",
  "\0",
  "\xff\xfe",
  "x".repeat(300),
].map(bytes);

function mutate(rnd: Random, base: Uint8Array): Uint8Array {
  let data = base;
  for (let n = 1 + rnd.below(4); n > 0; n--) {
    const at = rnd.below(data.length + 1);
    const stop = Math.min(data.length, at + rnd.below(12));
    switch (rnd.below(7)) {
      case 0: // another byte
        data = data.slice();
        if (at < data.length) data[at] = rnd.below(256);
        break;
      case 1: // another bit
        data = data.slice();
        if (at < data.length) data[at] ^= 1 << rnd.below(8);
        break;
      case 2: // bytes away
        data = concat(data.subarray(0, at), data.subarray(stop));
        break;
      case 3: // a token in
        data = concat(data.subarray(0, at), rnd.pick(TOKENS), data.subarray(at));
        break;
      case 4: // a token instead
        data = concat(data.subarray(0, at), rnd.pick(TOKENS), data.subarray(stop));
        break;
      case 5: // bytes twice
        data = concat(data.subarray(0, stop), data.subarray(at));
        break;
      default: // an early end
        data = data.slice(0, at);
    }
  }
  return data;
}

/** `data` in random pieces, some of them empty. */
function pieces(rnd: Random, data: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  const size = 1 + rnd.below(rnd.below(2) === 0 ? 4 : 200);
  for (let at = 0; at < data.length;) {
    const stop = Math.min(data.length, at + rnd.below(size + 1));
    out.push(data.subarray(at, stop));
    at = stop;
  }
  return out;
}

const V1 = ["REPLICATE", "FROM", "3", "ID", "r1"];
const HANDSHAKES = [
  request(...V1),
  request(...V1, "HISTORY", HISTORY_A),
  request(...V1, "HISTORY", HISTORY_B, "LISTENING-PORT", "6379", "CAPA", "rdb", "CAPA", "x"),
  request(...V1, "HISTORY", "?", "IP-ADDRESS", "10.9.8.7"),
  bytes("REPLICATE FROM 3 ID r1\r\n"),
  bytes("replicate from 3 id 'r 1' HISTORY ? CAPA \"\\x41b\"\r\n"),
  bytes("*0\r\n"),
  new Uint8Array(0),
];

const CLOSE_NAMES = new Set([
  "BadCommand",
  "WrongArity",
  "BadFromKeyword",
  "BadOffset",
  "BadIdKeyword",
  "BadReplicaId",
  "BadOption",
  "TooLarge",
  "TooSlow",
  "NotReady",
  "AckAhead",
  "SyncAhead",
  "JunkLimit",
  "BadReplicaInput",
]);

/** The handshake's outcome: a claim, a rejection's name, or "waiting". */
function handshakeOutcome(parts: Uint8Array[]): string {
  const link = acceptedLink(new FakeSource());
  for (const part of parts) {
    link.receive(part, 0, part.length, 0);
    if (link.claim !== null) {
      const { version, offsetDigits, id, history, listeningPort, capabilities } = link.claim;
      return JSON.stringify([version, offsetDigits, id, history, listeningPort, capabilities]);
    }
    if (link.state.at === "closed") return link.state.because;
  }
  return "waiting";
}

Deno.test("60,000 mutated handshakes and acknowledgements end in a claim, a name, or waiting", () => {
  const seed = testSeed(SEED);
  const rnd = new Random(seed);
  const seen = new Map<string, number>();
  for (let round = 0; round < 60_000; round++) {
    const where = `seed ${seed} round ${round}`;
    const tail = concat(encodeReplicaAck(3), encodeReplicaAck(rnd.below(6), rnd.below(6) - 1));
    const data = mutate(rnd, concat(rnd.pick(HANDSHAKES), rnd.below(2) === 0 ? tail : bytes("")));
    const parts = pieces(rnd, data);
    assertEquals(handshakeOutcome(parts), handshakeOutcome([data]), where);

    const source = new FakeSource({ firstOffset: 3 });
    source.append("A");
    const link = acceptedLink(source);
    let words = "";
    for (const part of parts) words += drive(link, part, source, rnd, where);
    for (let nowMs = 1000; nowMs <= 5000 && link.claim === null; nowMs += 1000) link.tick(nowMs);
    if (link.state.at !== "closed") {
      seen.set("open", (seen.get("open") ?? 0) + 1);
      continue;
    }
    const { because } = link.state;
    assert(CLOSE_NAMES.has(because), `${where}: ${because}`);
    seen.set(because, (seen.get(because) ?? 0) + 1);
    words += pumpAll(link);
    // A refusal is all a refused peer gets; another close lets the piece on its way go out.
    if (link.claim === null || because === "NotReady") {
      assert(/^-ERR [^\r\n]+\r\n$/.test(words), `${where}: ${words}`);
    } else assert(!words.includes("-ERR"), where);
    assertEquals(link.nextOutput(5000), OUTPUT_FINISH, where);
    link.dispose();
  }
  for (const name of ["open", "BadCommand", "WrongArity", "BadOffset", "BadOption", "TooSlow"]) {
    assert((seen.get(name) ?? 0) > 50, `${name} was seen ${seen.get(name)} times`);
  }
});

/** One push and what a shard does about it; gives what was written of the output. */
function drive(
  link: ReplicaLink,
  part: Uint8Array,
  source: FakeSource,
  rnd: Random,
  where: string,
): string {
  const outcome = link.receive(part, 0, part.length, 0);
  if (outcome === LINK_CLAIM) {
    const dice = rnd.below(4);
    if (dice === 0) link.reject(reject("NotReady", "loading"));
    else if (dice === 1 || !source.backlog.holds(link.claim!.offset)) {
      link.acceptShip("ahead");
      link.beginShip(4, source.backlog.pin(4)!);
      link.offerChunk(new Uint8Array(10), 0, 10);
      link.endShip();
    } else link.acceptFrames();
  }
  if (outcome === LINK_CLOSED) assertEquals(link.state.at, "closed", where);
  let out = "";
  for (let n = rnd.below(5); n > 0 && link.nextOutput(0) === OUTPUT_BYTES; n--) {
    const count = rnd.below(link.output.length + 1);
    out += latin1(link.output, 0, count);
    link.written(count, 0);
  }
  assert(link.pendingBytes < 1000, where);
  return out;
}

const CHAIN = `+CHAIN ${HISTORY_A.slice(0, 12)} ${HISTORY_B.slice(0, 12)}\r\n`;
const STREAMS = [
  fixtureBytes("frames.bin").subarray(0, 700),
  fixtureBytes("resume-from-2.bin"),
  fixtureBytes("snapshot-ship.bin").subarray(-200),
  bytes(
    `+PING ${HISTORY_B} 1 2\r\n+ACK 7 HISTORY ${HISTORY_A} SHARD 0 SHARDS 1\r\n` +
      `+ORIGIN 7 ${HISTORY_B}:70:1\r\n+ORIGIN\r\n${CHAIN}+SNAPSHOT\r\n` +
      `$5\r\nabcde\r\n+PING ${HISTORY_A} 8 9\r\n$0\r\n\r\n$2\r\n\r\n\r\n+GETACK\r\n+SNAPSHOT_END 7\r\n` +
      `*2\r\n:7\r\n*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\n\r\n\r\n+GETACK\r\n*2\r\n:8\r\n*1\r\n$4\r\nPING\r\n` +
      `+FRAMES 9\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n+GETACK\r\n*1\r\n$4\r\nPING\r\n`,
  ),
  bytes("+ACK 0\r\n" + "*2\r\n:0\r\n*1\r\n$1\r\nA\r\n".repeat(5)),
  bytes("+ACK 0\r\n+SNAPSHOT\r\n" + "$3\r\nabc\r\n".repeat(5) + "+SNAPSHOT\r\n"),
  bytes("-ERR TooMany replicas\r\n"),
];

const DECODE_ERRORS = new Set([
  "BadEnvelope",
  "BadOffset",
  "NegativeOffset",
  "BadPayload",
  "UnexpectedInSnapshot",
  "LineTooLong",
]);

Deno.test("60,000 mutated streams decode to the same events however they are cut", () => {
  const seed = testSeed(SEED + 1);
  const rnd = new Random(seed);
  const seen = new Map<string, number>();
  for (let round = 0; round < 60_000; round++) {
    const where = `seed ${seed} round ${round}`;
    const data = mutate(rnd, rnd.pick(STREAMS));
    const whole = decodePieces([data]);
    assertEquals(decodePieces(pieces(rnd, data)), whole, where);
    const last = whole.at(-1);
    const name = last?.kind === "failed" ? last.error : "waiting";
    if (last?.kind === "failed") assert(DECODE_ERRORS.has(last.error), where);
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  for (const name of [...DECODE_ERRORS, "waiting"]) {
    assert((seen.get(name) ?? 0) > 5, `${name} was seen ${seen.get(name)} times`);
  }
});

Deno.test("an endless stream of anything keeps no more than its last item", () => {
  const rnd = new Random(testSeed(SEED + 2));
  const repeated = [
    "*2\r\n:7\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    `+PING ${HISTORY_A} 8 9\r\n`,
    `+ORIGIN 7 ${HISTORY_B}:70:1\r\n`,
    CHAIN,
    "+FRAMES 7\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    "+GETACK\r\n",
    "+SNAPSHOT\r\n$6\r\nabcdef\r\n$0\r\n\r\n+SNAPSHOT_END 9\r\n",
  ];
  for (const text of repeated) {
    const feed = new DecoderFeed();
    feed.push(bytes("+ACK 0\r\n"));
    const data = bytes(text.repeat(2000));
    for (let at = 0; at < data.length;) {
      const stop = Math.min(data.length, at + 1 + rnd.below(500));
      feed.push(data.subarray(at, stop));
      at = stop;
      assert(feed.bufferedBytes <= 500 + text.length, `${feed.bufferedBytes} of ${text}`);
      if (feed.events.length > 1000) feed.events.length = 0;
    }
    assert(feed.events.at(-1)?.kind !== "failed");
  }
});
