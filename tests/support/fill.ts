import { Client } from "./client.ts";

/** Puts keys `scan:<i>` into database 0 of the server on `port`. */
export async function fillForScan(port: number, keys: number): Promise<void> {
  using client = await Client.connect(port);
  for (let at = 0; at < keys; at += 1_000) {
    const words = ["MSET"];
    for (let i = at; i < Math.min(at + 1_000, keys); i++) words.push(`scan:${i}`, `${i}`);
    const reply = await client.ask(...words);
    if (reply !== "OK") throw new Error(String(reply));
  }
}
