/** What the tests of the request parser share: a reader in memory and the table of requests. */

import { assert } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import {
  DEFAULT_REQUEST_LIMITS,
  PROTOCOL_ERROR,
  REQUEST,
  type RequestLimits,
  RequestParser,
} from "../../src/resp/request_parser.ts";

/** Bytes of a latin-1 text: one char, one byte. */
export function bytesOf(chars: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(chars, (c) => c.charCodeAt(0));
}

/** What a wire gave: each request's arguments as latin-1, then the error, if any. */
export interface Outcome {
  requests: string[][];
  error: string | null;
}

/** How `feed` hands out the wire. */
export interface Feeding {
  /** Positions in the wire where a read ends, ascending. */
  cuts: readonly number[];
  /** Whether the reader drops executed bytes after each read. */
  compact?: (read: number) => boolean;
  limits?: Readonly<RequestLimits>;
}

/**
 * Reads `wire` as a connection would: append a piece, take every request, perhaps compact. Checks on
 * the way that positions only grow, that work is bounded by the bytes, and that arrays are bounded by
 * what came.
 */
export function feed(wire: Uint8Array, feeding: Feeding): Outcome {
  const parser = new RequestParser(feeding.limits ?? DEFAULT_REQUEST_LIMITS);
  const buf = new Uint8Array(wire.length);
  const outcome: Outcome = { requests: [], error: null };
  let to = 0;
  let from = 0;
  let read = 0;
  let dropped = 0;
  let consumed = 0;
  for (const cut of [...feeding.cuts, wire.length]) {
    buf.set(wire.subarray(from, cut), to);
    to += cut - from;
    from = cut;
    while (true) {
      const result = parser.parse(buf, to);
      assert(dropped + parser.at >= consumed, "the position went back");
      assert(parser.at <= to && parser.begin <= parser.at, "the position left the buffer");
      if (result === REQUEST) {
        assert(dropped + parser.at > consumed, "a request of no bytes");
        consumed = dropped + parser.at;
        if (parser.argc > 0) outcome.requests.push(argumentsOf(parser, buf));
        continue;
      }
      consumed = dropped + parser.at;
      assert(parser.starts.length <= Math.max(16, 2 * wire.length), "arrays grew past the bytes");
      if (result === PROTOCOL_ERROR) {
        outcome.error = parser.error;
        assert(parser.parse(buf, to) === PROTOCOL_ERROR, "an error is final");
        return outcome;
      }
      break;
    }
    if (feeding.compact?.(read++)) {
      const by = parser.begin;
      buf.copyWithin(0, by, to);
      buf.fill(0xee, to - by, to);
      to -= by;
      dropped += by;
      parser.rebase(by);
    }
  }
  return outcome;
}

/** The arguments of the request just parsed, as latin-1. */
export function argumentsOf(parser: RequestParser, buf: Uint8Array): string[] {
  const out: string[] = [];
  for (let i = 0; i < parser.argc; i++) out.push(latin1(buf, parser.starts[i], parser.stops[i]));
  return out;
}

/** Arguments as a multibulk request; latin-1. */
export function multibulk(...args: string[]): string {
  return `*${args.length}\r\n` + args.map((a) => `$${a.length}\r\n${a}\r\n`).join("");
}

/** A wire, and what it must give. */
export interface Row {
  name: string;
  wire: string;
  requests: string[][];
  error?: string;
  /** Whether the peer has yet to authenticate. */
  guest?: boolean;
}

const many = Array.from({ length: 300 }, (_, i) => `m${i}`);
const binary = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

