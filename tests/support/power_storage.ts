/**
 * A file system in memory that can fail at any operation, and lose power at any operation: then what
 * is left is what a disk has promised and, of the rest, whatever chance leaves.
 *
 *  - Of a file's bytes since its last sync, a prefix may be there, with zeros behind it as far as the
 *    file had grown. Of those written over others, any sectors may be there. A file that was cut may be
 *    as if it had not been.
 *  - Of a directory's names given and taken away since its last sync, any of the changes may be there;
 *    a file that is renamed in its directory has one name or the other.
 */

import { ascii, equalsBytes } from "../../src/base/ascii.ts";
import type { Random } from "./random.ts";
import type { Storage, StorageEntry, StorageFile } from "../../src/persistence/storage.ts";

/** Bytes that are there as a whole, or not at all. */
const SECTOR_BYTES = 512;

/** The power is off: what every operation from the fatal one on answers. */
export class PowerLost extends Error {
  override readonly name = "PowerLost";
}

class FileNode {
  bytes = new Uint8Array(0);
  length = 0;
  synced: Uint8Array = new Uint8Array(0);
  /** Bytes that the file has had at least since its last sync. */
  leastLength = 0;
  isLocked = false;

  put(at: number, src: Uint8Array): void {
    const stop = at + src.length;
    if (stop > this.bytes.length) {
      const larger = new Uint8Array(Math.max(stop, this.bytes.length * 2));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(src, at);
    this.length = Math.max(this.length, stop);
  }

  get content(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  cut(bytes: number): void {
    this.length = bytes;
    this.leastLength = Math.min(this.leastLength, bytes);
  }

  sync(): void {
    this.synced = this.content.slice();
    this.leastLength = this.length;
  }
}

type Node = FileNode | DirectoryNode;
/** Names that are given or taken away together: all of them, or none, survive a loss of power. */
type Change = readonly { readonly name: string; readonly node: Node | null }[];

class DirectoryNode {
  readonly entries = new Map<string, Node>();
  durable = new Map<string, Node>();
  changes: Change[] = [];

  set(name: string, node: Node | null): void {
    this.change([{ name, node }]);
  }

  change(change: Change): void {
    for (const { name, node } of change) {
      if (node === null) this.entries.delete(name);
      else this.entries.set(name, node);
    }
    this.changes.push(change);
  }

  sync(): void {
    this.durable = new Map(this.entries);
    this.changes = [];
  }
}

/** Whether a node may be removed or replaced as a whole. */
function isEmpty(node: Node): boolean {
  return node instanceof FileNode || node.entries.size === 0;
}

const NO_DELAY = (): null => null;

/** What fails: `null` for nothing, else the error to throw instead of the operation. */
export type Fault = (operation: string, path: string, count: number) => Error | null;

/** See the module's text. */
export class PowerStorage implements Storage {
  /** Operations so far. */
  operations = 0;
  /** The operation at which the power goes; Infinity for never. */
  powerLossAt = Infinity;
  /** Asked before each operation. */
  fault: Fault = () => null;
  /** What each operation waits for; null for nothing. */
  delay: (operation: string, path: string) => Promise<void> | null = NO_DELAY;
  readonly #root: DirectoryNode;
  readonly #random: Random;
  readonly #lost = Promise.withResolvers<void>();
  #isOff = false;

  constructor(random: Random, root: DirectoryNode = new DirectoryNode()) {
    this.#random = random;
    this.#root = root;
  }

  /** Resolves when the power goes. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** What is there when the power comes back. */
  afterPowerLoss(): PowerStorage {
    this.#isOff = true;
    return new PowerStorage(this.#random, this.#leftOf(this.#root, new Map()));
  }

  #leftOf(dir: DirectoryNode, done: Map<Node, Node>): DirectoryNode {
    const left = new DirectoryNode();
    done.set(dir, left);
    const names = new Map(dir.durable);
    for (const change of dir.changes) {
      if (this.#random.next() < 0.5) continue;
      for (const { name, node } of change) {
        if (node === null) names.delete(name);
        else names.set(name, node);
      }
    }
    for (const [name, node] of names) {
      const kept = done.get(node) ??
        (node instanceof FileNode ? this.#leftOfFile(node) : this.#leftOf(node, done));
      done.set(node, kept);
      left.entries.set(name, kept);
    }
    left.sync();
    return left;
  }

  #leftOfFile(file: FileNode): FileNode {
    const { synced, content, leastLength } = file;
    const left = new FileNode();
    const isCut = leastLength < synced.length && this.#random.next() < 0.5;
    const old = isCut ? synced.subarray(0, leastLength) : synced;
    left.put(0, old);
    this.#overwrite(left, content.subarray(0, leastLength));
    if (isCut || leastLength === synced.length) {
      const unsynced = content.length - old.length;
      const kept = old.length + Math.floor(this.#random.next() * (unsynced + 1));
      left.put(old.length, content.subarray(old.length, kept));
      if (this.#random.next() < 0.3) {
        left.put(
          kept,
          new Uint8Array(Math.floor(this.#random.next() * (content.length - kept + 1))),
        );
      }
    }
    left.sync();
    return left;
  }

  /** Any of the sectors in which `content` is another. */
  #overwrite(left: FileNode, content: Uint8Array): void {
    for (let at = 0; at < content.length; at += SECTOR_BYTES) {
      const stop = Math.min(at + SECTOR_BYTES, content.length);
      const isOther = !equalsBytes(left.bytes, at, content, at, stop - at);
      if (isOther && this.#random.next() < 0.5) left.put(at, content.subarray(at, stop));
    }
  }

  /** Counts an operation; throws when it fails. True when the power goes with it. */
  #begin(operation: string, path: string): boolean {
    if (this.#isOff) throw new PowerLost(operation);
    this.operations++;
    const error = this.fault(operation, path, this.operations);
    if (error !== null) throw error;
    if (this.operations < this.powerLossAt) return false;
    this.#isOff = true;
    this.#lost.resolve();
    return true;
  }

  #operate<T>(operation: string, path: string, act: () => T): Promise<T> {
    return Promise.resolve(this.delay(operation, path)).then(() => this.#act(operation, path, act));
  }

  #act<T>(operation: string, path: string, act: () => T): T {
    const isLast = this.#begin(operation, path);
    // The operation under way when the power goes has happened, or has not.
    if (isLast && this.#random.next() < 0.5) throw new PowerLost(operation);
    const result = act();
    if (isLast) throw new PowerLost(operation);
    return result;
  }

  /** Whether nothing may happen in the caller's turn: never where operations are to wait, else at times. */
  #isNotNow(): boolean {
    return this.delay !== NO_DELAY || this.#random.next() < 0.1;
  }

  #directory(path: string): DirectoryNode {
    let node: Node = this.#root;
    for (const part of path.split("/").filter((part) => part !== "")) {
      const next: Node | undefined = node instanceof DirectoryNode
        ? node.entries.get(part)
        : undefined;
      if (next === undefined) throw new Deno.errors.NotFound(path);
      node = next;
    }
    if (!(node instanceof DirectoryNode)) throw new Deno.errors.NotADirectory(path);
    return node;
  }

  #split(path: string): { dir: DirectoryNode; name: string } {
    const at = path.lastIndexOf("/");
    return { dir: this.#directory(path.slice(0, at)), name: path.slice(at + 1) };
  }

  #file(path: string): FileNode {
    const { dir, name } = this.#split(path);
    const node = dir.entries.get(name);
    if (!(node instanceof FileNode)) throw new Deno.errors.NotFound(path);
    return node;
  }

  /** Makes a directory that survives whatever comes. */
  addDirectory(path: string): void {
    let node = this.#root;
    for (const part of path.split("/").filter((part) => part !== "")) {
      let next = node.entries.get(part);
      if (next === undefined) node.set(part, next = new DirectoryNode());
      node.sync();
      node = next as DirectoryNode;
    }
  }

  /** Bytes of a file. */
  contentOf(path: string): Uint8Array {
    return this.#file(path).content.slice();
  }

  /** Puts a file there, synced. */
  addFile(path: string, content: string | Uint8Array): void {
    const { dir, name } = this.#split(path);
    const file = new FileNode();
    file.put(0, typeof content === "string" ? ascii(content) : content);
    file.sync();
    dir.set(name, file);
    dir.sync();
  }

  open(path: string): Promise<StorageFile> {
    return this.#operate("open", path, () => this.#handle(path, this.#file(path), 0));
  }

  create(path: string): Promise<StorageFile> {
    return this.#operate("create", path, () => {
      const { dir, name } = this.#split(path);
      if (dir.entries.has(name)) throw new Deno.errors.AlreadyExists(path);
      const file = new FileNode();
      dir.set(name, file);
      return this.#handle(path, file, 0);
    });
  }

  append(path: string): Promise<StorageFile> {
    return this.#operate("append", path, () => {
      const file = this.#file(path);
      return this.#handle(path, file, file.length);
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#operate("rename", from, () => {
      const source = this.#split(from);
      const node = source.dir.entries.get(source.name);
      if (node === undefined) throw new Deno.errors.NotFound(from);
      const target = this.#split(to);
      const taken = target.dir.entries.get(target.name);
      if (taken !== undefined && !isEmpty(taken)) throw new Error(`Directory not empty: ${to}`);
      if (target.dir === source.dir) {
        source.dir.change([{ name: target.name, node }, { name: source.name, node: null }]);
        return;
      }
      target.dir.set(target.name, node);
      source.dir.set(source.name, null);
    });
  }

  link(from: string, to: string): Promise<void> {
    return this.#operate("link", from, () => {
      const source = this.#split(from);
      const node = source.dir.entries.get(source.name);
      if (node === undefined) throw new Deno.errors.NotFound(from);
      const target = this.#split(to);
      if (target.dir.entries.has(target.name)) throw new Deno.errors.AlreadyExists(to);
      target.dir.set(target.name, node);
    });
  }

  remove(path: string): Promise<void> {
    return this.#operate("remove", path, () => {
      const { dir, name } = this.#split(path);
      if (!dir.entries.has(name)) throw new Deno.errors.NotFound(path);
      dir.set(name, null);
    });
  }

  removeDirectory(path: string): Promise<void> {
    return this.#operate("removeDirectory", path, () => {
      const { dir, name } = this.#split(path);
      const node = dir.entries.get(name);
      if (node === undefined) throw new Deno.errors.NotFound(path);
      if (!isEmpty(node)) throw new Error(`Directory not empty: ${path}`);
      dir.set(name, null);
    });
  }

  list(path: string): Promise<StorageEntry[]> {
    return this.#operate(
      "list",
      path,
      () =>
        Array.from(this.#directory(path).entries, ([name, node]) => ({
          name,
          isDirectory: node instanceof DirectoryNode,
        })),
    );
  }

  makeDirectory(path: string): Promise<void> {
    return this.#operate("makeDirectory", path, () => {
      const { dir, name } = this.#split(path);
      if (!dir.entries.has(name)) dir.set(name, new DirectoryNode());
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.#operate("syncDirectory", path, () => this.#directory(path).sync());
  }

  #handle(path: string, file: FileNode, position: number): StorageFile {
    const close = () => {
      file.isLocked = false;
    };
    const sync = () => file.sync();
    const write = (bytes: Uint8Array): number => {
      const isLast = this.#begin("write", path);
      // A write may take less than it is given, and tear when the power goes.
      const most = isLast || this.#random.next() < 0.1
        ? Math.ceil(this.#random.next() * bytes.length)
        : bytes.length;
      file.put(position, bytes.subarray(0, most));
      position += most;
      if (isLast) throw new PowerLost("write");
      return most;
    };
    return {
      write: (bytes) => Promise.resolve(this.delay("write", path)).then(() => write(bytes)),
      writeNow: (bytes) => this.#isNotNow() ? 0 : write(bytes),
      read: (into) =>
        this.#operate("read", path, () => {
          const bytes = Math.min(into.length, file.length - position);
          if (bytes <= 0) return null;
          into.set(file.bytes.subarray(position, position + bytes));
          position += bytes;
          return bytes;
        }),
      seek: (byte) => this.#operate("seek", path, () => void (position = byte)),
      size: () => this.#operate("size", path, () => file.length),
      truncate: (bytes) => this.#operate("truncate", path, () => file.cut(bytes)),
      sync: () => this.#operate("sync", path, sync),
      syncNow: () => {
        if (this.#isNotNow()) return false;
        this.#act("sync", path, sync);
        return true;
      },
      tryLock: () => this.#operate("lock", path, () => !file.isLocked && (file.isLocked = true)),
      close,
      [Symbol.dispose]: close,
    };
  }
}
