/**
 * The chain of intents of one partition's folder: what makes several owners, alive or dead, publish each range once.
 * It knows names and small files, nothing of records or formats. What was weighed: docs/decisions/0003-create-once.md.
 *
 *     <partition>/00000000000000000000.csv          published: whole, synced, never changed
 *     <partition>/.sluice/chain.json                whose chain this is, and the offset at which it starts
 *     <partition>/.sluice/00000000000000000000.intent           {"start":0,"end":500,"prepared":"….part","file":"….csv"}
 *     <partition>/.sluice/00000000000000000500.<uuid>.part      one owner's file for [500, ?), being written or prepared
 *
 *              write, sync                link, EEXIST = lost              link                  remove
 *     (start) ────────────▶ prepared ──────────────────────▶ claimed ──────────────▶ published ──────────▶ finished
 *
 * Two owners at [500, ?): each has prepared a file of its own. Both try to link `…500.intent`; one gets EEXIST, reads
 * the winner's intent and is fenced. The winner may be dead: whoever is assigned next publishes for it, as the intent
 * names the prepared file. If the winner wakes up then, it finds the final name taken (the same file) or its prepared file gone
 * (published and finished): either way there is nothing left to do. So a claimed range has one content for ever.
 *
 * The prepared file is removed only after the published name is on disk. An intent without its prepared file is
 * therefore finished, even when somebody has moved the published file away.
 *
 * Old intents are removed. A very late owner may then link `…500.intent` again although the chain is at 900; but the
 * newest intent is never removed, so it lists the folder after linking, sees a newer one, and is fenced all the same.
 */
import { join } from 'node:path'
import type { Disk } from '../seams/disk.ts'
import { SinkRefusedError } from './sink.ts'

export interface ChainIdentity {
  readonly application: string
  readonly clusterId: string
  readonly topicId: string
  readonly topic: string
  readonly partition: number
}

export interface Intent {
  readonly start: number
  readonly end: number
  /** The prepared file's name in the chain's folder; null for a range without records. */
  readonly prepared: string | null
  /** The published file's name in the partition's folder. */
  readonly file: string | null
}

export interface ChainState {
  /** Where the next intent must start; undefined when the chain has not begun. */
  readonly next: number | undefined
  readonly last: Intent | undefined
}

const HEADER = 'chain.json'
const INTENT = /^(\d{20})\.intent$/
const PART = /^(\d{20})\.[0-9a-f-]+\.(?:part|claim)$/
const PUBLISHED = /^(\d{20})\./

export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0')
}

export class IntentChain {
  readonly partitionFolder: string
  readonly folder: string
  readonly #disk: Disk
  readonly #identity: ChainIdentity
  readonly #newId: () => string
  #foldersMade = false

