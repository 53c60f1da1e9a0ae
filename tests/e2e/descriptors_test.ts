import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { until } from "../support/server.ts";

const OPEN_FILES = 128;
/** More than the server can have. */
const CLIENTS = 200;
/** Descriptors that clients leave to others. */
const RESERVED = 32;
const REFUSED = "-ERR max number of clients reached\r\n";

Deno.test("clients leave file descriptors for snapshots, the append-only file and replicas", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const args = ["--appendonly", "yes", "--save", "3600 1000000"];
  const program = new Program(dir, args, {}, { openFiles: OPEN_FILES });
  const { port, base } = await program.ready();
  using admin = await Client.connect(port);
  const info = async (field: string) => {
    const lines = (await admin.ask("INFO", "everything") as string).split("\r\n");
    return lines.find((line) => line.startsWith(`${field}:`))?.slice(field.length + 1);
  };
  const sockets: RawSocket[] = [];
  for (let i = 0; i < CLIENTS; i++) sockets.push(await RawSocket.connect(port));
  await until("all are accepted or refused", async () => {
    const seen = [await info("total_connections_received"), await info("rejected_connections")];
    return Number(seen[0]) + Number(seen[1]) === 1 + CLIENTS;
  });
  const served = Number(await info("connected_clients"));
  assert(served > 0 && served <= OPEN_FILES - RESERVED, `${served} clients`);
  assertEquals(await info("maxclients"), String(served));
  assertEquals(await admin.ask("CONFIG", "GET", "maxclients"), ["maxclients", "10000"]);
  // The oldest stay; the newest are closed, with the words where they could be said.
  const [stay, gone] = [sockets.slice(0, served - 1), sockets.slice(served - 1)];
  let told = 0;
  for (const socket of gone) {
    const said = await socket.readToEnd();
    assert(said === REFUSED || said === "", said);
    if (said !== "") told++;
  }
  const refused = Number(await info("rejected_connections"));
  assert(refused >= gone.length - RESERVED && told >= refused, `${refused} refused, ${told} told`);
  await stay.at(-1)!.write("PING\r\n");
  assertEquals(await stay.at(-1)!.readThrough("\r\n"), "+PONG\r\n");

  assertEquals(await admin.ask("BGSAVE"), "Background saving started");
  assertEquals(await admin.ask("BGREWRITEAOF"), "Background append only file rewriting started");
  await until("both end", async () => {
    const busy = [await info("rdb_bgsave_in_progress"), await info("aof_rewrite_in_progress")];
    return busy.every((value) => value === "0");
  });
  assertEquals(await info("rdb_last_bgsave_status"), "ok");
  assertEquals(await info("aof_last_bgrewrite_status"), "ok");
  assertEquals(await admin.ask("SET", "k", "v"), "OK");
  using replica = await RawSocket.connect(base);
  await replica.write("nonsense\r\n");
  assertMatch(await replica.readThrough("\r\n"), /^-ERR /);

  for (const socket of sockets) socket.close();
  assertEquals(await admin.ask("CONFIG", "SET", "maxclients", "9999"), "OK");
  assertEquals(await info("maxclients"), "9999");
  program.signal("SIGTERM");
  const { code, stderr } = await program.end();
  assertEquals(code, 0);
  assertEquals(stderr.match(/warning no file descriptor is left/g)?.length, 1, stderr);
  assert(!stderr.includes("could not be accepted"), stderr);
  await Deno.remove(dir, { recursive: true });
});
