import { assertEquals } from "@std/assert";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { SET_COMMANDS } from "../../src/commands/set.ts";
import { multibulk } from "../resp/support.ts";
import { Shell } from "../support/shell.ts";

/** What becomes of one request: what a sink hears that takes effects encoded. */
function heardOf(request: string): string[] {
  const shell = new Shell([...SET_COMMANDS, ...COUNTER_COMMANDS]);
  for (const effects of shell.effects) effects.takesEncoded = true;
  shell.runWire(request);
  return shell.heard();
}

Deno.test("a request that is its own effect is passed on as it came, whatever the case of its name", () => {
  for (const name of ["SET", "set", "Set"]) {
    assertEquals(heardOf(multibulk(name, "k", "v")), [`0: ${multibulk(name, "k", "v")}`]);
  }
  for (const name of ["INCRBY", "incrby"]) {
    assertEquals(heardOf(multibulk(name, "k", "12")), [`0: ${multibulk(name, "k", "12")}`]);
  }
});

Deno.test("a request of another name than its effect's, or that was not encoded so, is told word by word", () => {
  assertEquals(heardOf(multibulk("SETNX", "k", "v")), ["0: SET k v"]);
  assertEquals(heardOf(multibulk("setnx", "k", "v")), ["0: SET k v"]);
  assertEquals(heardOf("set k v\r\n"), ["0: SET k v"]);
  assertEquals(heardOf("*3\r\n$3\r\nset\r\n$1\r\nk..$1\r\nv\r\n"), ["0: SET k v"]);
});
