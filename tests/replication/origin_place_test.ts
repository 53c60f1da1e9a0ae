/**
 * A replica's replica knows where its data lies in the line of whom its primary follows, or that it does
 * not know: held against what is true of each of the primary's frames, wherever the link is cut.
 */

import { assert, assertEquals } from "@std/assert";
import {
  LINK_CLAIM,
  OUTPUT_BYTES,
  type ReplicaLink,
  VIEW_BYTES_MAX,
} from "../../src/replication/replica_link.ts";
import {
  FRAME,
  NEED_MORE,
  TOLD_ORIGINS_MAX,
  UPSTREAM_FAILED,
  UpstreamLink,
} from "../../src/replication/upstream_link.ts";
import { encodeHandshake, encodeOrigin, type HandshakeClaim } from "../../src/replication/wire.ts";
import { Random, testSeed } from "../support/random.ts";
import {
  acceptedLink,
  bytes,
  concat,
  FakeSource,
  HISTORY_A,
  HISTORY_B,
  pumpAll,
} from "./support.ts";

const CLAIM: HandshakeClaim = {
  version: 2,
  offset: 0,
  id: "replica-b",
  history: HISTORY_A,
  listeningPort: null,
  announcedHost: null,
  capabilities: ["renumber", "origin"],
};

/** A replica of `link`'s, given what that writes in pieces. */
class Below {
  readonly link: UpstreamLink;
  #buf = new Uint8Array(0);

  constructor(claim: HandshakeClaim = CLAIM) {
    this.link = new UpstreamLink({ claim, expects: null, timeoutMs: () => 5000, nowMs: 0 });
  }

  /** Takes bytes; `each` is called after every event. */
  take(piece: Uint8Array, each: () => void): void {
    const { decoder } = this.link;
    const from = decoder.begin;
    this.#buf = concat(this.#buf.subarray(from), piece);
    decoder.rebase(from);
    while (true) {
      const event = this.link.next(this.#buf, this.#buf.length);
      if (event === UPSTREAM_FAILED) throw new Error(JSON.stringify(this.link.state));
      if (event === FRAME) this.link.applied(decoder.offset + 1);
      each();
      if (event === NEED_MORE) return;
    }
  }

  /** The place as one word, "" for none. */
  get place(): string {
    const place = this.link.originPlace;
    return place === null ? "" : wordOf(place.history, place.offset, place.db);
  }
}

function wordOf(history: string, offset: number, db: number): string {
  return `${history.slice(0, 8)}:${offset}:${db}`;
}

/** A link of `source` whose replica has said `claim`. */
function linked(source: FakeSource, claim = CLAIM): ReplicaLink {
  const link = acceptedLink(source);
  const handshake = encodeHandshake(claim);
  assertEquals(link.receive(handshake, 0, handshake.length, 0), LINK_CLAIM);
  link.acceptFrames();
  return link;
}

/** A primary that follows somebody, and what is true of its frames. */
class Middle {
  readonly source = new FakeSource({ limitBytes: 64 << 20 });
  /** By number of our frame: the places that are the same data. */
  readonly #true: Set<string>[] = [new Set()];
  readonly #rnd: Random;
  #history = 0;
  #offset: number;
  #db = 0;
  isPure = true;
  /** Whether its last frame is the upstream's. */
  isExact = true;

