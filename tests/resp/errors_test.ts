import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import * as errors from "../../src/resp/errors.ts";
import { REQUEST, RequestParser } from "../../src/resp/request_parser.ts";
import { bytesOf, multibulk } from "./support.ts";

function unknown(...args: string[]): string {
  const parser = new RequestParser();
  const buf = bytesOf(multibulk(...args));
  assertEquals(parser.parse(buf, buf.length), REQUEST);
  return latin1(errors.unknownCommand(buf, parser.starts, parser.stops, parser.argc));
}

Deno.test("every prebuilt error is one line that begins with its code", () => {
  for (const [name, line] of Object.entries(errors)) {
    if (!(line instanceof Uint8Array)) continue;
    const chars = latin1(line);
    assert(/^[A-Z]+ [ -~]+$/.test(chars), `${name}: ${chars}`);
  }
});

Deno.test("errors built for a name say it as Redis does", () => {
  assertEquals(latin1(errors.wrongArity("get")), "ERR wrong number of arguments for 'get' command");
  assertEquals(
    latin1(errors.wrongArity("config|set")),
    "ERR wrong number of arguments for 'config|set' command",
  );
  assertEquals(
    latin1(errors.invalidExpireTime("setex")),
    "ERR invalid expire time in 'setex' command",
  );
  const buf = bytesOf("..no\r\nsuch..");
  assertEquals(
    latin1(errors.unknownSubcommand(buf, 2, 10, "CLIENT")),
    "ERR unknown subcommand 'no  such'. Try CLIENT HELP.",
  );
});

// Each text is a Redis server's answer to the same request.
Deno.test("an unknown command is quoted with the beginning of its arguments", () => {
  assertEquals(unknown("foo"), "ERR unknown command 'foo', with args beginning with: ");
  assertEquals(
    unknown("nosuch", "a", "b"),
    "ERR unknown command 'nosuch', with args beginning with: 'a' 'b' ",
  );
  assertEquals(
    unknown("nos\r\nh", "a\0b", "x".repeat(200), "c"),
    `ERR unknown command 'nos  h', with args beginning with: 'a' '${"x".repeat(124)}' `,
  );
  assertEquals(
    unknown("y".repeat(200), "a"),
    `ERR unknown command '${"y".repeat(128)}', with args beginning with: 'a' `,
  );
  assertEquals(
    unknown("\xff", "\xfe"),
    "ERR unknown command '\xff', with args beginning with: '\xfe' ",
  );
});

Deno.test("a line repeats what a client sent, however much that is", () => {
  const long = new Uint8Array(2 ** 27).fill(120); // more than an array of numbers can hold
  const line = new errors.LineBuilder().text("ERR '");
  assertEquals(line.quoted(long, 0, long.length), long.length);
  const made = line.text("'").line();
  assertEquals(made.length, long.length + 6);
  assertEquals(latin1(made.subarray(0, 6)), "ERR 'x");
  assertEquals(latin1(made.subarray(made.length - 2)), "x'");
});