/** Wires that parse. Answers of a Redis 7 to each were compared with what is written here. */
export const REQUESTS: readonly Row[] = [
  { name: "one argument", wire: "*1\r\n$4\r\nPING\r\n", requests: [["PING"]] },
  { name: "SET", wire: multibulk("SET", "key", "value"), requests: [["SET", "key", "value"]] },
  {
    name: "a pipeline",
    wire: multibulk("SET", "a", "1") + multibulk("GET", "a") + multibulk("DEL", "a"),
    requests: [["SET", "a", "1"], ["GET", "a"], ["DEL", "a"]],
  },
  { name: "empty arguments", wire: multibulk("", "", ""), requests: [["", "", ""]] },
  { name: "every byte value", wire: multibulk("ECHO", binary), requests: [["ECHO", binary]] },
  {
    name: "line ends and headers inside an argument",
    wire: multibulk("ECHO", "*1\r\n$4\r\nPING\r\n", "\r", "\n"),
    requests: [["ECHO", "*1\r\n$4\r\nPING\r\n", "\r", "\n"]],
  },
  {
    name: "lengths of one to four digits",
    wire: multibulk(
      "x".repeat(9),
      "x".repeat(10),
      "x".repeat(99),
      "x".repeat(100),
      "x".repeat(1234),
    ),
    requests: [
      ["x".repeat(9), "x".repeat(10), "x".repeat(99), "x".repeat(100), "x".repeat(1234)],
    ],
  },
  { name: "ten arguments", wire: multibulk(..."abcdefghij"), requests: [[..."abcdefghij"]] },
  { name: "300 arguments", wire: multibulk("MGET", ...many), requests: [["MGET", ...many]] },
  {
    name: "empty requests between others",
    wire: "*0\r\n*-1\r\n\r\n\n*-9223372036854775808\r\n" + multibulk("PING") + "   \r\n\t\n",
    requests: [["PING"]],
  },
  {
    name: "any byte after a header's carriage return, any two behind an argument",
    wire: "*2\rX$4\rYECHOZZ$1\r\na..PING\r\n",
    requests: [["ECHO", "a"], ["PING"]],
  },
  { name: "inline", wire: "PING\r\n", requests: [["PING"]] },
  {
    name: "inline with a bare line feed",
    wire: "GET a\nGET b\n",
    requests: [["GET", "a"], ["GET", "b"]],
  },
  {
    name: "inline with blanks",
    wire: " \t SET\x0b  a\t b \r\n",
    requests: [["SET\x0b", "a", "b"]],
  },
  { name: "inline of many words", wire: many.join(" ") + "\r\n", requests: [many] },
  {
    name: "inline ending in two carriage returns",
    wire: "ECHO a\r\r\n",
    requests: [["ECHO", "a"]],
  },
  { name: "inline, vertical tab before a word", wire: "ECHO \x0ba\r\n", requests: [["ECHO", "a"]] },
  {
    name: "inline, vertical tab in a word",
    wire: "ECHO a\x0bb\r\n",
    requests: [["ECHO", "a\x0bb"]],
  },
  { name: "inline with a NUL", wire: "ECHO a\0b\r\n", requests: [["ECHO", "a\0b"]] },
  {
    name: "double quotes",
    wire: 'ECHO "a b" "" "\\x41\\xfF\\x4g\\n\\r\\t\\b\\a\\q\\"\\\\"\r\n',
    requests: [["ECHO", "a b", "", 'A\xffx4g\n\r\t\x08\x07q"\\']],
  },
  { name: "a short hex escape", wire: 'ECHO "\\x4" "\\x"\r\n', requests: [["ECHO", "x4", "x"]] },
  {
    name: "single quotes",
    wire: "ECHO 'a b' '' 'a\\'b\\n\\\\c' '\"'\r\n",
    requests: [["ECHO", "a b", "", "a'b\\n\\\\c", '"']],
  },
  {
    name: "quotes within a word",
    wire: "ECHO a\"b c\" x'y z'\r\n",
    requests: [["ECHO", "ab c", "xy z"]],
  },
  { name: "backslash outside quotes", wire: "ECHO a\\x41\r\n", requests: [["ECHO", "a\\x41"]] },
  { name: "vertical tab behind a quote", wire: 'ECHO "a"\x0b\r\n', requests: [["ECHO", "a"]] },
  {
    name: "inline and multibulk by turns",
    wire: "PING\r\n" + multibulk("GET", "a") + 'GET "b"\r\n' + multibulk("GET", "c"),
    requests: [["PING"], ["GET", "a"], ["GET", "b"], ["GET", "c"]],
  },
  { name: "an inline that begins like an array of arrays", wire: " *1\r\n", requests: [["*1"]] },
  {
    name: "ten arguments of a guest",
    wire: multibulk(..."abcdefghij"),
    requests: [[..."abcdefghij"]],
    guest: true,
  },
  {
    name: "an inline of eleven words of a guest",
    wire: "a b c d e f g h i j k\r\n",
    requests: [[..."abcdefghijk"]],
    guest: true,
  },
];

