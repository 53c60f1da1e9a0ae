import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { connectionCommands } from "../../src/commands/connection.ts";
import { Session } from "../../src/commands/session.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import type { CommandWatcher } from "../../src/server/executor.ts";
import { Monitors } from "../../src/server/monitors.ts";
import { Shell } from "../support/shell.ts";

const UNIX_MICROSECONDS = 1_700_000_000_000_042;

/** Monitors without a server, at a time that a test sets. */
class Stage {
  microseconds = UNIX_MICROSECONDS;
  isLoading = false;
  readonly executor: { watcher: CommandWatcher | null } = { watcher: null };
  readonly monitors: Monitors;

  constructor(lineBytesMax?: number) {
    const host = {
      executor: this.executor,
      clients: { unixMicroseconds: () => this.microseconds },
      clock: { monotonicMs: () => 0 },
      persistence: this,
    };
    this.monitors = new Monitors(host, lineBytesMax);
  }

  /** A client that is shown what is run. */
  monitor(): Session {
    const session = client("127.0.0.1:2");
    this.monitors.add(session);
    return session;
  }

  /** Shows a frame of these words. */
  show(...words: string[]): void {
    const starts = new Int32Array(words.length);
    const stops = new Int32Array(words.length);
    let at = 0;
    for (const [i, word] of words.entries()) {
      starts[i] = at;
      stops[i] = at += word.length;
    }
    const frame = { argc: words.length, starts, stops };
    this.monitors.applied(ascii(words.join("")), frame, 7, "10.0.0.1:16379");
  }
}

function client(peer: string): Session {
  return new Session({
    id: 1,
    peer,
    local: "",
    nowMs: 0,
    authenticated: true,
    reply: new ReplyWriter(),
  });
}

/** What a client was sent since it was last asked. */
function heard({ reply }: Session): string {
  const text = latin1(reply.buf, 0, reply.at);
  reply.at = 0;
  return text;
}

Deno.test("a line has seconds, six digits, database, address and the words", () => {
  const stage = new Stage();
  const session = stage.monitor();
  stage.show("SET", "", 'a"b\\');
  assertEquals(
    heard(session),
    '+1700000000.000042 [7 10.0.0.1:16379] "SET" "" "a\\"b\\\\"\r\n',
  );
});

Deno.test("the clock's grain moves no line before another, a clock that is set does", () => {
  const stage = new Stage();
  const session = stage.monitor();
  const at = (microseconds: number) => {
    stage.microseconds = UNIX_MICROSECONDS + microseconds;
    stage.show("PING");
    return heard(session).slice(1, 18);
  };
  assertEquals(at(5_000), "1700000000.005042");
  assertEquals(at(3_000), "1700000000.005042");
  assertEquals(at(5_001), "1700000000.005043");
  assertEquals(at(3_000), "1700000000.003042");
});

Deno.test("nothing is shown while the data is loaded", () => {
  const stage = new Stage();
  const session = stage.monitor();
  const shell = new Shell(connectionCommands(() => false, () => 1_700_000_000_042_007));
  shell.run("ECHO", "x");
  stage.isLoading = true;
  stage.monitors.ran(shell.call);
  assertEquals(heard(session), "");
  stage.isLoading = false;
  stage.monitors.ran(shell.call);
  assertEquals(heard(session), '+1700000000.000042 [0 127.0.0.1:1] "ECHO" "x"\r\n');
});

Deno.test("the executor is watched while anybody is shown anything", () => {
  const { monitors, executor } = new Stage();
  const [one, other] = [client("a:1"), client("b:2")];
  monitors.add(one);
  monitors.add(other);
  assert(executor.watcher === monitors && monitors.isOn);
  one.reset(true);
  assert(executor.watcher === monitors && one.monitor === null);
  other.monitor?.leave();
  assert(executor.watcher === null && !monitors.isOn);
});

Deno.test("a line as long as one may be is sent, one byte more closes its clients", () => {
  const frame = '+1700000000.000042 [7 10.0.0.1:16379] "ECHO" ""\r\n'.length;
  const bytes = 4_000;
  const stage = new Stage(bytes);
  const session = stage.monitor();
  stage.show("ECHO", "x".repeat(bytes - frame));
  assertEquals(heard(session).length, bytes);
  stage.show("ECHO", "x".repeat(bytes - frame + 1));
  assert(session.reply.overflowed);
  // Who comes later is shown what comes later.
  const later = stage.monitor();
  stage.show("ECHO", "y");
  assert(heard(later).endsWith('"ECHO" "y"\r\n'));
});

Deno.test("quotes count where a line's bytes are counted", () => {
  const stage = new Stage(4_000);
  const session = stage.monitor();
  stage.show("ECHO", "\x00".repeat(900));
  assertEquals(heard(session).split("\\x00").length, 901);
  stage.show("ECHO", "\x00".repeat(1_000));
  assert(session.reply.overflowed);
});
