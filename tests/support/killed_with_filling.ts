import { Client } from "./client.ts";
import { Program } from "./program.ts";
import { until } from "./server.ts";

/**
 * Runs the program on `dir`, with an append-only file and `always`, until its file is filled ahead; writes
 * 30 keys in all; kills it. Gives the digest of what it had.
 */
export async function killedWithFilling(dir: string): Promise<string> {
  const settings = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
  const program = new Program(dir, settings);
  const { port } = await program.ready();
  using client = await Client.connect(port);
  for (let i = 0; i < 20; i++) await client.ask("SET", `key:${i}`, `value ${i}`);
  await until(
    "it is filled ahead",
    async () => /aof_filled_ahead:[1-9]/.test(String(await client.ask("INFO", "persistence"))),
  );
  for (let i = 20; i < 30; i++) await client.ask("SET", `key:${i}`, `value ${i}`);
  const digest = String(await client.ask("DEBUG", "DIGEST"));
  program.signal("SIGKILL");
  await program.end();
  return digest;
}
