/** The handshake table of the wire: what a replica sends first, and what comes of it. */

import { assertEquals } from "@std/assert";
import type { HandshakeRequest } from "../../src/replication/handshake.ts";
import { bytes, concat, everySplit, HISTORY_A, HISTORY_B, request } from "./support.ts";

/** The arguments of a v1 handshake. */
export const V1 = ["REPLICATE", "FROM", "0", "ID", "replica-a"];

function v1(changes: { [index: number]: string }): Uint8Array {
  return request(...V1.map((arg, i) => changes[i] ?? arg));
}

/** Rows of the handshake table: what is sent, and the name of the rejection. */
export const REJECTED: [string, Uint8Array, string][] = [
  ["an array with a count that is no number", bytes("*x\r\n"), "BadCommand"],
  ["an array with too many arguments", bytes("*9999999\r\n"), "BadCommand"],
  ["a null bulk", bytes("*1\r\n$-1\r\n"), "BadCommand"],
  ["a null bulk alone", bytes("$-1\r\n"), "BadCommand"],
  ["an element that is no bulk", bytes("*1\r\n!nope\r\n"), "BadCommand"],
  ["an integer among the arguments", bytes("*5\r\n$9\r\nREPLICATE\r\n:4\r\n"), "BadCommand"],
  ["an inline request with an open quote", bytes('REPLICATE "FROM 0 ID x\r\n'), "BadCommand"],
  ["a null array", bytes("*-1\r\n"), "WrongArity(0)"],
  ["an empty array", bytes("*0\r\n"), "WrongArity(0)"],
  ["a blank line", bytes("\r\n"), "WrongArity(0)"],
  ["a blank line with a bare line feed", bytes("\n"), "WrongArity(0)"],
  ["garbage in one inline word", bytes("!garbage\r\n"), "WrongArity(1)"],
  ["PING", request("PING"), "WrongArity(1)"],
  ["an HTTP request", bytes("GET / HTTP/1.1\r\n"), "WrongArity(3)"],
  ["three arguments", request("REPLICATE", "FROM", "0"), "WrongArity(3)"],
  ["four arguments", request("REPLICATE", "FROM", "0", "ID"), "WrongArity(4)"],
  ["six arguments", request(...V1, "HISTORY"), "WrongArity(6)"],
  ["eight arguments", request(...V1, "CAPA", "a", "CAPA"), "WrongArity(8)"],
  ["another command", v1({ 0: "SUBSCRIBE" }), "BadCommand"],
  ["an empty command", v1({ 0: "" }), "BadCommand"],
  ["another keyword than FROM", v1({ 1: "AT" }), "BadFromKeyword"],
  ["an empty offset", v1({ 2: "" }), "BadOffset"],
  ["a negative offset", v1({ 2: "-1" }), "BadOffset"],
  ["an offset with a plus", v1({ 2: "+1" }), "BadOffset"],
  ["an offset of 2^64", v1({ 2: "18446744073709551616" }), "BadOffset"],
  ["an offset in hex", v1({ 2: "0x10" }), "BadOffset"],
  ["an offset with a space", v1({ 2: "1 " }), "BadOffset"],
  ["another keyword than ID", v1({ 3: "NAME" }), "BadIdKeyword"],
  ["an empty id", v1({ 4: "" }), "BadReplicaId"],
  [
    "an id that is not UTF-8",
    concat(
      bytes("*5\r\n$9\r\nREPLICATE\r\n$4\r\nFROM\r\n$1\r\n0\r\n$2\r\nID\r\n$2\r\n\xff\xfe\r\n"),
    ),
    "BadReplicaId",
  ],
  ["an id that is half a character", v1Bytes("\xd0"), "BadReplicaId"],
  ["an unknown option", request(...V1, "COLOUR", "red"), "BadOption"],
  ["an unknown option behind known ones", request(...V1, "CAPA", "a", "X", "y"), "BadOption"],
  ["a short history", request(...V1, "HISTORY", "abc"), "BadOption"],
  ["an empty history", request(...V1, "HISTORY", ""), "BadOption"],
  ["a history that is not hex", request(...V1, "HISTORY", "g".repeat(40)), "BadOption"],
  ["port 0", request(...V1, "LISTENING-PORT", "0"), "BadOption"],
  ["port 65536", request(...V1, "LISTENING-PORT", "65536"), "BadOption"],
  ["an address with a space", request(...V1, "IP-ADDRESS", "10.0.0.1 x"), "BadOption"],
  ["an address with a comma", request(...V1, "IP-ADDRESS", "a,port=1"), "BadOption"],
  ["an empty address", request(...V1, "IP-ADDRESS", ""), "BadOption"],
  ["a port with letters", request(...V1, "LISTENING-PORT", "http"), "BadOption"],
  [
    "a password that is not UTF-8",
    concat(bytes("*7\r\n"), v1Bytes("r").subarray(4), bytes("$4\r\nAUTH\r\n$1\r\n\xff\r\n")),
    "BadOption",
  ],
  ["a timeout of 0", request(...V1, "TIMEOUT", "0"), "BadOption"],
  ["a timeout with a sign", request(...V1, "TIMEOUT", "-5"), "BadOption"],
  ["a timeout of 16 digits", request(...V1, "TIMEOUT", "1".repeat(16)), "BadOption"],
  ["an origin without a place", request(...V1, "ORIGIN", HISTORY_A), "BadOption"],
  ["an origin without a database", request(...V1, "ORIGIN", `${HISTORY_A}:1`), "BadOption"],
  ["an origin of no history", request(...V1, "ORIGIN", "abc:1:0"), "BadOption"],
  ["an origin at -1", request(...V1, "ORIGIN", `${HISTORY_A}:-1:0`), "BadOption"],
  ["an origin with more", request(...V1, "ORIGIN", `${HISTORY_A}:1:0:0`), "BadOption"],
  ["an empty capability", request(...V1, "CAPA", ""), "BadOption"],
  ["4097 bytes without an end", bytes("R".repeat(4097)), "TooLarge"],
  ["an id of 5000 bytes", v1({ 4: "x".repeat(5000) }), "TooLarge"],
  ["a handshake of 4097 bytes", padded(4097), "TooLarge"],
  ["arguments without an end", bytes("*1000000\r\n" + "$0\r\n\r\n".repeat(800)), "TooLarge"],
  // The first check that fails decides.
  ["a wrong count and a wrong command", request("PING", "x", "y"), "WrongArity(3)"],
  ["a wrong command and a wrong keyword", v1({ 0: "X", 1: "Y", 2: "z" }), "BadCommand"],
  ["a wrong keyword and a wrong offset", v1({ 1: "AT", 2: "z" }), "BadFromKeyword"],
  ["a wrong offset and a wrong keyword", v1({ 2: "z", 3: "NAME" }), "BadOffset"],
  ["a wrong keyword and an empty id", v1({ 3: "NAME", 4: "" }), "BadIdKeyword"],
  [
    "an empty id and a wrong option",
    request("REPLICATE", "FROM", "0", "ID", "", "X", "y"),
    "BadReplicaId",
  ],
];

