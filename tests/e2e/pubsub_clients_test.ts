import { assertEquals } from "@std/assert";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { TestServer, until } from "../support/server.ts";

Deno.test("ioredis listens to channels and patterns, and runs commands again afterwards", async () => {
  await using server = await TestServer.start();
  const options = { host: "127.0.0.1", port: server.port, lazyConnect: true };
  const listener = new Redis(options);
  const publisher = new Redis(options);
  try {
    await Promise.all([listener.connect(), publisher.connect()]);
    const heard: string[] = [];
    listener.on("message", (channel, message) => heard.push(`${channel} ${message}`));
    listener.on("pmessage", (pattern, channel, message) => {
      heard.push(`${pattern} ${channel} ${message}`);
    });
    assertEquals(await listener.subscribe("a", "b"), 2);
    assertEquals(await listener.psubscribe("a*"), 3);
    assertEquals(await publisher.publish("a", "1"), 2);
    await publisher.publish("b", "2");
    await until("all is heard", () => heard.length === 3);
    assertEquals(heard, ["a 1", "a* a 1", "b 2"]);
    assertEquals(await listener.unsubscribe("a", "b"), 1);
    assertEquals(await listener.punsubscribe("a*"), 0);
    assertEquals(await listener.get("k"), null);
  } finally {
    listener.disconnect();
    publisher.disconnect();
  }
});

for (const RESP of [2, 3] as const) {
  Deno.test(`node-redis listens in RESP${RESP}`, async () => {
    await using server = await TestServer.start({ "notify-keyspace-events": "Ex$" });
    const client = createClient({ url: `redis://127.0.0.1:${server.port}`, RESP });
    const listener = client.duplicate();
    try {
      await Promise.all([client.connect(), listener.connect()]);
      const heard: string[] = [];
      const note = (message: string, channel: string) => void heard.push(`${channel} ${message}`);
      await listener.subscribe("a", note);
      await listener.pSubscribe("__keyevent@0__:*", note);
      await listener.sSubscribe("s", note);
      assertEquals(await client.publish("a", "1"), 1);
      assertEquals(await client.sPublish("s", "2"), 1);
      await client.set("k", "v");
      await until("all is heard", () => heard.length === 3);
      assertEquals(heard, ["a 1", "s 2", "__keyevent@0__:set k"]);
      assertEquals(await client.pubSubChannels(), ["a"]);
      if (RESP === 3) assertEquals(await listener.get("k"), "v");
      await listener.unsubscribe("a");
      await listener.pUnsubscribe();
      await listener.sUnsubscribe("s");
      // After RESP2's subscribed mode node-redis gives bytes.
      assertEquals(String(await listener.get("k")), "v");
    } finally {
      client.destroy();
      listener.destroy();
    }
  });
}
