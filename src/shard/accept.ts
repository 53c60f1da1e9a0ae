/**
 * Accepting connections in a loop that no peer can end. A peer that resets before it is accepted
 * makes `accept` throw, as does a process without file descriptors left; only a closed listener ends
 * the loop.
 *
 * @module
 */

/** Connections accepted before the loop lets others run: a flood cannot starve the clients. */
export const ACCEPTS_PER_TURN = 64;
/** Pause when the process has no file descriptor or the system no memory left, in ms. */
const EXHAUSTED_PAUSE_MS = 50;
/** What the system says when there is no file descriptor, in the process or at all. */
const NO_DESCRIPTOR: ReadonlySet<string> = new Set(["EMFILE", "ENFILE"]);
/** What it says when there is none or no memory. */
const EXHAUSTED: ReadonlySet<string> = new Set([...NO_DESCRIPTOR, "ENOBUFS", "ENOMEM"]);

/** What an accept loop tells of. */
export interface AcceptEvents<C> {
  /** A connection to serve. When this throws, the connection is closed. */
  accepted(conn: C): void;
  /** A connection that failed before it was accepted or could not be served, or a lack of descriptors. */
  failed(error: Error): void;
}

/** Accepts until the listener is closed. */
export async function acceptLoop<C extends Deno.Conn>(
  listener: { accept(): Promise<C> },
  events: AcceptEvents<C>,
): Promise<void> {
  let accepted = 0;
  while (true) {
    let conn: C;
    try {
      conn = await listener.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) {
        return;
      }
      events.failed(asError(error));
      const pauseMs = EXHAUSTED.has(codeOf(error)) ? EXHAUSTED_PAUSE_MS : 0;
      if (pauseMs > 0 || ++accepted % ACCEPTS_PER_TURN === 0) {
        await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
      }
      continue;
    }
    try {
      events.accepted(conn);
    } catch (error) {
      conn.close();
      events.failed(asError(error));
    }
    if (++accepted % ACCEPTS_PER_TURN === 0) {
      await new Promise<void>((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** Whether a connection could not be accepted since no file descriptor was left for it. */
export function lacksDescriptor(error: Error): boolean {
  return NO_DESCRIPTOR.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "";
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
