import { assertEquals, assertMatch } from "@std/assert";
import { whyNotPermitted } from "../../src/shard/admission.ts";

const HERE = ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"];
const ELSEWHERE = ["10.0.0.1", "192.168.127.1", "0.0.0.0", "::", "fe80::1", "::ffff:10.0.0.1", ""];

Deno.test("in protected mode only this machine may follow, unless a password is set", () => {
  const open = { requirePass: "", protectedMode: false };
  const shut = { requirePass: "", protectedMode: true };
  for (const host of [...HERE, ...ELSEWHERE]) assertEquals(whyNotPermitted(open, host, null), null);
  for (const host of HERE) assertEquals(whyNotPermitted(shut, host, null), null, host);
  for (const host of ELSEWHERE) {
    assertMatch(whyNotPermitted(shut, host, null) ?? "", /^protected-mode is on/, host);
    // A password that nobody set opens nothing.
    assertMatch(whyNotPermitted(shut, host, "guess") ?? "", /^protected-mode is on/, host);
  }
});

Deno.test("a password is asked of everybody, from wherever", () => {
  for (const protectedMode of [false, true]) {
    const settings = { requirePass: "pass word", protectedMode };
    for (const host of [...HERE, ...ELSEWHERE]) {
      assertMatch(whyNotPermitted(settings, host, null) ?? "", /^a password is required/);
      for (const wrong of ["", "pass", "pass word ", "PASS WORD", "pass wordpass word"]) {
        assertEquals(whyNotPermitted(settings, host, wrong), "the password is wrong", wrong);
      }
      assertEquals(whyNotPermitted(settings, host, "pass word"), null);
    }
  }
});