const COUNT = "Protocol error: invalid multibulk length";
const LENGTH = "Protocol error: invalid bulk length";
const QUOTES = "Protocol error: unbalanced quotes in request";
const expected = (c: string) => `Protocol error: expected '$', got '${c}'`;

/** Wires that do not parse, with the words of a Redis 7, compared byte for byte. */
export const BAD_REQUESTS: readonly Row[] = [
  ...[
    "x",
    "",
    "01",
    "+1",
    " 1",
    "1 ",
    "-0",
    "--1",
    "1\n",
    "-9223372036854775809",
    "9223372036854775808",
  ]
    .map((count) => ({
      name: `count "${count}"`,
      wire: `*${count}\r\n`,
      requests: [],
      error: COUNT,
    })),
  { name: "one argument too many", wire: "*1048577\r\n", requests: [], error: COUNT },
  { name: "a count past int32", wire: "*2147483648\r\n", requests: [], error: COUNT },
  ...["x", "", "-1", "04", "+4", " 4", "4 ", "-0", "00", "536870913", "99999999999999999999"]
    .map((length) => ({
      name: `length "${length}"`,
      wire: multibulk("PING") + `*2\r\n$1\r\na\r\n$${length}\r\nPING\r\n`,
      requests: [["PING"]],
      error: LENGTH,
    })),
  ...["!", ":", "*", "+", "\xff", "4"].map((c) => ({
    name: `"${c}" where an argument begins`,
    wire: `*1\r\n${c}nope\r\n`,
    requests: [],
    error: expected(c),
  })),
  { name: "no argument line", wire: "*1\r\n\r\n", requests: [], error: expected(" ") },
  {
    name: "a line feed where an argument begins",
    wire: "*1\r\n\n\r\n",
    requests: [],
    error: expected(" "),
  },
  {
    name: "an argument longer than declared",
    wire: "*2\r\n$1\r\nabcd\r\n",
    requests: [],
    error: expected("d"),
  },
  ...['"a', "'a", '"a"b', "'a'b", 'a"b c"d', '"abc\\', '"\\', "'a\\'", 'a"', '"\\x4'].map((
    words,
  ) => ({
    name: `inline ${words}`,
    wire: `PING\r\nSET ${words}\r\n`,
    requests: [["PING"]],
    error: QUOTES,
  })),
  {
    name: "eleven arguments of a guest",
    wire: "*11\r\n",
    requests: [],
    error: "Protocol error: unauthenticated multibulk length",
    guest: true,
  },
  {
    name: "far too many of a guest",
    wire: "*2147483648\r\n",
    requests: [],
    error: COUNT,
    guest: true,
  },
  {
    name: "a long argument of a guest",
    wire: "*2\r\n$4\r\nAUTH\r\n$16385\r\n",
    requests: [],
    error: "Protocol error: unauthenticated bulk length",
    guest: true,
  },
  {
    name: "a far too long argument of a guest",
    wire: "*1\r\n$536870913\r\n",
    requests: [],
    error: LENGTH,
    guest: true,
  },
];

/** Every wire of both tables, for mutations. */
export const WIRES: readonly Uint8Array[] = [...REQUESTS, ...BAD_REQUESTS].map((r) =>
  bytesOf(r.wire)
);
