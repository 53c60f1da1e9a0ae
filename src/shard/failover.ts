/**
 * FAILOVER on the primary: a replica takes its place, and nothing that was written is lost.
 *
 *     no-failover --begin--> waiting-for-sync --a replica has everything--> failover-in-progress
 *          ^                  (writes wait)      (or the time is up, FORCE)   (it is asked) |
 *          +---- time is up, ABORT: writes go on --+----- refused, no answer, ABORT --------+
 *          +---------------------------- it is the primary now: this node follows it -------+
 *
 * Writes wait from the beginning to the end, so there is one moment up to which a replica has to have
 * everything. The replica is asked over its client port, which is also where this node will follow it:
 * one that cannot be reached there never becomes the primary. It says no more than what is in
 * promotion.ts; the table of what happens when either side fails is in replication/README.md.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/invariant.ts";
import { explainFailure, reasonOf } from "../base/permissions.ts";
import { timerMs } from "../base/timer.ts";
import type { Log } from "../observability/log.ts";
import { ReplyError, ReplyParser } from "../resp/reply_parser.ts";
import { ask, authenticate } from "./layout.ts";
import { randomId } from "./lineage.ts";
import type { Node } from "./node.ts";
import {
  type PromotionAnswer,
  questionWords,
  readAnswer,
  requestWords,
  TICKET_MS,
} from "./promotion.ts";
import type { Candidate, Replication } from "./replication.ts";
import type { ShardSettings } from "./settings.ts";
import { connectWithin } from "./upstream_socket.ts";

/** State of a failover, in Redis's words for INFO. */
export type FailoverState = "no-failover" | "waiting-for-sync" | "failover-in-progress";

/** By how much our clock may be slower than the one that a ticket ends by: a tenth of its time. */
const TICKET_SLACK_MS = TICKET_MS / 10;
/** Between two attempts to learn what became of a request, in ms. */
const DOUBT_POLL_MS = 50;

/** What a failover needs of its server. */
export interface FailoverHost {
  /** The shards. */
  readonly node: Node;
  /** Both roles. */
  readonly replication: Replication;
  /** Settings in force. */
  readonly settings: Pick<ShardSettings, "masterUser" | "masterAuth" | "replTimeoutSeconds">;
  /** The log. */
  readonly log: Log;
  /** System time. */
  readonly clock: Clock;
  /** Lets writes wait until the function that it gives is called. */
  holdWrites(): () => void;
  /** Follows the node that has taken our place, as by REPLICAOF. */
  followPromoted(host: string, port: number): void;
}

/** What is asked for. */
export interface FailoverWish {
  /** Who is to take over; null for the first that has everything. */
  readonly target: { readonly host: string; readonly port: number } | null;
  /** How long writes may wait, in ms; 0 for as long as it takes. */
  readonly timeoutMs: number;
  /** Whether the target takes over without what it has not got when the time is up. */
  readonly isForced: boolean;
}

/** How asking the target has ended. */
type Outcome =
  | { readonly kind: "promoted" }
  /** It stays a replica. */
  | { readonly kind: "stays"; readonly because: string }
  /** It was asked and does not answer: it may be a primary. */
  | { readonly kind: "unknown"; readonly because: string };

/** A failover that is under way. */
interface Running {
  readonly id: string;
  readonly wish: FailoverWish;
  /** Whom a forced failover goes to when it is not a replica of ours any more. */
  readonly chosen: Candidate | null;
  /** Steady ms; Infinity without a limit. */
  readonly deadlineMs: number;
  readonly letWrite: () => void;
  /** Aborted when the failover is given up; its reason is why. */
  readonly stop: AbortController;
  /** Steady ms until which the target may still take over by a request; -1 when there is none. */
  doubtUntilMs: number;
  /** Resolves when it is over. */
  readonly over: PromiseWithResolvers<void>;
}

/** See the module's text. */
export class Failover {
  readonly #host: FailoverHost;
  #state: FailoverState = "no-failover";
  #running: Running | null = null;

  /** No failover. */
  constructor(host: FailoverHost) {
    this.#host = host;
  }

  /** For INFO. */
  get state(): FailoverState {
    return this.#state;
  }

