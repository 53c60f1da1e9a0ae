/**
 * The lightest replica there can be, in a thread of its own: it reads a shard's frames and throws them
 * away. It speaks the protocol's first version, which has no acknowledgements.
 *
 * @module
 */

import { encode, writeAll } from "./client.ts";
import { type Post, workOnOrder } from "./worker_scope.ts";

workOnOrder(drain);

async function drain(port: number, post: Post): Promise<void> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await writeAll(conn, encode(["REPLICATE", "FROM", "0", "ID", "drain"]));
  const buffer = new Uint8Array(1_048_576);
  let n = await conn.read(buffer);
  post("ready");
  while (n !== null) n = await conn.read(buffer);
}
