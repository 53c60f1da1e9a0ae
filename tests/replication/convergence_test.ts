/**
 * A primary and a replica made of nothing but the two state machines, a byte queue each way and a map
 * for data. Connections are cut at any byte, the primary restarts cleanly or crashes, the backlog is
 * too short now and then: at every moment the replica's data must be the primary's data as it was at
 * the replica's offset, and at the end it must be all of it.
 */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { Backlog } from "../../src/replication/backlog.ts";
import {
  LINK_CLAIM,
  OUTPUT_BYTES,
  OUTPUT_FINISH,
  OUTPUT_LOST,
  ReplicaLink,
} from "../../src/replication/replica_link.ts";
import { Origins } from "../../src/replication/origins.ts";
import { decideResume } from "../../src/replication/resume.ts";
import {
  FRAME,
  NEED_MORE,
  SNAPSHOT_BEGIN,
  SNAPSHOT_BYTES,
  SNAPSHOT_END,
  UPSTREAM_FAILED,
  UpstreamLink,
} from "../../src/replication/upstream_link.ts";
import { SlotTable } from "../../src/replication/slots.ts";
import { UNNUMBERED_CAPABILITY } from "../../src/replication/wire.ts";
import { Random, testSeed } from "../support/random.ts";
import { bytes } from "./support.ts";

type Data = Map<string, string>;

function show(data: Data): string {
  return JSON.stringify([...data].sort());
}

function parse(image: string): Data {
  return new Map(JSON.parse(image));
}

class Primary {
  data: Data = new Map();
  backlog: Backlog;
  history: string;
  previousHistory: string | null = null;
  previousUpTo = 0;
  beganEmpty = true;
  shard = 0;
  shards = 1;
  sequence = 0;
  readonly origins = new Origins();
  readonly writes = 0;
  readonly chain = [];
  link: ReplicaLink | null = null;
  /** What the data was, by history and offset. */
  readonly past = new Map<string, string>();
  /** The image being shipped and how much of it the "worker" has made. */
  image = "";
  imageAt = -1;
  /** The number of the next frame when the node's sequence was that. */
  readonly offsetAtSequence: number[] = [0];
  readonly ships: string[] = [];
  readonly slots = new SlotTable();
  resumes = 0;
  readonly #rnd: Random;

  constructor(rnd: Random) {
    this.#rnd = rnd;
    this.history = this.#newHistory();
    this.backlog = this.#newBacklog(0);
    this.#note();
  }

  write(): void {
    const rnd = this.#rnd;
    const key = `k${rnd.below(12)}`;
    const value = "v".repeat(rnd.below(100) === 0 ? rnd.below(20_000) : rnd.below(30)) +
      rnd.below(1000);
    const args = rnd.below(4) === 0 ? ["DEL", key] : ["SET", key, value];
    apply(this.data, args);
    this.backlog.beginFrame(args.length, args.join("").length);
    for (const arg of args.map(bytes)) this.backlog.arg(arg, 0, arg.length);
    this.backlog.endFrame();
    this.offsetAtSequence[++this.sequence] = this.backlog.nextOffset;
    this.#note();
  }

  /** A restart: a clean one knows where its line of offsets ended, a crash has lost writes. */
  restart(clean: boolean): void {
    this.link?.close("Shutdown");
    this.link?.dispose();
    this.link = null;
    const next = this.backlog.nextOffset;
    if (clean) {
      this.previousHistory = this.history;
      this.previousUpTo = next;
      this.backlog = this.#newBacklog(next);
    } else {
      const back = Math.max(0, next - this.#rnd.below(30));
      const kept = this.past.get(`${this.history} ${back}`);
      if (kept !== undefined) this.data = parse(kept);
      this.previousHistory = null;
      this.backlog = this.#newBacklog(this.#rnd.below(2) === 0 ? 0 : back);
    }
    this.history = this.#newHistory();
    this.offsetAtSequence[++this.sequence] = this.backlog.nextOffset;
    this.beganEmpty = false;
    this.#note();
  }

  accept(nowMs: number): ReplicaLink {
    this.link?.close("Replaced");
    this.link?.dispose();
    this.link = new ReplicaLink({ source: this, peer: "p:1", peerHost: "p", nowMs });
    this.imageAt = -1;
    return this.link;
  }

  /** What the shard does about a claim, a lost stream and a ship in progress. */
  serve(outcome: number): void {
    const link = this.link!;
    if (outcome === LINK_CLAIM) {
      const { backlog } = this;
      const resume = decideResume(link.claim!, {
        history: this.history,
        oldestOffset: backlog.oldestOffset,
        nextOffset: backlog.nextOffset,
        previousHistory: this.previousHistory,
        previousUpTo: this.previousUpTo,
        beganEmpty: this.beganEmpty,
        origins: this.origins,
      }, this.slots.flushedAt(link.key!));
      if (resume.kind === "frames") {
        this.resumes++;
        link.acceptFrames();
      } else link.acceptShip(resume.because);
    }
    if (link.waiting !== null && this.#rnd.below(4) === 0) {
      this.ships.push(link.waiting);
      this.image = show(this.data);
      this.imageAt = 0;
      const cut = this.backlog.nextOffset;
      link.beginShip(cut, this.backlog.pin(cut)!);
      if (link.flushedAt !== null) this.slots.noteFlush(link.key!, link.flushedAt);
    }
    if (this.imageAt < 0) return;
    for (let credits = link.credits; credits > 0; credits--) {
      const piece = bytes(this.image.slice(this.imageAt, this.imageAt += 1 + this.#rnd.below(300)));
      if (piece.length > 0) link.offerChunk(piece, 0, piece.length);
      if (this.imageAt < this.image.length) continue;
      link.endShip();
      this.imageAt = -1;
      return;
    }
  }

  #note(): void {
    this.past.set(`${this.history} ${this.backlog.nextOffset}`, show(this.data));
  }

  #newBacklog(firstOffset: number): Backlog {
    return new Backlog({ limitBytes: 4000, pinLimitBytes: 100_000, firstOffset });
  }

  #newHistory(): string {
    return Array.from({ length: 40 }, () => this.#rnd.below(16).toString(16)).join("");
  }
}

function apply(data: Data, args: string[]): void {
  if (args[0] === "SET") data.set(args[1], args[2]);
  else if (args[0] === "FLUSHALL") data.clear();
  else data.delete(args[1]);
}

class Replica {
  data: Data = new Map();
  history: string | null = null;
  offset = 0;
  link: UpstreamLink | null = null;
  failures: string[] = [];
  readonly version: 1 | 2;
  readonly #capabilities: readonly string[];
  #buf = new Uint8Array(1 << 20);
  #used = 0;
  #image = "";

