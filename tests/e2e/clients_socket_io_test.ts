/**
 * Socket.IO's Redis adapter: what one node of a chat broadcasts reaches the sockets of the others. The
 * nodes are adapters with a namespace each; their sockets keep what they are sent.
 */

import { assertEquals } from "@std/assert";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { Buffer } from "node:buffer";
import { TestServer, until } from "../support/server.ts";

/** Whom a packet is for, as Socket.IO says it. */
interface Target {
  readonly rooms: Set<string>;
  readonly except: Set<string>;
  readonly flags: Record<string, unknown>;
}

function to(...rooms: string[]): Target {
  return { rooms: new Set(rooms), except: new Set(), flags: {} };
}

/** What an adapter is asked for here. */
interface NodeAdapter {
  addAll(id: string, rooms: Set<string>): void;
  delAll(id: string): void;
  broadcast(packet: Record<string, unknown>, options: Target): void;
  serverCount(): Promise<number>;
  fetchSockets(options: Target): Promise<{ id: string }[]>;
  serverSideEmit(packet: unknown[]): void;
  close(): Promise<void> | void;
}

/** What of a namespace of Socket.IO an adapter looks at. */
class Namespace {
  readonly name = "/chat";
  readonly server = { opts: {}, encoder: { encode: (packet: { data: unknown }) => [packet.data] } };
  readonly sockets = new Map<string, unknown>();
  /** What sockets were sent, as `socket: words`. */
  readonly heard: string[] = [];
  readonly _onServerSideEmit = (args: unknown[]) => void this.heard.push(`node: ${args.join(" ")}`);
  readonly _ids = 0;

  /** A socket that joins `rooms`. */
  join(adapter: NodeAdapter, id: string, ...rooms: string[]): void {
    const writeToEngine = ([data]: unknown[]) => {
      const words = (data as unknown[]).map((word) =>
        word instanceof Uint8Array ? word.length : word
      );
      this.heard.push(`${id}: ${words.join(" ")}`);
    };
    this.sockets.set(id, {
      id,
      client: { writeToEngine },
      handshake: {},
      rooms: new Set(),
      data: {},
    });
    adapter.addAll(id, new Set([id, ...rooms]));
  }
}

type MakeAdapter = (namespace: Namespace) => NodeAdapter;

/** Clients of a node: how its adapter is made, and how they end. */
interface Clients {
  make: MakeAdapter;
  end(): void;
}

async function withIoredis(port: number): Promise<Clients> {
  const publisher = new Redis({ host: "127.0.0.1", port, lazyConnect: true });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) client.on("error", () => {});
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const make = createAdapter(publisher, subscriber) as unknown as MakeAdapter;
  return {
    make,
    end() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

async function withNodeRedis(port: number, isSharded: boolean): Promise<Clients> {
  const publisher = createClient({ socket: { host: "127.0.0.1", port } });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) client.on("error", () => {});
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const create = isSharded ? createShardedAdapter : createAdapter;
  const make = create(publisher, subscriber) as unknown as MakeAdapter;
  return {
    make,
    end() {
      publisher.destroy();
      subscriber.destroy();
    },
  };
}

const KINDS: Readonly<Record<string, (port: number) => Promise<Clients>>> = {
  "ioredis": withIoredis,
  "node-redis": (port) => withNodeRedis(port, false),
  "node-redis, sharded channels": (port) => withNodeRedis(port, true),
};

for (const [name, connect] of Object.entries(KINDS)) {
  Deno.test(`socket.io's nodes tell each other through Redis, ${name}`, async () => {
    await using server = await TestServer.start({ shards: "2" });
    const clients = [await connect(server.port), await connect(server.port)];
    try {
      const spaces = [new Namespace(), new Namespace()];
      const [one, other] = clients.map(({ make }, i) => make(spaces[i]));
      const [here, there] = spaces.map(({ heard }) => heard);
      const count = () => one.serverCount();
      await until(
        "both listen",
        async () => await count() === 2 && await other.serverCount() === 2,
      );
      spaces[0].join(one, "a", "red");
      spaces[1].join(other, "b", "red");
      spaces[1].join(other, "c", "blue");
      const everywhere = (pattern: string) => server.ask("PUBSUB", "SHARDCHANNELS", pattern);
      if (name.endsWith("channels")) {
        await until("rooms have channels", async () => {
          return (await everywhere("socket.io#/chat#red#") as string[]).length === 1;
        });
      }

      one.broadcast({ type: 2, data: ["all", 1] }, to());
      await until("all have it", () => there.length === 2);
      assertEquals([here, there], [["a: all 1"], ["b: all 1", "c: all 1"]]);

      other.broadcast({ type: 2, data: ["red"] }, to("red"));
      await until("the room has it", () => here.length === 2);
      assertEquals([here.at(-1), there.at(-1)], ["a: red", "b: red"]);

      const bytes = Buffer.from(Uint8Array.from({ length: 2_000 }, (_, i) => i));
      one.broadcast({ type: 2, data: ["bytes", bytes] }, to("blue"));
      await until("bytes have come", () => there.length === 4);
      assertEquals(there.at(-1), "c: bytes 2000");
      assertEquals(here.length, 2);

      const found = await one.fetchSockets(to("red"));
      assertEquals(found.map(({ id }) => id).sort(), ["a", "b"]);
      one.serverSideEmit(["hello", "node"]);
      await until("the other node has it", () => there.length === 5);
      assertEquals(there.at(-1), "node: hello node");

      await other.close();
      await until("one has left", async () => await count() === 1);
    } finally {
      for (const { end } of clients) end();
    }
  });
}
