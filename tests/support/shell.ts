import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Call, type ShardPort } from "../../src/commands/call.ts";
import type { EffectSink } from "../../src/commands/effect.ts";
import { effectFieldsExpired } from "../../src/commands/hash_expired.ts";
import { type CommandSpec, CommandTable } from "../../src/commands/registry.ts";
import { Session } from "../../src/commands/session.ts";
import { Keyspace, type KeyspaceListener } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { REQUEST, RequestParser } from "../../src/resp/request_parser.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";

type Word = string | Uint8Array;

/**
 * An effect sink that keeps what it hears as `db: NAME arg arg`, or what it is given encoded if it takes that,
 * bytes as latin-1; units as they are.
 */
export class RecordingEffects implements EffectSink {
  active = true;
  takesEncoded = false;
  inUnit = false;
  readonly heard: string[] = [];
  #open: string[] = [];
  #left = 0;
  #payload = 0;

  begin(db: number, name: Uint8Array, args: number, payloadBytes: number): void {
    if (this.#left !== 0) throw new Error("effect begun inside another");
    this.#open = [`${db}: ${latin1(name)}`];
    this.#left = args;
    this.#payload = payloadBytes;
  }

  arg(src: Uint8Array, start: number, stop: number): void {
    this.#take(latin1(src, start, stop));
  }

  argInteger(n: number): void {
    this.#take(String(n));
  }

  #take(arg: string): void {
    if (this.#left-- <= 0) throw new Error("more effect arguments than announced");
    this.#payload -= arg.length;
    this.#open.push(arg);
  }

  endMessage(): void {
    this.end();
  }

  end(): void {
    if (this.#left !== 0) throw new Error(`${this.#left} effect arguments are missing`);
    if (this.#payload !== 0) throw new Error(`effect payload is off by ${this.#payload}`);
    this.heard.push(this.#open.join(" "));
  }

  encoded(db: number, src: Uint8Array, start: number, stop: number): boolean {
    if (this.takesEncoded) this.heard.push(`${db}: ${latin1(src, start, stop)}`);
    return this.takesEncoded;
  }

  beginUnit(): void {
    this.inUnit = true;
  }

  endUnit(): void {
    this.inUnit = false;
  }

  /** What was heard since the last call. */
  take(): string[] {
    return this.heard.splice(0);
  }
}

/**
 * Runs commands in process, without the server's checks: name, arity, run. Replies are the raw
 * bytes as latin-1. `nowMs` stands still until it is set.
 */
export class Shell {
  readonly table: CommandTable;
  readonly effects: RecordingEffects[] = [];
  readonly keys: Keyspace[] = [];
  readonly session: Session;
  readonly call: Call;
  readonly reply = new ReplyWriter();
  nowMs = 1_700_000_000_000;

  constructor(
    specs: readonly CommandSpec[],
    options: { shards?: number; arenaBytes?: number; databases?: number } = {},
  ) {
    this.table = new CommandTable(specs);
    const shards: ShardPort[] = [];
    for (let i = 0; i < (options.shards ?? 1); i++) {
      const keys = new Keyspace(
        new Arena(options.arenaBytes ?? 64 * 2 ** 20),
        options.databases ?? 16,
        { k0: 7, k1: 11 },
      );
      const effects = new RecordingEffects();
      const db = () => effects;
      const deleted: KeyspaceListener["expired"] = (d, u8, start, stop) => {
        db().begin(d, ascii("DEL"), 1, stop - start);
        db().arg(u8, start, stop);
        db().end();
      };
      keys.listener = {
        expired: deleted,
        evicted: deleted,
        fieldsExpired: (d, u8, start, stop, fields) =>
          effectFieldsExpired(effects, keys.arena, d, u8, start, stop, fields),
      };
      this.keys.push(keys);
      this.effects.push(effects);
      shards.push({ keys, effects });
    }
    // Any spread of keys over shards will do here: the last byte's.
    const shardOf = (buf: Uint8Array, start: number, stop: number) =>
      stop === start ? 0 : buf[stop - 1] % shards.length;
    this.call = new Call({ shards, shardOf, slotOf: shardOf });
    this.session = new Session({
      id: 1,
      peer: "127.0.0.1:1",
      local: "127.0.0.1:2",
      nowMs: this.nowMs,
      authenticated: true,
      reply: this.reply,
    });
  }

  /** Runs one command and returns its reply. */
  run(...words: Word[]): string {
    const parts = words.map((w) => (typeof w === "string" ? ascii(w) : w));
    const total = parts.reduce((n, p) => n + p.length, 0);
    const buf = new Uint8Array(total);
    const starts = new Int32Array(parts.length);
    const stops = new Int32Array(parts.length);
    let at = 0;
    parts.forEach((part, i) => {
      starts[i] = at;
      buf.set(part, at);
      at += part.length;
      stops[i] = at;
    });
    return this.#run(buf, null, starts, stops, parts.length, false);
  }

  /** As `run`, of one request as a client sends it. */
  runWire(wire: string): string {
    const buf = ascii(wire);
    const parser = new RequestParser();
    if (parser.parse(buf, buf.length) !== REQUEST) throw new Error(`no request: ${wire}`);
    const { starts, stops, argc, isPlain } = parser;
    return this.#run(buf, new DataView(buf.buffer), starts, stops, argc, isPlain);
  }

  #run(...request: Parameters<Call["setRequest"]>): string {
    const [buf, , starts, stops, argc] = request;
    const found = this.table.find(buf, starts[0], stops[0]);
    if (found === null) throw new Error(`no command ${latin1(buf, starts[0], stops[0])}`);
    const command = found.subcommands?.find(buf, starts[1], stops[1]) ?? found;
    if (argc < command.argcMin || argc > command.argcMax) {
      return `arity of ${command.spec.name}`;
    }
    const call = this.call;
    call.setRequest(...request);
    call.session = this.session;
    call.reply = this.reply;
    call.db = this.session.db;
    call.spec = command.spec;
    call.nowMs = this.nowMs;
    for (const keys of this.keys) keys.nowMs = this.nowMs;
    call.useShard(0);
    if (command.firstKey > 0 && command.firstKey < argc) call.route(command.firstKey);
    this.reply.at = 0;
    command.run(call);
    return latin1(this.reply.buf, 0, this.reply.at);
  }

  /** Effects since the last call, shard by shard. */
  heard(): string[] {
    return this.effects.flatMap((e) => e.take());
  }
}
