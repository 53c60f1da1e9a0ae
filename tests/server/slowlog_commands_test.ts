import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import type { Plain } from "../support/client.ts";
import { TestServer } from "../support/server.ts";

Deno.test("SLOWLOG shows what ran at least as long as the threshold", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "-1" });
  const client = await server.connect();
  await client.line("CLIENT SETNAME me");
  assertEquals(await client.line("SLOWLOG LEN"), 0);
  await client.line("CONFIG SET slowlog-log-slower-than 0");
  await client.line("SET k v");
  await client.line("CONFIG SET slowlog-log-slower-than -1");
  const entries = await client.line("SLOWLOG GET") as Plain[][];
  assertEquals(entries.map((entry) => entry[3]), [["SET", "k", "v"], [
    "CONFIG",
    "SET",
    "slowlog-log-slower-than",
    "0",
  ]]);
  const [id, seconds, microseconds, , peer, name] = entries[0];
  assertEquals([id, peer, name], [1, client.address, "me"]);
  assertEquals([typeof seconds, typeof microseconds], ["number", "number"]);
  assertEquals((await client.line("SLOWLOG GET 1") as Plain[]).length, 1);
  assertEquals(await client.line("SLOWLOG RESET"), "OK");
  assertEquals(await client.line("SLOWLOG LEN"), 0);
});

Deno.test("the slow log keeps no passwords", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "0" });
  const client = await server.connect();
  await client.line("CONFIG SET maxclients 50 masterauth hunter2");
  await client.line("AUTH hunter2");
  await client.line("AUTH default hunter2");
  await client.line("HELLO 2 AUTH default hunter2 SETNAME n");
  await client.line("CONFIG SET slowlog-log-slower-than -1");
  const entries = await client.line("SLOWLOG GET -1") as Plain[][];
  assertEquals(entries.map((entry) => (entry[3] as string[]).join(" ")), [
    "HELLO 2 AUTH (redacted) (redacted) SETNAME n",
    "AUTH (redacted) (redacted)",
    "AUTH (redacted)",
    "CONFIG SET maxclients 50 masterauth (redacted)",
  ]);
});

Deno.test("LATENCY shows slow commands and the blocked loop, whatever the slow log keeps", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "-1" });
  const client = await server.connect();
  assertEquals(await client.line("LATENCY LATEST"), []);
  await client.line("CONFIG SET latency-monitor-threshold 20");
  await client.line("DEBUG SLEEP 0.05");
  const latest = await client.line("LATENCY LATEST") as [string, number, number, number][];
  const command = latest.find(([event]) => event === "command")!;
  assertEquals(command[2] >= 50 && command[3] >= command[2], true, `${command}`);
  const history = await client.line("LATENCY HISTORY command") as [number, number][];
  assertEquals(history, [[command[1], command[2]]]);
  assertEquals(await client.line("SLOWLOG LEN"), 0);
  assertEquals(await client.line("LATENCY RESET command nothing"), 1);
  assertEquals(await client.line("LATENCY HISTORY command"), []);
});

Deno.test("each of the cheap commands whose reply is large is timed, and no sample of the others", async () => {
  await using server = await TestServer.start({ "slowlog-log-slower-than": "1000" });
  const bytes = 16 * 1024 * 1024;
  await server.ask("SETRANGE", "large", String(bytes - 1), "x");
  await server.ask("SET", "small", "x");
  const get = server.server.table.find(ascii("GET"), 0, 3)!;
  // The first ones are timed each, and may be slow: their code is cold.
  for (let i = 0; i < 16; i++) await server.ask("GET", "small");
  assertEquals(get.timed, 16);
  await server.ask("SLOWLOG", "RESET");
  for (let i = 0; i < 200; i++) await server.ask("GET", "small");
  assertEquals(get.timed, 16);
  for (let i = 0; i < 5; i++) {
    const [small, large] = await (await server.connect()).pipeline(["GET", "small"], [
      "GET",
      "large",
    ]);
    assertEquals([small, String(large).length], ["x", bytes]);
  }
  assertEquals(get.timed, 21);
  // A millisecond would be 16 GB a second.
  const entries = await server.ask("SLOWLOG", "GET", "-1") as Plain[][];
  assertEquals(entries.map((entry) => entry[3]), Array(5).fill(["GET", "large"]));
  assertEquals(get.microseconds >= 5 * 1_000, true, `${get.microseconds}`);
});