  constructor(version: 1 | 2, capabilities: readonly string[] = []) {
    this.version = version;
    this.#capabilities = capabilities;
  }

  connect(nowMs: number): UpstreamLink {
    this.#used = 0;
    const { version, offset, history } = this;
    const claim = {
      version,
      offset,
      id: "r",
      history,
      listeningPort: null,
      announcedHost: null,
      capabilities: this.#capabilities,
    };
    this.link = new UpstreamLink({ claim, expects: null, timeoutMs: () => 5000, nowMs });
    return this.link;
  }

  read(data: Uint8Array, nowMs: number): void {
    const link = this.link!;
    const { decoder } = link;
    this.#buf.copyWithin(0, decoder.begin, this.#used);
    this.#used -= decoder.begin;
    decoder.rebase(decoder.begin);
    this.#buf.set(data, this.#used);
    this.#used += data.length;
    link.received(nowMs);
    while (true) {
      const event = link.next(this.#buf, this.#used);
      // A resume that has just become certain makes our data a part of the primary's history.
      if (link.state.at === "streaming" && event !== SNAPSHOT_END && this.version === 2) {
        this.history = link.history;
      }
      if (event === NEED_MORE) return;
      if (event === FRAME) {
        const args: string[] = [];
        for (let i = 0; i < decoder.argc; i++) {
          args.push(latin1(this.#buf, decoder.starts[i], decoder.stops[i]));
        }
        apply(this.data, args);
        this.offset = decoder.offset + 1;
        link.applied(this.offset);
      } else if (event === SNAPSHOT_BEGIN) this.#image = "";
      else if (event === SNAPSHOT_BYTES) {
        this.#image += latin1(this.#buf, decoder.bytesStart, decoder.bytesStop);
      } else if (event === SNAPSHOT_END) {
        const loaded = parse(this.#image);
        if (this.version === 1) { for (const [key, value] of loaded) this.data.set(key, value); }
        else this.data = loaded;
        this.offset = decoder.offset;
        if (this.version === 2) this.history = link.history;
        link.applied(this.offset);
      } else if (event === UPSTREAM_FAILED) {
        if (link.state.at === "failed") this.failures.push(link.state.error);
        return;
      }
    }
  }
}

interface Plan {
  seed: number;
  version: 1 | 2;
  capabilities?: readonly string[];
  steps: number;
  /** Chances in a thousand a step. */
  cuts: number;
  restarts: number;
}

function run(plan: Plan): { primary: Primary; replica: Replica } {
  const rnd = new Random(plan.seed);
  const primary = new Primary(rnd);
  const replica = new Replica(plan.version, plan.capabilities);
  let down: Uint8Array[] = [];
  let nowMs = 0;

  function cut(): void {
    down = [];
    replica.link = null;
    primary.link?.receiveEnd("cut");
    primary.link?.dispose();
    primary.link = null;
  }

  function up(data: Uint8Array): void {
    const link = primary.link;
    if (link === null) return;
    for (let at = 0; at < data.length && primary.link !== null;) {
      const stop = Math.min(data.length, at + 1 + rnd.below(40));
      primary.serve(link.receive(data, at, stop, nowMs));
      at = stop;
    }
  }

  function pump(): void {
    const link = primary.link;
    if (link === null) return;
    primary.serve(0);
    const outcome = link.nextOutput(nowMs);
    if (outcome === OUTPUT_BYTES) {
      const count = 1 + rnd.below(Math.min(link.output.length, 5000));
      down.push(link.output.slice(0, count));
      link.written(count, nowMs);
    } else if (outcome === OUTPUT_LOST) link.requestShip("evicted");
    else if (outcome === OUTPUT_FINISH) cut();
  }

  function deliver(where: string): void {
    const data = down.shift();
    if (data === undefined || replica.link === null) return;
    const piece = 1 + rnd.below(data.length);
    replica.read(data.subarray(0, piece), nowMs);
    if (piece < data.length) down.unshift(data.subarray(piece));
    check(where);
    if (replica.link.state.at === "failed") cut();
    else if (replica.link.ackDue(nowMs)) up(replica.link.takeAck(nowMs));
  }

  function check(where: string): void {
    const history = plan.version === 1 ? primary.history : replica.history;
    if (history === null || replica.link?.state.at !== "streaming") return;
    if (replica.offset === 0 && plan.version === 1) return;
    const then = primary.past.get(`${history} ${replica.offset}`);
    // A FLUSHALL before a v1 ship is no frame of the primary's.
    if (then === undefined || (plan.version === 1 && replica.data.size === 0)) return;
    assert(show(replica.data) === then, where);
    if (history !== primary.history || replica.link.state.at !== "streaming") return;
    for (const marks of [replica.link.marks, primary.link?.marks]) {
      const covered = marks === undefined || marks.reached < 0
        ? 0
        : primary.offsetAtSequence[marks.reached];
      assert(covered <= replica.offset, `${where}: sequence ${marks?.reached}`);
    }
  }

  for (let step = 0; step < plan.steps; step++) {
    const where = `seed ${plan.seed} v${plan.version} step ${step}`;
    nowMs += rnd.below(20);
    if (replica.link === null) {
      const link = replica.connect(nowMs);
      primary.accept(nowMs);
      up(link.handshake());
    }
    if (rnd.below(1000) < plan.cuts) cut();
    if (rnd.below(1000) < plan.restarts) {
      cut();
      primary.restart(rnd.below(2) === 0);
    }
    for (let n = rnd.below(20) === 0 ? rnd.below(100) : rnd.below(2); n > 0; n--) primary.write();
    for (let n = rnd.below(6); n > 0; n--) pump();
    for (let n = rnd.below(6); n > 0; n--) deliver(where);
  }

  for (let step = 0; step < 20_000; step++) {
    const next = primary.backlog.nextOffset;
    if (replica.link?.state.at === "streaming" && replica.offset === next && down.length === 0) {
      break;
    }
    nowMs += 50;
    if (replica.link === null) {
      const link = replica.connect(nowMs);
      primary.accept(nowMs);
      up(link.handshake());
    }
    pump();
    deliver(`seed ${plan.seed} settling`);
  }
  assert(show(replica.data) === show(primary.data), `seed ${plan.seed}: converged`);
  assertEquals(replica.offset, primary.backlog.nextOffset);
  return { primary, replica };
}

Deno.test("a v2 replica converges through cuts, clean restarts, crashes and a short backlog", () => {
  const seen = new Set<string>();
  let resumes = 0;
  for (let round = 0; round < 40; round++) {
    const seed = testSeed(4000) + round;
    const { primary, replica } = run({
      seed,
      version: 2,
      capabilities: round % 2 === 0 ? [UNNUMBERED_CAPABILITY] : [],
      steps: 1500,
      cuts: 15,
      restarts: 4,
    });
    assertEquals(replica.failures, [], `seed ${seed}`);
    for (const reason of primary.ships) seen.add(reason);
    resumes += primary.resumes;
  }
  assertEquals([...seen].sort(), ["evicted", "noHistory", "otherHistory"]);
  assert(resumes > 50, `${resumes} resumes`);
});

Deno.test("a v1 replica converges through cuts and a short backlog", () => {
  for (let round = 0; round < 20; round++) {
    const seed = testSeed(5000) + round;
    const { primary, replica } = run({ seed, version: 1, steps: 1500, cuts: 15, restarts: 0 });
    assertEquals(replica.failures, [], `seed ${seed}`);
    assert(primary.resumes > 0);
  }
});

Deno.test("a link that is cut often resumes partially when the backlog is long enough", () => {
  const rnd = new Random(testSeed(6000));
  const primary = new Primary(rnd);
  primary.backlog.limitBytes = 1 << 24;
  const replica = new Replica(2);
  let nowMs = 0;
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 50; n++) primary.write();
    const link = replica.connect(nowMs);
    const server = primary.accept(nowMs);
    const handshake = link.handshake();
    primary.serve(server.receive(handshake, 0, handshake.length, nowMs));
    for (let turn = 0; turn < 100; turn++, nowMs += 10) {
      primary.serve(0);
      if (server.nextOutput(nowMs) !== OUTPUT_BYTES) continue;
      const output = server.output.slice();
      server.written(output.length, nowMs);
      replica.read(output, nowMs);
    }
    assertEquals(show(replica.data), show(primary.data), `round ${round}`);
  }
  assertEquals(primary.ships, ["noHistory"]);
  assertEquals(primary.resumes, 19);
});
