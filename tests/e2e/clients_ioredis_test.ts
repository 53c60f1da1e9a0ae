import type { IoredisOrder, IoredisReport } from "../support/ioredis_work.ts";
import { testSeed } from "../support/random.ts";
import { type Settings, TestServer } from "../support/server.ts";

/** Has the worker do one piece of work with a server of its own; its steps are the test's. */
async function work(
  t: Deno.TestContext,
  work: IoredisOrder["work"],
  settings: Settings,
): Promise<void> {
  await using server = await TestServer.start({ "arena-size": "256mb", ...settings });
  const worker = new Worker(new URL("../support/ioredis_work.ts", import.meta.url), {
    type: "module",
  });
  const reports: IoredisReport[] = [];
  let came = () => {};
  let failure: string | null = null;
  worker.onmessage = ({ data }: MessageEvent<IoredisReport>) => {
    reports.push(data);
    came();
  };
  worker.onerror = (event) => {
    event.preventDefault();
    failure = event.message;
    came();
  };
  const seed = testSeed(97);
  const order: IoredisOrder = {
    work,
    port: server.port,
    shards: Number(settings.shards ?? 1),
    password: settings.requirepass ?? "",
    seed,
  };
  worker.postMessage(order);
  try {
    while (true) {
      if (reports.length === 0 && failure === null) {
        await new Promise<void>((resolve) => came = resolve);
      }
      if (failure !== null) throw new Error(`${failure}, seed ${seed}`);
      const report = reports.shift();
      if (report === undefined) continue;
      if (report.step === null) return;
      const { step, error } = report;
      await t.step(step, () => {
        if (error !== null) throw new Error(`seed ${seed}: ${error}`);
      });
    }
  } finally {
    worker.terminate();
  }
}

for (const shards of ["1", "3"]) {
  Deno.test(`ioredis does its daily work, shards: ${shards}`, (t) => work(t, "daily", { shards }));

  Deno.test(`ioredis works with values of every type, shards: ${shards}`, (t) => {
    return work(t, "types", { shards });
  });

  Deno.test(`ioredis pipelines by itself, shards: ${shards}`, (t) => {
    return work(t, "pipelines", { shards });
  });
}

Deno.test("ioredis authenticates as it connects, or says why not", (t) => {
  return work(t, "authenticates", { requirepass: 'pass word"1' });
});
