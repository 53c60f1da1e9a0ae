/**
 * Reads an RDB image that arrives in pieces of any size, and feeds a sink.
 *
 * Memory: one string of up to `LONG_STRING_BYTES` or one element, and one key of the image at a time, as
 * far as they have arrived. Work: each
 * `push` reads what it was given, so the caller sets the slice by the size of what it pushes. The
 * checksum is known at the very end: what the sink was given before that must not count until
 * `finished` is true.
 *
 * Passed over, with a warning where something is lost: function libraries, data of modules beside
 * the keys. Keys whose value has no elements, which no server can have meant. Facts of many megabytes.
 * Values of types without a reader (`rdb_values.ts`) are an `RdbTypeError`: loading the rest would be
 * silent loss.
 *
 * @module
 */

import { latin1, text } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import { KEYS_AHEAD } from "../keyspace/key_looks.ts";
import { copyBytes, littleEndian32, littleEndian64, roundUp } from "./bytes.ts";
import { Crc64, CRC64_BYTES } from "./crc64.ts";
import { quoteBytes, RdbError, RdbTypeError } from "./errors.ts";
import { LONG_STRING_BYTES } from "./long_string.ts";
import { PushInput, type UnitParser } from "./push_input.ts";
import { RdbAhead } from "./rdb_ahead.ts";
import { hexByte, RdbStrings, STRING_BYTES_MAX } from "./rdb_decode.ts";
import {
  OP_AUX,
  OP_EOF,
  OP_EXPIRETIME,
  OP_EXPIRETIME_MS,
  OP_FREQ,
  OP_FUNCTION2,
  OP_FUNCTION_PRE_GA,
  OP_IDLE,
  OP_MODULE_AUX,
  OP_RESIZEDB,
  OP_SELECTDB,
  OP_SLOT_INFO,
  RDB_HEADER_BYTES,
  RDB_VERSION_CHECKSUM,
  RDB_VERSION_MAX,
  RDB_VERSION_MIN,
  rdbTypeName,
} from "./rdb_format.ts";
import {
  type RdbEntry,
  type RdbValueReader,
  VALUE_COMPLETE,
  VALUE_EMPTY,
  VALUE_INCOMPLETE,
} from "./rdb_value.ts";
import { RdbValueReaders } from "./rdb_values.ts";
import type { SnapshotSink } from "./sink.ts";

/** How an RDB image is read. */
export interface RdbReaderOptions {
  /** Longest key or string, in bytes (default `STRING_BYTES_MAX`). */
  readonly stringBytesMax?: number;
  /** Strings of more bytes are given to the sink in pieces (default `LONG_STRING_BYTES`). */
  readonly longStringBytes?: number;
  /** Compare the checksum (`rdbchecksum`; default true). An image may also carry none. */
  readonly checksum?: boolean;
  /** Told of what was passed over, with its position in the image. */
  readonly onWarning?: (warning: string, byteOffset: number) => void;
}

/** Where the reader is: each state reads one kind of unit. */
const HEADER = 0, OPCODE = 1, KEY = 2, VALUE = 3, AUX_NAME = 4, AUX_VALUE = 5;
const SKIP_STRING = 6, SKIP = 7, MODULE_HEAD = 8, MODULE_PART = 9, CHECKSUM = 10, FINISHED = 11;

/** What the parts of a module's data are; each begins with one of these. */
const MODULE_EOF = 0, MODULE_SINT = 1, MODULE_UINT = 2, MODULE_FLOAT = 3, MODULE_DOUBLE = 4;
const MODULE_STRING = 5;

/**
 * Facts with a longer name or value are passed over: none that anybody asks for is nearly as long, and
 * of the longest strings of a file no text can be made.
 */
const FACT_BYTES_MAX = 4 * 1024 * 1024;

/** A key buffer above this is given back after its key. */
const KEPT_KEY_BYTES_MAX = 64 * 1024;

/** See the module's text. */
export class RdbReader implements UnitParser {
  /** Entries given to the sink. */
  keys = 0;
  /** Version of the image; 0 before its header was read. */
  version = 0;

