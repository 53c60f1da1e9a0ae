import { assert, assertEquals } from "@std/assert";
import { TestServer, until } from "../support/server.ts";

Deno.test("what fails in one part of a tick is told each time, and keeps no other part from its turn", async () => {
  await using server = await TestServer.start({ save: "1 1" });
  const told: unknown[] = [];
  const tell = (event: ErrorEvent) => {
    event.preventDefault();
    told.push(event.error);
  };
  addEventListener("error", tell);
  const { replication, clients } = server.server;
  const bug = new Error("a bug");
  const fail = () => {
    throw bug;
  };
  replication.tick = fail;
  clients.sweep = fail;
  try {
    assertEquals(await server.ask("SET", "k", "v"), "OK");
    await until("it is saved", async () => await server.info("rdb_saves") === "1");
    assert(told.length > 1 && told.every((error) => error === bug));
  } finally {
    removeEventListener("error", tell);
    Reflect.deleteProperty(replication, "tick");
    Reflect.deleteProperty(clients, "sweep");
  }
});
