import { assertEquals } from "@std/assert";
import { HLL_DENSE_BYTES } from "../../src/commands/hll_draft.ts";
import { withDir } from "../persistence/support.ts";
import { TestServer, until } from "../support/server.ts";

Deno.test("hll-sparse-max-bytes holds for commands of a primary and of an append-only file, too", async () => {
  const settings = { "hll-sparse-max-bytes": "100" };
  const elements = Array.from({ length: 60 }, (_, i) => `element ${i}`);
  const bytes = (server: TestServer) => server.ask("STRLEN", "h");
  await withDir(async (dir) => {
    {
      await using server = await TestServer.start({ ...settings, appendonly: "yes" }, { dir });
      await using replica = await TestServer.start({
        ...settings,
        replicaof: `127.0.0.1 ${server.port}`,
      });
      const follows = async () => await replica.info("master_link_status") === "up";
      await until("the replica follows", follows);
      // One after the other: so they are when there is a form to leave.
      for (const element of elements) await server.ask("PFADD", "h", element);
      assertEquals(await bytes(server), HLL_DENSE_BYTES);
      await server.ask("WAIT", "1", "0");
      assertEquals(await bytes(replica), HLL_DENSE_BYTES);
    }
    await using server = await TestServer.start({ ...settings, appendonly: "yes" }, { dir });
    assertEquals(await bytes(server), HLL_DENSE_BYTES);
  });
});
