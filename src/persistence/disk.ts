/**
 * The file system of this machine as a `Storage`.
 *
 * One write at a time is handed to a thread, whatever the files. The runtime's threads share a queue
 * under one lock, which often passes on to the thread that was woken, before that thread runs: until
 * the system gives it a core, whoever hands over more waits, and that is the event loop. During a
 * rewrite under writes, with more threads than cores, that made pieces of work of 1 to 5 ms (measured).
 *
 * @module
 */

import type { Storage, StorageEntry, StorageFile } from "./storage.ts";

/** The write that a thread was told of, of whichever file; null when it has ended. Never rejects. */
let handedOver: Promise<void> | null = null;

function endWrite(): void {
  handedOver = null;
}

/** A file on disk. */
class DiskFile implements StorageFile {
  readonly #file: Deno.FsFile;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (handedOver !== null) await handedOver;
    const writing = this.#file.write(bytes);
    handedOver = writing.then(endWrite, endWrite);
    return await writing;
  }

  writeNow(bytes: Uint8Array): number {
    return this.#file.writeSync(bytes);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#file.read(into);
  }

  async seek(byte: number): Promise<void> {
    await this.#file.seek(byte, Deno.SeekMode.Start);
  }

  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  truncate(bytes: number): Promise<void> {
    return this.#file.truncate(bytes);
  }

  /** `fdatasync`: the size, which finding the bytes takes, is synced with them. */
  sync(): Promise<void> {
    return this.#file.syncData();
  }

  syncNow(): boolean {
    this.#file.syncDataSync();
    return true;
  }

  /** A file system without locks has none to offer: nobody else has it then either. */
  tryLock(): Promise<boolean> {
    return this.#file.tryLock(true);
  }

  close(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** See the module's text. */
class Disk implements Storage {
  async open(path: string): Promise<StorageFile> {
    return new DiskFile(await Deno.open(path, { read: true }));
  }

  async create(path: string): Promise<StorageFile> {
    return new DiskFile(await Deno.open(path, { read: true, write: true, createNew: true }));
  }

  async append(path: string): Promise<StorageFile> {
    const file = await Deno.open(path, { read: true, write: true });
    try {
      await file.seek(0, Deno.SeekMode.End);
      return new DiskFile(file);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  rename(from: string, to: string): Promise<void> {
    return Deno.rename(from, to);
  }

  link(from: string, to: string): Promise<void> {
    return Deno.link(from, to);
  }

  remove(path: string): Promise<void> {
    return Deno.remove(path);
  }

  removeDirectory(dir: string): Promise<void> {
    return Deno.remove(dir);
  }

  async list(dir: string): Promise<StorageEntry[]> {
    const entries: StorageEntry[] = [];
    for await (const { name, isDirectory } of Deno.readDir(dir)) {
      entries.push({ name, isDirectory });
    }
    return entries;
  }

  makeDirectory(dir: string): Promise<void> {
    return Deno.mkdir(dir, { recursive: true });
  }

  async syncDirectory(dir: string): Promise<void> {
    if (Deno.build.os === "windows") return; // a directory is no file there
    using handle = await Deno.open(dir, { read: true });
    await handle.sync();
  }
}

/** See the module's text. */
export const DISK: Storage = new Disk();
