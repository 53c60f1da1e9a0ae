import { assertEquals } from "@std/assert";
import {
  humanBytes,
  type InfoSection,
  infoText,
  pairs,
  percent,
  ratio,
} from "../../src/server/info_format.ts";

const SECTIONS: readonly InfoSection[] = [
  { title: "Server", byDefault: true, lines: () => [["a", 1], ["b", "two"]] },
  { title: "Commandstats", byDefault: false, lines: () => [["c", 3]] },
  { title: "Keyspace", byDefault: true, lines: () => [] },
];

const SERVER = "# Server\r\na:1\r\nb:two\r\n";
const COMMANDSTATS = "# Commandstats\r\nc:3\r\n";
const KEYSPACE = "# Keyspace\r\n";

for (
  const [asked, text] of [
    [[], `${SERVER}\r\n${KEYSPACE}`],
    [["default"], `${SERVER}\r\n${KEYSPACE}`],
    [["all"], `${SERVER}\r\n${COMMANDSTATS}\r\n${KEYSPACE}`],
    [["EveryThing"], `${SERVER}\r\n${COMMANDSTATS}\r\n${KEYSPACE}`],
    [["commandSTATS"], COMMANDSTATS],
    [["keyspace", "server", "keyspace"], `${SERVER}\r\n${KEYSPACE}`],
    [["default", "commandstats"], `${SERVER}\r\n${COMMANDSTATS}\r\n${KEYSPACE}`],
    [["nothing"], ""],
    [["nothing", "keyspace"], KEYSPACE],
  ] as const
) {
  Deno.test(`INFO ${asked.join(" ")} shows its sections in one order`, () => {
    assertEquals(infoText(SECTIONS, asked), text);
  });
}

Deno.test("a section that is not shown makes no lines", () => {
  const lines = () => {
    throw new Error("asked for");
  };
  assertEquals(infoText([{ title: "Cpu", byDefault: true, lines }], ["memory"]), "");
});

Deno.test("a line end in a value does not end the line", () => {
  const lines = () => [["error", "one\r\ntwo:2"]] as const;
  assertEquals(
    infoText([{ title: "X", byDefault: true, lines }], []),
    "# X\r\nerror:one  two:2\r\n",
  );
});

Deno.test("bytes are shown to people as Redis does", () => {
  const shown = [0, 1023, 1024, 1536, 1024 ** 2, 1024 ** 3 * 3.25, 1024 ** 4, 1024 ** 5];
  assertEquals(shown.map(humanBytes), [
    "0B",
    "1023B",
    "1.00K",
    "1.50K",
    "1.00M",
    "3.25G",
    "1.00T",
    "1.00P",
  ]);
});

Deno.test("parts of nothing are nothing", () => {
  assertEquals([percent(1, 4), percent(0, 0)], ["25.00%", "0.00%"]);
  assertEquals([ratio(3, 2), ratio(5, 0)], ["1.50", "0.00"]);
  assertEquals(pairs(Object.entries({ a: 1, b: "x" })), "a=1,b=x");
});
