/**
 * Failures of the world outside as one line each: what was wanted, why not, and, where Deno's
 * sandbox refused it, the flag that would allow it and where that flag goes. Deno's `NotCapable` names
 * neither the act nor the value of the flag.
 *
 * @module
 */

/** A host and a port of it. */
export interface HostPort {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  /** 0 is a port that the system picks. */
  readonly port: number;
}

/** What was wanted. */
export type Access =
  | { readonly to: "listen" | "connect" } & HostPort
  | { readonly to: "read" | "write" | "read and write"; readonly path: string }
  | { readonly to: "env"; readonly name: string };

/** Whether Deno's permissions, and not the system, refused. */
export function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}

/** Whether there is no room to write, or none that this user may take: it may come back. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error && "code" in error)) return false;
  return error.code === "ENOSPC" || error.code === "EDQUOT";
}

/** Refused ports of one host from which on the flag names the host alone. */
const PORTS_NAMED_MAX = 8;

/** Whether this is the program as one file: its permissions were fixed when the file was made. */
const IS_ONE_FILE = Deno.build.standalone || import.meta.url.endsWith("/main.js");

/** The flag that allows `access`, as small as it can be. */
export function allowFlag(access: Access): string {
  switch (access.to) {
    case "listen":
    case "connect":
      return netFlag([access]);
    case "read":
      return `--allow-read=${access.path}`;
    case "write":
      return `--allow-write=${access.path}`;
    case "read and write":
      return `--allow-read=${access.path} --allow-write=${access.path}`;
    case "env":
      return `--allow-env=${access.name}`;
  }
}

function netFlag(places: readonly HostPort[]): string {
  const entries: string[] = [];
  for (const [host, those] of Map.groupBy(places, ({ host }) => host)) {
    // Port 0 is not covered by any host:port, only by the host.
    const isWhole = those.length > PORTS_NAMED_MAX || those.some(({ port }) => port === 0);
    if (isWhole) entries.push(bracketed(host));
    else for (const place of those) entries.push(hostPort(place));
  }
  return `--allow-net=${entries.join(",")}`;
}

/** `host:port`, an IPv6 address in brackets. */
export function hostPort({ host, port }: HostPort): string {
  return `${bracketed(host)}:${port}`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** How a flag of Deno's permissions is given, in the form in which the program was started. */
export function givenAs(flag: string): string {
  return IS_ONE_FILE
    ? `sh compile.sh ${flag}`
    : `deno run -q -P=server --no-prompt ${flag} main.ts`;
}

/**
 * Completes a line about a refusal: what to do. The flag is named with the value to add, since a list on
 * the command line replaces the one of the permission set.
 */
export function remedy(flag: string): string {
  const act = IS_ONE_FILE
    ? `build the file anew with sh compile.sh ${flag}`
    : `start with ${flag} before main.ts`;
  return `${act}, beside what is allowed already (README, Permissions)`;
}

/**
 * One line for a refusal by Deno's permissions, or null for any other error. A file that was to be read
 * may have been opened for writing as well: which of the two was refused is taken from Deno's text.
 */
export function explainRefusal(error: unknown, access: Access): string | null {
  if (!isRefused(error)) return null;
  const refused: Access = access.to === "read" && isOfWriting(error)
    ? { to: "write", path: access.path }
    : access;
  return `not permitted to ${act(refused)}: ${remedy(allowFlag(refused))}`;
}

function isOfWriting(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Requires write access");
}

/** As `explainRefusal`, of all places at which listening is refused together. */
export function explainRefusedPlaces(places: readonly HostPort[]): string {
  const shown: string[] = [];
  for (const [host, those] of Map.groupBy(places, ({ host }) => host)) {
    if (those.length > PORTS_NAMED_MAX) shown.push(`${those.length} ports of ${bracketed(host)}`);
    else for (const place of those) shown.push(hostPort(place));
  }
  const last = shown.pop()!;
  const all = shown.length === 0 ? last : `${shown.join(", ")} and ${last}`;
  return `not permitted to listen on ${all}: ${remedy(netFlag(places))}`;
}

/** Whether the permissions cover listening at `place`; also where only the system can say more. */
export function mayListen({ host, port }: HostPort): boolean {
  try {
    const place = port === 0 ? bracketed(host) : hostPort({ host, port });
    return Deno.permissions.querySync({ name: "net", host: place }).state === "granted";
  } catch {
    return true; // no name of a host, which listening there will tell
  }
}

/** Whether the permissions cover reading, or writing, `path`. */
export function isGranted(name: "read" | "write", path: string): boolean {
  return Deno.permissions.querySync({ name, path }).state === "granted";
}

/** One line for any error: the refusal if it is one, otherwise the act and the system's reason. */
export function explainFailure(error: unknown, access: Access): string {
  return explainRefusal(error, access) ?? `cannot ${act(access)}: ${reasonOf(error)}`;
}

function act(access: Access): string {
  switch (access.to) {
    case "listen":
      return `listen on ${hostPort(access)}`;
    case "connect":
      return `connect to ${hostPort(access)}`;
    case "read":
    case "write":
    case "read and write":
      return `${access.to} ${access.path}`;
    case "env":
      return `read the environment variable ${access.name}`;
  }
}

/** The system's reason alone: without the error number and the call that Deno appends. */
export function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const line = said.split("\n", 1)[0].replace(/ \(os error \d+\).*$/, "");
  return line === "" ? "unknown error" : line;
}
