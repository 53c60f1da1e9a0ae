/** Clients that wait for keys, and what makes them go on. */

import type { Plain } from "./client.ts";
import { type TestServer, until } from "./server.ts";

/** Clients that wait from here on, each on a connection of its own; each reply is a promise. */
export async function waiters(
  server: TestServer,
  ...requests: readonly string[]
): Promise<Promise<Plain>[]> {
  const replies: Promise<Plain>[] = [];
  for (const request of requests) {
    const before = server.server.clients.blocked;
    const client = await server.connect();
    replies.push(client.line(request));
    await until(`${request} waits`, () => server.server.clients.blocked === before + 1);
  }
  return replies;
}

/** Resolves when so many clients wait. */
export function waiting(server: TestServer, count: number): Promise<void> {
  return until(`${count} wait`, () => server.server.clients.blocked === count);
}

/** Asks one after the other, on one connection; words parted by spaces. */
export async function say(server: TestServer, ...lines: readonly string[]): Promise<Plain[]> {
  const replies: Plain[] = [];
  for (const line of lines) replies.push(await server.ask(...line.split(" ")));
  return replies;
}
