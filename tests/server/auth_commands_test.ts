import { assertEquals, assertMatch } from "@std/assert";
import { text } from "../../src/base/ascii.ts";
import { plain } from "../support/client.ts";
import { TestServer } from "../support/server.ts";

const NOAUTH = "-NOAUTH Authentication required.";
const WRONGPASS = "-WRONGPASS invalid username-password pair or user is disabled.";

Deno.test("with a password nothing but AUTH, HELLO, QUIT and RESET comes before it", async () => {
  await using server = await TestServer.start({ requirepass: "s3cret" });
  const client = await server.connect();
  assertEquals(await client.line("GET k"), NOAUTH);
  assertEquals(await client.line("CLIENT ID"), NOAUTH);
  assertMatch(await client.line("HELLO 3") as string, /^-NOAUTH HELLO must be called with/);
  for (const wrong of ["AUTH nope", "AUTH s3cre", "AUTH s3crets", "AUTH other s3cret"]) {
    assertEquals(await client.line(wrong), WRONGPASS);
  }
  assertEquals(await client.ask("AUTH", ""), WRONGPASS);
  assertEquals(await client.line("GET k"), NOAUTH);
  assertEquals(await client.line("AUTH s3cret"), "OK");
  assertEquals(await client.line("GET k"), null);
  assertEquals(await client.line("AUTH nope"), WRONGPASS);
  assertEquals(await client.line("GET k"), null, "a failed AUTH takes nothing away");
  assertEquals(await client.line("RESET"), "RESET");
  assertEquals(await client.line("GET k"), NOAUTH);
  assertEquals(await client.line("AUTH default s3cret"), "OK");
});

Deno.test("HELLO authenticates, names and switches the protocol, all or nothing", async () => {
  await using server = await TestServer.start({ requirepass: "s3cret" });
  const client = await server.connect();
  assertEquals(await client.line("HELLO 3 AUTH default nope SETNAME x"), WRONGPASS);
  assertEquals(await client.line("GET k"), NOAUTH);
  const hello = await client.line("HELLO 3 AUTH default s3cret SETNAME x");
  assertEquals(hello, {
    server: "redis",
    version: "7.2.4",
    proto: 3,
    id: await client.line("CLIENT ID"),
    mode: "standalone",
    role: "master",
    modules: [],
  });
  assertEquals(await client.line("CLIENT GETNAME"), "x");
  assertEquals(Array.isArray(await client.line("HELLO 2")), true);
  assertEquals(await client.line("CLIENT GETNAME"), "x");
});

Deno.test("a password that is set, changed and taken away at run time works at once", async () => {
  await using server = await TestServer.start();
  const early = await server.connect();
  assertEquals(await early.line("CONFIG SET requirepass one"), "OK");
  const late = await server.connect();
  assertEquals(await late.line("PING"), NOAUTH);
  assertEquals(await early.line("PING"), "PONG", "who was in stays in");
  assertEquals(await early.line("CONFIG SET requirepass two"), "OK");
  assertEquals(await late.line("AUTH one"), WRONGPASS);
  assertEquals(await late.line("AUTH two"), "OK");
  const third = await server.connect();
  assertEquals(await third.line("PING"), NOAUTH);
  assertEquals(await early.ask("CONFIG", "SET", "requirepass", ""), "OK");
  assertEquals(await third.line("PING"), "PONG", "nobody has to authenticate now");
});

/** Has a connection from another machine come; what it was sent until it was closed. */
async function comesFromAfar({ server }: TestServer): Promise<string> {
  const said: string[] = [];
  const closed = Promise.withResolvers<void>();
  const conn = {
    remoteAddr: { transport: "tcp", hostname: "10.1.2.3", port: 4711 },
    localAddr: { transport: "tcp", hostname: "10.1.2.4", port: server.port },
    read: () => Promise.resolve(null),
    write: (bytes: Uint8Array) => Promise.resolve(said.push(text(bytes)) && bytes.length),
    close: () => closed.resolve(),
  };
  const conns = [conn];
  const listener = {
    accept() {
      const next = conns.pop();
      if (next === undefined) throw new Deno.errors.BadResource("the listener is closed");
      return Promise.resolve(next);
    },
  };
  await server.clients.accept(listener as unknown as Deno.Listener);
  await closed.promise;
  return said.join("");
}

Deno.test("protected mode refuses who comes from another machine, while there is no password", async () => {
  await using server = await TestServer.start();
  const { clients } = server.server;
  assertEquals(await server.ask("PING"), "PONG", "who comes from this machine is served");
  assertMatch(await comesFromAfar(server), /^-DENIED .*protected mode/);
  assertEquals([clients.refused, clients.accepted], [1, 1]);
  const told = server.log.find((line) => line.includes("client refused"));
  assertMatch(told ?? "nothing", /peer="?10\.1\.2\.3:4711"? reason=protected-mode/);
  await server.ask("CONFIG", "SET", "requirepass", "s3cret");
  assertEquals(await comesFromAfar(server), "");
  await server.ask("CONFIG", "SET", "requirepass", "", "protected-mode", "no");
  assertEquals(await comesFromAfar(server), "");
  assertEquals([clients.refused, clients.accepted], [1, 3]);
});

Deno.test("a refused CONFIG SET takes no password away", async () => {
  await using server = await TestServer.start();
  const early = await server.connect();
  assertEquals(await early.line("CONFIG SET requirepass one"), "OK");
  const late = await server.connect();
  assertEquals(await late.line("GET k"), NOAUTH);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  assertMatch(
    String(await early.ask("CONFIG", "SET", "requirepass", "", "port", String(taken.addr.port))),
    /Unable to listen on this port/,
  );
  assertEquals(await early.line("CONFIG GET requirepass"), ["requirepass", "one"]);
  assertEquals(await late.line("GET k"), NOAUTH);
  assertEquals(await late.line("AUTH one"), "OK");
});

Deno.test("a password may have any UTF-8 in it, and no other bytes", async () => {
  await using server = await TestServer.start();
  const early = await server.connect();
  assertEquals(
    await early.ask("CONFIG", "SET", "requirepass", Uint8Array.of(0xff, 0xfe)),
    "-ERR CONFIG takes names and values in UTF-8 only",
  );
  assertEquals(await early.ask("CONFIG", "SET", "requirepass", "größe 🐟"), "OK");
  const client = await server.connect();
  assertEquals(await client.ask("AUTH", "größe 🐟"), "OK");
});

Deno.test("of an HTTP request nothing is run, whether it is known by POST or by Host:", async () => {
  await using server = await TestServer.start();
  await server.ask("SET", "k", "v");
  const head = "Host: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n";
  for (const line of ["POST / HTTP/1.1", "post /", "PUT / HTTP/1.1", "GET / HTTP/1.1"]) {
    const browser = await server.connect();
    await browser.sendRaw(`${line}\r\n${head}FLUSHALL\r\nSET hacked 1\r\nQUIT\r\n`);
    assertEquals(await browser.readToEnd(), []);
  }
  // In two pieces, as a second request on a connection that is kept would come.
  const browser = await server.connect();
  await browser.sendRaw("OPTIONS *\r\n");
  assertMatch(String(plain(await browser.read())), /^-ERR unknown command 'OPTIONS'/);
  await browser.sendRaw(`hOST: x\r\nFLUSHALL\r\nQUIT\r\n`);
  assertEquals(await browser.readToEnd(), []);
  assertEquals(await server.ask("KEYS", "*"), ["k"]);
});
