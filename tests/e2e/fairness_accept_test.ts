import { assert, assertEquals } from "@std/assert";
import { acceptLoop, ACCEPTS_PER_TURN } from "../../src/shard/accept.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { TestServer, until } from "../support/server.ts";

/** Resets that each listener gets in a round. */
const RESETS = 10_000;

/** Failed accepts that the test asks for. How many a round makes is the scheduler's to say. */
const FAILURES_WANTED = 100;

/** Rounds at most. */
const ROUNDS_MAX = 20;

/**
 * Connects to the ports in turn and resets each connection as soon as it is made, many at once. In a
 * process of its own, so that resets come while this one is not looking.
 */
const RESETTER = `
import net from "node:net";
const [resets, ...ports] = Deno.args.map(Number);
let left = resets * ports.length;
async function work() {
  while (left > 0) {
    const port = ports[--left % ports.length];
    await new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => socket.resetAndDestroy());
      socket.on("error", () => {});
      socket.on("close", resolve);
    });
  }
}
await Promise.all(Array.from({ length: 64 }, work));
`;

Deno.test("peers that reset before they are accepted end no accept loop", async () => {
  await using server = await TestServer.start({ shards: "2", loglevel: "verbose" });
  const { clients, replicationPortBase } = server.server;
  const ports = [server.port, replicationPortBase, replicationPortBase + 1];
  const script = `${server.dir}/resetter.ts`;
  await Deno.writeTextFile(script, RESETTER);
  const admin = await server.connect();
  let rounds = 0;
  do {
    const resetter = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        "--no-config",
        "--allow-net=127.0.0.1",
        script,
        `${RESETS}`,
        ...ports.map(String),
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let isOver = false;
    const output = resetter.output().finally(() => isOver = true);
    while (!isOver) {
      // Deaf for a while, so that connections are reset in the queue of those not yet accepted.
      const stop = performance.now() + 5;
      while (performance.now() < stop);
      assertEquals(await admin.ask("PING"), "PONG");
    }
    const { code, stderr } = await output;
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    rounds++;
    // Connections are accepted in their order, so after this one none of the round waits. Their number
    // is not known: a full queue of the kernel drops what its peer takes for connected.
    using last = await server.connect();
    assertEquals(await last.ask("PING"), "PONG");
  } while (clients.failedAccepts <= FAILURES_WANTED && rounds < ROUNDS_MAX);
  assert(
    clients.failedAccepts > FAILURES_WANTED,
    `${clients.failedAccepts} of ${rounds} rounds were reset before they were accepted`,
  );
  await until("all are gone", () => clients.count === 1);
  for (const port of ports) {
    using socket = await RawSocket.connect(port);
    await socket.write("nonsense\r\n");
    assert((await socket.readThrough("\r\n")).startsWith("-ERR "), `port ${port} answers`);
  }
  const { primaries } = server.server.replication;
  await until("the links are gone", () => primaries.every((primary) => primary.linkCount === 0));
});

/** A listener whose `accept` does what a list says, then waits to be closed. */
function listenerOf<C>(steps: (C | Error)[]) {
  let close!: (error: Error) => void;
  const closed = new Promise<never>((_, reject) => close = reject);
  closed.catch(() => {});
  return {
    asked: 0,
    accept(): Promise<C> {
      this.asked++;
      const step = steps.shift();
      if (step === undefined) return closed;
      return step instanceof Error ? Promise.reject(step) : Promise.resolve(step);
    },
    close: () => close(new Deno.errors.BadResource("closed")),
  };
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

const CONN = {} as Deno.Conn;

Deno.test("an accept loop outlives every failure but a closed listener", async () => {
  const failures = [
    new Deno.errors.NotConnected("reset"),
    coded("EMFILE"),
    coded("ENFILE"),
    coded("ENOBUFS"),
    coded("ECONNABORTED"),
    new Error("unheard of"),
  ];
  const listener = listenerOf<Deno.Conn>([CONN, ...failures, CONN]);
  const failed: Error[] = [];
  let accepted = 0;
  const loop = acceptLoop(listener, {
    accepted: () => accepted++,
    failed: (error) => failed.push(error),
  });
  await until("all were asked for", () => listener.asked === failures.length + 3);
  assertEquals([accepted, failed], [2, failures]);
  listener.close();
  await loop;
  for (const error of [new Deno.errors.BadResource(), new Deno.errors.Interrupted()]) {
    await acceptLoop(listenerOf<Deno.Conn>([error]), { accepted() {}, failed() {} });
  }
});

Deno.test("an accept loop rests while the process has no descriptor left", async () => {
  for (const code of ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]) {
    const listener = listenerOf<Deno.Conn>([coded(code), coded(code), CONN]);
    const pauses: number[] = [];
    const { setTimeout } = globalThis;
    globalThis.setTimeout = ((run: () => void, ms: number) => {
      pauses.push(ms);
      return setTimeout(run, 0);
    }) as typeof setTimeout;
    try {
      const loop = acceptLoop(listener, { accepted: () => listener.close(), failed() {} });
      await loop;
    } finally {
      globalThis.setTimeout = setTimeout;
    }
    assertEquals(pauses, [50, 50], code);
  }
});

Deno.test("an accept loop lets others run after so many connections", async () => {
  const listener = listenerOf<Deno.Conn>(Array.from({ length: ACCEPTS_PER_TURN * 3 }, () => CONN));
  const seen: number[] = [];
  let accepted = 0;
  const loop = acceptLoop(listener, { accepted: () => accepted++, failed() {} });
  const timer = setInterval(() => seen.push(accepted), 0);
  await until("all are accepted", () => accepted === ACCEPTS_PER_TURN * 3);
  clearInterval(timer);
  listener.close();
  await loop;
  assert(seen.some((n) => n > 0 && n < ACCEPTS_PER_TURN * 3), `others saw ${seen}`);
});

Deno.test("an accept loop outlives a connection that could not be served, and closes it", async () => {
  let closed = 0;
  const bad = { close: () => closed++ } as unknown as Deno.Conn;
  const listener = listenerOf<Deno.Conn>([bad, CONN]);
  const failed: string[] = [];
  let accepted = 0;
  const loop = acceptLoop(listener, {
    accepted(conn) {
      if (conn === bad) throw new RangeError("Array buffer allocation failed");
      accepted++;
      listener.close();
    },
    failed: (error) => failed.push(error.message),
  });
  await loop;
  assertEquals([accepted, closed, failed], [1, 1, ["Array buffer allocation failed"]]);
});
