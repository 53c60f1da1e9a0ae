import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  CHANNELS,
  PATTERNS,
  PubSub,
  SHARD_CHANNELS,
  SUBSCRIPTION_BYTES,
} from "../../src/commands/pubsub.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { PUSHES_WAIT, REPLY_ON, Session } from "../../src/commands/session.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { Random } from "../support/random.ts";
import { TestServer } from "../support/server.ts";

function listener(id = 1, resp3 = false): Session {
  const reply = new ReplyWriter();
  reply.resp3 = resp3;
  return new Session({ id, peer: "", local: "", nowMs: 0, authenticated: true, reply });
}

/** What was written to a session since the last look. */
function took({ reply }: Session): string {
  const written = latin1(reply.buf, 0, reply.at);
  reply.at = 0;
  return written;
}

function subscribe(pubsub: PubSub, session: Session, kind: number, name: string): void {
  const bytes = ascii(name);
  pubsub.subscribe(session, kind, bytes, 0, bytes.length);
}

function unsubscribe(pubsub: PubSub, session: Session, kind: number, name: string): void {
  const bytes = ascii(name);
  pubsub.unsubscribe(session, kind, bytes, 0, bytes.length);
}

function publish(pubsub: PubSub, channel: string, message: string): number {
  const bytes = ascii(channel + message);
  return pubsub.publish(bytes, 0, channel.length, bytes, channel.length, bytes.length);
}

Deno.test("a message goes to the channel's listeners, then to those of each pattern that matches", () => {
  const pubsub = new PubSub();
  const session = listener();
  subscribe(pubsub, session, CHANNELS, "news");
  subscribe(pubsub, session, PATTERNS, "n*");
  subscribe(pubsub, session, PATTERNS, "x*");
  let pushed = 0;
  session.pushed = () => pushed++;
  assertEquals(publish(pubsub, "news", "hi"), 2);
  assertEquals(
    took(session),
    "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n" +
      "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\nhi\r\n",
  );
  assertEquals(pushed, 2);
  assertEquals(publish(pubsub, "other", "hi"), 0);
});

