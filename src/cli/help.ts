/**
 * The answer to `--help` and the settings table of the README, both made from the settings table.
 *
 * @module
 */
import { ConfigError, nearest, shown } from "../server/config_error.ts";
import { environmentName } from "../server/config_sources.ts";
import type { Setting } from "../server/setting.ts";
import { SETTINGS } from "../server/settings.ts";
import { INERT_SETTINGS } from "../server/settings_inert.ts";

const WIDTH = 100;
const NAME_WIDTH = 36;

const USAGE = `shoal: a Redis-protocol key-value server

usage:
  shoal [config-file] [--directive value ...]
  shoal -                    read the config from standard input
  shoal check-aof [--fix] FILE   what is in an append-only file or a manifest, where it breaks
  shoal check-rdb FILE           the same of a snapshot
  shoal --help [setting ...] | --version

examples:
  shoal --port 7000 --shards 2
  shoal --port 7010 --dir ./data/replica --replicaof "127.0.0.1 7000"
  shoal ./data/shoal.conf --port 7020 --dir ./data/other --bind 127.0.0.1 -::1 --save ""

Settings come from the config file (in the form of redis.conf), then from variables such as
${environmentName("port")} and ${
  environmentName("replication-port-base")
}, then from the command line; a later one wins.
A variable that is no setting's goes unseen: the sandbox lets each be read by its name, not listed.
Sizes take k m g (powers of 1000) and kb mb gb (powers of 1024). An option that is yes or no
means yes without a value.
`;

/**
 * The text, ending with a line feed: all of it, or what there is to say about the settings named.
 *
 * @throws {ConfigError} for a name that is no setting's.
 */
export function helpText(about: readonly string[] = []): string {
  if (about.length > 0) return about.map(helpAbout).join("\n");
  let out = USAGE;
  for (const [heading, settings] of sections()) {
    out += `\n${heading}:\n`;
    for (const setting of settings) out += row(setting);
  }
  out += "\nEach is shown with its default. [restart]: not changed by CONFIG SET. " +
    "[protected]: changed by\nCONFIG SET where enable-protected-configs allows it.\n";
  out +=
    "\nRedis's other directives are accepted without effect where that is harmless; the log names\n" +
    "those that were given another value than Redis's default.\n";
  return out;
}

function row(setting: Setting): string {
  const left = `  --${setting.name} ${defaultOf(setting)}`;
  const right = setting.about + (setting.change === "live" ? "" : ` [${setting.change}]`);
  const start = left.length < NAME_WIDTH
    ? left.padEnd(NAME_WIDTH)
    : `${left}\n${" ".repeat(NAME_WIDTH)}`;
  return start + wrap(right, NAME_WIDTH);
}

function helpAbout(name: string): string {
  const folded = name.toLowerCase();
  const all: Setting[] = [...Object.values(SETTINGS), ...INERT_SETTINGS];
  const setting = all.find((one) => one.name === folded || one.alias === folded);
  if (setting === undefined) {
    const near = nearest(folded, all.map((one) => one.name));
    const hint = near === null ? "" : `did you mean '${near}'? `;
    throw new ConfigError(
      `there is no setting '${shown(name)}': ${hint}allowed are those that --help alone lists`,
    );
  }
  const indent = " ".repeat(NAME_WIDTH);
  const more = [
    `allowed: ${setting.kind.allowed}`,
    `variable: ${environmentName(setting.name)}`,
    ...(setting.alias === undefined ? [] : [`also called: ${setting.alias}`]),
  ];
  return row(setting) + more.map((line) => indent + wrap(line, NAME_WIDTH)).join("");
}

/** The settings in Markdown: a heading and a table a section, then those without effect. */
export function settingsMarkdown(): string {
  const parts: string[] = [];
  for (const [heading, settings] of sections()) {
    const rows = settings.map((s) =>
      `| \`${s.name}\` | ${code(defaultOf(s))} | ${cell(s.kind.allowed)} | ${s.change} | ${
        cell(s.about)
      } |`
    );
    parts.push(
      `### ${heading}\n\n| setting | default | allowed | change | what it does |\n` +
        `| --- | --- | --- | --- | --- |\n${rows.join("\n")}\n`,
    );
  }
  const inert = INERT_SETTINGS.map((s) => code(s.name)).join(", ");
  parts.push(`### accepted without effect\n\n${inert}\n`);
  return parts.join("\n");
}

function sections(): Map<string, Setting[]> {
  const all: Setting[] = Object.values(SETTINGS);
  return Map.groupBy(all, (setting) => setting.section);
}

/** The default as one would write it. */
function defaultOf({ name, kind, initial }: Setting): string {
  const lines = kind.lines(name, initial).map((line) => line.slice(name.length + 1));
  const value = lines.join(" ");
  return value === "" ? '""' : value.includes(" ") ? `"${value}"` : value;
}

function wrap(text: string, indent: number): string {
  let out = "";
  let column = indent;
  for (const word of text.split(" ")) {
    if (column > indent && column + word.length >= WIDTH) {
      out += "\n" + " ".repeat(indent);
      column = indent;
    }
    out += (column > indent ? " " : "") + word;
    column += word.length + 1;
  }
  return out + "\n";
}

function code(value: string): string {
  return "`" + value + "`";
}

function cell(value: string): string {
  return value.replaceAll("|", "\\|").replaceAll("*", "\\*").replaceAll("<", "&lt;");
}
