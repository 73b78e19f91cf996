/**
 * The monitor's own file: windows that survive a restart, the history of every group, and what notifiers have said. SQLite, in one thread's hands;
 * a second monitor on the same file is refused.
 *
 * History has two tiers: a point every half minute for hours, one every ten minutes for weeks. The file has a size it never grows beyond: when
 * it is full the oldest points go first. A file that cannot be read is set aside under another name, and a new one begun: history is worth
 * keeping, and never worth a monitor that does not start. A full disk stops the writing, says so, and is tried again.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { dirname } from 'node:path'
import { SluiceError } from '../error.ts'
import type { Disk, DiskLock } from '../seams/disk.ts'
import type { Logger } from '../seams/logger.ts'
import { loadSqlite } from '../seams/sqlite.ts'

/** In place of a path: windows and history as long as the monitor runs, and no file. */
export const IN_MEMORY = ':memory:'

export interface StoreSettings {
  readonly path: string
  /** Bytes that the file has at most. */
  readonly maxBytes: number
  readonly rawEveryMs: number
  readonly rawForMs: number
  readonly coarseForMs: number
}

export const storeDefaults = {
  maxBytes: 512 * 1024 * 1024,
  rawEveryMs: 30_000,
  rawForMs: 6 * 3_600_000,
  coarseForMs: 28 * 86_400_000,
} as const

export const COARSE_MS = 600_000

export interface StoreSeams {
  readonly disk: Disk
  readonly logger: Logger
}

/** Another monitor has the file open. */
export class StoreInUseError extends SluiceError {
  constructor(path: string) {
    super(
      'SLUICE_STORE_IN_USE',
      `the store ${path} is in use by another monitor: stop that one, or give this one a store of its own ("store" in monitor.yaml)`,
    )
  }
}

/** raw: every half minute. coarse: every ten minutes. */
export type Tier = 'raw' | 'coarse'
const tiers: Readonly<Record<Tier, number>> = { raw: 0, coarse: 1 }

const VERSION = 2
const PAGE_BYTES = 4096
const LEAST_BYTES = 1024 * 1024
/** SQLite's own codes, without what the extended ones add. */
const [SQLITE_CORRUPT, SQLITE_FULL, SQLITE_NOTADB] = [11, 13, 26]

const schema = `
CREATE TABLE series (id INTEGER PRIMARY KEY, cluster TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (cluster, name));
CREATE TABLE point (series INTEGER NOT NULL, tier INTEGER NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (series, tier, at)) WITHOUT ROWID;
CREATE INDEX point_age ON point (tier, at);
CREATE TABLE mark (series INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, sentences TEXT);
CREATE INDEX mark_of ON mark (series, at);
CREATE TABLE kept (kind TEXT NOT NULL, cluster TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (kind, cluster, name)) WITHOUT ROWID;
PRAGMA user_version = ${VERSION};
`

/** From each version to the next. */
const migrations: Readonly<Record<number, string>> = {
  1: 'ALTER TABLE mark ADD COLUMN sentences TEXT; PRAGMA user_version = 2;',
}

export interface MarkRow {
  readonly at: number
  readonly kind: string
  readonly text: string
  /** As JSON; null for those of a store that knew none. */
  readonly sentences: string | null
}

export interface KeptRow {
  readonly name: string
  readonly at: number
  readonly data: string
}

export class Store {
  readonly settings: StoreSettings
  readonly #seams: StoreSeams
  readonly #lock: DiskLock
  #database: DatabaseSync
  #statements = new Map<string, StatementSync>()
  #series = new Map<string, number>()
  #problem: string | undefined
  /** Where a file that could not be read was put. */
  setAside: string | undefined

  private constructor(settings: StoreSettings, seams: StoreSeams, lock: DiskLock, database: DatabaseSync) {
    this.settings = settings
    this.#seams = seams
    this.#lock = lock
    this.#database = database
  }