  constructor(rnd: Random) {
    this.#rnd = rnd;
    this.#offset = rnd.below(100);
    const { history } = this;
    this.source.origins.begin({ history, offset: this.#offset, db: 0 }, { offset: 0, db: 0 }, 0);
    this.#note();
  }

  get history(): string {
    return String(this.#history).repeat(40);
  }

  isTrue(own: number, place: string): boolean {
    return this.#true[own].has(place);
  }

  /** The place of its end. */
  get end(): string {
    return wordOf(this.history, this.#offset, this.#db);
  }

  #note(): void {
    this.#true[this.source.backlog.nextOffset].add(this.end);
  }

  #frame(): void {
    const size = this.#rnd.below(150) === 0 ? VIEW_BYTES_MAX + 1000 : 10;
    this.source.append("SET", "k", "x".repeat(size));
    this.source.writes++;
    this.#true.push(new Set());
  }

  /** One of its own clients writes. */
  writeLocally(): void {
    this.#frame();
    this.isPure = false;
  }

  /** One of its own clients publishes a message, which is a frame of its own line alone. */
  publish(): void {
    this.source.append("PUBLISH", "channel", "message");
    this.#true.push(new Set(this.#true.at(-1)));
    this.isExact = false;
  }

  /** A frame, or unit, of the upstream is applied. */
  apply(): void {
    this.isExact = true;
    const rnd = this.#rnd;
    const { source } = this;
    source.origins.check(source.backlog.nextOffset, 0, source.writes);
    if (rnd.below(8) === 0) {
      const frames = 2 + rnd.below(4);
      for (let i = 1; i <= frames; i++) {
        this.#offset++;
        this.#frame();
        if (this.isPure && i < frames) this.#note();
      }
    } else {
      this.#offset++;
      const frames = rnd.below(6) === 0 ? rnd.below(4) : 1;
      for (let i = 0; i < frames; i++) this.#frame();
    }
    if (rnd.below(12) === 0) this.#db = rnd.below(3);
    source.origins.applied(this.#offset, source.backlog.nextOffset, 0, this.#db);
    source.origins.take(source.writes);
    if (this.isPure) this.#note();
  }

  /** The upstream restarts, and counts on in a new history; or another has its place. */
  changeUpstream(): void {
    const { source } = this;
    const isRenumbered = this.#rnd.below(2) === 0;
    const before = this.history;
    this.#history++;
    const { history } = this;
    if (isRenumbered) this.#offset = this.#rnd.below(1000);
    else {
      for (const places of this.#true) {
        for (const place of [...places]) {
          places.add(place.replace(before.slice(0, 8), history.slice(0, 8)));
        }
      }
    }
    const own = { offset: source.backlog.nextOffset, db: 0 };
    source.origins.check(source.backlog.nextOffset, 0, source.writes);
    source.origins.continue({ history, offset: this.#offset, db: this.#db }, isRenumbered, own);
    this.isExact = true;
    if (this.isPure) this.#note();
  }
}

Deno.test("what a replica says of its primary's origin is true wherever the link is cut", () => {
  const seed = testSeed(977);
  const rnd = new Random(seed);
  let known = 0;
  let unknown = 0;
  let ends = 0;
  for (let round = 0; round < 120; round++) {
    const middle = new Middle(rnd);
    const { source } = middle;
    const behind = rnd.below(3) === 0 ? rnd.below(60) : 0;
    for (let i = 0; i < behind; i++) middle.apply();
    const link = linked(source);
    const below = new Below();
    const where = `seed ${seed}, round ${round}`;
    const look = () => {
      const { place, link: { appliedOffset } } = below;
      if (place === "") unknown++;
      else {
        known++;
        assert(middle.isTrue(appliedOffset, place), `${where}: ${appliedOffset} is no ${place}`);
      }
    };
    for (let step = 0; step < 120; step++) {
      const what = rnd.below(100);
      if (what < 55) middle.apply();
      else if (what === 55) middle.changeUpstream();
      else if (what === 56 && round % 4 === 0) middle.writeLocally();
      else if (what === 57) middle.publish();
      else if (what === 58) { for (let i = 0; i < 60; i++) middle.apply(); }
      else {
        for (let writes = rnd.below(4); writes >= 0; writes--) {
          if (link.nextOutput(step) !== OUTPUT_BYTES) break;
          const { output } = link;
          const count = rnd.below(3) === 0 ? 1 + rnd.below(output.length) : output.length;
          const piece = output.slice(0, count);
          link.written(count, step);
          below.take(piece, look);
        }
      }
    }
    while (link.nextOutput(120) === OUTPUT_BYTES) {
      const piece = link.output.slice();
      link.written(piece.length, 120);
      below.take(piece, look);
    }
    assertEquals(below.link.appliedOffset, source.backlog.nextOffset, where);
    const isKnown = middle.isPure && middle.isExact;
    assertEquals(below.place, isKnown ? middle.end : "", where);
    if (isKnown) ends++;
    link.dispose();
  }
  assert(known > 5_000 && unknown > 500 && ends > 70, `${known}, ${unknown}, ${ends}`);
});

Deno.test("a replica that does not ask is told no origin, nor is one of a primary of its own", () => {
  const source = new FakeSource();
  source.origins.begin({ history: HISTORY_B, offset: 5, db: 0 }, { offset: 0, db: 0 }, 0);
  const below = new Below();
  const ends: [FakeSource, HandshakeClaim][] = [
    [source, { ...CLAIM, capabilities: ["renumber"] }],
    [new FakeSource(), CLAIM],
  ];
  for (const [primary, claim] of ends) {
    const link = linked(primary, claim);
    while (link.nextOutput(0) === OUTPUT_BYTES) {
      assertEquals(new TextDecoder().decode(link.output).includes("ORIGIN"), false);
      link.written(link.output.length, 0);
    }
    link.dispose();
  }
  assertEquals(below.place, "");
});

Deno.test("with where a replica stands eight points are told at once; of more the latest, and what was is over", () => {
  for (const [news, lines] of [[7, 7], [8, 9]]) {
    const source = new FakeSource();
    source.origins.begin({ history: HISTORY_B, offset: 5, db: 0 }, { offset: 0, db: 0 }, 0);
    const link = linked(source);
    const told = () => pumpAll(link).split("\r\n").filter((line) => line.startsWith("+ORIGIN"));
    assertEquals(told(), [`+ORIGIN 0 ${HISTORY_B}:5:0`]);
    source.append("SET", "k", "v");
    // Each leaves a frame out: a point.
    for (let i = 1; i <= news; i++) {
      source.append("SET", "k", "v");
      source.origins.applied(5 + 3 * i, source.backlog.nextOffset, 0, 0);
    }
    source.origins.take(source.writes);
    const answer = told();
    assertEquals(answer.length, lines);
    assertEquals(answer[0] === "+ORIGIN", news > 7);
    assertEquals(answer.at(-1), `+ORIGIN ${news + 1} ${HISTORY_B}:${5 + 3 * news}:0`);
    link.dispose();
  }
});

Deno.test("points that are told ahead are kept up to a limit; past it only the latest counts", () => {
  const below = new Below();
  below.take(bytes(`+ACK 0 HISTORY ${HISTORY_A} SHARD 1 SHARDS 2\r\n`), () => {});
  below.take(bytes(`+PING ${HISTORY_A} 0 0\r\n`), () => {});
  const tell = (own: number) => {
    const point = { history: HISTORY_B, offset: 100 + 2 * own, own, db: 1 };
    below.take(encodeOrigin(point), () => {});
  };
  for (let own = 0; own < TOLD_ORIGINS_MAX; own++) tell(own);
  assertEquals(below.place, wordOf(HISTORY_B, 100, 1));
  tell(TOLD_ORIGINS_MAX);
  assertEquals(below.place, "");
  below.link.applied(TOLD_ORIGINS_MAX);
  assertEquals(below.place, wordOf(HISTORY_B, 100 + 2 * TOLD_ORIGINS_MAX, 1));
});
