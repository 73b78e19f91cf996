/**
 * The two tables of the mysql sink: found or made when the application starts, and held against what its columns need.
 *
 * Two creators at once: `CREATE TABLE IF NOT EXISTS` waits for the other one's table, and then finds it. It needs the right to create even where there is
 * nothing to do, so it is run only where no table is found.
 */
import {
  type Column,
  columnsOf,
  type ColumnsOptions,
  type FoundColumn,
  isUnfilled,
  matchTable,
} from './mysql-columns.ts'
import type { MysqlSession } from './mysql-connection.ts'
import {
  CHECKS_SQL,
  COLUMNS_SQL,
  createOffsetsSql,
  createTableSql,
  FIND_TABLE_SQL,
  offsetColumns,
  offsetProbesSql,
  probeSql,
  qualified,
  quoted,
  SERVER_SQL,
  UNIQUE_SQL,
} from './mysql-sql.ts'
import { spelled } from './mysql-types.ts'
import { SinkRefusedError } from './sink.ts'
import type { TableName } from './sql-names.ts'

export interface TablesOptions {
  readonly database: string
  readonly table: TableName
  readonly offsets: TableName
  readonly columns: ColumnsOptions['columns']
  readonly keyColumns: readonly string[] | undefined
  readonly valueType: ColumnsOptions['valueType']
}

export interface Tables {
  /** With their databases, as written in SQL. */
  readonly table: string
  readonly offsets: string
  readonly columns: readonly Column[]
  /** What `shapeOf` answers while the table is as it was found. */
  readonly shape: string
  /** The most that a statement may hold. */
  readonly packetBytes: number
  readonly place: Place
}

export interface Place {
  readonly schema: string
  readonly name: string
}

interface Server {
  readonly version: string
  readonly packetBytes: number
  readonly collation: string
}

interface FoundTable extends Place {
  readonly kind: string
  readonly engine: string | null
  readonly transactions: string | null
}

/** @throws SinkRefusedError when a table cannot take what it must */
export async function prepareTables(session: MysqlSession, options: TablesOptions): Promise<Tables> {
  const { database, keyColumns, valueType } = options
  const [server] = await session.rows<Server>(SERVER_SQL)
  const { collation, packetBytes, version } = server!
  const offsetsPlace = { schema: options.offsets.schema ?? database, name: options.offsets.name }
  const place = { schema: options.table.schema ?? database, name: options.table.name }
  await findOrCreate(session, offsetsPlace, createOffsetsSql(qualified(offsetsPlace), collation))
  await checkOffsets(session, offsetsPlace)
  const wanted = columnsOf({ columns: options.columns, keyColumns: keyColumns ?? [], valueType })
  const create = () => {
    const untyped = wanted.find(({ name, type, record }) => keyColumns?.includes(name) && !type && !record)
    if (untyped) {
      const example = `{ "name": ${JSON.stringify(untyped.name)}, "type": "bigint" }`
      throw new SinkRefusedError(
        `${titled(place)} is missing and cannot be made: "${untyped.name}" of "key.columns" needs a type in "columns", such as ${example}`,
      )
    }
    const json = wanted.find(({ createdAs }) => createdAs === 'json')
    if (json && !hasJson(version)) {
      throw new SinkRefusedError(
        `${titled(place)} is missing and cannot be made: this server, ${version}, has no type json: give "${json.name}" a type in "columns"`,
      )
    }
    return createTableSql(qualified(place), wanted, { keyColumns, collation })
  }
  await findOrCreate(session, place, create)
  const name = titled(place)
  const found = await foundColumns(session, place, server!)
  const columns = matchTable(name, wanted, found, valueType, keyColumns)
  if (keyColumns) await checkKey(session, place, keyColumns, columns)
  const table = qualified(place)
  for (const sql of probeSql(table, columns, keyColumns !== undefined)) await session.run(sql)
  const shape = shapeOfColumns(found, columns)
  return { table, offsets: qualified(offsetsPlace), columns, shape, packetBytes, place }
}

/** MySQL from 5.7.8 on; MariaDB takes the word for a longtext. */
function hasJson(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number)
  return /mariadb/i.test(version) || major > 5 || (major === 5 && (minor > 7 || (minor === 7 && patch >= 8)))
}

const titled = ({ schema, name }: Place): string => `the table ${schema}.${name}`

/** The second one keeps what its rows were (MariaDB). */
const TABLES: readonly string[] = ['BASE TABLE', 'SYSTEM VERSIONED']

async function find(session: MysqlSession, { schema, name }: Place): Promise<FoundTable | undefined> {
  const [found] = await session.rows<FoundTable>(FIND_TABLE_SQL, [schema, name])
  return found
}

async function findOrCreate(session: MysqlSession, place: Place, createSql: string | (() => string)): Promise<void> {
  let found = await find(session, place)
  if (!found) {
    await session.run(typeof createSql === 'string' ? createSql : createSql())
    found = await find(session, place)
  }
  if (!found) {
    throw new SinkRefusedError(
      `${titled(place)} cannot be seen by this user: GRANT SELECT, INSERT, UPDATE, DELETE ON ${qualified(place)} TO the user`,
    )
  }
  if (!TABLES.includes(found.kind))
    throw new SinkRefusedError(`${titled(place)} is no table that rows can be stored in`)
  if (found.transactions !== 'YES') {
    throw new SinkRefusedError(
      `${titled(place)} has the engine ${found.engine}, which has no transactions: ALTER TABLE ${qualified(place)} ENGINE = InnoDB`,
    )
  }
}

