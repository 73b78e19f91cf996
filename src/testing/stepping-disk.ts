/**
 * A disk that asks before and after each operation whether it may go on: the place where a test pauses an owner, kills
 * it or lets the disk fail. Between the halves of a write it asks too, so that a torn write is one of the cases.
 *
 * `at` resolves to go on and throws to fail: an error with a `code` is the disk's, anything else a death.
 */
import type { Disk, DiskFile } from '../seams/disk.ts'

export type StepHook = (step: string) => Promise<void>

export interface SteppingDisk extends Disk {
  /** Closes what a dead owner left open, as the system does for a dead process. */
  release(): Promise<void>
}

export function steppingDisk(disk: Disk, at: StepHook): SteppingDisk {
  const files = new Set<DiskFile>()
  const around = async <T>(step: string, operation: () => Promise<T>): Promise<T> => {
    await at(`before ${step}`)
    const result = await operation()
    await at(`after ${step}`)
    return result
  }
  return {
    async open(path, mode) {
      const file = await around(`open ${path}`, async () => {
        const opened = await disk.open(path, mode)
        files.add(opened)
        return opened
      })
      return steppingFile(file, path, around, at, () => files.delete(file))
    },
    readFile: (path) => around(`read ${path}`, () => disk.readFile(path)),
    list: (path) => around(`list ${path}`, () => disk.list(path)),
    stat: (path) => around(`stat ${path}`, () => disk.stat(path)),
    makeDirectory: (path) => around(`make ${path}`, () => disk.makeDirectory(path)),
    rename: (from, to) => around(`rename ${from} to ${to}`, () => disk.rename(from, to)),
    link: (from, to) => around(`link ${from} to ${to}`, () => disk.link(from, to)),
    remove: (path) => around(`remove ${path}`, () => disk.remove(path)),
    removeDirectory: (path) => around(`remove ${path}`, () => disk.removeDirectory(path)),
    syncDirectory: (path) => around(`sync ${path}`, () => disk.syncDirectory(path)),
    freeBytes: (path) => disk.freeBytes(path),
    lock: (path) => disk.lock(path),
    async release() {
      for (const file of files) await file.close()
      files.clear()
    },
  }
}

function steppingFile(
  file: DiskFile,
  path: string,
  around: <T>(step: string, operation: () => Promise<T>) => Promise<T>,
  at: StepHook,
  closed: () => void,
): DiskFile {
  return {
    size: () => file.size(),
    read: (position, length) => file.read(position, length),
    async write(pieces, position) {
      await at(`before write ${path}`)
      const bytes = Buffer.concat(pieces)
      const half = bytes.length >>> 1
      await file.write([bytes.subarray(0, half)], position)
      await at(`during write ${path}`)
      await file.write([bytes.subarray(half)], position === undefined ? undefined : position + half)
      await at(`after write ${path}`)
    },
    truncate: (length) => around(`truncate ${path}`, () => file.truncate(length)),
    sync: () => around(`sync ${path}`, () => file.sync()),
    close: () =>
      around(`close ${path}`, async () => {
        closed()
        await file.close()
      }),
  }
}
