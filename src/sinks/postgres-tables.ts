/**
 * The two tables of the postgres sink: found or made when the application starts, and held against what its columns need.
 *
 * Two creators at once: both see no table, one gets the advisory lock, makes it and commits; the other, which waited, looks again and finds it.
 * Somebody who makes the table without that lock makes our CREATE fail (42P07, or 23505 on the catalog's own index): then it is looked at again.
 */
import type { Session } from './postgres-connection.ts'
import { type Column, matchTable, type TableColumn, type WantedColumn } from './postgres-columns.ts'
import type { PostgresError } from './postgres-errors.ts'
import {
  COLUMNS_SQL,
  createOffsetsSql,
  createTableSql,
  CREATORS_LOCK_SQL,
  FIND_TABLE_SQL,
  offsetColumns,
  qualified,
  quoted,
  SHAPE_SQL,
  UNIQUE_SQL,
} from './postgres-sql.ts'
import { SinkRefusedError, SinkUnavailableError, type ValueType } from './sink.ts'

export interface TablesOptions {
  /** As written in SQL, quoted. */
  readonly table: string
  readonly offsets: string
  readonly wanted: readonly WantedColumn[]
  readonly keyColumns: readonly string[] | undefined
  readonly valueType: ValueType
}

export interface Tables {
  /** With their schemas, as written in SQL. */
  readonly table: string
  readonly offsets: string
  /** The table's name alone, as the server's messages have it. */
  readonly relation: string
  readonly columns: readonly Column[]
  /** See postgres-copy-ahead.ts. A partition of a partitioned table may have indexes of its own. */
  readonly mayCopyAhead: boolean
  /** What `shapeOf` answers while the table is as it was found. */
  readonly shape: string | null
}

interface FoundTable {
  readonly oid: string
  readonly kind: string
  readonly schema: string
  readonly name: string
  readonly inRecovery: boolean
  /** An insert that is not committed may make others wait: unique indexes, triggers. */
  readonly mayBlock: boolean
  readonly mayInsert: boolean
  readonly mayUpdate: boolean
  readonly maySelect: boolean
}

/** @throws SinkRefusedError when a table cannot take what it must */
export async function prepareTables(session: Session, options: TablesOptions): Promise<Tables> {
  const { table, offsets, wanted, keyColumns, valueType } = options
  const foundOffsets = await findOrCreate(session, offsets, createOffsetsSql(offsets))
  await checkOffsets(session, foundOffsets)
  const found = await findOrCreate(session, table, createTableSql(table, wanted, keyColumns))
  const name = `the table ${found.schema}.${found.name}`
  if (found.kind !== 'r' && found.kind !== 'p') {
    throw new SinkRefusedError(`${name} is no table that rows can be copied into (a view, an index …)`)
  }
  const needed = [
    ['INSERT', found.mayInsert],
    ...(keyColumns
      ? ([
          ['SELECT', found.maySelect],
          ['UPDATE', found.mayUpdate],
        ] as const)
      : []),
  ] as const
  checkRights(found, needed)
  const catalog = await session.query<TableColumn & Record<string, unknown>>(COLUMNS_SQL, [found.oid])
  const columns = matchTable(name, wanted, catalog.rows, valueType, keyColumns)
  if (keyColumns) await checkKey(session, found, name, keyColumns)
  const sql = qualified(found)
  return {
    table: sql,
    relation: found.name,
    offsets: qualified(foundOffsets),
    columns,
    mayCopyAhead: keyColumns !== undefined || (found.kind === 'r' && !found.mayBlock),
    shape: await shapeOf(session, sql, columns),
  }
}

/** Names and types of the columns that are filled, as they are now; null when the table or all of them are gone. */
export async function shapeOf(session: Session, table: string, columns: readonly Column[]): Promise<string | null> {
  const { rows } = await session.query<{ shape: string | null }>(SHAPE_SQL, [table, columns.map(({ name }) => name)])
  return rows[0]!.shape
}

async function find(session: Session, table: string): Promise<FoundTable | undefined> {
  const { rows } = await session.query<FoundTable & Record<string, unknown>>(FIND_TABLE_SQL, [table])
  const [found] = rows
  if (found?.inRecovery) {
    throw new SinkUnavailableError('the PostgreSQL server is a standby, or in recovery: does "host" name the primary?')
  }
  return found
}

async function findOrCreate(session: Session, table: string, createSql: string): Promise<FoundTable> {
  const existing = await find(session, table)
  if (existing) return existing
  await session.query('BEGIN')
  await session.query(CREATORS_LOCK_SQL)
  // Looked for only now, as whoever held the lock may have made it.
  const made = await find(session, table)
  try {
    if (!made) await session.query(createSql)
    await session.query('COMMIT')
  } catch (error) {
    if (!/^(?:42P07|42710|23505)$/.test((error as PostgresError).code ?? '')) throw error
    await session.query('ROLLBACK')
  }
  const found = made ?? (await find(session, table))
  if (!found) throw new SinkUnavailableError(`the table ${table} was made and is gone again; does somebody drop it?`)
  return found
}

async function checkOffsets(session: Session, found: FoundTable): Promise<void> {
  const { rows } = await session.query<TableColumn & Record<string, unknown>>(COLUMNS_SQL, [found.oid])
  const missing = offsetColumns.find((name) => !rows.some((column) => column.name === name))
  const name = `the table ${found.schema}.${found.name}`
  if (missing) throw new SinkRefusedError(`${name} is not one of offsets: it has no column "${missing}"`)
  checkRights(found, [
    ['SELECT', found.maySelect],
    ['INSERT', found.mayInsert],
    ['UPDATE', found.mayUpdate],
  ])
  const key = offsetColumns.slice(0, 4)
  if (!(await hasUniqueKey(session, found, key))) {
    throw new SinkRefusedError(`${name} has no unique index on ${key.join(', ')}: nothing would keep two owners apart`)
  }
}

function checkRights(found: FoundTable, rights: readonly (readonly [string, boolean])[]): void {
  const missing = rights.filter(([, may]) => !may).map(([right]) => right)
  if (missing.length === 0) return
  throw new SinkRefusedError(
    `this user may not ${missing.join(', ')} on the table ${found.schema}.${found.name}: ` +
      `GRANT ${missing.join(', ')} ON ${qualified(found)} TO the user`,
  )
}

async function hasUniqueKey(session: Session, found: FoundTable, key: readonly string[]): Promise<boolean> {
  const { rows } = await session.query<{ columns: string[] }>(UNIQUE_SQL, [found.oid])
  return rows.some(({ columns }) => columns.length === key.length && key.every((name) => columns.includes(name)))
}

async function checkKey(session: Session, found: FoundTable, name: string, key: readonly string[]): Promise<void> {
  if (await hasUniqueKey(session, found, key)) return
  const list = key.map(quoted).join(', ')
  throw new SinkRefusedError(
    `${name} has no unique index on ${list}, the "key.columns": CREATE UNIQUE INDEX ON ${qualified(found)} (${list})`,
  )
}
