import { assertEquals } from "@std/assert";
import { decideResume, type HeldRange, type ResumeClaim } from "../../src/replication/resume.ts";
import { Origins } from "../../src/replication/origins.ts";
import { HISTORY_A, HISTORY_B } from "./support.ts";

const HELD: HeldRange = {
  history: HISTORY_A,
  oldestOffset: 10,
  nextOffset: 20,
  previousHistory: null,
  previousUpTo: 0,
  beganEmpty: true,
  origins: new Origins(),
};
const FRESH: HeldRange = { ...HELD, oldestOffset: 0, nextOffset: 0 };
const RESTARTED: HeldRange = {
  ...HELD,
  oldestOffset: 15,
  nextOffset: 15,
  previousHistory: HISTORY_B,
  previousUpTo: 15,
  beganEmpty: false,
};
const PROMOTED: HeldRange = { ...RESTARTED, oldestOffset: 10, nextOffset: 20 };

function v1(offset: number): ResumeClaim {
  return { version: 1, offset, history: null, capabilities: [] };
}
function v2(offset: number, history: string | null = HISTORY_A): ResumeClaim {
  return { version: 2, offset, history, capabilities: ["renumber"] };
}

/** A claim in the line of a replica that is unknown here, beside one in the line that it followed. */
function replicaOfReplica(history: string, offset: number): ResumeClaim {
  return { ...v2(700, "c".repeat(40)), origin: { history, offset, db: 3 } };
}

/** A shard that followed history B from frame 100 on, which became its frame 8, up to 107, its 15. */
const FOLLOWED: HeldRange = { ...HELD, origins: new Origins() };
FOLLOWED.origins.begin({ history: HISTORY_B, offset: 100, db: 3 }, { offset: 8, db: 3 }, 0);
for (let i = 1; i <= 7; i++) FOLLOWED.origins.applied(100 + i, 8 + i, 3, 3);

/** Rows: what is claimed of what, and `frames` or the reason of a ship. */
const ROWS: [string, ResumeClaim, HeldRange, string][] = [
  ["v2 at the oldest", v2(10), HELD, "frames"],
  ["v2 in the middle", v2(15), HELD, "frames"],
  ["v2 at the next", v2(20), HELD, "frames"],
  ["v2 before the oldest", v2(9), HELD, "evicted"],
  ["v2 ahead", v2(21), HELD, "ahead"],
  ["v2 far ahead", v2(Number.MAX_SAFE_INTEGER), HELD, "ahead"],
  ["v2 of another history", v2(15, HISTORY_B), HELD, "otherHistory"],
  ["v2 of another history, ahead", v2(50, HISTORY_B), HELD, "otherHistory"],
  ["v2 without data", v2(0, null), HELD, "noHistory"],
  ["v2 without data at a held offset", v2(15, null), HELD, "noHistory"],
  ["v2 without data on an empty primary", v2(0, null), FRESH, "noHistory"],
  ["v2 on an empty primary", v2(0), FRESH, "frames"],
  ["v2 of the previous history, at its end", v2(15, HISTORY_B), RESTARTED, "frames"],
  ["v2 of the previous history, behind", v2(14, HISTORY_B), RESTARTED, "evicted"],
  ["v2 of the previous history, past its end", v2(16, HISTORY_B), RESTARTED, "ahead"],
  ["v2 of the previous history, held", v2(12, HISTORY_B), PROMOTED, "frames"],
  ["v2 of the previous history, at the switch", v2(15, HISTORY_B), PROMOTED, "frames"],
  ["v2 of the previous history, held but past its end", v2(16, HISTORY_B), PROMOTED, "ahead"],
  ["v2 of the previous history, evicted", v2(9, HISTORY_B), PROMOTED, "evicted"],
  ["v2 of this history after a promotion", v2(18), PROMOTED, "frames"],
  ["v1 at the oldest", v1(10), HELD, "frames"],
  ["v1 at the next", v1(20), HELD, "frames"],
  ["v1 before the oldest", v1(9), HELD, "evicted"],
  ["v1 from 0 after eviction", v1(0), HELD, "evicted"],
  ["v1 ahead", v1(21), HELD, "ahead"],
  ["v1 from 0 of everything", v1(0), { ...HELD, oldestOffset: 0 }, "frames"],
  ["v1 from 0 on an empty primary", v1(0), FRESH, "frames"],
  [
    "v1 from 0 on data that was loaded",
    v1(0),
    { ...FRESH, beganEmpty: false },
    "unloggedData",
  ],
  [
    "v1 from 3 on data that was loaded",
    v1(3),
    { ...FRESH, nextOffset: 5, beganEmpty: false },
    "frames",
  ],
  ["v1 after a restart, at the end", v1(15), RESTARTED, "frames"],
  ["v1 after a restart, from 0", v1(0), RESTARTED, "evicted"],
];