  readonly #sink: SnapshotSink;
  readonly #verify: boolean;
  readonly #warn: (warning: string, byteOffset: number) => void;
  readonly #input: PushInput = new PushInput(this);
  readonly #strings: RdbStrings;
  readonly #readers: RdbValueReaders;
  readonly #crc = new Crc64();
  #crcFinal = false;
  #state = HEADER;
  #afterSkip = OPCODE;
  #skipBytes = 0;
  /** Name of the fact whose value follows; null for one that is passed over. */
  #auxName: string | null = null;
  readonly #entry: RdbEntry = { key: new Uint8Array(256), keyBytes: 0, expireAtMs: -1, type: 0 };
  #value: RdbValueReader | undefined;
  #failed = false;
  readonly #ahead = new RdbAhead(KEYS_AHEAD);
  /** Entries to come for which the sink was told to expect their keys. */
  #expected = 0;

  /** A reader of one image into `sink`. */
  constructor(sink: SnapshotSink, options: RdbReaderOptions = {}) {
    this.#sink = sink;
    this.#verify = options.checksum ?? true;
    this.#warn = options.onWarning ?? (() => {});
    const stringBytesMax = options.stringBytesMax ?? STRING_BYTES_MAX;
    this.#strings = new RdbStrings(stringBytesMax);
    const longStringBytes = options.longStringBytes ?? LONG_STRING_BYTES;
    this.#readers = new RdbValueReaders(stringBytesMax, longStringBytes);
  }

  /** Whether the whole image was read and its checksum was right. */
  get finished(): boolean {
    return this.#state === FINISHED;
  }

  /** Position in the image of the next byte to be pushed and read. */
  get byteOffset(): number {
    return this.#input.unitOffset;
  }

  /** Bytes of memory held for what has arrived in part. */
  get heldBytes(): number {
    const strings = this.#strings.heldBytes + this.#readers.heldBytes;
    return this.#input.heldBytes + strings + this.#entry.key.length;
  }

