import { assertEquals } from "@std/assert";
import type { CommandSpec } from "../../src/commands/registry.ts";
import { word } from "../../src/server/command_parts.ts";
import { Shell } from "../support/shell.ts";

Deno.test("words are read up to 64 bytes, texts up to 4,096: an argument makes no long string", () => {
  let read: string[] = [];
  const reader: CommandSpec = {
    name: "reader",
    arity: 2,
    flags: [],
    group: "generic",
    since: "1.0.0",
    summary: "",
    complexity: "",
    run: (call) => {
      read = [word(call, 1), call.text(1)];
      call.reply.ok();
    },
  };
  const shell = new Shell([reader]);
  for (
    const [bytes, wordBytes, textBytes] of [[64, 64, 64], [65, 0, 65], [4_096, 0, 4_096], [
      4_097,
      0,
      4_096,
    ]]
  ) {
    shell.run("READER", "x".repeat(bytes));
    assertEquals(read, ["X".repeat(wordBytes), "x".repeat(textBytes)], `${bytes} bytes`);
  }
});
