import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectWithin, UpstreamSocket } from "../../src/shard/upstream_socket.ts";
import { Acceptor, type Peer } from "../support/peer.ts";
import { until } from "../support/until.ts";

const NEVER = new AbortController().signal;

async function pair(acceptor: Acceptor): Promise<[UpstreamSocket, Peer]> {
  const conn = await connectWithin("127.0.0.1", acceptor.port, 5000, NEVER);
  return [new UpstreamSocket(conn), await acceptor.next()];
}

Deno.test("a socket with bytes unread ends by a FIN, and its peer is read to the end", async () => {
  using acceptor = new Acceptor();
  const [socket, peer] = await pair(acceptor);
  await socket.write(new TextEncoder().encode("hello\r\n"));
  const sending = peer.send(new Uint8Array(5_000_000));
  const draining = socket.drain();
  // A reset would fail this.
  assertEquals(await peer.rest(), "hello\r\n");
  await sending;
  await peer.finish();
  await draining;
});

Deno.test("a peer that does not end its side is given up after a while", async () => {
  using acceptor = new Acceptor();
  const [socket, peer] = await pair(acceptor);
  await socket.drain();
  assertEquals(await peer.rest(), "");
  await assertRejects(() => socket.write(new Uint8Array(1)));
});

Deno.test("ending and closing again do nothing", async () => {
  using acceptor = new Acceptor();
  const [socket, peer] = await pair(acceptor);
  socket.end();
  socket.end();
  peer.close();
  await socket.drain();
  socket.close();
  socket.end();
  await socket.drain();
});

Deno.test("a wait for a connection ends with the signal, at once", async () => {
  using acceptor = new Acceptor();
  const abort = new AbortController();
  const connecting = connectWithin("127.0.0.1", acceptor.port, 5000, abort.signal);
  abort.abort(new Error("enough"));
  await assertRejects(() => connecting, Error, "enough");
  await assertRejects(
    () => connectWithin("127.0.0.1", acceptor.port, 5000, abort.signal),
    Error,
    "enough",
  );
  // The connection that was made too late is closed, so the peer hears its end.
  await until("it was accepted", () => acceptor.peers.length === 1);
  assertEquals(await acceptor.peers[0].rest(), "");
  assert(abort.signal.aborted);
});
