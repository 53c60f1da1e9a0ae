/**
 * A command whose reply comes later: its client waits, everybody else goes on.
 *
 * @module
 */

import { TIMER_MS_MAX } from "../base/timer.ts";
import type { Call } from "../commands/call.ts";
import type { CommandSpec } from "../commands/registry.ts";
import type { Session, SocketWriter, Suspension } from "../commands/session.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

/** How a wait may end other than by its reply. */
export interface WaitOptions {
  /** Ms after which `expired` replies; absent: never. */
  readonly timeoutMs?: number;
  /** The reply when the time is up, or CLIENT UNBLOCK ends the wait. */
  readonly expired?: (reply: ReplyWriter) => void;
  /** The client left meanwhile. */
  readonly abandoned?: () => void;
  /** The client's socket is the wait's own until that ends, for what is no reply. */
  readonly lent?: (write: SocketWriter) => void;
}

/** Hears of error replies that come late. */
export interface LateErrors {
  /** An error reply to a command; `buf[at]` is its `-`. */
  errorRepliedLate(spec: CommandSpec, buf: Uint8Array, at: number, stop: number): void;
}

/** One wait of one client. It ends once; what comes later is dropped. */
export class Wait implements Suspension {
  /** See `Suspension`. */
  readonly deadlineMs: number;
  /** See `Suspension`: only a wait that could expire can be ended by CLIENT UNBLOCK. */
  readonly unblockable: boolean;
  /** CLIENT REPLY OFF or SKIP, which the executor has applied by the time the reply comes. */
  readonly isSilent: boolean;
  /** See `Suspension`: null for a wait that ends with a reply and sends nothing before. */
  readonly lent: ((write: SocketWriter) => void) | null;
  readonly #session: Session;
  readonly #spec: CommandSpec;
  readonly #errors: LateErrors;
  readonly #options: WaitOptions;

  /** Makes the client of the running command wait. */
  constructor(call: Call, errors: LateErrors, options: WaitOptions = {}) {
    this.#session = call.session;
    this.#spec = call.spec;
    this.#errors = errors;
    this.#options = options;
    this.isSilent = call.session.isSilent;
    this.lent = options.lent ?? null;
    const timeoutMs = options.timeoutMs ?? Infinity;
    this.deadlineMs = timeoutMs > TIMER_MS_MAX ? Infinity : call.nowMs + timeoutMs;
    this.unblockable = options.expired !== undefined;
    call.session.suspend(this);
  }

  /** See `Suspension`. */
  expired(reply: ReplyWriter): void {
    this.#write(reply, (reply) => this.#options.expired?.(reply));
    this.#options.abandoned?.();
  }

  /** See `Suspension`. */
  failed(reply: ReplyWriter, line: Uint8Array): void {
    this.#write(reply, (reply) => reply.error(line));
    this.#options.abandoned?.();
  }

  /** See `Suspension`. */
  abandoned(): void {
    this.#options.abandoned?.();
  }

  /** Whether the client still waits for this. */
  get isOpen(): boolean {
    return this.#session.suspension === this;
  }

  /** Ends the wait with a reply, unless it has ended. */
  end(write: (reply: ReplyWriter) => void): void {
    if (this.isOpen) this.#session.resume((reply) => this.#write(reply, write));
  }

  #write(reply: ReplyWriter, write: (reply: ReplyWriter) => void): void {
    const { at, errors } = reply;
    write(reply);
    if (reply.errors !== errors) {
      this.#errors.errorRepliedLate(this.#spec, reply.buf, reply.lastErrorAt, reply.at);
    }
    if (this.isSilent) reply.at = at;
  }
}
