import { assert, assertEquals, assertGreater } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { accessClockAt, withUses } from "../../src/keyspace/access.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import {
  EVICTED,
  type EvictionPolicy,
  Evictor,
  NONE_FOUND,
  NONE_LEFT,
} from "../../src/keyspace/evict.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(7);
const DATABASES = 4;
const NOW_MS = 1_700_000_000_000;
const DAY_SECONDS = 86_400;

/** The access bits of a key last used at `nowMs`. */
function usesSince(nowMs: number, uses: number): number {
  return withUses(accessClockAt(nowMs, true), uses);
}

/** Keyspaces whose evictions are noted, in order. */
class Subject {
  readonly keyspaces: Keyspace[] = [];
  readonly evicted: string[] = [];
  readonly expired: string[] = [];
  readonly evictor: Evictor;

  constructor(policy: EvictionPolicy, shards = 1) {
    for (let shard = 0; shard < shards; shard++) {
      const keys = new Keyspace(new Arena(16 * 2 ** 20), DATABASES, { k0: 1, k1: SEED });
      keys.nowMs = NOW_MS;
      keys.accessClock = DAY_SECONDS;
      keys.accessCountsUses = policy.endsWith("-lfu");
      const name = (db: number, u8: Uint8Array, start: number, stop: number) =>
        `${shard}/${db}/${latin1(u8, start, stop)}`;
      keys.listener = {
        expired: (...of) => void this.expired.push(name(...of)),
        evicted: (...of) => void this.evicted.push(name(...of)),
        fieldsExpired: () => {},
      };
      this.keyspaces.push(keys);
    }
    const random = new Random(SEED);
    this.evictor = new Evictor(this.keyspaces, () => random.next());
    this.evictor.policy = policy;
  }

  add(name: string, { shard = 0, db = 0, deadline = NO_DEADLINE as number, access = -1 } = {}) {
    const keys = this.keyspaces[shard];
    const key = ascii(name);
    keys.lookupWrite(db, key, 0, key.length);
    const a = keys.storeString(db, 0, key, 0, key.length, key, 0, key.length, deadline);
    if (access >= 0) keys.setAccess(a, access);
  }

  find(name: string, { shard = 0, db = 0 } = {}): number {
    const key = ascii(name);
    return this.keyspaces[shard].peek(db, key, 0, key.length);
  }

  /** Evicts until `count` keys are gone, expired ones included; fails when that takes too long. */
  evict(count: number): void {
    const { evictor } = this;
    let calls = 0;
    for (let gone = 0; gone < count; calls++) {
      const outcome = evictor.evict();
      assert(outcome !== NONE_LEFT, `seed ${SEED}: nothing left after ${gone} of ${count}`);
      assert(calls < count * 50 + 1000, `seed ${SEED}: ${calls} calls for ${gone} keys`);
      if (outcome === EVICTED) gone++;
    }
  }
}

/** The part of `evicted` whose number, behind its name's last `k`, is below `below`. */
function shareBelow(evicted: readonly string[], below: number): number {
  const hits = evicted.filter((name) => Number(name.slice(name.lastIndexOf("k") + 1)) < below);
  return hits.length / evicted.length;
}

Deno.test("noeviction evicts nothing", () => {
  const subject = new Subject("noeviction");
  subject.add("k1");
  assertEquals(subject.evictor.evict(), NONE_LEFT);
  assert(subject.find("k1") !== 0);
});

Deno.test("an empty keyspace has nothing to evict, and one that fills has at once", () => {
  const subject = new Subject("allkeys-lru");
  for (let i = 0; i < 10; i++) assertEquals(subject.evictor.evict(), NONE_LEFT);
  subject.add("k1");
  subject.evict(1);
  assertEquals(subject.evicted, ["0/0/k1"]);
  // The count of keys is out of date until it is made anew.
  const outcome = subject.evictor.evict();
  assert(outcome === NONE_FOUND || outcome === NONE_LEFT);
  assertEquals(subject.evictor.evict(), NONE_LEFT);
});

Deno.test("the listener hears of an eviction before the key goes, and it is counted", () => {
  const subject = new Subject("allkeys-random");
  const [keys] = subject.keyspaces;
  subject.add("k1");
  let wasThere = false;
  keys.listener!.evicted = () => wasThere = subject.find("k1") !== 0;
  subject.evict(1);
  assertEquals([wasThere, subject.find("k1"), keys.evictedKeys, keys.expiredKeys], [true, 0, 1, 0]);
});

const KEYS = 10_000;

