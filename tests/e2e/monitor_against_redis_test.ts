/**
 * MONITOR: the same words to redis-server and to shoal, on several connections, and all that each one
 * hears. Left out is what Redis writes into the middle of a reply: lines of the commands of a monitor's
 * own EXEC.
 */
import { assertEquals } from "@std/assert";
import { encodeRequest } from "../support/redis.ts";
import { hearTheSame, withBoth } from "../support/both_servers.ts";
import { RawSocket } from "../support/raw_socket.ts";

/** See `hear`. */
const CONVERSATIONS: Readonly<Record<string, string>> = {
  "what is shown of others": `
    m: MONITOR
    p: SET k v EX 100
    p: set k v xx
    p: SELECT 3 ; GET k ; SWAPDB 0 1 ; SELECT 0
    p: NOSUCH a b
    p: GET
    p: CLIENT nosuch
    p: SET k v nonsense
    p: LPUSH l 1 ; INCR l
    p: ECHO '' ; TIME ; ROLE ; LASTSAVE ; DBSIZE
    p: SETEX k 0 v ; EXPIRE k 100 ; GETEX k EX 10
    p: SPOP nosuch ; OBJECT HELP ; COMMAND COUNT
    p: PUBLISH c x ; SUBSCRIBE c ; UNSUBSCRIBE c
    p: WAIT 0 0 ; WATCH k ; UNWATCH
    p: CLIENT GETNAME ; CLIENT SETNAME x
    p: RESET
    p: QUIT`,
  "what is not shown, or not all of it": `
    m: MONITOR
    p: AUTH secret
    p: AUTH default secret
    p: HELLO 3 AUTH default secret SETNAME me
    p: HELLO 2 SETNAME other
    p: HELLO 9
    p: CONFIG SET maxmemory 0
    p: CONFIG GET maxmemory
    p: CLIENT LIST
    p: CLIENT KILL TYPE pubsub ; CLIENT PAUSE 0 ; CLIENT UNPAUSE ; CLIENT NO-EVICT off
    p: DEBUG SLEEP 0 ; SLOWLOG RESET ; LATENCY RESET
    p: PFADD h a ; PFDEBUG ENCODING h
    p: SHUTDOWN ABORT
    n: MONITOR
    n: MONITOR`,
  "transactions": `
    m: MONITOR
    p: MULTI ; SET x 1 ; SELECT 5 ; MONITOR ; INCR x ; CONFIG GET nosuch ; EXEC
    p: EXEC
    p: DISCARD
    p: MULTI ; SET x 1 ; DISCARD
    p: MULTI ; SET x 1 ; GET ; EXEC
    p: MULTI ; NOSUCH ; EXEC
    p: MULTI ; SET x 1 ; EXEC now
    p: EXEC now
    p: WATCH x
    q: SELECT 5 ; SET x 2
    p: MULTI ; GET x ; EXEC
    p: MULTI ; BLPOP nosuch 0 ; XREAD BLOCK 0 STREAMS nosuch $ ; EXEC
    p: MULTI ; SUBSCRIBE c ; RESET
    p: MULTI ; MULTI ; EXEC`,
  "what a monitor may say": `
    m: MONITOR
    m: MONITOR
    m: PING ; ECHO x ; TIME0 ; ECHO y
    m: SET k v
    m: GET k
    m: PUBLISH c x
    m: DBSIZE ; KEYS * ; RANDOMKEY ; FLUSHALL ; BLPOP l 1 ; PFCOUNT h
    m: MULTI ; PING ; EXEC
    m: MULTI ; GET k ; PING ; EXEC
    m: SELECT 2 ; WATCH k ; UNWATCH ; WAIT 0 0 ; OBJECT nosuch
    m: SUBSCRIBE c
    m: GET k
    p: PUBLISH c x
    m: UNSUBSCRIBE c
    m: CLIENT NO-EVICT off
    m: CLIENT TRACKING on ; CLIENT TRACKING off
    m: HELLO 3 ; ECHO z
    p: SET k v
    m: HELLO 2
    m: RESET
    m: SET k w ; GET k
    p: GET k
    m: MONITOR
    p: GET k
    m: QUIT`,
  "replies switched off": `
    m: MONITOR
    m: CLIENT REPLY OFF ; ECHO x ; CLIENT REPLY ON
    p: SET k v
    m: CLIENT REPLY SKIP ; ECHO x ; ECHO y
    m: CLIENT REPLY OFF ; CLIENT REPLY SKIP ; CLIENT REPLY ON
    p: CLIENT REPLY OFF ; SET k w ; CLIENT REPLY ON`,
  "several monitors": `
    m: MONITOR
    n: HELLO 3 ; MONITOR
    p: SET k v
    m: ECHO x
    n: RESET
    p: SET k w
    m: QUIT
    p: SET k x`,
};

/** Times, ports and versions differ. */
function comparable(line: string): string {
  return line
    .replaceAll(/\+\d{10}\.\d{6} /g, "+<time> ")
    .replaceAll(/\[(\d+) 127\.0\.0\.1:\d+\]/g, "[$1 <address>]")
    .replaceAll(/[%*]\d+\r\n\$6\r\nserver\r\n.*?modules\r\n\*0\r\n/gs, "HELLO\r\n")
    .replaceAll(/\*2\r\n\$10\r\n\d+\r\n\$\d+\r\n\d+\r\n/g, "TIME\r\n")
    .replaceAll(/:\d{10}\r\n/g, "LASTSAVE\r\n")
    .replace(/^(\w after CLIENT LIST).*/s, "$1")
    .replace(/(COMMAND COUNT.*):\d+/s, "$1:<count>")
    .replace(
      /\*\d+\r\n\+OBJECT .*Print.*help\.\r\n|\*\d+\r\n\+OBJECT .*Show this list\.\r\n/s,
      "HELP\r\n",
    );
}

for (const [name, conversation] of Object.entries(CONVERSATIONS)) {
  Deno.test(
    `monitors are shown what redis-server shows: ${name}`,
    (t) => hearTheSame(t, conversation, comparable),
  );
}

Deno.test("every byte is quoted as redis-server quotes it", (t) =>
  withBoth(t, async (redis, shoal) => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const lines: string[] = [];
    for (const port of [redis, shoal]) {
      using monitor = await RawSocket.connect(port);
      using client = await RawSocket.connect(port);
      await monitor.write("MONITOR\r\n");
      await monitor.readThrough("+OK\r\n");
      await client.write(encodeRequest(["ECHO", all]));
      const line = await monitor.readThrough("\r\n");
      lines.push(line.slice(line.indexOf("] ")));
    }
    assertEquals(lines[1], lines[0]);
    assertEquals(lines[0].startsWith('] "ECHO" "\\x00\\x01'), true);
  }));
