import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { Gate } from "../../src/base/gate.ts";
import type { Session } from "../../src/commands/session.ts";
import { DEFAULT_REQUEST_LIMITS } from "../../src/resp/request_parser.ts";
import { ClientConnection, type ConnectionHost } from "../../src/server/client_connection.ts";
import { DONE, type Executor } from "../../src/server/executor.ts";

const PING = ascii("*1\r\n$4\r\nPING\r\n");

/** A socket whose reads end when the test says so, and whose writes are told to it. */
class FakeSocket {
  readonly #told: (event: string) => void;
  #buf: Uint8Array = new Uint8Array(0);
  #end: ((bytes: number | null) => void) | null = null;

  constructor(told: (event: string) => void) {
    this.#told = told;
  }

  read(buf: Uint8Array): Promise<number | null> {
    this.#buf = buf;
    return new Promise((resolve) => this.#end = resolve);
  }

  write(bytes: Uint8Array): Promise<number> {
    this.#told("written");
    return Promise.resolve(bytes.length);
  }

  close(): void {}

  /** Ends the read that is under way with a request, or with the end of the connection. */
  give(bytes: Uint8Array | null): void {
    if (bytes !== null) this.#buf.set(bytes);
    this.#end!(bytes === null ? null : bytes.length);
  }
}

/** A gate that says of each turn, in their order, whether the round has worked for long. */
class FakeGate extends Gate {
  isLong: boolean[] = [];

  override pass(): Promise<void> | null {
    return this.isLong.shift() === true ? Promise.resolve() : null;
  }
}

/** Three connections of one server that logs what happens; `socket i` is that of `connection i`. */
function threeConnections() {
  const log: string[] = [];
  const gate = new FakeGate();
  const executor = {
    turnWrites: 0,
    beginTurn() {},
    execute(session: Session) {
      log.push(`${session.id} run`);
      session.reply.ok();
      return DONE;
    },
  };
  const host: ConnectionHost = {
    executor: executor as unknown as Executor,
    gate,
    queryBufferBytesMax: 1024,
    outputBytesMax: 0,
    outputSoftBytes: 0,
    outputSoftMs: 0,
    listenerLimits: { hardBytes: 0, softBytes: 0, softMs: 0 },
    largeBytesLeft: 0,
    replyBytesMax: 1024,
    requestLimits: DEFAULT_REQUEST_LIMITS,
    unixMs: (ms) => ms,
    endTurn() {},
    sequence: { writes: 0 },
    turnWrites: 0,
    beforeReplies: () => null,
    held: new Set(),
    retries: 0,
    sendSoon() {},
    failed() {},
    closed() {},
  };
  const options = { peer: "", local: "", nowMs: 0, authenticated: true };
  const sockets = [1, 2, 3].map((id) => new FakeSocket((event) => log.push(`${id} ${event}`)));
  const served = sockets.map((socket, i) =>
    new ClientConnection(socket as unknown as Deno.Conn, host, { ...options, id: i + 1 }).serve()
  );
  return { log, gate, sockets, served };
}

async function round(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

Deno.test("replies leave when all that a round has woken have had their turn", async () => {
  const { log, sockets, served } = threeConnections();
  for (let i = 0; i < 2; i++) {
    log.length = 0;
    for (const socket of sockets) socket.give(PING);
    await round();
    assertEquals(log, ["1 run", "2 run", "3 run", "1 written", "2 written", "3 written"]);
  }
  log.length = 0;
  sockets[1].give(PING);
  await round();
  assertEquals(log, ["2 run", "2 written"]);
  for (const socket of sockets) socket.give(null);
  await Promise.all(served);
});

Deno.test("replies of a round that has worked for long leave at once", async () => {
  const { log, gate, sockets, served } = threeConnections();
  gate.isLong = [false, true, true];
  for (const socket of sockets) socket.give(PING);
  await round();
  assertEquals(log, ["1 run", "2 run", "2 written", "3 run", "3 written", "1 written"]);
  for (const socket of sockets) socket.give(null);
  await Promise.all(served);
});