for (const [name, claim, held, expected] of ROWS) {
  Deno.test(`a claim of ${name} is answered with ${expected}`, () => {
    const resume = decideResume(claim, held);
    assertEquals(resume.kind === "ship" ? resume.because : "frames", expected);
    if (resume.kind === "frames") assertEquals(resume.from, claim.offset);
  });
}

/** Rows: a claim in the history of the upstream that was followed, and the answer in our numbers. */
const FOLLOWED_ROWS: [string, ResumeClaim, HeldRange, number | string][] = [
  ["in the middle", v2(104, HISTORY_B), FOLLOWED, 12],
  ["at the oldest frame held", v2(102, HISTORY_B), FOLLOWED, 10],
  ["at a frame that is held no more", v2(101, HISTORY_B), FOLLOWED, "evicted"],
  ["before the first known", v2(99, HISTORY_B), FOLLOWED, "evicted"],
  ["at the end", v2(107, HISTORY_B), FOLLOWED, 15],
  ["behind the end", v2(108, HISTORY_B), FOLLOWED, "ahead"],
  [
    "by a replica that cannot renumber",
    { ...v2(104, HISTORY_B), capabilities: ["rdb"] },
    FOLLOWED,
    "otherHistory",
  ],
  ["that is unknown", v2(104, "c".repeat(40)), FOLLOWED, "otherHistory"],
  ["beside one in ours", replicaOfReplica(HISTORY_A, 12), FOLLOWED, 12],
  ["beside one in ours, at the end", replicaOfReplica(HISTORY_A, 20), FOLLOWED, 20],
  ["beside one in ours, ahead", replicaOfReplica(HISTORY_A, 21), FOLLOWED, "ahead"],
  ["beside one in ours, evicted", replicaOfReplica(HISTORY_A, 9), FOLLOWED, "evicted"],
  ["beside one in our previous line", replicaOfReplica(HISTORY_B, 15), PROMOTED, 15],
  ["beside one past our previous line", replicaOfReplica(HISTORY_B, 16), PROMOTED, "ahead"],
  ["beside one of whom we followed", replicaOfReplica(HISTORY_B, 104), FOLLOWED, 12],
  ["beside one behind whom we followed", replicaOfReplica(HISTORY_B, 108), FOLLOWED, "ahead"],
  [
    "beside one that is unknown, too",
    replicaOfReplica("d".repeat(40), 12),
    FOLLOWED,
    "otherHistory",
  ],
  [
    "beside one in ours, by a replica that cannot renumber",
    { ...replicaOfReplica(HISTORY_A, 12), capabilities: ["origin"] },
    FOLLOWED,
    "otherHistory",
  ],
  [
    "that is known but evicted, beside one in ours",
    { ...v2(99, HISTORY_B), origin: { history: HISTORY_A, offset: 12, db: 3 } },
    FOLLOWED,
    "evicted",
  ],
];

for (const [name, claim, held, expected] of FOLLOWED_ROWS) {
  Deno.test(`a claim in an upstream's history ${name} is answered with ${expected}`, () => {
    const resume = decideResume(claim, held);
    if (resume.kind === "ship") assertEquals(resume.because, expected);
    else {assertEquals(resume, {
        kind: "frames",
        from: expected as number,
        isRenumbered: true,
        db: 3,
      });}
  });
}

Deno.test("a v1 replica that was emptied and comes back right behind it is shipped again", () => {
  const because = (offset: number) => {
    const resume = decideResume(v1(offset), HELD, 14);
    return resume.kind === "ship" ? resume.because : "frames";
  };
  assertEquals([13, 14, 15, 16].map(because), [
    "frames",
    "unfinishedShip",
    "unfinishedShip",
    "frames",
  ]);
});
