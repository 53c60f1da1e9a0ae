import { assert, assertEquals } from "@std/assert";
import { LOG_FLOOD_BURST_LINES } from "../../src/observability/log_flood.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { TestServer, until } from "../support/server.ts";

Deno.test("what a flood of lines held back is told of when it is over", async () => {
  await using server = await TestServer.start();
  const { log } = server.server;
  for (let i = 0; i < 2 * LOG_FLOOD_BURST_LINES; i++) log.notice("a peer");
  assert(log.linesHeldBack > 0);
  await until("it is told", () => server.log.some((line) => line.includes("a peer held_back=")));
});

Deno.test("a bad request is shown as it was sent", async () => {
  await using server = await TestServer.start();
  using client = await RawSocket.connect(server.port);
  await client.write('set "abc\r\n');
  assert((await client.readThrough("\r\n")).includes("unbalanced quotes"));
  await until("it is told", () => server.log.some((line) => line.includes("last bytes")));
  const shown = JSON.stringify('set "abc\r\n').replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  assert(server.log.join("\n").includes(`last bytes ${shown}`), server.log.join("\n"));
});

Deno.test("CONFIG SET loglevel holds at once, up and down", async () => {
  await using server = await TestServer.start();
  const comesAndGoes = async () => {
    const client = await server.connect();
    assertEquals(await client.ask("PING"), "PONG");
    client.close();
  };
  const connects = () => server.log.filter((line) => line.includes("client connected")).length;
  await server.ask("PING");
  await comesAndGoes();
  assertEquals(connects(), 0);
  await server.ask("CONFIG", "SET", "loglevel", "verbose");
  await comesAndGoes();
  assertEquals(connects(), 1);
  await server.ask("CONFIG", "SET", "loglevel", "notice");
  await comesAndGoes();
  assertEquals(connects(), 1);
});