  /**
   * Reads `bytes[start..stop)` and returns how many of them belong to the image: all, unless it ends
   * among them. Throws `RdbError`, and what the sink throws; the reader is then of no more use.
   */
  push(bytes: Uint8Array, start = 0, stop: number = bytes.length): number {
    invariant(!this.#failed, "an RDB reader is not used after it failed");
    this.#failed = true;
    try {
      const taken = this.#input.push(bytes, start, stop);
      this.#failed = false;
      return taken;
    } finally {
      if (this.#failed) this.#abortValue();
    }
  }

  /** To be called when there are no more bytes: throws `RdbError` if the image is not complete. */
  end(): void {
    if (this.finished) return;
    this.#abortValue();
    const found = "the image ends here, before its end mark and checksum";
    throw new RdbError("truncated", this.#input.unitOffset, found);
  }

  /** The image breaks off: what the sink has of a value in parts is worth nothing. */
  #abortValue(): void {
    if (this.#state === VALUE) this.#sink.abortCollection();
    this.#state = OPCODE;
  }

  /** For `PushInput` only. */
  consumed(buf: Uint8Array, start: number, stop: number): void {
    if (this.#verify && !this.#crcFinal) this.#crc.update(buf, start, stop);
  }

  /** For `PushInput` only. */
  parse(): void {
    while (this.#state !== FINISHED && this.#unit());
  }

  /** Reads one unit; false when it is not all there. */
  #unit(): boolean {
    const input = this.#input, strings = this.#strings;
    switch (this.#state) {
      case OPCODE:
        return this.#opcode();
      case KEY:
        return this.#key();
      case VALUE:
        return this.#readValue();
      case HEADER:
        return this.#header();
      case AUX_NAME:
        if (!strings.readString(input)) return false;
        this.#auxName = factText(strings);
        return this.#next(AUX_VALUE);
      case AUX_VALUE: {
        if (!strings.readString(input)) return false;
        const value = factText(strings);
        if (this.#auxName !== null && value !== null) this.#sink.aux(this.#auxName, value);
        return this.#next(OPCODE);
      }
      case SKIP_STRING: {
        const bytes = strings.readSkip(input);
        if (bytes < 0) return false;
        this.#skipBytes = bytes;
        return this.#next(SKIP);
      }
      case SKIP:
        return this.#skip();
      case MODULE_HEAD:
        return this.#moduleHead();
      case MODULE_PART:
        return this.#modulePart();
      default:
        return this.#checksum();
    }
  }

  /** The unit has been read; what follows is a unit of this kind. */
  #next(state: number): boolean {
    this.#input.unitDone();
    this.#state = state;
    return true;
  }

  #header(): boolean {
    const input = this.#input;
    if (!input.want(RDB_HEADER_BYTES)) return false;
    const header = latin1(input.buf, input.at, input.at + RDB_HEADER_BYTES);
    if (!/^REDIS\d{4}$/.test(header)) {
      throw new RdbError("header", 0, `it begins with ${JSON.stringify(header)}, not with "REDIS"`);
    }
    this.version = Number(header.slice(5));
    if (this.version < RDB_VERSION_MIN || this.version > RDB_VERSION_MAX) {
      const range = `${RDB_VERSION_MIN} to ${RDB_VERSION_MAX}`;
      throw new RdbError("version", 5, `version ${this.version} is not one of ${range}`);
    }
    input.at += RDB_HEADER_BYTES;
    return this.#next(OPCODE);
  }

  #opcode(): boolean {
    const input = this.#input, strings = this.#strings;
    if (!input.want(1)) return false;
    const offset = input.offset;
    const op = input.buf[input.at++];
    switch (op) {
      case OP_EXPIRETIME_MS:
        if (!input.want(8)) return false;
        this.#entry.expireAtMs = readMs(input);
        return this.#next(OPCODE);
      case OP_EXPIRETIME: {
        if (!input.want(4)) return false;
        this.#entry.expireAtMs = Math.max(0, littleEndian32(input.buf, input.at) * 1000);
        input.at += 4;
        return this.#next(OPCODE);
      }
      case OP_SELECTDB: {
        const db = strings.readLength(input);
        if (db < 0) return false;
        this.#sink.selectDb(db);
        return this.#next(OPCODE);
      }
      case OP_RESIZEDB: {
        const keys = strings.readLength(input);
        const expires = keys < 0 ? keys : strings.readLength(input);
        if (expires < 0) return false;
        this.#sink.resizeDb(keys, expires);
        return this.#next(OPCODE);
      }
      case OP_AUX:
        return this.#next(AUX_NAME);
      case OP_FREQ:
        if (!input.want(1)) return false;
        input.at++;
        return this.#next(OPCODE);
      case OP_IDLE:
        if (strings.readLength(input) < 0) return false;
        return this.#next(OPCODE);
      case OP_SLOT_INFO:
        for (let i = 0; i < 3; i++) if (strings.readLength(input) < 0) return false;
        return this.#next(OPCODE);
      case OP_FUNCTION2:
        this.#warn("a function library was passed over: functions are not supported", offset);
        this.#afterSkip = OPCODE;
        return this.#next(SKIP_STRING);
      case OP_MODULE_AUX:
        return this.#next(MODULE_HEAD);
      case OP_FUNCTION_PRE_GA: {
        const found = "a function library in the form of a release candidate of Redis 7.0";
        throw new RdbError("corrupt", offset, found);
      }
      case OP_EOF:
        input.tellConsumed();
        this.#crcFinal = true;
        return this.#next(this.version >= RDB_VERSION_CHECKSUM ? CHECKSUM : FINISHED);
    }
    if (rdbTypeName(op) === undefined) {
      const found = `${hexByte(op)} is neither an opcode nor the type of a value`;
      throw new RdbError("corrupt", offset, found);
    }
    this.#entry.type = op;
    if (--this.#expected < 0) this.#expect();
    return this.#next(KEY);
  }

  /** Tells the sink which keys are about to come, the one at hand and those behind it. */
  #expect(): void {
    const { buf, at, end } = this.#input;
    const { starts, stops } = this.#ahead;
    const keys = this.#ahead.find(buf, at - 1, end);
    if (keys > 1) this.#sink.expect(buf, starts, stops, keys);
    this.#expected = keys > 1 ? keys - 1 : KEYS_AHEAD - 1;
  }

  #key(): boolean {
    const input = this.#input, strings = this.#strings, entry = this.#entry;
    if (!strings.readString(input)) return false;
    const bytes = strings.stop - strings.start;
    if (entry.key.length < bytes || entry.key.length > KEPT_KEY_BYTES_MAX) {
      entry.key = new Uint8Array(roundUp(bytes));
    }
    copyBytes(strings.buf, strings.start, strings.stop, entry.key, 0);
    entry.keyBytes = bytes;
    this.#next(VALUE);
    this.#value = this.#readers.of(entry.type);
    if (this.#value === undefined) {
      const name = rdbTypeName(entry.type) ?? "unknown";
      throw new RdbTypeError(input.offset, entry.type, name, entry.key.slice(0, bytes));
    }
    this.#value.begin(entry);
    return true;
  }

  #readValue(): boolean {
    const input = this.#input, entry = this.#entry;
    const offset = input.unitOffset;
    switch (this.#value!.step(input, this.#strings, entry, this.#sink)) {
      case VALUE_INCOMPLETE:
        return false;
      case VALUE_COMPLETE:
        this.keys++;
        break;
      case VALUE_EMPTY: {
        const key = quoteBytes(entry.key, 0, entry.keyBytes);
        this.#warn(`key ${key} was passed over: its value has no elements`, offset);
      }
    }
    entry.expireAtMs = -1;
    this.#state = OPCODE;
    return true;
  }