  constructor(disk: Disk, partitionFolder: string, identity: ChainIdentity, newId: () => string) {
    this.#disk = disk
    this.partitionFolder = partitionFolder
    this.folder = join(partitionFolder, '.sluice')
    this.#identity = identity
    this.#newId = newId
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Finishes what the last owner claimed, sweeps what can never be published, and says where the chain stands. */
  async recover(): Promise<ChainState> {
    const state = await this.read()
    if (state.last) {
      // Whoever claimed it may have died before its name was on disk; what is published from it must not outlive it.
      await this.#disk.syncDirectory(this.folder)
      await this.publish(state.last)
    }
    if (state.next !== undefined) await this.sweep(state.next)
    return state
  }

  /** @throws SinkRefusedError when the chain is another application's, cluster's or topic's */
  async read(): Promise<ChainState> {
    for (;;) {
      const header = await this.#readJson<ChainIdentity & { start: number }>(HEADER)
      if (header === undefined) return { next: undefined, last: undefined }
      checkChainIdentity(header, this.#identity, this.partitionFolder)
      const newest = (await this.#disk.list(this.folder)).findLast((name) => INTENT.test(name))
      if (newest === undefined) return { next: header.start, last: undefined }
      const last = await this.#readJson<Intent>(newest)
      // Another owner went on and removed it between listing and reading: there is a newer one.
      if (last !== undefined) return { next: last.end, last }
    }
  }

  /** Starts the chain at `start` unless another owner has; answers where it starts. */
  async begin(start: number): Promise<number> {
    await this.makeFolders()
    const header = await this.#readJson<ChainIdentity & { start: number }>(HEADER)
    if (header !== undefined) {
      checkChainIdentity(header, this.#identity, this.partitionFolder)
      return header.start
    }
    const published = await this.#publishedFrom(start)
    // Another owner may have begun and published between these two looks: then the header is there now.
    if (published !== undefined && (await this.#readJson(HEADER)) === undefined) {
      throw new SinkRefusedError(
        `${join(this.partitionFolder, published)} exists, but the folder that says how it came about (.sluice) does not, ` +
          `and reading would begin at offset ${start}. Move the files away, or bring .sluice back`,
      )
    }
    const created = await this.#createOnce(HEADER, { version: 1, ...this.#identity, start })
    return created ? start : this.begin(start)
  }

  /**
   * Claims [start, end). Answers false when another owner has gone on. The prepared file must be whole and synced.
   * After an error it is not known whether the claim stands: the same call again finds out.
   */
  async claim(intent: Intent): Promise<boolean> {
    const name = `${offsetName(intent.start)}.intent`
    if (!(await this.#createOnce(name, intent))) {
      const found = await this.#readJson<Intent>(name)
      if (found?.prepared !== intent.prepared || found.end !== intent.end) return false
      // Our own, from a call that failed after the link; #createOnce has synced its name just now.
    }
    const newest = (await this.#disk.list(this.folder)).findLast((other) => INTENT.test(other))
    return newest === name
  }

  /** Gives the prepared file its final name, durably. Anybody may, any number of times. */
  async publish(intent: Intent): Promise<void> {
    if (intent.prepared === null || intent.file === null) return
    try {
      await this.#disk.link(this.path(intent.prepared), join(this.partitionFolder, intent.file))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return
      if (code !== 'EEXIST') throw error
    }
    await this.#disk.syncDirectory(this.partitionFolder)
    await this.#disk.remove(this.path(intent.prepared))
  }

  /**
   * Removes older intents, and what owners began below `next`: such a file can never be claimed any more. One that
   * begins at `next` may be a live owner's, about to be claimed, and stays until the chain has passed it. Everything
   * below `next` must have been published: a claimed prepared file is not to be told from a dead one.
   */
  async sweep(next: number): Promise<void> {
    const names = await this.#disk.list(this.folder)
    const intents = names.filter((name) => INTENT.test(name))
    const dead = names.filter((name) => Number(PART.exec(name)?.[1] ?? Infinity) < next)
    for (const name of [...intents.slice(0, -1), ...dead]) await this.#disk.remove(this.path(name))
  }

  /** Before the first file is written. The names of all folders are on disk when this resolves. */
  async makeFolders(): Promise<void> {
    if (this.#foldersMade) return
    // Even if they exist: who made them may have died before their names were on disk.
    await this.#disk.makeDirectory(this.folder)
    let folder = this.partitionFolder
    // The partition's, the topic's and the directory itself; the sink has seen to what the directory stands in.
    for (let level = 0; level < 3; level++) {
      await this.#disk.syncDirectory(folder)
      folder = join(folder, '..')
    }
    this.#foldersMade = true
  }

  /** The atomic step of everything here: the whole content under its name, or EEXIST. */
  async #createOnce(name: string, content: object): Promise<boolean> {
    const temporary = this.path(`${name.replace(/\D/g, '').padStart(20, '0')}.${this.#newId()}.claim`)
    const file = await this.#disk.open(temporary, 'create')
    try {
      try {
        await file.write([Buffer.from(`${JSON.stringify(content)}\n`)], 0)
        await file.sync()
      } finally {
        await file.close()
      }
      // The prepared file's own name, too: an intent on disk without it would say that it is published. And when this is
      // another try, the name that the one before may have linked.
      await this.#disk.syncDirectory(this.folder)
      await this.#disk.link(temporary, this.path(name))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // ENOENT: another owner has gone on so far that it swept our small file.
      if (code !== 'EEXIST' && code !== 'ENOENT') throw error
      return false
    } finally {
      await this.#disk.remove(temporary)
    }
    await this.#disk.syncDirectory(this.folder)
    return true
  }

  async #readJson<T>(name: string): Promise<T | undefined> {
    let text: string
    try {
      text = (await this.#disk.readFile(this.path(name))).toString()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    try {
      return JSON.parse(text) as T
    } catch (error) {
      throw new SinkRefusedError(
        `${this.path(name)} is not what Sluice wrote there; restore it, or move ${this.partitionFolder} away to start anew`,
        error,
      )
    }
  }

  async #publishedFrom(start: number): Promise<string | undefined> {
    const names = await this.#disk.list(this.partitionFolder)
    return names.find((name) => Number(PUBLISHED.exec(name)?.[1] ?? -1) >= start)
  }
}

/** @throws SinkRefusedError when what was found in `place` is another application's, cluster's or topic's */
export function checkChainIdentity(found: ChainIdentity, wanted: ChainIdentity, place: string): void {
  for (const key of ['application', 'clusterId', 'topicId', 'topic', 'partition'] as const) {
    if (found[key] === wanted[key]) continue
    const { topic, partition } = wanted
    throw new SinkRefusedError(
      `${place} holds the files of another ${described[key]}: ${key} ${found[key]}, and topic ${topic}, ` +
        `partition ${partition} has ${key} ${wanted[key]}. Move the folder away, or give this application one of its own`,
    )
  }
}

const described = {
  application: 'application',
  clusterId: 'Kafka cluster',
  topicId: 'topic of the same name (it was deleted and created again)',
  topic: 'topic',
  partition: 'partition',
} as const
