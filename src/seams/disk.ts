/**
 * Files, as the broker's log and the file sink see them. Only this file touches `node:fs`, so that a test can hand in a
 * disk that fills up, fails to sync or forgets what was not synced. Errors are the system's own (`code` ENOSPC, EEXIST …).
 */
import { constants } from 'node:fs'
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises'
import { loadSqlite } from './sqlite.ts'
import { dirname } from 'node:path'

export interface DiskFile {
  size(): Promise<number>
  /** Bytes from `position` on: `length` of them, or fewer at the end of the file. */
  read(position: number, length: number): Promise<Buffer>
  /** Writes everything, one piece after the other, at `position`; without it at the end of an `append` file. */
  write(pieces: readonly Uint8Array[], position?: number): Promise<void>
  truncate(length: number): Promise<void>
  /** Data and size reach the disk. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** read: must exist. update: read and write, must exist. create: read and write, must not exist. replace: emptied. append: created if missing. */
export type OpenMode = 'read' | 'update' | 'create' | 'replace' | 'append'

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>
  readFile(path: string): Promise<Buffer>
  /** Names in a folder, sorted; a missing folder has none. */
  list(path: string): Promise<string[]>
  /** undefined if there is nothing at this path. */
  stat(path: string): Promise<{ size: number; modifiedMs: number; isDirectory: boolean } | undefined>
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** A second name for the same file; EEXIST if the name is taken. The atomic "create once". */
  link(from: string, to: string): Promise<void>
  /** Removing what is not there is no error. */
  remove(path: string): Promise<void>
  removeDirectory(path: string): Promise<void>
  /** Names made, renamed or removed in this folder reach the disk. */
  syncDirectory(path: string): Promise<void>
  freeBytes(path: string): Promise<number>
  /**
   * Takes the exclusive lock that this file stands for (made if missing, never removed), or resolves with undefined if another process or
   * another part of this one holds it. The lock ends with `release` or with the process, however that ends: it is the system's, so no
   * dead owner can be left behind and no reused process id be taken for one.
   */
  lock(path: string): Promise<DiskLock | undefined>
}

export interface DiskLock {
  release(): void
}

const flags: Record<OpenMode, string | number> = {
  read: 'r',
  update: 'r+',
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  replace: 'w+',
  append: 'a+',
}

/**
 * One folder after the other, from the first that exists; somebody else may be making the same ones. Node's own `recursive` says ENOENT where
 * the system says that the file system is read-only, and below /proc, where `mkdir` says ENOENT although the parent exists, it never ends.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    const parent = dirname(path)
    if (!isMissing(error) || parent === path) throw error
    await makeDirectory(parent)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    // Taken, or refused for another reason (read-only, no right): a folder that is there is all that was asked for.
    if (!(await isDirectory(path))) throw error
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/** What a short write left over. */
function rest(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  let first = 0
  let skip = written
  while (first < pieces.length && skip >= pieces[first]!.length) skip -= pieces[first++]!.length
  const left = pieces.slice(first)
  if (skip > 0) left[0] = left[0]!.subarray(skip)
  return left
}

function fileOf(handle: FileHandle): DiskFile {
  return {
    size: async () => (await handle.stat()).size,
    async read(position, length) {
      const buffer = Buffer.allocUnsafeSlow(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled === length ? buffer : buffer.subarray(0, filled)
    },
    async write(pieces, position) {
      let left = pieces.filter((piece) => piece.length > 0)
      let at = position
      while (left.length > 0) {
        const { bytesWritten } =
          left.length === 1 ? await handle.write(left[0]!, 0, left[0]!.length, at) : await handle.writev(left, at)
        if (at !== undefined) at += bytesWritten
        left = rest(left, bytesWritten)
      }
    },
    truncate: (length) => handle.truncate(length),
    sync: () => handle.datasync(),
    close: () => handle.close(),
  }
}

const SQLITE_BUSY = 5

export const systemDisk: Disk = {
  open: async (path, mode) => fileOf(await open(path, flags[mode])),
  readFile: (path) => readFile(path),
  async list(path) {
    try {
      return (await readdir(path)).sort()
    } catch (error) {
      if (isMissing(error)) return []
      throw error
    }
  },
  async stat(path) {
    try {
      const found = await stat(path)
      return { size: found.size, modifiedMs: found.mtimeMs, isDirectory: found.isDirectory() }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  },
  makeDirectory,
  rename: (from, to) => rename(from, to),
  link: (from, to) => link(from, to),
  async remove(path) {
    try {
      await unlink(path)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  },
  removeDirectory: (path) => rm(path, { recursive: true, force: true }),
  async syncDirectory(path) {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  },
  async lock(path) {
    // Node has no call for file locks; SQLite, which is part of Node, takes the system's own (fcntl, LockFileEx) on an empty
    // file and minds that a process may hold it only once.
    const { DatabaseSync } = loadSqlite()
    const database = new DatabaseSync(path, { timeout: 0 })
    try {
      database.exec('BEGIN EXCLUSIVE')
    } catch (error) {
      database.close()
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
      throw error
    }
    return { release: () => database.close() }
  },
}