Deno.test("LATENCY HISTOGRAM and INFO latencystats tell how long commands take", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  assertEquals(await client.line("LATENCY HISTOGRAM set nosuch"), []);
  await client.line("SET k v");
  await client.line("CONFIG GET maxmemory");
  await client.line("CONFIG GET port");
  type Shown = [string, [string, number, string, number[]]];
  const of = async (...names: string[]) => {
    const shown: unknown[] = await server.ask("LATENCY", "HISTOGRAM", ...names) as unknown[];
    return shown.flatMap((name, i) => i % 2 === 0 ? [[name, shown[i + 1]] as Shown] : []);
  };
  /** Runs counted in all, each step with more than the one before. */
  const runsOf = ([, [calls, count, usec, steps]]: Shown): number => {
    assertEquals([calls, usec], ["calls", "histogram_usec"]);
    for (let i = 2; i < steps.length; i += 2) {
      assert(steps[i] > steps[i - 2] && steps[i + 1] > steps[i - 1], `${steps}`);
    }
    assertEquals(steps.at(-1), count);
    return count;
  };
  const [set, ...more] = await of("SET", "nosuch", "config|nosuch");
  assertEquals([set[0], runsOf(set), more.length], ["set", 1, 0]);
  // A container stands for its subcommands.
  const [get] = await of("config");
  assertEquals([get[0], runsOf(get)], ["config|get", 2]);
  assertEquals((await of("CONFIG|GET")).map(([name]) => name), ["config|get"]);
  const twice = await of("set", "config", "SET", "config|get");
  assertEquals(twice.map(([name]) => name), ["set", "config|get"]);
  const all = (await of()).map(([name]) => name).sort();
  assertEquals(all, ["config|get", "latency|histogram", "set"]);
  // Samples stand for the others.
  for (let i = 0; i < 10; i++) {
    await client.pipeline(...Array.from({ length: 100 }, () => ["SET", "k", "v"]));
  }
  assertEquals(runsOf((await of("set"))[0]), 1_001);
  const stats = async () => {
    const text = String(await server.ask("INFO", "latencystats"));
    return text.split("\r\n").filter((line) => line.includes("usec_set"));
  };
  assertMatch(
    (await stats())[0],
    /^latency_percentiles_usec_set:p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}$/,
  );
  const PERCENTILES = "latency-tracking-info-percentiles";
  await server.ask("CONFIG", "SET", PERCENTILES, "0 12.25 100");
  assertMatch((await stats())[0], /^latency_percentiles_usec_set:p0=[\d.]+,p12\.25=[\d.]+,p100=/);
  for (const [value, said] of [["50 abc", "Invalid"], ["50 101", "should sit between"]]) {
    const reply = await server.ask("CONFIG", "SET", PERCENTILES, value);
    assertStringIncludes(String(reply), said);
  }
  const many = (count: number) => Array(count).fill("50").join(" ");
  assertEquals(await server.ask("CONFIG", "SET", PERCENTILES, many(64)), "OK");
  assertStringIncludes(
    String(await server.ask("CONFIG", "SET", PERCENTILES, many(65))),
    "wrong number of arguments",
  );
  await server.ask("CONFIG", "SET", PERCENTILES, "");
  assertEquals(await stats(), ["latency_percentiles_usec_set:"]);
  await client.line("CONFIG SET latency-tracking no");
  assertEquals(await stats(), []);
  await client.line("GET k");
  assertEquals(await of("get"), []);
  await client.line("CONFIG RESETSTAT");
  assertEquals(await of("set"), []);
});