  /** @throws StoreInUseError */
  static async open(settings: StoreSettings, seams: StoreSeams): Promise<Store> {
    const { path } = settings
    if (path === IN_MEMORY) return new Store(settings, seams, { release() {} }, begin(settings))
    await seams.disk.makeDirectory(dirname(path))
    const lock = await seams.disk.lock(`${path}.lock`)
    if (!lock) throw new StoreInUseError(path)
    try {
      const { database, setAside } = await openOrBegin(settings, seams)
      const store = new Store(settings, seams, lock, database)
      store.setAside = setAside
      return store
    } catch (error) {
      lock.release()
      throw error
    }
  }

  /** Why nothing is written at the moment; undefined if all is well. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Bytes of the file, without what waits in its log. */
  get bytes(): number {
    const { page_count: pages } = this.#database.prepare('PRAGMA page_count').get() as { page_count: number }
    return pages * PAGE_BYTES
  }

  close(): void {
    try {
      this.#database.close()
    } finally {
      this.#lock.release()
    }
  }

  /** Writes what `write` does, all or nothing. A failure is said once, and swallowed: the monitor goes on without its store. */
  writing(write: () => void): boolean {
    const isWritten = this.writingPart(write)
    if (isWritten) this.allWritten()
    return isWritten
  }

  /** The same for a part of what is to be written: on a disk that is nearly full small parts may pass, and nothing is well again for that. */
  writingPart(write: () => void): boolean {
    try {
      this.#transaction(write)
      return true
    } catch (error) {
      const { errcode = 0, message } = error as { errcode?: number; message: string }
      if ((errcode & 0xff) === SQLITE_FULL && this.#makeRoom()) return this.writingPart(write)
      this.#say(`the store ${this.settings.path} cannot be written: ${message}`)
      return false
    }
  }

  /** Every part was. */
  allWritten(): void {
    if (this.#problem !== undefined) this.#seams.logger.info({}, `the store ${this.settings.path} is written again`)
    this.#problem = undefined
  }

  addPoint(cluster: string, name: string, tier: Tier, at: number, data: string): void {
    this.#run('INSERT OR REPLACE INTO point VALUES (?, ?, ?, ?)', this.#seriesOf(cluster, name), tiers[tier], at, data)
  }

  addMark(cluster: string, name: string, { at, kind, text, sentences }: MarkRow): void {
    this.#run('INSERT INTO mark VALUES (?, ?, ?, ?, ?)', this.#seriesOf(cluster, name), at, kind, text, sentences)
  }

  /** Oldest first. */
  points(cluster: string, name: string, tier: Tier, from: number, to: number): { at: number; data: string }[] {
    const sql = 'SELECT at, data FROM point WHERE series = ? AND tier = ? AND at >= ? AND at <= ? ORDER BY at'
    return this.#all(sql, this.#known(cluster, name), tiers[tier], from, to) as { at: number; data: string }[]
  }

  marks(cluster: string, name: string, from: number, to: number): MarkRow[] {
    const sql = 'SELECT at, kind, text, sentences FROM mark WHERE series = ? AND at >= ? AND at <= ? ORDER BY at'
    return this.#all(sql, this.#known(cluster, name), from, to) as unknown as MarkRow[]
  }

  keep(kind: string, cluster: string, name: string, at: number, data: string): void {
    this.#run('INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?)', kind, cluster, name, at, data)
  }

  drop(kind: string, cluster: string, name: string): void {
    this.#run('DELETE FROM kept WHERE kind = ? AND cluster = ? AND name = ?', kind, cluster, name)
  }

  kept(kind: string, cluster: string): KeptRow[] {
    return this.#all(
      'SELECT name, at, data FROM kept WHERE kind = ? AND cluster = ?',
      kind,
      cluster,
    ) as unknown as KeptRow[]
  }

  /** Points, marks and names that are older than they are kept for. */
  expire(now: number): void {
    const { rawForMs, coarseForMs } = this.settings
    this.#run('DELETE FROM point WHERE tier = ? AND at < ?', tiers.raw, now - rawForMs)
    this.#run('DELETE FROM point WHERE tier = ? AND at < ?', tiers.coarse, now - coarseForMs)
    this.#run('DELETE FROM mark WHERE at < ?', now - coarseForMs)
    this.#run(
      'DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM point WHERE series = id) AND NOT EXISTS (SELECT 1 FROM mark WHERE series = id)',
    )
    this.#series.clear()
  }