Deno.test("a shard channel and a channel of one name are two, and no pattern matches the former", () => {
  const pubsub = new PubSub();
  const session = listener(1, true);
  subscribe(pubsub, session, SHARD_CHANNELS, "c");
  subscribe(pubsub, session, PATTERNS, "*");
  const bytes = ascii("cm");
  assertEquals(pubsub.publishShard(bytes, 0, 1, bytes, 1, 2), 1);
  assertEquals(took(session), ">3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
  assertEquals(publish(pubsub, "c", "m"), 1);
  assert(took(session).startsWith(">4\r\n$8\r\npmessage\r\n"));
});

Deno.test("a push that a client's own command causes waits for the command's reply", () => {
  const pubsub = new PubSub();
  const session = listener(1, true);
  subscribe(pubsub, session, CHANNELS, "c");
  session.pushed = () => {
    throw new Error("nobody needs to be woken");
  };
  session.isRunning = true;
  publish(pubsub, "c", "m");
  assertEquals(session.replyMode, REPLY_ON | PUSHES_WAIT);
  session.reply.one();
  session.takePushes();
  session.isRunning = false;
  assertEquals(session.replyMode, REPLY_ON);
  assertEquals(took(session), ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n");
});

Deno.test("pushes that wait for a reply are held to its limit, and end the connection past it", () => {
  const pubsub = new PubSub();
  const session = listener(1, true);
  const { reply } = session;
  reply.limitBytes = 100_000;
  subscribe(pubsub, session, CHANNELS, "c");
  session.isRunning = true;
  for (let i = 0; i < 10; i++) publish(pubsub, "c", "m".repeat(40_000));
  assert(session.beginPush().buf.length <= reply.limitBytes);
  reply.one();
  session.takePushes();
  assertEquals(reply.overflowed, true);
});

Deno.test("a client that is being closed is sent nothing more, but counts", () => {
  const pubsub = new PubSub();
  const session = listener();
  subscribe(pubsub, session, CHANNELS, "c");
  session.closing = true;
  assertEquals(publish(pubsub, "c", "m"), 1);
  assertEquals(took(session), "");
});

Deno.test("RESET ends all subscriptions and leaves nothing behind", () => {
  const pubsub = new PubSub();
  const session = listener();
  for (const kind of [CHANNELS, PATTERNS, SHARD_CHANNELS]) {
    subscribe(pubsub, session, kind, "a");
    subscribe(pubsub, session, kind, "b");
    subscribe(pubsub, session, kind, "a");
    assertEquals(session.subscriptions?.count(kind), 2);
  }
  assertEquals(pubsub.clients, 1);
  assertEquals(session.subscriptions?.bytes, 6 * SUBSCRIPTION_BYTES);
  assertEquals(pubsub.bytes, 6 * (2 * SUBSCRIPTION_BYTES + 1));
  session.reset(true);
  assertEquals(session.subscriptions, null);
  assertEquals([pubsub.clients, pubsub.bytes, ...pubsub.topics.map((t) => t.size)], [
    0,
    0,
    0,
    0,
    0,
  ]);
});

Deno.test("the registry answers like a Map of Sets", () => {
  const seed = 20_261_123;
  const random = new Random(seed);
  const pubsub = new PubSub();
  const sessions = Array.from({ length: 8 }, (_, i) => listener(i));
  const model = new Map<string, Set<number>>();
  for (let step = 0; step < 20_000; step++) {
    const at = `seed ${seed} step ${step}`;
    const name = `c${random.below(300)}`;
    const session = sessions[random.below(sessions.length)];
    const known = model.get(name) ?? new Set();
    const action = random.below(10);
    if (action < 5) {
      subscribe(pubsub, session, CHANNELS, name);
      model.set(name, known.add(session.id));
    } else if (action < 9) {
      unsubscribe(pubsub, session, CHANNELS, name);
      known.delete(session.id);
      if (known.size === 0) model.delete(name);
    } else if (random.below(20) === 0) {
      pubsub.leave(session);
      for (const [name, ids] of model) {
        ids.delete(session.id);
        if (ids.size === 0) model.delete(name);
      }
    }
    const asked = `c${random.below(300)}`;
    assertEquals(publish(pubsub, asked, "m"), model.get(asked)?.size ?? 0, at);
    for (const { reply } of sessions) reply.at = 0;
    assertEquals(pubsub.topics[CHANNELS].size, model.size, at);
  }
  const listed = [...pubsub.topics[CHANNELS]].map(({ name }) => latin1(name)).sort();
  assertEquals(listed, [...model.keys()].sort());
  for (const session of sessions) pubsub.leave(session);
  assertEquals(pubsub.bytes, 0);
});

for (
  const [setting, told] of [
    ["", []],
    ["A", []],
    ["K", []],
    ["K$", ["__keyspace@3__:key set"]],
    ["E$", ["__keyevent@3__:set key"]],
    ["AKE", ["__keyspace@3__:key set", "__keyevent@3__:set key"]],
    ["KEg", []],
    ["KEmn", []],
  ] as const
) {
  Deno.test(`notify-keyspace-events "${setting}" tells a SET so: [${told.join(", ")}]`, () => {
    const events = new KeyspaceEvents(new PubSub());
    const session = listener();
    subscribe(events.pubsub, session, PATTERNS, "*");
    events.choose(setting);
    const key = ascii("key");
    events.tell(8, ascii("set"), 3, key, 0, 3);
    const parts = took(session).split("\r\n");
    const heard: string[] = [];
    for (let i = 0; i + 8 < parts.length; i += 9) heard.push(`${parts[i + 6]} ${parts[i + 8]}`);
    assertEquals(heard, [...told]);
  });
}

Deno.test("all subscriptions together are bounded, to the byte, names included", async () => {
  await using server = await TestServer.start();
  const { pubsub } = server.server;
  const client = await server.connect();
  const each = 2 * SUBSCRIPTION_BYTES + 1;
  pubsub.bytesMax = 2 * each;
  await client.ask("SUBSCRIBE", "a");
  const refused = "-ERR too many clients listen to too many channels";
  assertEquals(await client.ask("PSUBSCRIBE", "bb"), refused);
  assertEquals(pubsub.bytes, each);
  await client.ask("PSUBSCRIBE", "b");
  assertEquals(pubsub.bytes, 2 * each);
  assertEquals(await client.ask("SSUBSCRIBE", "c"), refused);
  await client.ask("UNSUBSCRIBE", "a");
  await client.ask("SSUBSCRIBE", "c");
  assertEquals(await server.info("mem_pubsub"), String(2 * each));
});
