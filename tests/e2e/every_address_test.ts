import { assert, assertEquals, assertMatch } from "@std/assert";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/server.ts";

/** What a server may use that listens on every address, and a replica of it. */
const HOSTS = ["0.0.0.0", "[::]", "127.0.0.1", "[::1]"];

/** Whether the loopback has an IPv6 address here. */
const HAS_IPV6 = Deno.networkInterfaces().some(({ address }) => address === "::1");

/** Says PING to a host and a port, and shows the reply, or `refused`. */
const PING = `
const [hostname, port] = Deno.args;
const buf = new Uint8Array(16);
try {
  const conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(new TextEncoder().encode("PING\\r\\n"));
  console.log(new TextDecoder().decode(buf.subarray(0, await conn.read(buf))).trim());
} catch (error) {
  console.log(error instanceof Deno.errors.ConnectionRefused ? "refused" : error.message);
}
`;

async function ping(host: string, port: number): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", PING, host, String(port)],
    env: { NO_COLOR: "1" },
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** A server in a process and a directory of its own, a client of it at 127.0.0.1, and its end. */
async function started(...args: string[]) {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const program = new Program(dir, ["--save", "", ...args], {}, { hosts: HOSTS });
  const { port } = await program.ready();
  const client = await Client.connect(port);
  return {
    port,
    client,
    info: async () => await client.ask("INFO", "replication") as string,
    async [Symbol.asyncDispose]() {
      client.close();
      program.signal("SIGTERM");
      await program.end();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

for (const bind of [["*", "-::*"], ["::*", "*"]]) {
  Deno.test(`bind ${bind.join(" ")} takes clients and replicas over IPv4 and IPv6`, async () => {
    await using server = await started("--bind", ...bind);
    const { client, port } = server;
    assertEquals(await client.ask("PING"), "PONG");
    assertEquals(await client.ask("CONFIG", "GET", "bind"), ["bind", bind.join(" ")]);
    for (const host of HAS_IPV6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
      await using replica = await started("--replicaof", `${host} ${port}`);
      const online = `ip=${host},port=${replica.port},state=online`;
      await until(`${host} is online`, async () => (await server.info()).includes(online));
    }
  });
}

Deno.test("a peer that comes over IPv4 has its IPv4 address, whatever socket took it", async () => {
  await using server = await started("--bind", "::*");
  const { client, port } = server;
  const list = await client.ask("CLIENT", "LIST") as string;
  assertMatch(list, new RegExp(` addr=127\\.0\\.0\\.1:\\d+ laddr=127\\.0\\.0\\.1:${port} `));
  using other = await Client.connect(port);
  const [, addr] = /addr=(\S+)/.exec(await other.ask("CLIENT", "INFO") as string)!;
  assertEquals(await client.ask("CLIENT", "KILL", "ADDR", addr), 1);
  await using replica = await started("--replicaof", `127.0.0.1 ${port}`);
  await until("it is online", async () => (await server.info()).includes("state=online"));
  const info = await server.info();
  assertMatch(info, new RegExp(`slave0:ip=127\\.0\\.0\\.1,port=${replica.port},`));
  assertMatch(info, /shard0_link0:.*peer=127\.0\.0\.1:\d+,/);
  const [, , [[host]]] = await client.ask("ROLE") as [string, number, string[][]];
  assertEquals(host, "127.0.0.1");
  assertEquals(await client.ask("FAILOVER", "TO", host, String(replica.port)), "OK");
  await until("it has taken over", async () => (await server.info()).includes("role:slave"));
});

Deno.test({
  name: "an IPv6 address is in brackets where a port follows, and bare elsewhere",
  ignore: !HAS_IPV6,
  async fn() {
    await using server = await started("--bind", "::*");
    await using replica = await started("--replicaof", `::1 ${server.port}`);
    await until("it is online", async () => (await server.info()).includes("state=online"));
    const info = await server.info();
    assertMatch(info, /shard0_link0:.*peer=\[::1\]:\d+,/);
    assertMatch(info, new RegExp(`slave0:ip=::1,port=${replica.port},`));
    assert((await replica.info()).includes("master_host:::1\r\n"));
  },
});

Deno.test({
  name: "CONFIG SET bind changes between addresses that take each other's port",
  ignore: !HAS_IPV6,
  async fn() {
    await using server = await started("--bind", "127.0.0.1");
    const { client, port } = server;
    const rows: [string, boolean][] = [
      ["* -::*", true],
      ["127.0.0.1 ::1", true],
      ["0.0.0.0", false],
      ["127.0.0.1", false],
      ["::*", true],
    ];
    for (const [bind, hasIpv6] of rows) {
      assertEquals(await client.ask("CONFIG", "SET", "bind", bind), "OK", bind);
      assertEquals(await client.ask("CONFIG", "GET", "bind"), ["bind", bind]);
      assertEquals(await ping("127.0.0.1", port), "+PONG", bind);
      assertEquals(await ping("::1", port), hasIpv6 ? "+PONG" : "refused", bind);
    }
    // No start would have these together.
    const refused = await client.ask("CONFIG", "SET", "bind", "127.0.0.1 0.0.0.0");
    assertMatch(String(refused), /Failed to bind to specified addresses/);
    assertEquals(await client.ask("CONFIG", "GET", "bind"), ["bind", "::*"]);
    assertEquals([await ping("127.0.0.1", port), await ping("::1", port)], ["+PONG", "+PONG"]);
    // In a transaction nothing waits until a port is free.
    await client.pipeline(["MULTI"], ["CONFIG", "SET", "bind", "127.0.0.1"]);
    assertMatch(String(await client.ask("EXEC")), /Failed to bind to specified addresses/);
    assertMatch(String(await client.ask("CONFIG", "SET", "hz", "x")), /^-ERR CONFIG SET failed/);
    assertEquals([await ping("127.0.0.1", port), await ping("::1", port)], ["+PONG", "+PONG"]);
  },
});
