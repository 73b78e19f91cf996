/**
 * A disk that can be taken away, as kill -9 takes it from a process: what was written stays, what was not never will be, files are closed
 * and locks are free for the next one. What is under way when it happens is waited for, so that it cannot reach into the next life.
 */
import { type Disk, type DiskFile, type DiskLock } from '../seams/disk.ts'

export interface KillableDisk {
  readonly disk: Disk
  readonly killed: boolean
  /** Every call from now on rejects. Resolves when nothing is under way any more. */
  kill(): Promise<void>
}

export function killableDisk(disk: Disk): KillableDisk {
  const open = new Set<DiskFile>()
  const locks = new Set<DiskLock>()
  const underWay = new Set<Promise<unknown>>()
  let killed = false

  const guarded =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (killed) throw new Error('the broker was killed')
      const running = call(...args)
      underWay.add(running)
      try {
        return await running
      } finally {
        underWay.delete(running)
      }
    }

  const fileOf = (file: DiskFile): DiskFile => {
    open.add(file)
    return {
      size: guarded(() => file.size()),
      read: guarded((position, length) => file.read(position, length)),
      write: guarded((pieces, position) => file.write(pieces, position)),
      truncate: guarded((length) => file.truncate(length)),
      sync: guarded(() => file.sync()),
      async close() {
        if (open.delete(file)) await file.close()
      },
    }
  }

  return {
    disk: {
      open: guarded(async (path, mode) => fileOf(await disk.open(path, mode))),
      readFile: guarded((path) => disk.readFile(path)),
      list: guarded((path) => disk.list(path)),
      stat: guarded((path) => disk.stat(path)),
      makeDirectory: guarded((path) => disk.makeDirectory(path)),
      rename: guarded((from, to) => disk.rename(from, to)),
      link: guarded((from, to) => disk.link(from, to)),
      remove: guarded((path) => disk.remove(path)),
      removeDirectory: guarded((path) => disk.removeDirectory(path)),
      syncDirectory: guarded((path) => disk.syncDirectory(path)),
      freeBytes: guarded((path) => disk.freeBytes(path)),
      lock: guarded(async (path) => {
        const lock = await disk.lock(path)
        if (!lock) return undefined
        locks.add(lock)
        return {
          release() {
            if (locks.delete(lock)) lock.release()
          },
        }
      }),
    },
    get killed() {
      return killed
    },
    async kill() {
      killed = true
      while (underWay.size > 0) await Promise.allSettled(underWay)
      for (const file of open) await file.close()
      open.clear()
      for (const lock of locks) lock.release()
      locks.clear()
    },
  }
}
