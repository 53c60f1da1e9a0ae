/**
 * Failures of the world outside as one line each: what was wanted, why not, and, where Deno's
 * sandbox refused it, the flag that would allow it. Deno's `NotCapable` names neither the act
 * nor the value of the flag.
 *
 * @module
 */

/** What was wanted. */
export type Access =
  | { readonly to: "listen" | "connect"; readonly host: string; readonly port: number }
  | { readonly to: "read" | "write"; readonly path: string }
  | { readonly to: "env"; readonly name: string };

/** Whether Deno's permissions, and not the system, refused. */
export function isRefused(error: unknown): boolean {
  return error instanceof Deno.errors.NotCapable;
}

/** The flag that allows `access`, as small as it can be. */
export function allowFlag(access: Access): string {
  switch (access.to) {
    case "listen":
    case "connect": {
      const host = access.host.includes(":") ? `[${access.host}]` : access.host;
      // Port 0 is not covered by any host:port, only by the host.
      return `--allow-net=${access.port === 0 ? host : `${host}:${access.port}`}`;
    }
    case "read":
      return `--allow-read=${access.path}`;
    case "write":
      return `--allow-write=${access.path}`;
    case "env":
      return `--allow-env=${access.name}`;
  }
}

/**
 * One line for a refusal by Deno's permissions, or null for any other error. The flag is named with
 * the value to add, since a list on the command line replaces the one of the permission set.
 */
export function explainRefusal(error: unknown, access: Access): string | null {
  if (!isRefused(error)) return null;
  return `not permitted to ${act(access)}: start with ${allowFlag(access)} ` +
    "(beside what is allowed already)";
}

/** One line for any error: the refusal if it is one, otherwise the act and the system's reason. */
export function explainFailure(error: unknown, access: Access): string {
  return explainRefusal(error, access) ?? `cannot ${act(access)}: ${reasonOf(error)}`;
}

function act(access: Access): string {
  switch (access.to) {
    case "listen":
      return `listen on ${access.host}:${access.port}`;
    case "connect":
      return `connect to ${access.host}:${access.port}`;
    case "read":
      return `read ${access.path}`;
    case "write":
      return `write ${access.path}`;
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
