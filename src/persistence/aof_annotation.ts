/**
 * What an append-only file says beside its commands, in lines that begin with `#`, which Redis and
 * its tools pass over:
 *
 * ```text
 * #shoal history=<40 hex> offset=<n> sequence=<n>     the command that follows is frame n of this
 *                                                    history, and so on; so the end of the file
 *                                                    proves the offset of what it holds
 * #shoal skip=<n>                                    n frames that changed no data are not here
 * #shoal history=none sequence=<n>                   from here on the commands are not the frames of a
 *                                                    history, which are in words of another dialect
 * #shoal upstream=<JSON>                             a replica's: all before is what the upstream's
 *                                                    frames up to these places did, no more, no less
 * #shoal upstream=none                               from here on a primary's
 * #TS:<Unix seconds>                                 Redis's, with aof-timestamp-enabled
 * ```
 *
 * @module
 */

/** What an annotation says. */
export type Annotation =
  | {
    readonly kind: "history";
    /** Id of the history. */
    readonly id: string;
    /** Number of the frame that follows. */
    readonly offset: number;
    /** Frames that the node had produced. */
    readonly sequence: number;
  }
  | {
    readonly kind: "skip";
    /** Frames that were left out here. */
    readonly frames: number;
  }
  | {
    readonly kind: "noHistory";
    /** Frames that the node had produced. */
    readonly sequence: number;
  }
  | {
    readonly kind: "upstream";
    /** Places in the upstream's histories as JSON; null for a primary. */
    readonly positions: string | null;
  }
  /** Somebody else's. */
  | { readonly kind: "other" }
  /** One of ours that cannot be read. */
  | { readonly kind: "bad"; readonly text: string };

const HISTORY = /^shoal history=([0-9a-f]{40}) offset=(\d{1,16}) sequence=(\d{1,16})$/;
const SKIP = /^shoal skip=(\d{1,15})$/;
const NO_HISTORY = /^shoal history=none sequence=(\d{1,16})$/;
const UPSTREAM = /^shoal upstream=(none|\{.*\})$/;

/** Reads an annotation, without `#` and line end. */
export function parseAnnotation(text: string): Annotation {
  if (!text.startsWith("shoal ")) return { kind: "other" };
  const history = HISTORY.exec(text);
  if (history !== null) {
    const [, id, offset, sequence] = history;
    return { kind: "history", id, offset: Number(offset), sequence: Number(sequence) };
  }
  const skip = SKIP.exec(text);
  if (skip !== null) return { kind: "skip", frames: Number(skip[1]) };
  const noHistory = NO_HISTORY.exec(text);
  if (noHistory !== null) return { kind: "noHistory", sequence: Number(noHistory[1]) };
  const upstream = UPSTREAM.exec(text);
  if (upstream === null) return { kind: "bad", text };
  return { kind: "upstream", positions: upstream[1] === "none" ? null : upstream[1] };
}

/** The line that begins a stretch of a history. */
export function historyAnnotation(id: string, offset: number, sequence: number): string {
  return `#shoal history=${id} offset=${offset} sequence=${sequence}\r\n`;
}

/** The line that stands for `frames` frames which are not in the file. */
export function skipAnnotation(frames: number): string {
  return `#shoal skip=${frames}\r\n`;
}

/** The line that begins commands whose number and words no history has. */
export function noHistoryAnnotation(sequence: number): string {
  return `#shoal history=none sequence=${sequence}\r\n`;
}

/** The line that says where a replica's data stand; `positions` is JSON on one line. */
export function upstreamAnnotation(positions: string | null): string {
  return `#shoal upstream=${positions ?? "none"}\r\n`;
}