  #skip(): boolean {
    const input = this.#input;
    const bytes = Math.min(this.#skipBytes, input.end - input.at);
    input.at += bytes;
    this.#skipBytes -= bytes;
    input.unitDone();
    return this.#skipBytes > 0 ? input.want(1) : this.#next(this.#afterSkip);
  }

  /** Module number, then "uint" and the time of saving (before or after the keys). */
  #moduleHead(): boolean {
    const input = this.#input, strings = this.#strings;
    const offset = input.offset;
    for (let i = 0; i < 3; i++) if (strings.readLength(input) < 0) return false;
    this.#warn("data of a module was passed over: modules are not supported", offset);
    return this.#next(MODULE_PART);
  }

  #modulePart(): boolean {
    const input = this.#input, strings = this.#strings;
    const offset = input.offset;
    const part = strings.readLength(input);
    switch (part) {
      case -1:
        return false;
      case MODULE_EOF:
        return this.#next(OPCODE);
      case MODULE_SINT:
      case MODULE_UINT:
        return strings.readLength(input) >= 0 && this.#next(MODULE_PART);
      case MODULE_FLOAT:
      case MODULE_DOUBLE: {
        const bytes = part === MODULE_FLOAT ? 4 : 8;
        if (!input.want(bytes)) return false;
        input.at += bytes;
        return this.#next(MODULE_PART);
      }
      case MODULE_STRING:
        this.#afterSkip = MODULE_PART;
        return this.#next(SKIP_STRING);
      default:
        throw new RdbError("corrupt", offset, `no part of a module's data begins with ${part}`);
    }
  }

  #checksum(): boolean {
    const input = this.#input;
    if (!input.want(CRC64_BYTES)) return false;
    const buf = input.buf, at = input.at;
    const absent = littleEndian32(buf, at) === 0 && littleEndian32(buf, at + 4) === 0;
    if (this.#verify && !absent && !this.#crc.matches(buf, at)) {
      const found = `the checksum of the bytes before is ${this.#crc.hex()}, not what stands here`;
      throw new RdbError("checksum", input.offset, found);
    }
    input.at += CRC64_BYTES;
    return this.#next(FINISHED);
  }
}

/** The string that was read as text; null if it is too long for a fact. */
function factText({ buf, start, stop }: RdbStrings): string | null {
  return stop - start > FACT_BYTES_MAX ? null : text(buf, start, stop);
}

/**
 * A signed 64-bit time at the input's position, which passes it. -1 means no deadline, as for Redis;
 * other negative times are as long past as 0; times that no double holds exactly are rounded.
 */
function readMs(input: PushInput): number {
  const low = littleEndian32(input.buf, input.at);
  const high = littleEndian32(input.buf, input.at + 4);
  input.at += 8;
  if (high < 0) return high === -1 && low === -1 ? -1 : 0;
  return littleEndian64(input.buf, input.at - 8);
}