function v1Bytes(id: string): Uint8Array {
  return bytes(
    `*5\r\n$9\r\nREPLICATE\r\n$4\r\nFROM\r\n$1\r\n0\r\n$2\r\nID\r\n$${id.length}\r\n${id}\r\n`,
  );
}

/** A valid v1 handshake of exactly `length` bytes. */
function padded(length: number): Uint8Array {
  const id = "x".repeat(length - v1Bytes("x".repeat(1000)).length + 1000);
  const handshake = v1Bytes(id);
  assertEquals(handshake.length, length);
  return handshake;
}

/** Splits of short inputs everywhere, of long ones around their ends. */
export function* splits(data: Uint8Array): Generator<[string, Uint8Array[]]> {
  if (data.length < 300) return yield* everySplit(data);
  for (const cut of [0, 1, 50, 255, 256, 257, 1024, 4094, 4095, 4096, 4097, data.length]) {
    yield [`cut at ${cut}`, [data.subarray(0, cut), data.subarray(cut)]];
  }
  yield ["byte by byte", Array.from(data, (_, i) => data.subarray(i, i + 1))];
}

/** Handshakes, and some of the claim that each makes. */
export const ACCEPTED: [string, Uint8Array, Partial<HandshakeRequest>][] = [
  ["v1", request(...V1), { version: 1, offset: 0, offsetDigits: "0", id: "replica-a" }],
  ["v1 in lower case", request("replicate", "from", "7", "id", "b"), { offset: 7, id: "b" }],
  ["v1 inline", bytes("REPLICATE FROM 12 ID r\r\n"), { version: 1, offset: 12, id: "r" }],
  ["v1 inline with quotes", bytes('replicate from "12" id "a b"\n'), { offset: 12, id: "a b" }],
  ["leading zeros", v1({ 2: "007" }), { offset: 7, offsetDigits: "7" }],
  ["nothing but zeros", v1({ 2: "000" }), { offset: 0, offsetDigits: "0" }],
  [
    "the greatest offset",
    v1({ 2: "18446744073709551615" }),
    { offset: Number.MAX_SAFE_INTEGER, offsetDigits: "18446744073709551615" },
  ],
  ["an id in Cyrillic", v1({ 4: "\u0440\u0435\u043f\u043b\u0438\u043a\u0430" }), {
    id: "\u0440\u0435\u043f\u043b\u0438\u043a\u0430",
  }],
  ["a handshake of 4096 bytes", padded(4096), { version: 1 }],
  ["v2 with a history", request(...V1, "HISTORY", HISTORY_B), { version: 2, history: HISTORY_B }],
  ["v2 without data", request(...V1, "history", "?"), { version: 2, history: null }],
  [
    "v2 with everything",
    request(...V1, "CAPA", "psync", "LISTENING-PORT", "65535", "CAPA", "x", "HISTORY", HISTORY_A),
    {
      version: 2,
      history: HISTORY_A,
      listeningPort: 65535,
      capabilities: ["psync", "x"],
    },
  ],
  ["v2 with an address", request(...V1, "IP-ADDRESS", "fe80::1%eth0"), {
    version: 2,
    announcedHost: "fe80::1%eth0",
  }],
  ["v2 with a password", request(...V1, "AUTH", "p w\u00e9"), {
    version: 2,
    password: "p w\u00e9",
  }],
  ["v2 with a timeout", request(...V1, "timeout", "1500"), { version: 2, timeoutMs: 1500 }],
  ["v2 with a second place", request(...V1, "HISTORY", HISTORY_A, "ORIGIN", `${HISTORY_B}:70:15`), {
    version: 2,
    history: HISTORY_A,
    origin: { history: HISTORY_B, offset: 70, db: 15 },
  }],
  ["v2 without a history", request(...V1, "CAPA", "a"), { version: 2, history: null }],
];
