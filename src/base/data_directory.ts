/**
 * The start check of the data directory: there, a directory, writable, and with no way out of it
 * that the permissions do not name. One that is full is taken: what is in it can be read. Deno checks
 * a path by its name, so a symbolic link inside a granted directory would be followed out of it; a
 * link whose target is not granted itself stops the start. Links made later by someone else who can
 * write there are not watched for.
 *
 * @module
 */
import {
  type Access,
  allowFlag,
  explainFailure,
  isDiskFull,
  isGranted,
  remedy,
} from "./permissions.ts";

/** A data directory that cannot be used; the message is one line that says why. */
export class DataDirectoryError extends Error {
  /** Name of the class. */
  override readonly name = "DataDirectoryError";
}

/**
 * Makes the directory where it is missing, checks it and gives its absolute path, to be used
 * instead of `dir` from then on. `full` is told, in one line, when there is no room to write in it.
 *
 * @throws {DataDirectoryError} when it cannot be used.
 */
export function checkDataDirectory(dir: string, full: (why: string) => void = () => {}): string {
  const info = inspect(dir) ?? make(dir);
  const path = info.isSymlink ? followed(dir) : absolute(dir);
  if (!info.isSymlink && !info.isDirectory) fail(dir, "it is not a directory");
  refuseLinksOut(dir, path);
  probe(dir, path, full);
  return path;
}

function fail(dir: string, why: string, cause?: unknown): never {
  throw new DataDirectoryError(`data directory '${dir}' cannot be used: ${why}`, { cause });
}

function inspect(dir: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(dir);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    return fail(dir, explainFailure(error, wanted(dir, "read")), error);
  }
}

function make(dir: string): Deno.FileInfo {
  try {
    Deno.mkdirSync(dir, { recursive: true });
    return Deno.lstatSync(dir);
  } catch (error) {
    return fail(dir, explainFailure(error, wanted(dir, "write")), error);
  }
}

/** Where a link named as data directory leads, if the permissions name that place too. */
function followed(dir: string): string {
  let target: string;
  try {
    target = Deno.realPathSync(dir);
    if (!Deno.statSync(dir).isDirectory) fail(dir, "it is not a directory");
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    return fail(dir, explainFailure(error, wanted(dir, "read")), error);
  }
  if (!granted(target)) {
    fail(dir, `it is a link to ${target}, outside the permissions: ${flags(target)}`);
  }
  return target;
}

function refuseLinksOut(dir: string, path: string): void {
  let entries: Deno.DirEntry[];
  let root: string;
  try {
    root = Deno.realPathSync(path);
    entries = [...Deno.readDirSync(path)];
  } catch (error) {
    return fail(dir, explainFailure(error, wanted(dir, "read")), error);
  }
  for (const entry of entries) {
    if (!entry.isSymlink) continue;
    const link = `${path}/${entry.name}`;
    const target = targetOf(link, root);
    if (target === root || target.startsWith(`${root}/`) || granted(target)) continue;
    fail(dir, `${entry.name} in it is a link to ${target}, outside the permissions: remove it`);
  }
}

/** Where a link leads; one that leads nowhere yet is taken by its text. */
function targetOf(link: string, root: string): string {
  try {
    return Deno.realPathSync(link);
  } catch {
    const text = Deno.readLinkSync(link);
    return normalized(text.startsWith("/") ? text : `${root}/${text}`);
  }
}

function granted(path: string): boolean {
  return isGranted("read", path) && isGranted("write", path);
}

/** What failed was `to` read or to write; where neither is permitted, both, so that one line names them. */
function wanted(path: string, to: "read" | "write"): Access {
  const lacksBoth = !isGranted("read", path) && !isGranted("write", path);
  return { to: lacksBoth ? "read and write" : to, path };
}

function flags(path: string): string {
  return `name that directory, or ${remedy(allowFlag({ to: "read and write", path }))}`;
}

function probe(dir: string, path: string, full: (why: string) => void): void {
  const file = `${path}/.shoal-probe-${crypto.randomUUID()}`;
  try {
    Deno.writeFileSync(file, new Uint8Array(1), { createNew: true });
    Deno.removeSync(file);
  } catch (error) {
    const why = explainFailure(error, wanted(dir, "write"));
    if (!isDiskFull(error)) fail(dir, why, error);
    removeQuietly(file);
    full(why);
  }
}

/** There may have been room for the name alone. */
function removeQuietly(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // Then it is not there, or in nobody's way.
  }
}

function absolute(dir: string): string {
  return normalized(dir.startsWith("/") ? dir : `${Deno.cwd()}/${dir}`);
}

function normalized(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return "/" + parts.join("/");
}