  #transaction(write: () => void): void {
    this.#database.exec('BEGIN')
    try {
      write()
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk rolls back by itself.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      this.#series.clear()
      throw error
    }
  }

  /** The oldest tenth of the finer tier goes, or of the coarser one if there is no finer left. False when there is nothing to give. */
  #makeRoom(): boolean {
    for (const tier of [tiers.raw, tiers.coarse]) {
      const sql = 'SELECT count(*) AS many FROM point WHERE tier = ?'
      const { many } = this.#database.prepare(sql).get(tier) as { many: number }
      if (many === 0) continue
      try {
        this.#transaction(() => {
          const bound = 'SELECT at FROM point WHERE tier = ? ORDER BY at LIMIT 1 OFFSET ?'
          const row = this.#database.prepare(bound).get(tier, Math.floor(many / 10)) as { at: number }
          this.#run('DELETE FROM point WHERE tier = ? AND at <= ?', tier, row.at)
        })
        return true
      } catch {
        return false
      }
    }
    return false
  }

  #seriesOf(cluster: string, name: string): number {
    const key = `${cluster}\n${name}`
    let id = this.#series.get(key)
    if (id === undefined) {
      this.#run('INSERT OR IGNORE INTO series (cluster, name) VALUES (?, ?)', cluster, name)
      id = this.#known(cluster, name)
      this.#series.set(key, id)
    }
    return id
  }

  /** -1 for one that has no points. */
  #known(cluster: string, name: string): number {
    const [row] = this.#all('SELECT id FROM series WHERE cluster = ? AND name = ?', cluster, name) as { id: number }[]
    return row?.id ?? -1
  }

  #run(sql: string, ...values: (string | number | null)[]): void {
    this.#prepared(sql).run(...values)
  }

  #all(sql: string, ...values: (string | number)[]): unknown[] {
    return this.#prepared(sql).all(...values)
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }

  #say(problem: string): void {
    if (this.#problem === undefined)
      this.#seams.logger.error({}, `${problem}. Judging goes on; history has a gap until it can be written`)
    this.#problem = problem
  }
}

async function openOrBegin(
  settings: StoreSettings,
  seams: StoreSeams,
): Promise<{ database: DatabaseSync; setAside: string | undefined }> {
  const { path } = settings
  try {
    return { database: begin(settings), setAside: undefined }
  } catch (error) {
    const { errcode = 0, message } = error as { errcode?: number; message: string }
    if (![SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff) && !(error instanceof UnknownStoreError)) throw error
    const setAside = await putAside(path, seams.disk)
    seams.logger.error(
      { setAside },
      `the store ${path} cannot be read (${message}): it is set aside as ${setAside}, and a new one begun`,
    )
    return { database: begin(settings), setAside }
  }
}

class UnknownStoreError extends Error {}

function begin({ path, maxBytes }: StoreSettings): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  const database = new DatabaseSync(path, { timeout: 5000 })
  try {
    database.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;`)
    database.exec(`PRAGMA max_page_count = ${Math.ceil(Math.max(maxBytes, LEAST_BYTES) / PAGE_BYTES)};`)
    database.exec('PRAGMA journal_size_limit = 16777216;')
    let { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number }
    for (; migrations[version] !== undefined; version++) database.exec(`BEGIN; ${migrations[version]} COMMIT;`)
    if (version === 0) database.exec(`BEGIN; ${schema} COMMIT;`)
    else if (version !== VERSION) throw new UnknownStoreError(`it is of version ${version}, and ${VERSION} is known`)
    const [check] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[]
    if (check!.quick_check !== 'ok') throw new UnknownStoreError(check!.quick_check)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

async function putAside(path: string, disk: Disk): Promise<string> {
  let number = 1
  while (await disk.stat(`${path}.corrupt-${number}`)) number++
  const aside = `${path}.corrupt-${number}`
  await disk.rename(path, aside)
  for (const suffix of ['-wal', '-shm']) await disk.remove(`${path}${suffix}`)
  return aside
}
