import { assert } from "@std/assert";
import { LOG_FLOOD_BURST_LINES } from "../../src/observability/log_flood.ts";
import { TestServer, until } from "../support/server.ts";

Deno.test("what a flood of lines held back is told of when it is over", async () => {
  await using server = await TestServer.start();
  const { log } = server.server;
  for (let i = 0; i < 2 * LOG_FLOOD_BURST_LINES; i++) log.notice("a peer");
  assert(log.linesHeldBack > 0);
  await until("it is told", () => server.log.some((line) => line.includes("a peer held_back=")));
});
