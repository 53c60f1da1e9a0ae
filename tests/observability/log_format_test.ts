import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  formatJson,
  formatText,
  LOG_ERROR_CAUSES_MAX,
  LOG_VALUE_CHARS_MAX,
  type LogEntry,
} from "../../src/observability/log_format.ts";

const ENTRY: LogEntry = {
  unixMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  level: "notice",
  message: "replica link closed",
  scope: { shard: 3, replica: "r1" },
  fields: { reason: "no progress", bytes: 12, big: 2n ** 60n, absent: undefined, none: null },
};

Deno.test("a text line has time, level, message, shard, replica and fields in this order", () => {
  assertEquals(
    formatText(ENTRY),
    '2026-01-02T03:04:05.006Z notice  replica link closed shard=3 replica=r1 reason="no progress"' +
      " bytes=12 big=1152921504606846976 none=null",
  );
  assertEquals(
    formatText({ ...ENTRY, level: "warning", scope: {}, fields: {} }),
    "2026-01-02T03:04:05.006Z warning replica link closed",
  );
});

Deno.test("a JSON line has the same, numbers as numbers and the rest as text", () => {
  const line = formatJson({ ...ENTRY, fields: { ...ENTRY.fields, ratio: NaN, ok: true } });
  assertEquals(
    line,
    '{"time":"2026-01-02T03:04:05.006Z","level":"notice","message":"replica link closed",' +
      '"shard":3,"replica":"r1","reason":"no progress","bytes":12,"big":"1152921504606846976",' +
      '"none":null,"ratio":"NaN","ok":true}',
  );
});

Deno.test("a field cannot replace a fixed name of a JSON line", () => {
  const line = formatJson({ ...ENTRY, scope: {}, fields: { level: "x", shard: 9, time: 1 } });
  assertEquals(JSON.parse(line), {
    time: "2026-01-02T03:04:05.006Z",
    level: "notice",
    message: "replica link closed",
  });
});

const HOSTILE = [
  "a\nb",
  "a\r\nb",
  'quote"d',
  "back\\slash",
  "sp ace",
  "k=v",
  "",
  "\x1b[31mred",
  "\u202ertl",
  "\u2028",
  "\x85",
  "\ud800",
  "\u{e0001}tag",
];
for (const value of HOSTILE) {
  Deno.test(`a value ${JSON.stringify(value)} stays inside its quotes and on its line`, () => {
    const line = formatText({ ...ENTRY, scope: { replica: value }, fields: { last: 1 } });
    const start = line.indexOf("replica=") + "replica=".length;
    const quoted = line.slice(start, line.length - " last=1".length);
    assertEquals(line.slice(start + quoted.length), " last=1");
    assertEquals([quoted[0], quoted.at(-1)], ['"', '"']);
    assertEquals(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(line), false, JSON.stringify(line));
  });
}

Deno.test("a message cannot start a second line", () => {
  const line = formatText({ ...ENTRY, message: "one\ntwo" });
  assertStringIncludes(line, " one\\u000atwo shard=3");
});

Deno.test("a long value is cut and tells how much is missing", () => {
  const value = "x".repeat(LOG_VALUE_CHARS_MAX + 5);
  const kept = "x".repeat(LOG_VALUE_CHARS_MAX);
  const entry = { ...ENTRY, fields: { value } };
  assertStringIncludes(formatText(entry), `value="${kept}...(5 more)"`);
  assertEquals(JSON.parse(formatJson(entry)).value, `${kept}...(5 more)`);
});

Deno.test("an error prints its name, its text and a bounded chain of causes", () => {
  let error = new Error("cause 9");
  for (let i = 8; i >= 0; i--) error = new RangeError(`cause ${i}`, { cause: error });
  const line = formatText({ ...ENTRY, fields: { error } });
  assertStringIncludes(line, 'error="RangeError: cause 0; caused by RangeError: cause 1;');
  assertStringIncludes(line, `cause ${LOG_ERROR_CAUSES_MAX}"`);
});
