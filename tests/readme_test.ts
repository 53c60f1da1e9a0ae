import { assert, assertEquals } from "@std/assert";
import { settingsMarkdown } from "../src/cli/help.ts";
import { PROJECT, ROOMS } from "./support/import_graph.ts";
import { KNOWN_DIFFERENCES } from "./support/known_differences.ts";

const README = Deno.readTextFileSync(new URL("README.md", PROJECT));

/** What stands between two marks, each in a comment of its own. */
function between(name: string): string {
  const found = README.match(new RegExp(`<!-- ${name}: begin[^]*?-->([^]*?)<!-- ${name}: end -->`));
  assert(found !== null, `README.md has no part '${name}'`);
  return found[1];
}

Deno.test("the README's settings are those of the settings table", () => {
  const inReadme = between("settings").replaceAll(/<!-- deno-fmt-ignore-\w+ -->/g, "").trim();
  const command =
    `deno eval 'import { settingsMarkdown } from "./src/cli/help.ts"; console.log(settingsMarkdown())'`;
  assertEquals(
    inReadme,
    settingsMarkdown().trim(),
    `put in its place what this prints: ${command}`,
  );
});

Deno.test("the README has every difference from redis-server that the tests allow, with its reason", () => {
  const listed = KNOWN_DIFFERENCES.map(({ what, reason }) => `- ${what}. ${reason}`);
  assertEquals(between("differences").trim().split("\n"), listed);
});

Deno.test("the README names every room in the order of imports", () => {
  const rooms = [...README.matchAll(/^\| `(\w+)\/` +\|/gm)].map((match) => match[1]);
  assertEquals(rooms, [...ROOMS]);
});

Deno.test("the README's links lead somewhere", () => {
  const slug = (heading: string) =>
    heading.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-");
  const headings = [...README.matchAll(/^#+ (.+)$/gm)].map((match) => `#${slug(match[1])}`);
  const dead: string[] = [];
  for (const [, target] of README.matchAll(/\]\(([^)]+)\)/g)) {
    if (target.startsWith("https://")) continue;
    if (target.startsWith("#")) {
      if (!headings.includes(target)) dead.push(target);
      continue;
    }
    try {
      Deno.statSync(new URL(target, PROJECT));
    } catch {
      dead.push(target);
    }
  }
  assertEquals(dead, []);
});

Deno.test("the README names tasks that exist, and each of them", () => {
  const config = JSON.parse(Deno.readTextFileSync(new URL("deno.json", PROJECT)));
  const named = new Set(
    [...README.matchAll(/deno(?:@[\d.]+)? task (\w+)/g)].map((match) => match[1]),
  );
  assertEquals([...named].sort(), Object.keys(config.tasks).sort());
});
