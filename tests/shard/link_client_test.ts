/** Links as they stand among the clients, and those that an operator ends while a snapshot is on its way. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { request } from "../replication/support.ts";
import { FakePrimary, frame } from "../support/fake_primary.ts";
import { TestNode } from "../support/node.ts";
import { Peer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const MiB = 2 ** 20;

/** A replica that has nothing yet. */
const NEW = request("REPLICATE", "FROM", "0", "ID", "r", "HISTORY", "?");

/** Ends the one link that a node has. */
function killLink({ replication }: TestNode): void {
  const [{ id }, ...others] = replication.linkClients();
  assertEquals(others, []);
  replication.killLink(id, "killed");
  assertEquals(replication.linkClients(), []);
}

for (const at of ["waits", "is on its way"]) {
  Deno.test(`a link that is killed while its snapshot ${at} makes no loop of snapshots`, async () => {
    await using node = TestNode.start();
    node.run("SET", "large", "x".repeat(16 * MiB));
    const { freezeLock } = node.node.shards[0];
    if (at === "waits") await freezeLock.acquire({});
    for (let round = 0; round < 4; round++) {
      using peer = await Peer.connect(node.base);
      await peer.send(NEW);
      if (at === "waits") await until("it waits", () => freezeLock.waiting === 1);
      else assertMatch(await peer.word() ?? "", /^\+ACK /);
      killLink(node);
      await until("it is gone", () => node.replication.primaries[0].linkCount === 0);
    }
    if (at === "waits") freezeLock.release();
    assert(!node.hasLogged("shipped again and again"));
    using peer = await Peer.connect(node.base);
    await peer.send(NEW);
    // At once: not a second later, as after a snapshot that failed.
    assertMatch(await peer.line() ?? "", /^\+ACK /);
    assertEquals(await peer.word(), "+SNAPSHOT");
  });
}

Deno.test("a link to the upstream tells of a unit and a frame that are not whole", async () => {
  await using replica = TestNode.start();
  using primary = new FakePrimary();
  const [history] = primary.histories;
  const positions = [{ history, offset: 7, db: 2 }];
  replica.replication.follow("127.0.0.1", primary.port, { shards: 1, positions });
  const { peer } = await primary.next();
  const link = () => replica.replication.linkClients()[0];
  const half = "*3\r\n$3\r\nSET"; // its number is taken note of already
  await peer.send(
    primary.ack(0, 7) + frame(7, "MULTI") + frame(8, "SET", "own", "1") + `*2\r\n:9\r\n${half}`,
  );
  await until("they are there", () => link()?.unreadBytes === half.length);
  const { linkOf, db, unitFrames, unitBytes, bufferBytes, lastCommand } = link();
  assertEquals([linkOf, db, unitFrames, lastCommand], ["master", 2, 1, "NULL"]);
  assert(unitBytes > 0 && bufferBytes > half.length);
  await peer.send("\r\n$3\r\nown\r\n$1\r\n2\r\n" + frame(10, "EXEC"));
  replica.select(2);
  await until("it is applied", () => replica.get("own") === "2");
  await until("nothing is held", () => link().unreadBytes === 0);
  assertEquals([link().unitFrames, link().unitBytes, link().lastCommand], [-1, 0, "set"]);
});
