import { assert, assertEquals } from "@std/assert";
import {
  type HandshakeRequest,
  parseHandshake,
  reject,
  rejectionText,
} from "../../src/replication/handshake.ts";
import {
  LINK_CLAIM,
  LINK_CLOSED,
  LINK_NOTHING,
  OUTPUT_FINISH,
} from "../../src/replication/replica_link.ts";
import { REQUEST, RequestParser } from "../../src/resp/request_parser.ts";
import { ACCEPTED, REJECTED, splits, V1 } from "./handshake_cases.ts";
import { acceptedLink, FakeSource, fixture, hex, pumpAll, request, tickUntil } from "./support.ts";

for (const [what, data, name] of REJECTED) {
  Deno.test(`a handshake with ${what} is ${name} at every split`, () => {
    for (const [split, pieces] of splits(data)) {
      const link = acceptedLink(new FakeSource());
      let outcome = LINK_NOTHING;
      for (const piece of pieces) {
        if (outcome !== LINK_NOTHING) break;
        outcome = link.receive(piece, 0, piece.length, 0);
      }
      assertEquals(outcome, LINK_CLOSED, split);
      const { state } = link;
      assert(state.at === "closed", split);
      assertEquals(state.because, name.replace(/\(.*/, ""), split);
      assertEquals([state.id, state.offset], [null, 0], split);
      const text = pumpAll(link);
      assert(text.startsWith(`-ERR ${name} `) && text.endsWith("\r\n"), `${split}: ${text}`);
      assertEquals(text.indexOf("\r\n"), text.length - 2);
      assertEquals(link.nextOutput(0), OUTPUT_FINISH, split);
    }
  });
}

for (const [what, data, expected] of ACCEPTED) {
  Deno.test(`a handshake that is ${what} makes its claim once, at its last byte`, () => {
    for (const [split, pieces] of splits(data)) {
      const link = acceptedLink(new FakeSource());
      let seen = 0;
      for (const piece of pieces) {
        const before = link.claim;
        const outcome = link.receive(piece, 0, piece.length, 0);
        seen += piece.length;
        if (before === null) {
          assertEquals(outcome, seen === data.length ? LINK_CLAIM : LINK_NOTHING, split);
        } else assertEquals(outcome, LINK_NOTHING, split);
        assertEquals(link.state.at, "handshakePending");
      }
      for (const [field, value] of Object.entries(expected)) {
        assertEquals(link.claim![field as keyof HandshakeRequest], value, `${split} ${field}`);
      }
      assertEquals(pumpAll(link), "");
    }
  });
}

Deno.test("kevy's own handshakes are accepted", () => {
  for (const [shard, sent] of fixture("replica-handshake.json").bytes.entries()) {
    const link = acceptedLink(new FakeSource());
    const data = hex(sent);
    assertEquals(link.receive(data, 0, data.length, 0), LINK_CLAIM);
    assertEquals(link.claim!.id, `kevy-replica-${shard}`);
    assertEquals(link.key, `kevy-replica-${shard}\n10.0.0.7`);
  }
});

Deno.test("what the shard may refuse is refused by name, with its words on one line", () => {
  for (const name of ["NotPermitted", "TooMany", "NotReady"] as const) {
    const link = acceptedLink(new FakeSource());
    const data = request(...V1);
    assertEquals(link.receive(data, 0, data.length, 0), LINK_CLAIM);
    link.reject(reject(name, "because\r\nof that"));
    assertEquals(pumpAll(link), `-ERR ${name} because  of that\r\n`);
    assertEquals(link.nextOutput(0), OUTPUT_FINISH);
    link.reject(reject("TooSlow", "again"));
    link.close("Shutdown");
    assert(link.state.at === "closed" && link.state.because === name);
    assertEquals(pumpAll(link), "");
  }
});

Deno.test("a handshake that is not complete in time is TooSlow", () => {
  const link = acceptedLink(new FakeSource(), 1000);
  const data = request(...V1);
  link.receive(data, 0, data.length - 1, 5999);
  assertEquals(tickUntil(link, 1000, 5999, LINK_NOTHING), LINK_NOTHING);
  assertEquals(link.tick(6000), LINK_CLOSED);
  assert(pumpAll(link).startsWith("-ERR TooSlow "));
  assertEquals(link.receive(data, data.length - 1, data.length, 6001), LINK_NOTHING);
  assertEquals(link.tick(9999), LINK_NOTHING);
});

Deno.test("a rejection's text names the count", () => {
  const parser = new RequestParser();
  const data = request("PING");
  assertEquals(parser.parse(data, data.length), REQUEST);
  const rejection = parseHandshake(data, parser);
  assert(rejection.kind === "rejection");
  assert(rejectionText(rejection).startsWith("WrongArity(1) expected REPLICATE"));
});
