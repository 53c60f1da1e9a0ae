/**
 * What several connections say and hear, for asking two servers the same.
 */

import { RawSocket } from "./raw_socket.ts";
import { encodeRequest } from "./redis.ts";

/** Least id of a connection whose id a conversation names. */
const FIRST_ID = 64;

async function skipIds(port: number, first: number): Promise<void> {
  for (let id = 0; id < first;) {
    using socket = await RawSocket.connect(port);
    await socket.write(encodeRequest(["CLIENT", "ID"]));
    id = Number((await socket.readThrough("\r\n")).slice(1)) + 1;
  }
}

/**
 * Lets connections say what `conversation` has them say, a line each:
 *
 * ```text
 * <connection>: <words> [; <words>]...
 * ```
 *
 * Connections are opened when they are first named, and gone after QUIT. `''` is the empty word, `@b`
 * the id of connection `b`, and in what is heard `:@b` stands for that id. Behind each line, what every
 * connection has heard.
 */
export async function hear(port: number, conversation: string): Promise<string[]> {
  const sockets = new Map<string, RawSocket>();
  const ids = new Map<string, string>();
  const heard: string[] = [];
  let token = 0;
  // Ids that are no small number, which replies may hold for other reasons.
  if (conversation.includes("@")) await skipIds(port, FIRST_ID);
  try {
    const listen = async (name: string, socket: RawSocket) => {
      // A PING's own words tell where what came before it ends.
      const words = `end-${name}-${token++}`;
      await socket.write(encodeRequest(["PING", words]));
      return await socket.readThrough(`${words}\r\n`);
    };
    const drain = async (name: string, socket: RawSocket, after: string) => {
      let text = await listen(name, socket);
      for (const [named, id] of ids) text = text.replaceAll(`:${id}\r\n`, `:@${named}\r\n`);
      heard.push(`${name} after ${after}: ${text}`);
    };
    for (const line of conversation.trim().split("\n")) {
      const [name, text] = line.trim().split(": ");
      let socket = sockets.get(name);
      if (socket === undefined) {
        sockets.set(name, socket = await RawSocket.connect(port));
        if (conversation.includes(`@${name}`)) {
          await socket.write(encodeRequest(["CLIENT", "ID"]));
          ids.set(name, (await socket.readThrough("\r\n")).slice(1, -2));
        }
      }
      const commands = text.split(" ; ").map((command) =>
        command.split(" ").map((word) =>
          word === "''" ? "" : word.startsWith("@") ? ids.get(word.slice(1)) ?? word : word
        )
      );
      for (const words of commands) await socket.write(encodeRequest(words));
      if (commands.at(-1)![0] === "QUIT") {
        heard.push(`${name} after ${text}: ${await socket.readToEnd()}`);
        socket.close();
        sockets.delete(name);
      } else await drain(name, socket, text);
      for (const [other, listener] of sockets) {
        if (listener !== socket) await drain(other, listener, text);
      }
    }
  } finally {
    for (const socket of sockets.values()) socket.close();
  }
  return heard;
}

/** A line that was heard, for a test's output. */
export function shown(line: string): string {
  return line.replaceAll("\r\n", " ");
}
