import { latin1 } from "../../src/base/ascii.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { NEED_MORE, RequestParser } from "../../src/resp/request_parser.ts";

/** What is answered to `REPLCONF LAYOUT`. */
export interface ToldLayout {
  base: number;
  node: string;
  histories: readonly string[];
  /** "" for none. */
  password: string;
}

/** A client port that knows AUTH and `REPLCONF LAYOUT` and nothing else. */
export class LayoutPort implements Disposable {
  readonly port: number;
  /** Times that it was asked. */
  asked = 0;
  readonly #listener: Deno.TcpListener;
  readonly #conns = new Set<Deno.TcpConn>();
  readonly #tell: () => ToldLayout;
  #closed = false;

  constructor(tell: () => ToldLayout) {
    this.#tell = tell;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = (this.#listener.addr as Deno.NetAddr).port;
    void this.#accept();
  }

  async #accept(): Promise<void> {
    try {
      for await (const conn of this.#listener) void this.#serve(conn);
    } catch {
      // The listener is closed.
    }
  }

  async #serve(conn: Deno.TcpConn): Promise<void> {
    // The kernel may have handed it out just before the listener was closed.
    if (this.#closed) return conn.close();
    this.#conns.add(conn);
    const parser = new RequestParser();
    const reply = new ReplyWriter();
    const buf = new Uint8Array(4096);
    let used = 0;
    let known = this.#tell().password === "";
    try {
      while (true) {
        const n = await conn.read(buf.subarray(used));
        if (n === null) break;
        used += n;
        reply.at = 0;
        while (parser.parse(buf, used) !== NEED_MORE) {
          const words = Array.from(
            { length: parser.argc },
            (_, i) => latin1(buf, parser.starts[i], parser.stops[i]),
          );
          if (words[0].toUpperCase() === "AUTH") {
            known = words.at(-1) === this.#tell().password;
            if (known) reply.ok();
            else reply.errorText("WRONGPASS invalid username-password pair or user is disabled.");
          } else if (!known) reply.errorText("NOAUTH Authentication required.");
          else this.#layout(reply);
        }
        await conn.write(reply.buf.subarray(0, reply.at));
      }
    } catch {
      // The asker has what it wanted.
    }
    if (this.#conns.delete(conn)) conn.close();
  }

  #layout(reply: ReplyWriter): void {
    this.asked++;
    const { base, node, histories } = this.#tell();
    reply.map(5);
    reply.bulkText("protocol");
    reply.integer(2);
    reply.bulkText("shards");
    reply.integer(histories.length);
    reply.bulkText("replication-port-base");
    reply.integer(base);
    reply.bulkText("node");
    reply.bulkText(node);
    reply.bulkText("history");
    reply.array(histories.length);
    for (const history of histories) reply.bulkText(history);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    this.#conns.clear();
  }
}
