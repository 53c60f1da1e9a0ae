/**
 * Client-side caching: the same words to redis-server and to shoal, on several connections, and all
 * that each one hears.
 */
import { hearTheSame } from "../support/both_servers.ts";

/** See `hear`. */
const CONVERSATIONS: Readonly<Record<string, string>> = {
  "keys that were read, in RESP3": `
    a: HELLO 3
    a: CLIENT TRACKING on
    a: CLIENT TRACKINGINFO
    a: CLIENT GETREDIR
    a: GET k
    p: SET k 1
    p: SET k 2
    a: GET k ; GET k ; STRLEN k
    p: APPEND k x
    a: MGET k l m nosuch ; TTL m ; EXISTS n o ; TYPE t
    p: MSET k 1 l 2 n 3 t 4
    p: MSETNX m 1 o 2
    a: GET k
    p: EXPIRE k 100
    a: TTL k
    p: PERSIST k
    a: GET k
    p: PERSIST k
    p: GETEX k EX 100
    a: GET k
    p: GETDEL k
    a: GET k
    p: DEL k
    p: RENAME l k
    a: GET k ; GET l
    p: RENAME k l
    a: GET k ; GET l
    p: COPY l k
    p: MOVE l 1
    a: GET k
    p: SELECT 1 ; SET k other ; SELECT 0
    a: GET k ; SETRANGE k 0 z ; GET k ; INCR k
    a: GET k ; GET m ; DEL k m nosuch ; GET k
    a: OBJECT ENCODING q ; BITCOUNT r ; PFCOUNT s ; DUMP u ; LCS v w ; SUBSTR x 0 1
    p: MSET q 1 r 1 s 1 u 1 v 1 w 1 x 1
    a: GETBIT k 1
    p: SETBIT k 1 1
    p: SETBIT k 1 1
    a: PFCOUNT hll
    p: PFADD hll a
    a: PFCOUNT hll
    p: PFADD hll a
    p: PFADD hll b c d e f g h
    a: DBSIZE ; KEYS nosuch
    p: SET k 1
    a: SET k 5 GET
    p: SET k 1
    a: GET k ; SELECT 1
    p: SET k 9
    a: CLIENT TRACKING off
    a: CLIENT TRACKINGINFO
    a: CLIENT GETREDIR
    a: GET k
    p: SET k 1`,
  "keys of all types that were read": `
    p: RPUSH l 1 2 3
    p: SADD s 1 2
    p: HSET h f 1
    p: ZADD z 1 a
    p: XADD x 1-1 f v
    p: GEOADD g 13.361389 38.115556 here
    a: HELLO 3
    a: CLIENT TRACKING ON
    a: LRANGE l 0 -1 ; LLEN l2 ; LINDEX l3 0 ; LPOS l4 x
    p: RPUSH l 4
    p: RPUSH l2 x
    p: RPUSH l3 x
    p: LPUSH l4 x
    a: LRANGE l 0 -1
    p: LSET l 0 9
    a: LRANGE l 0 -1
    p: LPOP l 10
    a: SMEMBERS s ; SISMEMBER s2 x ; SCARD s3 ; SINTERCARD 2 s4 s5 ; SUNION s6 s7
    p: SADD s 3
    p: SADD s2 3
    p: SADD s3 3
    p: SADD s5 3
    p: SADD s4 3
    p: SADD s7 3
    a: SMEMBERS s
    p: SMOVE s s7 3
    a: HGETALL h ; HGET h2 f ; HLEN h3 ; HSTRLEN h4 f
    p: HSET h f 2
    p: HSET h2 f 2
    p: HINCRBY h3 f 2
    p: HSETNX h4 f 2
    a: HKEYS h
    p: HDEL h f
    a: ZRANGE z 0 -1 ; ZSCORE z2 a ; ZUNION 2 z3 z4 ; ZCARD z5 ; ZRANGEBYSCORE z6 0 1
    p: ZADD z 2 a
    p: ZADD z2 2 a
    p: ZADD z3 2 a
    p: ZADD z4 2 a
    p: ZINCRBY z5 2 a
    p: ZADD z6 2 a
    a: ZRANGE z 0 -1
    p: ZADD z 2 a
    p: ZREM z a
    a: XRANGE x - + ; XLEN x2 ; XREAD STREAMS x3 x4 0 0 ; XREAD BLOCK 1 STREAMS x5 $
    p: XADD x 2-1 f v
    p: XADD x2 1-1 f v
    p: XADD x3 1-1 f v
    p: XADD x4 1-1 f v
    p: XADD x5 1-1 f v
    a: XRANGE x - +
    p: XDEL x 2-1
    a: GEOPOS g here ; GEOSEARCH g FROMMEMBER here BYRADIUS 1 km
    p: GEOADD g 13.4 38.1 there
    a: SORT_RO l5 BY w_* GET v_* ; SORT l6
    p: RPUSH l5 x
    p: RPUSH l6 x
    p: SET w_x 1
    a: LRANGE l5 0 -1 ; TYPE z6 ; OBJECT ENCODING h2 ; TTL s2 ; EXISTS s3
    p: DEL l5 z6 h2 s2 s3
    a: GET h4
    p: DEL h4
    a: LRANGE l6 0 -1 ; HGETALL h3
    p: RENAME l6 h3
    a: SUNIONSTORE d s5 s7 ; LMPOP 1 h3 LEFT ; SPOP s5 0
    p: DEL d s5 s7 h3`,
  "the causing client hears behind its reply": `
    a: HELLO 3
    a: CLIENT TRACKING ON
    a: GET k ; SET k 1 ; SET k 2 ; PING
    a: GET k ; GET l ; MULTI ; SET l 1 ; GET l ; SET k 3 ; SET l 2 ; EXEC ; PING
    a: MULTI ; GET k ; GET l ; EXEC
    p: MULTI ; SET k 1 ; SET l 1 ; EXEC
    a: GET k ; FLUSHALL ; FLUSHALL ; PING
    a: GET k ; CLIENT REPLY SKIP ; SET k 1 ; PING
    a: GET k ; CLIENT REPLY OFF ; SET k 2 ; CLIENT REPLY ON
    a: GET k ; MULTI ; SET k 1 ; CLIENT REPLY ON ; EXEC ; PING
    a: GET k ; MULTI ; SET k 1 ; CLIENT REPLY OFF ; EXEC ; CLIENT REPLY ON ; PING
    a: GET k ; MULTI ; SET k 1 ; CLIENT REPLY SKIP ; PING ; EXEC ; PING ; PING
    a: GET k ; CLIENT REPLY OFF ; MULTI ; SET k 1 ; CLIENT REPLY SKIP ; EXEC ; CLIENT REPLY ON
    a: GET k ; MULTI ; SET k 1 ; BLPOP none 1 ; PING ; EXEC ; PING
    a: MULTI ; CLIENT REPLY SKIP ; BLPOP none 1 ; SUBSCRIBE c ; PING ; EXEC ; PING ; PING
    a: UNSUBSCRIBE
    a: WATCH k ; MULTI ; GET m ; DISCARD
    p: SET m 1`,
  "RESP2 with REDIRECT": `
    b: PING
    a: CLIENT TRACKING ON REDIRECT @b
    a: GET k
    p: SET k 1
    b: SUBSCRIBE __redis__:invalidate
    p: SET k 2
    a: GET k ; GET l
    p: SET k 3
    p: DEL k
    a: SET l 1
    a: GET k ; CLIENT TRACKINGINFO ; CLIENT GETREDIR
    p: FLUSHALL
    p: FLUSHDB
    b: UNSUBSCRIBE
    a: GET k
    p: SET k 1
    b: PSUBSCRIBE nothing
    a: GET k
    p: SET k 2
    b: HELLO 3
    a: GET k
    p: SET k 1
    p: FLUSHALL
    a: CLIENT TRACKING ON
    a: CLIENT GETREDIR
    a: GET k
    p: SET k 1
    a: CLIENT TRACKING ON REDIRECT @b
    b: RESET
    a: GET k
    p: SET k 1
    b: QUIT
    a: CLIENT TRACKINGINFO
    a: GET k
    p: SET k 1
    a: CLIENT TRACKINGINFO ; HELLO 2 ; GET k
    p: SET k 1
    a: CLIENT TRACKINGINFO
    a: CLIENT TRACKING ON
    a: CLIENT TRACKINGINFO`,
  "a redirect that goes, in RESP3": `
    b: HELLO 3
    a: HELLO 3
    a: CLIENT TRACKING ON REDIRECT @b
    a: GET k
    p: SET k 1
    a: GET k ; SET k 2 ; PING
    b: QUIT
    a: GET k ; GET l
    p: SET k 3
    a: SET l 1
    p: FLUSHALL
    a: CLIENT TRACKINGINFO`,
  "OPTIN and OPTOUT": `
    a: HELLO 3
    a: CLIENT TRACKING ON OPTIN
    a: CLIENT CACHING YES ; CLIENT TRACKINGINFO ; GET k ; GET l ; CLIENT TRACKINGINFO
    p: MSET k 1 l 1
    a: CLIENT CACHING YES ; MULTI ; GET k ; GET l ; EXEC ; GET m
    p: MSET k 1 l 1 m 1
    a: MULTI ; CLIENT CACHING YES ; GET k ; GET l ; EXEC ; GET m
    p: MSET k 1 l 1 m 1
    a: CLIENT CACHING YES ; MULTI ; GET k ; DISCARD ; CLIENT TRACKINGINFO
    a: CLIENT CACHING YES ; NOSUCH ; GET k
    p: SET k 1
    a: CLIENT CACHING YES ; GET ; GET k
    p: SET k 1
    a: CLIENT CACHING YES ; CLIENT NOSUCH ; CLIENT TRACKINGINFO
    a: CLIENT CACHING YES ; CLIENT CACHING ; CLIENT GETNAME ; GET k
    p: SET k 1
    a: CLIENT CACHING NO
    a: CLIENT CACHING x
    a: CLIENT TRACKING ON OPTOUT
    a: CLIENT TRACKING ON OPTIN OPTOUT
    a: CLIENT TRACKING ON OPTIN NOLOOP
    a: CLIENT TRACKINGINFO
    a: CLIENT TRACKING OFF
    a: CLIENT CACHING YES
    a: CLIENT TRACKING ON OPTOUT
    a: GET k ; CLIENT CACHING NO ; CLIENT TRACKINGINFO ; GET l ; GET m
    p: MSET k 1 l 1 m 1
    a: CLIENT CACHING YES
    a: CLIENT TRACKING ON OPTIN
    a: CLIENT TRACKING ON ; CLIENT CACHING NO ; CLIENT TRACKINGINFO`,
  "NOLOOP": `
    a: HELLO 3
    a: CLIENT TRACKING ON NOLOOP
    a: CLIENT TRACKINGINFO
    a: GET k ; SET k 1 ; GET k ; GET l
    p: SET k 2
    a: SET l 1
    p: SET l 2
    a: GET k ; FLUSHALL
    a: RESET
    a: CLIENT TRACKINGINFO`,
  "broadcast": `
    a: HELLO 3
    a: CLIENT TRACKING ON BCAST PREFIX user: PREFIX object:
    a: CLIENT TRACKINGINFO
    p: SET user:1 a
    p: SET other a
    p: MSET user:3 x object:1 y user:2 z user user:
    p: MULTI ; SET user:2 a ; DEL user:1 ; SET user:3 a ; SET user:2 b ; EXEC
    p: DEL nosuch user:nosuch
    a: GET other
    p: SET other b
    p: FLUSHALL
    a: CLIENT TRACKING ON BCAST PREFIX x
    a: CLIENT TRACKING ON BCAST PREFIX user
    a: CLIENT TRACKING ON BCAST PREFIX user:1
    a: CLIENT TRACKING ON BCAST PREFIX object:
    a: CLIENT TRACKING ON BCAST PREFIX y PREFIX yy
    a: CLIENT TRACKINGINFO
    a: CLIENT TRACKING ON BCAST
    a: CLIENT TRACKINGINFO
    p: MSET user:1 a object:2 b z c
    a: CLIENT TRACKING ON
    a: CLIENT TRACKING ON BCAST OPTIN
    a: CLIENT TRACKING OFF
    a: CLIENT TRACKING ON BCAST OPTOUT
    a: CLIENT TRACKING ON PREFIX a
    a: CLIENT TRACKING ON BCAST PREFIX '' PREFIX a
    a: CLIENT TRACKING ON BCAST PREFIX ''
    a: CLIENT TRACKINGINFO
    p: SET k v
    p: DEBUG SET-ACTIVE-EXPIRE 0
    p: SET k v PX 1
    p: DEBUG SLEEP 0.01
    p: GET k
    p: DEBUG SET-ACTIVE-EXPIRE 1
    a: CLIENT TRACKING OFF
    p: SET k v
    a: CLIENT TRACKING ON
    a: GET k
    a: CLIENT TRACKING OFF
    a: CLIENT TRACKING ON BCAST PREFIX nothing
    p: SET k v`,
  "broadcast with NOLOOP and REDIRECT": `
    b: SUBSCRIBE __redis__:invalidate
    a: CLIENT TRACKING ON BCAST NOLOOP REDIRECT @b PREFIX k
    a: SET k 1
    a: MSET k1 1 k2 2
    p: MSET k1 1 k2 2
    a: CLIENT TRACKINGINFO
    c: HELLO 3
    c: CLIENT TRACKING ON BCAST NOLOOP
    p: MSET k1 1 x 2
    a: MSET k3 1 x 2
    c: MSET k4 1 x 2
    c: FLUSHALL
    p: MULTI ; MSET k1 1 x 2 ; FLUSHALL ; EXEC`,
  "what is refused": `
    a: CLIENT TRACKING
    a: CLIENT TRACKING x
    a: CLIENT TRACKING ON x
    a: CLIENT TRACKING ON REDIRECT
    a: CLIENT TRACKING ON REDIRECT x
    a: CLIENT TRACKING ON REDIRECT 0
    a: CLIENT TRACKING ON REDIRECT -1
    a: CLIENT TRACKING ON REDIRECT 999999999
    a: CLIENT TRACKING ON REDIRECT @a REDIRECT @a
    a: CLIENT TRACKING OFF REDIRECT 999999999
    a: CLIENT TRACKING OFF BCAST OPTIN PREFIX x
    a: CLIENT TRACKING ON PREFIX
    a: CLIENT CACHING
    a: CLIENT CACHING YES
    a: CLIENT CACHING x
    a: CLIENT TRACKING ON ; CLIENT CACHING YES ; CLIENT CACHING NO ; CLIENT CACHING x
    a: CLIENT TRACKINGINFO x
    a: CLIENT GETREDIR x`,
  "limits": `
    p: CONFIG GET tracking-table-max-keys
    p: CONFIG SET tracking-table-max-keys -1
    p: CONFIG SET tracking-table-max-keys 1000
    p: CONFIG GET tracking-table-max-keys`,
};

/** Replies that differ for another reason than tracking: HELLO tells the version. */
function comparable(line: string): string {
  return line.replace(/[%*]\d+\r\n\$6\r\nserver\r\n.*modules\r\n\*0\r\n/s, "HELLO\r\n");
}

for (const [name, conversation] of Object.entries(CONVERSATIONS)) {
  Deno.test(
    `clients that cache hear what redis-server says: ${name}`,
    (t) => hearTheSame(t, conversation, comparable),
  );
}
