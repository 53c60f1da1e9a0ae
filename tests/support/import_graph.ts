/**
 * The module graph of `src/`, and what is wrong with it: arrows against the order of the rooms, and
 * files that the product never loads.
 *
 * @module
 */

/** The rooms from the ground up: a room imports only itself and rooms before it, so no cycle can be. */
export const ROOMS: readonly string[] = [
  "base",
  "std",
  "resp",
  "memory",
  "keyspace",
  "observability",
  "snapshot",
  "persistence",
  "replication",
  "commands",
  "shard",
  "server",
  "cli",
];

/** Rooms that must not know a room although it lies before them. */
export const STRANGERS: Readonly<Record<string, readonly string[]>> = {
  memory: ["resp"],
  replication: ["memory", "keyspace", "snapshot", "persistence"],
  commands: ["persistence", "replication"],
};

/** One import: project-relative paths, and the line (from 1) it stands on. */
export interface Arrow {
  /** The importing file. */
  readonly from: string;
  /** The imported file. */
  readonly to: string;
  /** Line of the import in `from`. */
  readonly line: number;
}

/** The arrows that break the order, each as a sentence naming both files. */
export function brokenArrows(arrows: readonly Arrow[]): string[] {
  const broken: string[] = [];
  for (const arrow of arrows) {
    const why = whyBroken(arrow);
    if (why !== null) broken.push(`${arrow.from}:${arrow.line} -> ${arrow.to}: ${why}`);
  }
  return broken;
}

function whyBroken({ from, to }: Arrow): string | null {
  if (from.startsWith("tests/")) return null;
  if (to.startsWith("tests/")) return "the product must not import tests";
  if (to === "main.ts") return "main.ts is where imports start";
  if (from === "main.ts") return null;
  if (to.startsWith("src/std/assert/") && !from.startsWith("src/std/assert/")) {
    return "@std/assert is for tests; use src/base/invariant.ts";
  }
  const fromRoom = roomOf(from), toRoom = roomOf(to);
  if (fromRoom === toRoom) return null;
  const fromIndex = ROOMS.indexOf(fromRoom), toIndex = ROOMS.indexOf(toRoom);
  if (fromIndex < 0) return `${fromRoom}/ is not a known room`;
  if (toIndex < 0) return `${toRoom}/ is not a known room`;
  if (toIndex > fromIndex) return `${toRoom}/ lies above ${fromRoom}/`;
  if (STRANGERS[fromRoom]?.includes(toRoom)) return `${fromRoom}/ must not know ${toRoom}/`;
  return null;
}

function roomOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** The files that no chain of arrows reaches from `roots`, in order; the stand-ins for @std are spared. */
export function unreachedFiles(
  files: readonly string[],
  arrows: readonly Arrow[],
  roots: readonly string[],
): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of arrows) {
    const known = targets.get(from);
    if (known === undefined) targets.set(from, [to]);
    else known.push(to);
  }
  const reached = new Set(roots);
  for (const file of reached) {
    for (const to of targets.get(file) ?? []) reached.add(to);
  }
  return files.filter((file) => !reached.has(file) && !file.startsWith("src/std/")).sort();
}

/** The project's folder, with a slash at its end. */
export const PROJECT: URL = new URL("../../", import.meta.url);

/** `main.ts` and every TypeScript file below `src/`, project-relative. */
export async function productFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const entry of Deno.readDir(PROJECT)) {
    if (entry.name === "main.ts") files.push(entry.name);
  }
  await collect("src");
  return files;

  async function collect(folder: string): Promise<void> {
    for await (const entry of Deno.readDir(new URL(folder, PROJECT))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await collect(path);
      else if (path.endsWith(".ts")) files.push(path);
    }
  }
}

interface InfoDependency {
  readonly code?: { readonly specifier: string; readonly span: InfoSpan };
  readonly type?: { readonly specifier: string; readonly span: InfoSpan };
}
interface InfoSpan {
  readonly start: { readonly line: number };
}
interface InfoModule {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly InfoDependency[];
}

/** The arrows between the project's own files, types included, as `deno info` sees them. */
export async function importArrows(files: readonly string[]): Promise<Arrow[]> {
  const dir = await Deno.makeTempDir();
  try {
    const root = `${dir}/all.ts`;
    const imports = files.map((file) => `import ${JSON.stringify(new URL(file, PROJECT).href)};`);
    await Deno.writeTextFile(root, imports.join("\n"));
    const arrows: Arrow[] = [];
    for (const module of await denoInfo(root)) {
      const from = projectPath(module.specifier);
      if (from === null || !files.includes(from)) continue;
      if (module.error !== undefined) throw new Error(`Cannot read module graph: ${module.error}`);
      for (const dependency of module.dependencies ?? []) {
        for (const end of [dependency.code, dependency.type]) {
          const to = end === undefined ? null : projectPath(end.specifier);
          if (end !== undefined && to !== null) {
            arrows.push({ from, to, line: end.span.start.line + 1 });
          }
        }
      }
    }
    return [...arrows, ...await workerArrows(files)];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function denoInfo(root: string): Promise<readonly InfoModule[]> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", new URL("deno.json", PROJECT).pathname, root],
    env: { NO_COLOR: "1" },
  });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(`Cannot read module graph: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

/** Starting a worker from a file is an import, though `deno info` does not follow it. */
async function workerArrows(files: readonly string[]): Promise<Arrow[]> {
  const arrows: Arrow[] = [];
  for (const from of files) {
    const lines = (await Deno.readTextFile(new URL(from, PROJECT))).split("\n");
    lines.forEach((text, index) => {
      const found = text.match(/^[^*/]*new URL\("(\.[^"]+\.ts)", import\.meta\.url\)/);
      if (found === null) return;
      const to = projectPath(new URL(found[1], new URL(from, PROJECT)).href);
      if (to !== null) arrows.push({ from, to, line: index + 1 });
    });
  }
  return arrows;
}

function projectPath(specifier: string): string | null {
  return specifier.startsWith(PROJECT.href) ? specifier.slice(PROJECT.href.length) : null;
}
