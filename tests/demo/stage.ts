/**
 * How the demo looks: numbered acts, rows of figures under fixed columns, facts with a tick. Colours
 * only on a terminal that wants them; nothing is said by colour alone.
 *
 * @module
 */
// deno-lint-ignore-file no-console

const hasColor = Deno.stdout.isTerminal() && !Deno.noColor;

function styled(code: number, text: string): string {
  return hasColor ? `\x1b[${code}m${text}\x1b[0m` : text;
}

const bold = (text: string) => styled(1, text);
const dim = (text: string) => styled(2, text);
const green = (text: string) => styled(32, text);
const red = (text: string) => styled(31, text);
const yellow = (text: string) => styled(33, text);

/** Where the shards stand at one moment. */
export interface Positions {
  /** Offset of the next frame, by shard, as the primary says. */
  readonly primary: readonly number[];
  /** Oldest frame of the backlog, by shard. */
  readonly oldest: readonly number[];
  /** Offset of the next frame that the replica needs, by shard. */
  readonly replica: readonly number[];
  /** The replica's word for its link. */
  readonly link: string;
}

const COUNT_WIDTH = 9;
/** Frames that one character of the lag's bar stands for, and its longest. */
const BAR_FRAMES = 2_000;
const BAR_WIDTH = 16;

/** Writes to standard output. */
export class Stage {
  readonly #began = performance.now();
  #acts = 0;

  /** The first line. */
  title(text: string): void {
    console.log(`\n${bold(text)}`);
  }

  /** A new act. */
  act(text: string): void {
    console.log(`\n${bold(`${++this.#acts}  ${text}`)}  ${dim(`${this.seconds()} s`)}`);
  }

  /** Seconds since the beginning. */
  seconds(): string {
    return ((performance.now() - this.#began) / 1000).toFixed(1);
  }

  /** Something to know. */
  note(text: string): void {
    console.log(`   ${text}`);
  }

  /** Headings for `row`. */
  heading(shards: number): void {
    let line = "   " + "time".padStart(6);
    for (let i = 0; i < shards; i++) {
      line += `   shard ${i} primary`.padEnd(19) + "replica".padStart(COUNT_WIDTH - 1);
    }
    console.log(dim(`${line}   ${"lag".padStart(7)}   link`));
  }

  /** One moment. */
  row({ primary, replica, link }: Positions): void {
    let line = "   " + `${this.seconds()} s`.padStart(6);
    let lag = 0;
    primary.forEach((offset, i) => {
      lag += Math.max(0, offset - replica[i]);
      line += count(offset).padStart(18) + count(replica[i]).padStart(COUNT_WIDTH);
    });
    const bar = "#".repeat(Math.min(BAR_WIDTH, Math.round(lag / BAR_FRAMES)));
    const state = link === "up" ? green(link) : link === "down" ? red(link) : yellow(link);
    console.log(`${line}   ${count(lag).padStart(7)}   ${state} ${dim(bar)}`.trimEnd());
  }

  /** Something that came true. */
  fact(text: string): void {
    console.log(`   ${green("ok")} ${text}`);
  }

  /** The last line of a story that did not happen. */
  failure(text: string): void {
    console.log(`\n   ${red("FAILED")} ${text}`);
  }
}

/** A number with thousands apart. */
export function count(n: number): string {
  return n.toLocaleString("en-US");
}
