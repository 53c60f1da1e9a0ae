/**
 * The same words to redis-server and to shoal, on several connections: all that each one hears. Two
 * things are left out: topics in an order that Redis does not promise, and messages of a client to
 * itself, which Redis 7.2 and shoal send behind the command's reply, and 7.0 in the middle of it.
 */
import { hearTheSame } from "../support/both_servers.ts";

/** See `hear`. */
const CONVERSATIONS: Readonly<Record<string, string>> = {
  "channels, patterns and shard channels in RESP2": `
    a: SUBSCRIBE one two one
    a: PSUBSCRIBE o* [tu]*
    a: SSUBSCRIBE s
    a: GET x
    a: CLIENT ID
    a: PUBLISH one m
    a: NOSUCH
    a: SUBSCRIBE
    p: PUBLISH one hello
    p: PUBLISH two hello
    p: PUBLISH three hello
    p: SPUBLISH s hello
    p: SPUBLISH one hello
    p: PUBLISH one ''
    p: PUBSUB NUMSUB one two three
    p: PUBSUB NUMSUB
    p: PUBSUB NUMPAT
    p: PUBSUB CHANNELS t*
    p: PUBSUB CHANNELS nothing
    p: PUBSUB SHARDCHANNELS
    p: PUBSUB SHARDNUMSUB s t
    p: PUBSUB nosuch
    p: PUBSUB NUMPAT x
    p: PUBSUB CHANNELS a b
    p: PUBLISH one
    p: SPUBLISH s
    a: UNSUBSCRIBE two nosuch
    a: PUNSUBSCRIBE o*
    a: SUNSUBSCRIBE
    a: SUNSUBSCRIBE
    p: PUBLISH one again
    a: UNSUBSCRIBE
    a: UNSUBSCRIBE
    a: PUNSUBSCRIBE
    a: PUNSUBSCRIBE
    a: GET x
    a: SUBSCRIBE one
    a: RESET
    p: PUBLISH one gone
    a: GET x`,
  "channels, patterns and shard channels in RESP3": `
    a: HELLO 3 SETNAME quiet
    a: SUBSCRIBE one two
    a: PSUBSCRIBE o*
    a: SSUBSCRIBE s
    a: SET x 1
    a: GET x
    p: PUBLISH one hello
    a: PUBSUB NUMSUB one two
    a: PUBSUB SHARDNUMSUB s
    a: UNSUBSCRIBE nosuch
    a: MULTI ; SUBSCRIBE three ; GET x ; UNSUBSCRIBE three ; EXEC
    a: MULTI ; PSUBSCRIBE t* ; SSUBSCRIBE t ; GET x ; SUNSUBSCRIBE t ; PUNSUBSCRIBE t* ; EXEC
    a: SUBSCRIBE four
    a: UNSUBSCRIBE four two
    a: UNSUBSCRIBE
    a: PUNSUBSCRIBE
    a: SUNSUBSCRIBE
    a: SUNSUBSCRIBE
    a: GET x`,
  "events of all classes": `
    p: CONFIG SET notify-keyspace-events AKEmn
    a: PSUBSCRIBE __key*
    p: SET k v
    p: SET k w
    p: SET k v EX 100
    p: SET k v KEEPTTL
    p: SET k v NX
    p: SETNX n v
    p: SETEX k 100 v
    p: PSETEX k 100000 v
    p: GETSET k v
    p: GETSET fresh v
    p: GETDEL fresh
    p: GETDEL fresh
    p: GETEX k EX 100
    p: GETEX k PERSIST
    p: GETEX k PERSIST
    p: GETEX k
    p: GETEX missing
    p: MSET m1 a m2 b k c
    p: MSETNX m3 a m4 b
    p: MSETNX m3 a m5 b
    p: MGET m1 nosuch m2
    p: APPEND ap x
    p: APPEND ap x
    p: SETRANGE sr 3 abc
    p: SETRANGE sr 3 ''
    p: SET c 1
    p: INCR c
    p: DECR c
    p: INCRBY c 5
    p: DECRBY c 9223372036854775800
    p: INCRBYFLOAT c 0.5
    p: INCR k
    p: STRLEN missing
    p: EXISTS missing k
    p: TYPE missing
    p: TTL missing
    p: OBJECT FREQ missing
    p: OBJECT ENCODING missing
    p: DUMP missing
    p: GET missing
    p: GETRANGE missing 0 1
    p: TOUCH missing k
    p: SET missing v GET
    p: SET over v
    p: MULTI ; SET over w EXAT 1 ; GET over ; EXEC
    p: MULTI ; SET over w PXAT 1 ; GET over ; EXEC
    p: EXPIRE k 100
    p: EXPIRE k 100 NX
    p: PEXPIREAT k 99999999999999
    p: PERSIST k
    p: PERSIST k
    p: EXPIRE k -1
    p: EXPIRE k 1
    p: RENAME ap ap2
    p: RENAMENX ap2 ap3
    p: RENAMENX ap3 c
    p: RENAME ap3 c
    p: RENAME c c
    p: COPY c d
    p: COPY c d
    p: COPY c d REPLACE
    p: COPY c d DB 3
    p: MOVE d 4
    p: MOVE d 4
    p: SELECT 4
    p: DEL d
    p: SELECT 0
    p: DEL m1 m2 nosuch m3
    p: UNLINK m4 m4
    p: SETBIT bits 3 1
    p: BITOP NOT bits2 bits
    p: BITOP NOT bits2 nosuch
    p: BITFIELD bits SET u8 0 3
    p: PFADD hll a
    p: PFMERGE hll2 hll
    p: SADD set 1 2 3
    p: SMOVE set set2 1
    p: SMOVE set set2 2
    p: SMOVE set set2 3
    p: SMOVE set2 set2 3
    p: RPUSH list 1 2
    p: LMOVE list list2 LEFT LEFT
    p: LMOVE list list2 LEFT LEFT
    p: RPOPLPUSH list2 list2
    p: SDIFFSTORE set3 set2
    p: ZADD zset 1 a
    p: ZRANGESTORE zset2 zset 0 -1
    p: GEOADD geo 15 37 a
    p: GEOSEARCHSTORE geo2 geo FROMMEMBER a BYRADIUS 1 m
    p: HSET hash f v
    p: HINCRBY hash2 f 1
    p: XADD stream 1-1 f v
    p: XGROUP CREATE stream2 g 0 MKSTREAM
    p: SORT set2 STORE sorted
    p: SWAPDB 0 1
    p: FLUSHDB
    p: FLUSHALL
    p: CONFIG SET notify-keyspace-events Kg
    p: SET k v
    p: DEL k
    p: CONFIG SET notify-keyspace-events Ex
    p: DEBUG SET-ACTIVE-EXPIRE 0
    p: SET k v PX 1
    p: DEBUG SLEEP 0.01
    p: GET k
    p: CONFIG SET notify-keyspace-events ''
    p: SET k v
    p: DEL k
    p: CONFIG SET notify-keyspace-events AKE
    p: SETBIT bits 3 1
    p: SETBIT bits 3 1
    p: GETBIT bits 3
    p: PFADD hll a
    p: PFADD hll a
    p: PFCOUNT hll`,
};

/** Replies that differ for another reason than pub/sub. */
function comparable(line: string): string {
  return line.startsWith("a after HELLO") ? "HELLO" : line;
}

for (const [name, conversation] of Object.entries(CONVERSATIONS)) {
  Deno.test(
    `all that connections hear is what redis-server says: ${name}`,
    (t) => hearTheSame(t, conversation, comparable),
  );
}