for (const policy of ["allkeys-lru", "volatile-lru"] as const) {
  Deno.test(`${policy} evicts what was used longest ago, nearly as if it knew the order`, () => {
    const subject = new Subject(policy);
    const deadline = policy === "volatile-lru" ? NOW_MS + 1e9 : NO_DEADLINE;
    // Key i was last used at second i.
    for (let i = 0; i < KEYS; i++) subject.add(`k${i}`, { access: i, deadline });
    subject.evict(KEYS / 2);
    const share = shareBelow(subject.evicted, KEYS / 2);
    assertGreater(share, 0.9, `seed ${SEED}`);
    // What was used last is safe: of the newest tenth, hardly anything is gone.
    assertGreater(shareBelow(subject.evicted, KEYS * 0.9), 0.998);
  });
}

Deno.test("more samples come closer to the true order", () => {
  const shares = [1, 5, 20].map((samples) => {
    const subject = new Subject("allkeys-lru");
    subject.evictor.samples = samples;
    for (let i = 0; i < KEYS; i++) subject.add(`k${i}`, { access: i });
    subject.evict(KEYS / 2);
    return shareBelow(subject.evicted, KEYS / 2);
  });
  assertGreater(shares[1], shares[0], `seed ${SEED}`);
  assertGreater(shares[2], shares[1], `seed ${SEED}`);
  assertGreater(shares[2], 0.97, `seed ${SEED}`);
});

Deno.test("allkeys-lru keeps hot keys while cold ones come and go", () => {
  const subject = new Subject("allkeys-lru");
  const [keys] = subject.keyspaces;
  const hot = 500;
  for (let i = 0; i < hot; i++) subject.add(`hot${i}`);
  for (let i = 0; i < 20_000; i++) {
    keys.accessClock++;
    subject.add(`cold-k${i}`);
    // Each hot key is used once in about 500 seconds, each cold one never again.
    const at = subject.find(`hot${i % hot}`);
    if (at !== 0) keys.touch(at);
    if (i >= 4_000) subject.evict(1);
  }
  const lost = subject.evicted.filter((name) => name.includes("hot")).length;
  assert(lost <= hot / 50, `seed ${SEED}: ${lost} hot keys lost`);
});

for (const policy of ["allkeys-lfu", "volatile-lfu"] as const) {
  Deno.test(`${policy} evicts what is used least`, () => {
    const subject = new Subject(policy);
    const [keys] = subject.keyspaces;
    const deadline = policy === "volatile-lfu" ? NOW_MS + 1e9 : NO_DEADLINE;
    keys.accessClock = usesSince(NOW_MS, 5);
    for (let i = 0; i < KEYS; i++) {
      subject.add(`k${i}`, { access: usesSince(NOW_MS, Math.floor(i * 250 / KEYS)), deadline });
    }
    subject.evict(KEYS / 2);
    assertGreater(shareBelow(subject.evicted, KEYS / 2), 0.9, `seed ${SEED}`);
  });
}

Deno.test("allkeys-lfu evicts what was used often, but long ago", () => {
  const subject = new Subject("allkeys-lfu");
  const [keys] = subject.keyspaces;
  keys.accessClock = usesSince(NOW_MS, 5);
  const hourAgo = NOW_MS - 3_600_000;
  for (let i = 0; i < 1000; i++) subject.add(`k${i}`, { access: usesSince(hourAgo, 50) });
  for (let i = 1000; i < 2000; i++) subject.add(`k${i}`, { access: usesSince(NOW_MS, 20) });
  subject.evict(500);
  assertGreater(shareBelow(subject.evicted, 1000), 0.98, `seed ${SEED}`);
});

Deno.test("volatile-ttl evicts what would expire first", () => {
  const subject = new Subject("volatile-ttl");
  const random = new Random(SEED + 1);
  for (let i = 0; i < KEYS; i++) {
    subject.add(`k${i}`, { deadline: NOW_MS + 1000 * (i + 1) });
    if (random.next() < 0.5) subject.add(`stays${i}`);
  }
  subject.evict(KEYS / 2);
  assertGreater(shareBelow(subject.evicted, KEYS / 2), 0.9, `seed ${SEED}`);
  assertEquals(subject.evicted.filter((name) => name.includes("stays")), []);
});

for (const policy of ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] as const) {
  Deno.test(`${policy} finds the few keys that have a deadline, and no others`, () => {
    const subject = new Subject(policy);
    for (let i = 0; i < 20_000; i++) subject.add(`stays${i}`, { db: 2 });
    for (let i = 0; i < 10; i++) subject.add(`k${i}`, { db: 2, deadline: NOW_MS + 1e6 });
    subject.evict(10);
    assertEquals(subject.evicted.length, 10);
    assertEquals(subject.keyspaces[0].size(2), 20_000);
    let outcome = subject.evictor.evict();
    if (outcome === NONE_FOUND) outcome = subject.evictor.evict();
    assertEquals(outcome, NONE_LEFT);
  });
}