interface CatalogColumn {
  readonly name: string
  readonly type: string
  readonly declared: string
  readonly nullable: string
  readonly default: string | null
  readonly extra: string
  readonly maxCharacters: number | null
  readonly maxBytes: number | null
  readonly charset: string | null
  readonly precision: number | null
}

async function foundColumns(
  session: MysqlSession,
  { schema, name }: Place,
  { version }: Pick<Server, 'version'>,
): Promise<FoundColumn[]> {
  const catalog = await session.rows<CatalogColumn>(COLUMNS_SQL, [schema, name])
  // MySQL has a type for it; MariaDB a longtext with a check.
  const checks = /mariadb/i.test(version) ? await session.rows<{ check: string }>(CHECKS_SQL, [schema, name]) : []
  const checked = new Set(checks.map(({ check }) => check.toLowerCase()))
  return catalog.map((column) => ({
    name: column.name,
    type: column.type.toLowerCase(),
    declared: column.declared,
    notNull: column.nullable === 'NO',
    hasDefault: column.default !== null || /auto_increment/i.test(column.extra),
    isGenerated: /\b(?:virtual|stored|persistent)\b/i.test(column.extra),
    isCheckedJson: checked.has(`json_valid(${quoted(column.name)})`.toLowerCase()),
    maxCharacters: column.maxCharacters,
    maxBytes: column.maxBytes,
    charset: column.charset,
    precision: column.precision,
  }))
}

/** Names and types of the columns that are filled, or must be, as they are now; empty when the table or all of them are gone. */
export async function shapeOf(session: MysqlSession, place: Place, columns: readonly Column[]): Promise<string> {
  // What is checked to be JSON is not asked again: a check that comes later is a constraint like any other.
  return shapeOfColumns(await foundColumns(session, place, { version: '' }), columns)
}

function shapeOfColumns(found: readonly FoundColumn[], columns: readonly Column[]): string {
  const filled = new Set(columns.map(({ name }) => name.toLowerCase()))
  return found
    .filter((column) => filled.has(column.name.toLowerCase()) || isUnfilled(column))
    .map(({ name, declared, notNull }) => `${name} ${spelled(declared)}${notNull ? ' NOT NULL' : ''}`)
    .sort()
    .join(', ')
}

async function checkOffsets(session: MysqlSession, place: Place): Promise<void> {
  const found = await session.rows<CatalogColumn>(COLUMNS_SQL, [place.schema, place.name])
  const missing = offsetColumns.find((name) => !found.some((column) => column.name.toLowerCase() === name))
  if (missing) throw new SinkRefusedError(`${titled(place)} is not one of offsets: it has no column "${missing}"`)
  const key = offsetColumns.slice(0, 4)
  const indexes = await uniqueIndexes(session, place)
  if (!indexes.some((index) => isOn(index, key))) {
    throw new SinkRefusedError(
      `${titled(place)} has no unique index on ${key.join(', ')}: nothing would keep two owners apart`,
    )
  }
  for (const sql of offsetProbesSql(qualified(place))) await session.run(sql)
}

interface UniqueIndex {
  readonly name: string
  /** In lower case; undefined for an expression, or the beginning of a column. */
  readonly columns: readonly (string | undefined)[]
}

async function uniqueIndexes(session: MysqlSession, { schema, name }: Place): Promise<UniqueIndex[]> {
  const rows = await session.rows<{ index: string; name: string | null; part: number | null }>(UNIQUE_SQL, [
    schema,
    name,
  ])
  const byIndex = Map.groupBy(rows, ({ index }) => index)
  return Array.from(byIndex, ([index, columns]) => ({
    name: index,
    columns: columns.map((column) => (column.part === null ? column.name?.toLowerCase() : undefined)),
  }))
}

const isOn = ({ columns }: UniqueIndex, key: readonly string[]): boolean =>
  columns.length === key.length && key.every((name) => columns.includes(name.toLowerCase()))

/**
 * ON DUPLICATE KEY UPDATE takes any unique index for the key. So there must be one on the key, and none besides that two rows of different keys could meet in.
 */
async function checkKey(
  session: MysqlSession,
  place: Place,
  key: readonly string[],
  columns: readonly Column[],
): Promise<void> {
  const indexes = await uniqueIndexes(session, place)
  if (!indexes.some((index) => isOn(index, key))) {
    const list = key.map(quoted).join(', ')
    throw new SinkRefusedError(
      `${titled(place)} has no unique index on ${list}, the "key.columns": ALTER TABLE ${qualified(place)} ADD UNIQUE (${list})`,
    )
  }
  const filled = new Set<string | undefined>([undefined, ...columns.map(({ name }) => name.toLowerCase())])
  const other = indexes.find(
    (index) =>
      !key.every((name) => index.columns.includes(name.toLowerCase())) &&
      index.columns.every((name) => filled.has(name)),
  )
  if (other) {
    throw new SinkRefusedError(
      `${titled(place)} has the unique index ${other.name} (${other.columns.map((name) => name ?? '…').join(', ')}) beside the one on ` +
        `"key.columns": an upsert would change the row that it finds there, whatever its key. DROP INDEX ${quoted(other.name)} ON ${qualified(place)}, or "mode": "append"`,
    )
  }
}
