/**
 * Producer ids, each handed out once in the life of a data directory. They are reserved on disk in blocks before the
 * first of a block is given away: a crash wastes the rest of its block and repeats none. (In Kafka the controller hands
 * out such blocks, of the same size.)
 *
 *     producer-ids.json   {"version":1,"next":2000}     the first id of the next block
 */
import { join } from 'node:path'
import { SluiceError } from '../../error.ts'
import { type Disk } from '../../seams/disk.ts'

const BLOCK = 1000
const FILE = 'producer-ids.json'

export class ProducerIds {
  readonly #disk: Disk
  readonly #directory: string
  #next = 0
  #end = 0
  #reserving: Promise<void> | undefined

  constructor({ disk, directory }: { disk: Disk; directory: string }) {
    this.#disk = disk
    this.#directory = directory
  }

  /** `seen`: the greatest id that stands in the log, so that even a lost file repeats no id that was used; -1 if none. */
  async load(seen: number): Promise<void> {
    const path = join(this.#directory, FILE)
    let next = 0
    if (await this.#disk.stat(path)) {
      const text = (await this.#disk.readFile(path)).toString()
      next = nextOf(text)
      if (!Number.isSafeInteger(next) || next < 0) {
        throw new SluiceError(
          'SLUICE_PRODUCER_IDS',
          `${path} does not say which producer id is next: ${text.slice(0, 200)}`,
        )
      }
    }
    this.#next = this.#end = Math.max(next, seen + 1)
  }

  /** Rejects with the disk's error when a block cannot be reserved. */
  async next(): Promise<number> {
    while (this.#next === this.#end) await (this.#reserving ??= this.#reserve())
    return this.#next++
  }

  async #reserve(): Promise<void> {
    try {
      const end = this.#end + BLOCK
      const path = join(this.#directory, FILE)
      const file = await this.#disk.open(`${path}.new`, 'replace')
      try {
        await file.write([Buffer.from(`${JSON.stringify({ version: 1, next: end })}\n`)], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      await this.#disk.rename(`${path}.new`, path)
      await this.#disk.syncDirectory(this.#directory)
      this.#end = end
    } finally {
      this.#reserving = undefined
    }
  }
}

function nextOf(text: string): number {
  try {
    return (JSON.parse(text) as { next: number }).next
  } catch {
    return Number.NaN
  }
}
