/**
 * What many requests of one read say is copied once a turn, to the backlog and to the file, out of the
 * client's own buffer: the bytes must be the requests' whatever that buffer is used for next.
 */

import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { encodeRequest } from "../support/redis.ts";
import { Random, testSeed } from "../support/random.ts";
import { TestServer, until } from "../support/server.ts";

const KEYS = 300;

/** Writes, among them some that are told in other words or of several effects, and reads. */
function request(rnd: Random, n: number): string[] {
  const key = `k${rnd.below(KEYS)}`;
  switch (rnd.below(14)) {
    case 0:
      return ["GET", key];
    case 1:
      return ["SET", key, `${n}`, "EX", "1000"];
    case 2:
      return ["set", key, `lower ${n}`];
    case 3:
      return ["DEL", key, `k${rnd.below(KEYS)}`];
    case 4:
      return ["MULTI"];
    case 5:
      return ["EXEC"];
    case 6:
      return ["SELECT", `${rnd.below(2)}`];
    case 7:
      return ["PUBLISH", "c", `${n}`];
    case 8:
      return ["RPUSH", `l${rnd.below(5)}`, `${n}`];
    case 9:
      return ["INCR", `n${rnd.below(5)}`];
    default:
      return ["SET", key, `${n}`.repeat(1 + rnd.below(rnd.below(30) === 0 ? 9_000 : 20))];
  }
}

for (const shards of ["1", "2"]) {
  Deno.test(`requests cut anywhere are told to replica and file as they were, ${shards} shards`, async () => {
    const seed = testSeed(20_261_129);
    const rnd = new Random(seed);
    const dir = await Deno.makeTempDir();
    try {
      let digest: unknown;
      {
        await using primary = await TestServer.start(
          { shards, appendonly: "yes", "repl-backlog-size": "4mb" },
          { dir },
        );
        await using replica = await TestServer.start({
          shards,
          replicaof: `127.0.0.1 ${primary.port}`,
        });
        const isUp = async () => await replica.info("master_link_status") === "up";
        await until("the replica follows", isUp);
        const clients = [await primary.connect(), await primary.connect()];
        const left = clients.map(() => new Uint8Array(0));
        let n = 0;
        for (let round = 0; round < 250; round++) {
          const which = rnd.below(2);
          const requests = Array.from({ length: rnd.below(40) }, () => request(rnd, ++n));
          const bytes = concat([left[which], ...requests.map(encodeRequest)]);
          const stop = bytes.length - rnd.below(Math.min(bytes.length, 60) + 1);
          await clients[which].sendRaw(bytes.subarray(0, stop));
          left[which] = bytes.slice(stop);
          if (round % 50 === 20) await primary.ask("BGREWRITEAOF");
          if (rnd.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, rnd.below(4)));
        }
        for (const [i, client] of clients.entries()) {
          await client.sendRaw(left[i]);
          await client.send("DISCARD");
          await client.send("ECHO", "the end");
          while (
            await client.read().then((reply) => {
              return !(reply instanceof Uint8Array) ||
                new TextDecoder().decode(reply) !== "the end";
            })
          );
        }
        digest = await primary.ask("DEBUG", "DIGEST");
        await until(
          `the replica has the same, seed ${seed}`,
          async () => await replica.ask("DEBUG", "DIGEST") === digest,
        );
        assertEquals(await primary.info("sync_full"), shards, `seed ${seed}`);
      }
      await using again = await TestServer.start({ shards, appendonly: "yes" }, { dir });
      assertEquals(await again.ask("DEBUG", "DIGEST"), digest, `seed ${seed}: file`);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
