import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { UpstreamPositions } from "../../src/shard/follower.ts";
import {
  promotedText,
  type PromotionRequest,
  PromotionTickets,
  questionWords,
  readAnswer,
  readRequest,
  requestWords,
  TICKET_MS,
  ticketText,
  whyNotPromoted,
} from "../../src/shard/promotion.ts";

const A = "a".repeat(40);
const B = "b".repeat(40);
const ENDS = [{ history: A, offset: 10 }, { history: B, offset: 0 }];

/** Positions in two shards, of which the first is at `offset`. */
function at(offset: number, history: string | null = A): UpstreamPositions {
  return {
    shards: 2,
    positions: [{ history, offset, db: 0 }, { history: B, offset: 0, db: 3, isMixed: true }],
  };
}

Deno.test("a request to be promoted is read as it was written", () => {
  for (const isForced of [false, true]) {
    const request: PromotionRequest = { ticket: A, isForced, ends: ENDS };
    const words = requestWords(request);
    assertEquals(words.slice(0, 2), ["REPLCONF", "PROMOTE"]);
    assertEquals(readRequest(words.slice(2)), request);
  }
  assertEquals(questionWords(A), ["REPLCONF", "FAILOVER", A]);
});

Deno.test("what is no request to be promoted is told from one", () => {
  const bad = [
    [],
    [A],
    [A, "WHOLE"],
    [A, "FORCED", A, "1"],
    [A, "whole", A, "1"],
    [A, "WHOLE", A],
    [A, "WHOLE", A, "1", B],
    [A, "WHOLE", "x", "1"],
    [A, "WHOLE", A, "-1"],
    [A, "WHOLE", A, ""],
    [A, "WHOLE", A, "1234567890123456"],
  ];
  for (const words of bad) assertEquals(readRequest(words), null, words.join(" "));
  assertEquals(readRequest([A, "WHOLE", A, "123456789012345"])?.ends[0].offset, 123456789012345);
});

Deno.test("answers are read as they were written, and nothing else is", () => {
  assertEquals(readAnswer(ticketText(A, B)), { ticket: A, node: B });
  assertEquals(readAnswer(promotedText(B)), { ticket: null, node: B });
  for (const text of ["", "OK", "TICKET", `TICKET ${A}`, `TICKET ${A} ${B} x`, "PROMOTED"]) {
    assertEquals(readAnswer(text), null, text);
  }
});

Deno.test("a replica takes over only with all that its primary has made", () => {
  const whole = { ticket: "", isForced: false, ends: ENDS };
  const forced = { ...whole, isForced: true };
  const cases: [UpstreamPositions | null, PromotionRequest, string | null][] = [
    [at(10), whole, null],
    [at(10), forced, null],
    [at(9), whole, "this node has shard 0 up to 9, not up to 10"],
    [at(9), forced, null],
    [at(0), forced, null],
    [at(11), whole, "this node has frames that shard 0 has not made"],
    [at(11), forced, "this node has frames that shard 0 has not made"],
    [at(10, B), whole, "this node follows another history of shard 0"],
    [at(10, null), forced, "this node follows another history of shard 0"],
    [null, whole, "this node has not received its upstream's data"],
    [null, forced, "this node has not received its upstream's data"],
    [at(10), { ...whole, ends: ENDS.slice(1) }, "this node follows a node of other shards"],
    [at(10), { ...forced, ends: [...ENDS, ...ENDS] }, "this node follows a node of other shards"],
  ];
  for (const [positions, request, why] of cases) {
    assertEquals(whyNotPromoted(positions, request), why);
  }
});

Deno.test("one ticket is good at a time, for its time, once", () => {
  const tickets = new PromotionTickets();
  assert(!tickets.isGood("", 0));
  const first = tickets.issue("x", 1000)!;
  assert(tickets.isGood(first, 1000 + TICKET_MS - 1));
  assert(!tickets.isGood(first, 1000 + TICKET_MS));
  const second = tickets.issue("x", 1001)!;
  assertNotEquals(second, first);
  assert(!tickets.isGood(first, 1001));
  assert(tickets.isGood(second, 1001));
  tickets.promoted();
  assert(!tickets.isGood(second, 1001));
});

Deno.test("a node remembers for which failover it was promoted last", () => {
  const tickets = new PromotionTickets();
  assertNotEquals(tickets.issue("x", 0), null);
  tickets.promoted();
  assertEquals(tickets.issue("x", 1), null);
  assertNotEquals(tickets.issue("y", 2), null);
  assertEquals(tickets.issue("x", 3), null);
  assertNotEquals(tickets.issue("y", 4), null);
  tickets.promoted();
  assertEquals(tickets.issue("y", 5), null);
  assertNotEquals(tickets.issue("x", 6), null);
});