  /** Begins; none may be under way, and a target must be a replica that can be asked. */
  begin(wish: FailoverWish): void {
    const { replication, log, clock } = this.#host;
    const { target, timeoutMs, isForced } = wish;
    log.notice("failover requested", {
      target: target === null ? "any replica" : `${target.host}:${target.port}`,
      timeout_ms: timeoutMs === 0 ? "none" : timeoutMs,
      force: isForced,
    });
    this.#state = "waiting-for-sync";
    const running: Running = this.#running = {
      id: randomId(),
      wish,
      chosen: this.#candidates(target)[0] ?? null,
      deadlineMs: timeoutMs === 0 ? Infinity : clock.monotonicMs() + timeoutMs,
      letWrite: this.#host.holdWrites(),
      stop: new AbortController(),
      doubtUntilMs: -1,
      over: Promise.withResolvers(),
    };
    replication.whenProgressed = () => this.#look();
    // Behind the rest of the turn: what an EXEC with this in it does besides is to be waited for, too.
    queueMicrotask(() => {
      if (this.#running !== running) return;
      replication.requestAcks();
      this.#look();
    });
  }

  /** Those that may take over. */
  #candidates(target: FailoverWish["target"]): Candidate[] {
    const all = this.#host.replication.candidates().filter((each) => each.isAble);
    if (target === null) return all;
    return all.filter(({ host, port }) => host === target.host && port === target.port);
  }

  /** Deadlines. */
  tick(): void {
    this.#look();
    const running = this.#running;
    if (running === null || this.#state !== "failover-in-progress" || running.wish.isForced) return;
    if (this.#host.clock.monotonicMs() >= running.deadlineMs) {
      running.stop.abort(new Error("the target did not accept in time"));
    }
  }

  /** Goes on if a replica has everything, or the time is up. */
  #look(): void {
    const running = this.#running;
    if (running === null || this.#state !== "waiting-for-sync") return;
    const { node, clock, log } = this.#host;
    const { wish, chosen, deadlineMs } = running;
    const sequence = node.sequence.value;
    const synced = this.#candidates(wish.target).find((each) => each.sequence >= sequence);
    if (synced !== undefined) {
      log.notice("failover: a replica has everything and is asked to take over", {
        target: addressOf(synced),
      });
      void this.#handOver(running, synced, false);
    } else if (clock.monotonicMs() >= deadlineMs) {
      if (!wish.isForced || chosen === null) {
        return this.#giveUp("no replica had everything in time");
      }
      const now = this.#candidates(wish.target)[0];
      log.warning("failover: the time is up, the target is asked to take over with what it has", {
        target: addressOf(chosen),
        frames: sequence,
        confirmed: now === undefined ? "unknown" : Math.max(0, now.sequence),
      });
      void this.#handOver(running, chosen, true);
    }
  }

  /**
   * Gives it up as far as that can be done: at once while a replica is waited for; else when it is known
   * that the target has not become a primary, or cannot any more. False when there is nothing to give up.
   */
  abort(because: string): boolean {
    const running = this.#running;
    if (running === null) return false;
    if (this.#state === "waiting-for-sync") this.#giveUp(because);
    else running.stop.abort(new Error(because));
    return true;
  }

  /** As `abort`; resolves when no failover is under way any more. */
  async end(because: string): Promise<void> {
    const running = this.#running;
    if (this.abort(because)) await running!.over.promise;
  }

  #giveUp(because: string): void {
    this.#host.log.warning("failover given up: this node stays the primary", { because });
    this.#finish();
  }

  #finish(): void {
    const { letWrite, over } = this.#running!;
    this.#running = null;
    this.#state = "no-failover";
    this.#host.replication.whenProgressed = null;
    letWrite();
    over.resolve();
  }

  async #handOver(running: Running, target: Candidate, isForced: boolean): Promise<void> {
    this.#state = "failover-in-progress";
    const { log } = this.#host;
    const outcome = await this.#outcome(running, target, isForced);
    switch (outcome.kind) {
      case "promoted":
        log.notice("failover: the target is the primary now", { target: addressOf(target) });
        this.#host.followPromoted(target.host, target.port);
        return this.#finish();
      case "stays":
        return this.#giveUp(outcome.because);
      case "unknown":
        log.warning(
          "failover: the target was told to take over and does not answer; it may be a primary, too: " +
            "look at it, and make one of the two follow the other",
          { target: addressOf(target) },
        );
        return this.#giveUp(outcome.because);
      default:
        return unreachable(outcome);
    }
  }

  async #outcome(running: Running, target: Candidate, isForced: boolean): Promise<Outcome> {
    try {
      return await this.#askToTakeOver(running, target, isForced);
    } catch (error) {
      const because = running.stop.signal.aborted
        ? running.stop.signal.reason.message
        : reasonOf(error);
      if (running.doubtUntilMs < 0) return { kind: "stays", because };
      return await this.#outcomeInDoubt(running, target, because);
    }
  }

  /** Asks; what it throws leaves in doubt what became of it if `doubtUntilMs` is set. */
  #askToTakeOver(running: Running, target: Candidate, isForced: boolean): Promise<Outcome> {
    const { clock, node, settings } = this.#host;
    const { signal } = running.stop;
    const limitMs = settings.replTimeoutSeconds * 1000;
    return this.#talk(target, limitMs, signal, async (say) => {
      const ticket = await this.#question(running, target, say);
      if (ticket === null) return { kind: "promoted" };
      // From here to the request nothing is awaited: what it says is true when it is sent.
      running.doubtUntilMs = clock.monotonicMs() + TICKET_MS + TICKET_SLACK_MS;
      const ends = node.shards.map(({ lineage, nextOffset }) => ({
        history: lineage.id,
        offset: nextOffset,
      }));
      const answer = await say(requestWords({ ticket, isForced, ends }));
      running.doubtUntilMs = -1;
      if (typeof answer === "string") return { kind: "stays", because: `the target: ${answer}` };
      return { kind: "promoted" };
    });
  }

  /** The target was sent a request and has not answered: asks what became of it while that can matter. */
  async #outcomeInDoubt(running: Running, target: Candidate, because: string): Promise<Outcome> {
    const { clock } = this.#host;
    const never = new AbortController().signal;
    while (true) {
      const leftMs = running.doubtUntilMs - clock.monotonicMs();
      if (leftMs <= 0) return { kind: "unknown", because };
      try {
        const ticket = await this.#talk(
          target,
          leftMs,
          never,
          (say) => this.#question(running, target, say),
        );
        return ticket === null ? { kind: "promoted" } : { kind: "stays", because };
      } catch {
        await new Promise((resolve) => setTimeout(resolve, Math.min(DOUBT_POLL_MS, leftMs)));
      }
    }
  }

  /** Asks whether the target was promoted: null, or a ticket that makes those before worthless. */
  async #question({ id }: Running, target: Candidate, say: Say): Promise<string | null> {
    const answer = await say(questionWords(id));
    if (typeof answer === "string") throw new Error(answer);
    if (answer.node !== target.id) throw new Error("another node answers there");
    return answer.ticket;
  }

  /** A conversation with the target of at most `limitMs`, which ends with `signal`. */
  async #talk<T>(
    { host, port }: Candidate,
    limitMs: number,
    signal: AbortSignal,
    talk: (say: Say) => Promise<T>,
  ): Promise<T> {
    const { masterUser, masterAuth } = this.#host.settings;
    const stopMs = this.#host.clock.monotonicMs() + limitMs;
    const conn = await connectWithin(host, port, limitMs, signal).catch((cause) => {
      throw new Error(explainFailure(cause, { to: "connect", host, port }), { cause });
    });
    const close = () => {
      try {
        conn.close();
      } catch {
        // Closed already.
      }
    };
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      close();
    }, timerMs(Math.max(0, stopMs - this.#host.clock.monotonicMs())));
    signal.addEventListener("abort", close);
    try {
      if (signal.aborted) throw signal.reason;
      const parser = new ReplyParser();
      await authenticate(conn, parser, { user: masterUser, password: masterAuth });
      return await talk(async (words) => {
        const reply = await ask(conn, parser, words);
        if (reply instanceof ReplyError) return reply.message;
        const answer = typeof reply === "string" ? readAnswer(reply) : null;
        if (answer === null) {
          throw new Error(`${words[0]} ${words[1]} has an answer of no known kind`);
        }
        return answer;
      });
    } catch (error) {
      throw isLate ? new Error(`no answer within ${Math.round(limitMs)} ms`) : error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", close);
      close();
    }
  }
}

/** Says something to the target; gives its answer, or the text of its error. */
type Say = (words: readonly string[]) => Promise<PromotionAnswer | string>;

function addressOf({ host, port }: Candidate): string {
  return `${host}:${port}`;
}
