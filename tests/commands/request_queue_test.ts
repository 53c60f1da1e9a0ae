import { assert, assertEquals } from "@std/assert";
import { RequestQueue } from "../../src/commands/request_queue.ts";
import { Random, testSeed } from "../support/random.ts";

/** Pushes a request whose arguments lie with gaps in a buffer of their own. */
function push(queue: RequestQueue, args: readonly Uint8Array[], limitBytes = Infinity): boolean {
  const buf = new Uint8Array(args.reduce((n, arg) => n + arg.length + 3, 0));
  const starts = new Int32Array(args.length + 2);
  const stops = new Int32Array(args.length + 2);
  let at = 0;
  args.forEach((arg, i) => {
    buf.set(arg, at);
    starts[i] = at;
    at += arg.length;
    stops[i] = at;
    at += 3;
  });
  const taken = queue.push(buf, starts, stops, args.length, limitBytes);
  buf.fill(255); // what was taken is a copy
  return taken;
}

function read(queue: RequestQueue): Uint8Array[][] {
  const all: Uint8Array[][] = [];
  queue.rewind();
  while (queue.next()) {
    const { buf, argc, starts, stops } = queue;
    all.push(Array.from({ length: argc }, (_, i) => buf.slice(starts[i], stops[i])));
  }
  return all;
}

Deno.test("a queue gives back the requests as they were, in order, as often as asked", () => {
  const seed = testSeed(11);
  const random = new Random(seed);
  const queue = new RequestQueue();
  for (let round = 0; round < 3; round++) {
    const requests = Array.from({ length: 200 }, () =>
      Array.from(
        { length: 1 + random.below(random.below(20) === 0 ? 300 : 5) },
        () => random.bytes(random.below(random.below(30) === 0 ? 40_000 : 20)),
      ));
    for (const request of requests) assert(push(queue, request));
    assertEquals(read(queue), requests, `seed ${seed}`);
    assertEquals(read(queue), requests, `seed ${seed}`);
    assertEquals(queue.count, 200);
    queue.clear();
    assertEquals([queue.count, queue.bytes, queue.memoryBytes], [0, 0, 0]);
    assertEquals(read(queue), []);
  }
});

Deno.test("a queue takes what fits its limit to the byte, and nothing past it", () => {
  const queue = new RequestQueue();
  const request = [new Uint8Array(10), new Uint8Array(0)]; // 4 + 2 * 4 + 10 bytes
  assertEquals(push(queue, request, 21), false);
  assertEquals([queue.count, queue.bytes], [0, 0]);
  assertEquals(push(queue, request, 22), true);
  assertEquals(push(queue, request, 43), false);
  assertEquals(push(queue, request, 44), true);
  assertEquals([queue.count, queue.bytes], [2, 44]);
});

Deno.test("a long queue has little memory unused", () => {
  const queue = new RequestQueue();
  for (let i = 0; i < 100_000; i++) push(queue, [new Uint8Array(60)]);
  assert(queue.memoryBytes < queue.bytes * 1.25, `${queue.memoryBytes} of ${queue.bytes}`);
});
