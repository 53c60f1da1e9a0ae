import { assert, assertEquals } from "@std/assert";
import { asksRedis } from "../support/asking_redis.ts";
import { type Plain, plain } from "../support/client.ts";
import { TestServer } from "../support/server.ts";
import { ReplyParser } from "../../src/resp/reply_parser.ts";

/** Asks for a reply made plain, in RESP3. */
type Ask = (...words: string[]) => Promise<Plain>;

/** Commands whose keys 7.0 says something else of: what it says, or 7.2, is not what they do. */
const SAID_OTHERWISE = new Set(["sinterstore", "xautoclaim"]);

/** Requests whose keys are asked for. */
const REQUESTS = [
  "zunionstore d 2 a b",
  "zunionstore d 2 a b weights 1 2",
  "zunionstore d 3 a b",
  "zunionstore d 0 a b",
  "zunionstore d -1 a b",
  "zunionstore d abc a b",
  "zinterstore d 1 a",
  "zdiffstore d 2 a",
  "zunion 2 a b",
  "zmpop 1 a min",
  "lmpop 3 a b left",
  "sintercard 2 a b limit 1",
  "set a b",
  "set a b ex 10 get",
  "set a b keepttl nx GET",
  "getset a b",
  "bitfield a",
  "bitfield a get u8 0 overflow sat get u8 0",
  "bitfield a get u8 0 set u8 0 1",
  "bitfield a get u8",
  "bitfield a foo",
  "bitfield_ro a get u8 0",
  "sort a by x get y store d",
  "sort a store d store e",
  "sort a by x limit 0 10",
  "georadius k 1 2 3 km store d",
  "georadius k 1 2 3 km",
  "georadiusbymember k m 3 km storedist d",
  "georadius k 1 2 3 m store a storedist b",
  "georadiusbymember k m 3 m storedist a any store b",
  "georadius k 1 2 3 m store",
  "georadius k 1 2",
  "xread count 2 streams a b 0 0",
  "xreadgroup group g c streams a b 0 0",
  "ssubscribe a b",
  "sunsubscribe a",
  "spublish a b",
  "publish a b",
  "mset a 1 b 2",
  "object encoding a",
];

/** What COMMAND INFO says of a command's keys, in any order of flags. */
function keySpecs(info: Plain): Plain {
  const specs = (info as Plain[][])[0][8] as { [name: string]: Plain }[];
  return specs.map(({ notes: _, flags, ...rest }) => ({
    flags: (flags as string[]).sort(),
    ...rest,
  }));
}

/** The key specifications that the arguments of a command name, in order. */
function specsNamed(docs: Plain): string[] {
  if (docs === null || typeof docs !== "object") return [];
  return Object.entries(docs).flatMap(([name, value]) =>
    name === "key_spec_index" ? [String(value)] : specsNamed(value)
  );
}

asksRedis("keys are where redis-server says that they are", async (redis) => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const theirs: Ask = async (...words) => {
    const parser = new ReplyParser();
    parser.push(Uint8Array.from(await redis.run(...words), (c) => c.charCodeAt(0)));
    const reply = parser.next();
    assert(reply !== undefined);
    return plain(reply);
  };
  const ours: Ask = (...words) => client.ask(...words);
  for (const ask of [ours, theirs]) await ask("HELLO", "3");
  const known = new Set(await theirs("COMMAND", "LIST") as string[]);
  for (const name of await ours("COMMAND", "LIST") as string[]) {
    if (!known.has(name) || SAID_OTHERWISE.has(name)) continue;
    assertEquals(
      keySpecs(await ours("COMMAND", "INFO", name)),
      keySpecs(await theirs("COMMAND", "INFO", name)),
      name,
    );
    if (name.includes("|")) continue;
    assertEquals(
      specsNamed(await ours("COMMAND", "DOCS", name)),
      specsNamed(await theirs("COMMAND", "DOCS", name)),
      name,
    );
  }
  for (const request of REQUESTS) {
    const words = request.split(" ");
    for (const form of ["GETKEYS", "GETKEYSANDFLAGS"]) {
      assertEquals(
        await ours("COMMAND", form, ...words),
        await theirs("COMMAND", form, ...words),
        `${form} ${request}`,
      );
    }
  }
});
