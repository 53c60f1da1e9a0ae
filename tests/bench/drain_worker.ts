/**
 * The lightest replica there can be, in a thread of its own: it reads a shard's frames, which it says to
 * count, and throws them away. Once in a while it says that it is there.
 *
 * @module
 */

import { UNNUMBERED_CAPABILITY } from "../../src/replication/wire.ts";
import { encode, writeAll } from "./client.ts";
import { type Post, workOnOrder } from "./worker_scope.ts";

workOnOrder(drain);

/** Well within `repl-timeout`. */
const SIGN_OF_LIFE_MS = 1_000;

async function drain(port: number, post: Post): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const id = "d".repeat(40);
  const capability = ["CAPA", UNNUMBERED_CAPABILITY];
  await writeAll(
    conn,
    encode(["REPLICATE", "FROM", "0", "ID", id, "HISTORY", "?", ...capability]),
  );
  const alive = setInterval(() => {
    writeAll(conn, encode(["REPLCONF", "ACK", "0"])).catch(() => {}); // the read loop will hear of it
  }, SIGN_OF_LIFE_MS);
  try {
    const buffer = new Uint8Array(1_048_576);
    let n = await conn.read(buffer);
    post("ready");
    while (n !== null) n = await conn.read(buffer);
  } finally {
    clearInterval(alive);
  }
}
