/**
 * A disk in memory that forgets, when the power fails, whatever was not synced: data of files without `sync`, names
 * without `syncDirectory`. It keeps POSIX's promises and no more, which a test on a real disk can never show.
 *
 * Links share one file. Nothing here is fast or large; permissions and free space are no matter of its.
 */
import { basename, dirname } from 'node:path'
import type { Disk, DiskFile, DiskLock, OpenMode } from '../seams/disk.ts'
import type { Random } from '../seams/random.ts'

class File {
  content = Buffer.alloc(0)
  synced = Buffer.alloc(0)
}

class Folder {
  entries = new Map<string, File | Folder>()
  synced = new Map<string, File | Folder>()
}

function systemError(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path })
}

export class ForgetfulDisk implements Disk {
  readonly #root = new Folder()
  readonly #locked = new Set<string>()

  /** Only what was synced is left. With `random`, each thing that was not may have reached the disk by itself. */
  powerLoss(random?: Random): void {
    const survives = () => random !== undefined && random.next() < 0.5
    const visit = (folder: Folder) => {
      for (const name of new Set([...folder.entries.keys(), ...folder.synced.keys()])) {
        const [now, then] = [folder.entries.get(name), folder.synced.get(name)]
        if (now === then || survives()) continue
        if (then === undefined) folder.entries.delete(name)
        else folder.entries.set(name, then)
      }
      folder.synced = new Map(folder.entries)
      for (const child of folder.entries.values()) {
        if (child instanceof Folder) visit(child)
        else if (survives()) child.synced = child.content
        else child.content = child.synced
      }
    }
    visit(this.#root)
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const folder = this.#folder(dirname(path))
    const found = folder.entries.get(basename(path))
    if (found instanceof Folder) throw systemError('EISDIR', path)
    if (found && mode === 'create') throw systemError('EEXIST', path)
    if (!found && (mode === 'read' || mode === 'update')) throw systemError('ENOENT', path)
    const file = found ?? new File()
    folder.entries.set(basename(path), file)
    if (mode === 'replace') file.content = Buffer.alloc(0)
    return opened(file)
  }

  async readFile(path: string): Promise<Buffer> {
    const found = this.#find(path)
    if (!(found instanceof File)) throw systemError(found ? 'EISDIR' : 'ENOENT', path)
    return Buffer.from(found.content)
  }

  async list(path: string): Promise<string[]> {
    const found = this.#find(path)
    if (found instanceof File) throw systemError('ENOTDIR', path)
    return [...(found?.entries.keys() ?? [])].sort()
  }

  async stat(path: string): Promise<{ size: number; modifiedMs: number; isDirectory: boolean } | undefined> {
    const found = this.#find(path)
    if (!found) return undefined
    return {
      size: found instanceof File ? found.content.length : 0,
      modifiedMs: 0,
      isDirectory: found instanceof Folder,
    }
  }

  async makeDirectory(path: string): Promise<void> {
    let folder = this.#root
    for (const name of stepsOf(path)) {
      const child = folder.entries.get(name) ?? new Folder()
      if (child instanceof File) throw systemError('ENOTDIR', path)
      folder.entries.set(name, child)
      folder = child
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const found = this.#find(from)
    if (!found) throw systemError('ENOENT', from)
    this.#folder(dirname(to)).entries.set(basename(to), found)
    this.#folder(dirname(from)).entries.delete(basename(from))
  }

  async link(from: string, to: string): Promise<void> {
    const found = this.#find(from)
    if (!(found instanceof File)) throw systemError('ENOENT', from)
    const folder = this.#folder(dirname(to))
    if (folder.entries.has(basename(to))) throw systemError('EEXIST', to)
    folder.entries.set(basename(to), found)
  }

  async remove(path: string): Promise<void> {
    const folder = this.#find(dirname(path))
    if (folder instanceof Folder) folder.entries.delete(basename(path))
  }

  async removeDirectory(path: string): Promise<void> {
    await this.remove(path)
  }

  async syncDirectory(path: string): Promise<void> {
    const folder = this.#folder(path)
    folder.synced = new Map(folder.entries)
  }

  async freeBytes(): Promise<number> {
    return Number.MAX_SAFE_INTEGER
  }

  async lock(path: string): Promise<DiskLock | undefined> {
    if (this.#locked.has(path)) return undefined
    this.#locked.add(path)
    return { release: () => void this.#locked.delete(path) }
  }

  #find(path: string): File | Folder | undefined {
    let found: File | Folder | undefined = this.#root
    for (const name of stepsOf(path)) found = found instanceof Folder ? found.entries.get(name) : undefined
    return found
  }

  #folder(path: string): Folder {
    const found = this.#find(path)
    if (!(found instanceof Folder)) throw systemError(found ? 'ENOTDIR' : 'ENOENT', path)
    return found
  }
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '' && step !== '.')
}

function opened(file: File): DiskFile {
  return {
    size: async () => file.content.length,
    read: async (position, length) => Buffer.from(file.content.subarray(position, position + length)),
    async write(pieces, position = file.content.length) {
      const bytes = Buffer.concat(pieces)
      const grown = Buffer.alloc(Math.max(file.content.length, position + bytes.length))
      file.content.copy(grown)
      bytes.copy(grown, position)
      file.content = grown
    },
    async truncate(length) {
      const cut = Buffer.alloc(length)
      file.content.copy(cut)
      file.content = cut
    },
    async sync() {
      file.synced = file.content
    },
    async close() {},
  }
}
