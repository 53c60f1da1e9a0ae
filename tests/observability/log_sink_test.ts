import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  FileSink,
  LOG_STREAM_ATTEMPTS_MAX,
  LogFileError,
  StreamSink,
} from "../../src/observability/log_sink.ts";

/** A stream that takes a few bytes at a time and fails as told. */
class Stream {
  text = "";
  calls = 0;
  room = Infinity;
  error: Error | null = null;

  writeSync(bytes: Uint8Array): number {
    this.calls++;
    const taken = Math.min(7, this.room, bytes.length);
    if (taken === 0 && this.error !== null) throw this.error;
    this.room -= taken;
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  }
}

Deno.test("a line is written whole by a stream that takes it in parts", () => {
  const stream = new Stream();
  assertEquals(new StreamSink(stream).write("a line of some length"), true);
  assertEquals(stream.text, "a line of some length\n");
});

Deno.test("a line that was cut off is ended before the next", () => {
  const stream = new Stream();
  const sink = new StreamSink(stream);
  stream.error = new Deno.errors.BrokenPipe("gone");
  stream.room = 4;
  assertEquals(sink.write("first line"), false);
  assertEquals(sink.write("second line"), false);
  stream.room = Infinity;
  assertEquals(sink.write("third line"), true);
  assertEquals(stream.text, "firs\nthird line\n");
});

Deno.test("a stream that stays full is given up after a bounded number of attempts", () => {
  const stream = new Stream();
  stream.error = new Deno.errors.WouldBlock("full");
  stream.room = 0;
  assertEquals(new StreamSink(stream).write("x"), false);
  assertEquals(stream.calls, LOG_STREAM_ATTEMPTS_MAX);
});

Deno.test("a log file is appended to, and made anew after it was rotated away", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/shoal.log`;
    await Deno.writeTextFile(path, "before\n");
    const sink = new FileSink(path);
    assertEquals(sink.write("one"), true);
    await Deno.rename(path, `${path}.1`);
    assertEquals(sink.write("two"), true);
    assertEquals(await Deno.readTextFile(`${path}.1`), "before\none\n");
    assertEquals(await Deno.readTextFile(path), "two\n");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a log file that cannot be opened is named at once, and later only loses lines", async () => {
  const dir = await Deno.makeTempDir();
  const missing = `${dir}/no/such/shoal.log`;
  const error = assertThrows(() => new FileSink(missing), LogFileError, missing);
  assertEquals(error.path, missing);
  assertInstanceOf(error.cause, Deno.errors.NotFound);
  const sink = new FileSink(`${dir}/shoal.log`);
  await Deno.remove(dir, { recursive: true });
  assertEquals(sink.write("lost"), false);
});
