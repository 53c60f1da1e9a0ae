import { assertEquals } from "@std/assert";
import { type RawConnection, RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

/** Lines whose replies are Redis's byte for byte; `\s` stands for a space, `''` for an empty word. */
const LINES: readonly string[] = [
  // CONFIG
  "CONFIG",
  "CONFIG FOO",
  "CONFIG GET maxclients maxclients",
  "CONFIG GET maxcl* maxclients",
  "CONFIG GET MAXCLIENTS",
  "CONFIG GET nothing",
  "CONFIG SET a",
  "CONFIG SET a b c",
  "CONFIG SET foo bar",
  "CONFIG SET maxclients abc",
  "CONFIG SET maxclients 100 maxclients 200",
  "CONFIG SET maxclients 1000",
  "CONFIG GET maxclients",
  "CONFIG SET maxclients 900 foo bar",
  "CONFIG GET maxclients",
  "CONFIG RESETSTAT a",
  "CONFIG RESETSTAT",
  "CONFIG REWRITE",
  // FAILOVER, of a server that nobody follows
  "FAILOVER",
  "failover abort",
  "FAILOVER ABORT ABORT",
  "FAILOVER ABORT TIMEOUT 1",
  "FAILOVER TO h",
  "FAILOVER TO h 1",
  "FAILOVER TO h -1",
  "FAILOVER TO h x",
  "FAILOVER TO h 1 TO h 1",
  "FAILOVER TO h 1 FORCE TIMEOUT 5",
  "FAILOVER FORCE",
  "FAILOVER FORCE FORCE",
  "FAILOVER TIMEOUT",
  "FAILOVER TIMEOUT 0",
  "FAILOVER TIMEOUT -1",
  "FAILOVER TIMEOUT x",
  "FAILOVER TIMEOUT 99999999999999999999",
  "FAILOVER TIMEOUT 5 TIMEOUT 5",
  "FAILOVER TIMEOUT 5 FORCE",
  "FAILOVER foo",
  // CLIENT
  "CLIENT",
  "CLIENT FOO",
  "CLIENT KILL",
  "CLIENT KILL foo",
  "CLIENT KILL ID",
  "CLIENT KILL ID x",
  "CLIENT KILL ID 0",
  "CLIENT KILL ID 99999",
  "CLIENT KILL TYPE foo",
  "CLIENT KILL TYPE master",
  "CLIENT KILL USER foo",
  "CLIENT KILL SKIPME maybe",
  "CLIENT KILL foo bar",
  "CLIENT KILL ADDR 1.2.3.4:5 LADDR a",
  "CLIENT KILL ID 1 ADDR",
  "CLIENT LIST TYPE foo",
  "CLIENT LIST TYPE master",
  "CLIENT LIST TYPE",
  "CLIENT LIST TYPE normal foo",
  "CLIENT LIST ID",
  "CLIENT LIST ID x",
  "CLIENT LIST ID 9999999",
  "CLIENT LIST foo",
  "CLIENT REPLY foo",
  "CLIENT REPLY ON",
  "CLIENT NO-EVICT foo",
  "CLIENT NO-EVICT on",
  "CLIENT NO-EVICT off",
  "CLIENT PAUSE x",
  "CLIENT PAUSE -1",
  "CLIENT PAUSE 1 foo",
  "CLIENT PAUSE 1 WRITE foo",
  "CLIENT PAUSE 0",
  "CLIENT UNPAUSE x",
  "CLIENT UNPAUSE",
  "CLIENT UNBLOCK x",
  "CLIENT UNBLOCK 1 foo",
  "CLIENT UNBLOCK 99999",
  "CLIENT UNBLOCK 99999 TIMEOUT",
  "CLIENT UNBLOCK 99999 ERROR a",
  "CLIENT GETNAME",
  "CLIENT SETNAME",
  "CLIENT SETNAME a\\sb",
  "CLIENT SETNAME ab",
  "CLIENT GETNAME",
  "CLIENT SETNAME ''",
  "CLIENT GETNAME",
  "CLIENT ID x",
  "CLIENT INFO x",
  // AUTH, HELLO
  "AUTH",
  "AUTH foo",
  "AUTH default foo",
  "AUTH foo bar",
  "AUTH a b c",
  "HELLO 4",
  "HELLO 1",
  "HELLO x",
  "HELLO 99999999999999999999",
  "HELLO 3 foo",
  "HELLO 3 AUTH a",
  "HELLO 3 AUTH a b",
  "HELLO 3 SETNAME",
  "HELLO 3 SETNAME a\\sb",
  // DEBUG
  "DEBUG",
  "DEBUG FOO",
  "DEBUG SLEEP",
  "DEBUG SLEEP 0",
  "DEBUG SLEEP 0.001",
  "DEBUG SLEEP abc",
  "DEBUG DIGEST",
  "DEBUG DIGEST-VALUE a",
  "SET a b",
  "SET number 12345",
  "SET volatile v PX 100000000",
  "SET long 0123456789012345678901234567890123456789012345678901234567890123456789",
  "DEBUG DIGEST-VALUE a nokey number long",
  "SELECT 3",
  "SET q r",
  "SELECT 0",
  "DEBUG DIGEST",
  "DEBUG OBJECT",
  "DEBUG OBJECT nokey",
  "DEBUG PROTOCOL",
  "DEBUG PROTOCOL foo",
  "DEBUG PROTOCOL string",
  "DEBUG PROTOCOL INTEGER",
  "DEBUG PROTOCOL double",
  "DEBUG PROTOCOL bignum",
  "DEBUG PROTOCOL null",
  "DEBUG PROTOCOL array",
  "DEBUG PROTOCOL set",
  "DEBUG PROTOCOL map",
  "DEBUG PROTOCOL attrib",
  "DEBUG PROTOCOL verbatim",
  "DEBUG PROTOCOL true",
  "DEBUG PROTOCOL false",
  "DEBUG PROTOCOL true false",
  "DEBUG SET-ACTIVE-EXPIRE",
  "DEBUG SET-ACTIVE-EXPIRE 1",
  "DEBUG RELOAD",
  "DEBUG DIGEST",
  // saving and stopping
  "BGSAVE foo",
  "BGSAVE SCHEDULE foo",
  "SAVE x",
  "SAVE",
  "LASTSAVE x",
  "SHUTDOWN foo",
  "SHUTDOWN SAVE NOSAVE",
  "SHUTDOWN ABORT NOW",
  "SHUTDOWN ABORT",
  // replication
  "ROLE",
  "ROLE x",
  "REPLICAOF a",
  "REPLICAOF a b",
  "REPLICAOF a 70000",
  "REPLICAOF NO ONE",
  "SLAVEOF no one",
  "WAIT 1 x",
  "WAIT x 1",
  "WAIT 1 -1",
  "WAIT 0 0",
  "WAIT 1 10",
  "WAIT -1 10",
  "REPLCONF",
  "REPLCONF a",
  "REPLCONF a b",
  "REPLCONF listening-port x",
  "REPLCONF listening-port 99",
  "REPLCONF capa foo",
  "REPLCONF capa foo capa",
  "READONLY",
  "READWRITE",
  "ASKING",
  "CLUSTER",
  "CLUSTER INFO",
  "CLUSTER SLOTS",
  "CLUSTER SHARDS",
  "CLUSTER NODES",
  "CLUSTER KEYSLOT a",
  // SLOWLOG, LATENCY, INFO
  "SLOWLOG",
  "SLOWLOG FOO",
  "SLOWLOG RESET",
  "SLOWLOG GET x",
  "SLOWLOG GET -2",
  "SLOWLOG GET -1",
  "SLOWLOG GET 0",
  "SLOWLOG GET 1 2",
  "SLOWLOG LEN",
  "LATENCY",
  "LATENCY FOO",
  "LATENCY LATEST",
  "LATENCY HISTORY foo",
  "LATENCY RESET",
  "LATENCY RESET a b",
  "INFO foo",
  "INFO cluster",
  "INFO modules",
  // In RESP3 the push comes first, and the reply is read as the next command's.
  "DEBUG PROTOCOL push",
  "ECHO a",
];

const lineWords = (line: string) =>
  line.split(" ").map((word) => word === "''" ? "" : word.replace("\\s", " "));

for (const protocol of ["2", "3"]) {
  Deno.test({
    name: `commands about the server reply as redis-server in RESP${protocol}`,
    ignore: await RedisServer.installed() === null,
    fn: async () => {
      const dir = await Deno.makeTempDir();
      const redis = await RedisServer.start(["--dir", dir]);
      await using server = await TestServer.start({ "slowlog-log-slower-than": "-1" });
      const theirs = await redis!.connect();
      const ours = await server.connectRaw();
      const found: string[] = [];
      try {
        await both(theirs, ours, ["HELLO", protocol]);
        await theirs.run("CONFIG", "SET", "slowlog-log-slower-than", "-1");
        for (const line of LINES) {
          const [a, b] = await both(theirs, ours, lineWords(line));
          if (a !== b) found.push(`${line}\n  redis: ${brief(a)}\n  ours:  ${brief(b)}`);
        }
      } finally {
        theirs.close();
        await redis!.stop();
        await Deno.remove(dir, { recursive: true });
      }
      assertEquals(found, []);
    },
  });
}

async function both(
  theirs: RawConnection,
  ours: RawConnection,
  words: string[],
): Promise<[string, string]> {
  return [await theirs.run(...words), await ours.run(...words)];
}

const brief = (text: string) => JSON.stringify(text.slice(0, 300));