Deno.test("a key that was made to stay meanwhile is not evicted", () => {
  const subject = new Subject("volatile-ttl");
  const [keys] = subject.keyspaces;
  for (let i = 0; i < 8; i++) subject.add(`k${i}`, { deadline: NOW_MS + 1000 * (i + 1) });
  subject.evict(1); // the pool holds others now
  for (let i = 0; i < 8; i++) {
    const a = subject.find(`k${i}`);
    if (a !== 0 && i !== 7) keys.setDeadline(0, a, NO_DEADLINE);
  }
  subject.evict(1);
  assertEquals(subject.evicted.at(-1), "0/0/k7");
});

Deno.test("a candidate that was used meanwhile is let go", () => {
  const subject = new Subject("allkeys-lru");
  const [keys] = subject.keyspaces;
  subject.evictor.samples = 16;
  for (let i = 0; i < 12; i++) subject.add(`k${i}`, { access: i });
  subject.evict(1);
  assertEquals(subject.evicted, ["0/0/k0"]);
  for (let i = 1; i < 12; i++) if (i !== 9) keys.touch(subject.find(`k${i}`));
  subject.evict(1);
  assertEquals(subject.evicted, ["0/0/k0", "0/0/k9"]);
});

Deno.test("keys past their deadline go before all others, as expired ones", () => {
  const subject = new Subject("allkeys-lru");
  subject.evictor.samples = 64;
  for (let i = 0; i < 30; i++) subject.add(`k${i}`, { access: 0 });
  for (let i = 0; i < 5; i++) subject.add(`past${i}`, { deadline: NOW_MS - 1 });
  subject.evict(5);
  assertEquals([subject.expired.length, subject.evicted.length], [5, 0]);
  assertEquals(subject.keyspaces[0].expiredKeys, 5);
});

for (const policy of ["allkeys-random", "volatile-random", "allkeys-lru"] as const) {
  Deno.test(`${policy} takes of each shard and database by its share of the keys`, () => {
    const subject = new Subject(policy, 3);
    const places = [
      { shard: 0, db: 0, keys: 4_000 },
      { shard: 0, db: 3, keys: 1_000 },
      { shard: 1, db: 1, keys: 2_000 },
      { shard: 2, db: 0, keys: 3_000 },
    ];
    const random = new Random(SEED);
    for (const { shard, db, keys } of places) {
      for (let i = 0; i < keys; i++) {
        subject.add(`k${i}`, { shard, db, deadline: NOW_MS + 1e9, access: random.below(1000) });
      }
    }
    subject.evict(2_000);
    for (const { shard, db, keys } of places) {
      const taken = subject.evicted.filter((name) => name.startsWith(`${shard}/${db}/`)).length;
      const expected = 2_000 * keys / 10_000;
      const off = Math.abs(taken - expected);
      assert(
        off < expected * 0.2 + 20,
        `seed ${SEED}: ${taken} of ${shard}/${db}, not ${expected}`,
      );
    }
  });
}

Deno.test("allkeys-random prefers no key", () => {
  const times = new Map<string, number>();
  for (let round = 0; round < 60; round++) {
    const subject = new Subject("allkeys-random");
    const random = new Random(SEED + round);
    const evictor = new Evictor(subject.keyspaces, () => random.next());
    evictor.policy = "allkeys-random";
    for (let i = 0; i < 100; i++) subject.add(`k${i}`);
    for (let i = 0; i < 50; i++) evictor.evict();
    for (const name of subject.evicted) times.set(name, (times.get(name) ?? 0) + 1);
  }
  // Each of the hundred is evicted in half of the 60 rounds, give or take four deviations.
  for (let i = 0; i < 100; i++) {
    const n = times.get(`0/0/k${i}`) ?? 0;
    assert(n >= 14 && n <= 46, `seed ${SEED}: k${i} was evicted ${n} times of 60`);
  }
});

Deno.test("another policy starts anew", () => {
  const subject = new Subject("allkeys-lru");
  for (let i = 0; i < 100; i++) subject.add(`k${i}`, { access: i });
  subject.evict(1);
  subject.evictor.policy = "volatile-ttl";
  assertEquals(subject.evictor.evict(), NONE_LEFT);
  subject.add("only", { deadline: NOW_MS + 1 });
  subject.evict(1);
  assertEquals(subject.evicted.at(-1), "0/0/only");
});
