import { ascii, latin1 } from "../../src/base/ascii.ts";
import { NEED_MORE, RequestParser } from "../../src/resp/request_parser.ts";

/** What a scripted port does about a request: its reply's bytes, nothing at all, or an end. */
export type ScriptedAnswer = string | "silence" | "end";

/** A client port whose answers a test makes up. */
export class ScriptedPort implements Disposable {
  readonly port: number;
  /** Requests that came, each in one line. */
  readonly asked: string[] = [];
  /** Says what is answered to a request. */
  answer: (words: readonly string[]) => ScriptedAnswer;
  readonly #listener: Deno.TcpListener;
  readonly #conns = new Set<Deno.TcpConn>();
  #isClosed = false;

  constructor(answer: (words: readonly string[]) => ScriptedAnswer) {
    this.answer = answer;
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
    this.#conns.add(conn);
    try {
      await this.#converse(conn);
    } catch {
      // The asker is gone.
    }
    if (this.#conns.delete(conn)) conn.close();
  }

  async #converse(conn: Deno.TcpConn): Promise<void> {
    const parser = new RequestParser();
    const buf = new Uint8Array(65_536);
    let used = 0;
    while (true) {
      const n = await conn.read(buf.subarray(used));
      if (n === null) return;
      used += n;
      while (parser.parse(buf, used) !== NEED_MORE) {
        const words = Array.from(
          { length: parser.argc },
          (_, i) => latin1(buf, parser.starts[i], parser.stops[i]),
        );
        this.asked.push(words.join(" "));
        const said = this.answer(words);
        if (said === "end") return;
        if (said !== "silence") await conn.write(ascii(said));
      }
    }
  }

  /** Closes it with its connections; more than once does nothing. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
    for (const conn of this.#conns) conn.close();
    this.#conns.clear();
  }
}
