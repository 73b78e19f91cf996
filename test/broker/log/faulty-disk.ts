/** A disk that fails on request: writes that stop after so many bytes, a sync or any other call that is refused. */
import { type Disk, type DiskFile, systemDisk } from '../../../src/seams/disk.ts'

export class FaultyDisk {
  /** Bytes that still fit on the disk. */
  bytesLeft = Number.POSITIVE_INFINITY
  failSync = false
  failTruncate = false
  /** Whether a path is concerned; by default the logs themselves. */
  concerns: (path: string) => boolean = (path) => path.endsWith('.log')

  readonly disk: Disk = {
    ...systemDisk,
    open: async (path, mode) => {
      const file = await systemDisk.open(path, mode)
      return this.concerns(path) ? this.#faulty(file) : file
    },
  }

  #faulty(file: DiskFile): DiskFile {
    return {
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      close: () => file.close(),
      write: async (pieces, position) => {
        const all = Buffer.concat(pieces)
        if (all.length <= this.bytesLeft) {
          this.bytesLeft -= all.length
          return file.write([all], position)
        }
        const fits = all.subarray(0, this.bytesLeft)
        this.bytesLeft = 0
        await file.write([fits], position)
        throw systemError('ENOSPC', 'no space left on device')
      },
      truncate: async (length) => {
        if (this.failTruncate) throw systemError('EIO', 'input/output error')
        return file.truncate(length)
      },
      sync: async () => {
        if (this.failSync) throw systemError('EIO', 'input/output error')
        return file.sync()
      },
    }
  }
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}, write`), { code, errno: -28, syscall: 'write' })
}
