/**
 * Every statement of the mysql sink, as text: for MySQL 5.6 and newer, and for MariaDB. Pure; knows no connection.
 */
import { type Column, literal, type Row } from './mysql-columns.ts'
import { parseTableName, qualifiedName, quotedName, type TableName } from './sql-names.ts'
import type { WantedColumn } from './table-columns.ts'

export const quoted = (name: string): string => quotedName(name, '`')
export const tableName = (text: string): TableName | undefined => parseTableName(text, '`')
export const qualified = (table: TableName): string => qualifiedName(table, '`')

/**
 * Nothing that is stored may be bent to fit, whatever the server's own mode; backslashes in literals escape. The server ends a connection that stands
 * still, and with it the locks of an owner that has vanished.
 */
export function sessionSql(statementTimeoutMs: number, lockTimeoutMs: number): readonly string[] {
  const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))
  return [
    'SET NAMES utf8mb4',
    `SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO', ` +
      `time_zone = '+00:00', autocommit = 1, foreign_key_checks = 1, unique_checks = 1, ` +
      `innodb_lock_wait_timeout = ${seconds(lockTimeoutMs)}, lock_wait_timeout = ${seconds(lockTimeoutMs)}, ` +
      `wait_timeout = ${seconds(statementTimeoutMs)}`,
    // Whatever the user's default is: the compare-and-set relies on a wait for the row, then a second look at it.
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
  ]
}

export const BEGIN_SQL = 'START TRANSACTION'

/** `collation`: the best of those that tell texts apart exactly. */
export const SERVER_SQL = `SELECT VERSION() AS version, @@max_allowed_packet AS packetBytes,
  (SELECT collation_name FROM information_schema.collations WHERE character_set_name = 'utf8mb4'
    AND collation_name IN ('utf8mb4_0900_bin', 'utf8mb4_nopad_bin', 'utf8mb4_bin')
    ORDER BY FIELD(collation_name, 'utf8mb4_0900_bin', 'utf8mb4_nopad_bin', 'utf8mb4_bin') LIMIT 1) AS collation`

/** The arguments: database, table. */
export const FIND_TABLE_SQL = `SELECT t.table_schema AS \`schema\`, t.table_name AS name, t.table_type AS kind, t.engine AS engine,
    e.transactions AS transactions
  FROM information_schema.tables t LEFT JOIN information_schema.engines e ON e.engine = t.engine
  WHERE t.table_schema = ? AND t.table_name = ?`

/** The arguments: database, table. */
export const COLUMNS_SQL = `SELECT column_name AS name, data_type AS type, column_type AS declared, is_nullable AS nullable,
    column_default AS \`default\`, extra AS extra, character_maximum_length AS maxCharacters, character_octet_length AS maxBytes,
    character_set_name AS charset, datetime_precision AS \`precision\`
  FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`

/** MariaDB only. The arguments: database, table. */
export const CHECKS_SQL = `SELECT check_clause AS \`check\` FROM information_schema.check_constraints
  WHERE constraint_schema = ? AND table_name = ?`

/** One row a column of a unique index; `part` when only the beginning of the column is in it. The arguments: database, table. */
export const UNIQUE_SQL = `SELECT index_name AS \`index\`, column_name AS name, sub_part AS part
  FROM information_schema.statistics WHERE table_schema = ? AND table_name = ? AND non_unique = 0
  ORDER BY index_name, seq_in_index`

/** Texts are compared as they are: a key that differs only in its case is another one. */
export function createTableSql(
  table: string,
  columns: readonly WantedColumn[],
  { keyColumns, collation }: { readonly keyColumns: readonly string[] | undefined; readonly collation: string },
): string {
  const declared = columns.map(({ name, createdAs }) => {
    const isKey = keyColumns?.includes(name)
    // Without a word, the first timestamp of a table would be set to the time of each change.
    return `${quoted(name)} ${createdAs} ${isKey ? 'NOT NULL' : 'NULL'}`
  })
  if (keyColumns) declared.push(`PRIMARY KEY (${keyColumns.map(quoted).join(', ')})`)
  return `CREATE TABLE IF NOT EXISTS ${table} (${declared.join(', ')}) ENGINE = InnoDB, DEFAULT CHARSET = utf8mb4, COLLATE = ${collation}`
}

/** What an index may hold by the defaults of MySQL 5.6. */
export const APPLICATION_CHARACTERS = 191

export function createOffsetsSql(offsets: string, collation: string): string {
  return `CREATE TABLE IF NOT EXISTS ${offsets} (
  \`application\` varchar(${APPLICATION_CHARACTERS}) NOT NULL, \`cluster_id\` varchar(64) NOT NULL, \`topic_id\` varchar(64) NOT NULL,
  \`topic\` varchar(249) NOT NULL, \`partition\` int NOT NULL, \`next\` bigint NOT NULL,
  PRIMARY KEY (\`application\`, \`cluster_id\`, \`topic_id\`, \`partition\`)) ENGINE = InnoDB, DEFAULT CHARSET = utf8mb4, COLLATE = ${collation}`
}

export const offsetColumns = ['application', 'cluster_id', 'topic_id', 'partition', 'topic', 'next'] as const

const THIS_ROW = '`application` = ? AND `cluster_id` = ? AND `topic_id` = ? AND `partition` = ?'

export interface OffsetsSql {
  /** application, cluster id, topic id, partition. */
  readonly read: string
  /** next, then those four, then the `next` that is expected. */
  readonly move: string
  /** Those four, topic, next. Error 1062: there is a row already. */
  readonly begin: string
}

export function offsetsSql(offsets: string): OffsetsSql {
  return {
    read: `SELECT \`next\` FROM ${offsets} WHERE ${THIS_ROW}`,
    move: `UPDATE ${offsets} SET \`next\` = ? WHERE ${THIS_ROW} AND \`next\` = ?`,
    begin: `INSERT INTO ${offsets} (${offsetColumns.map(quoted).join(', ')}) VALUES (?, ?, ?, ?, ?, ?)`,
  }
}

export interface RowsSql {
  /** Before the rows. */
  readonly insert: string
  /** After the rows. */
  readonly onDuplicate: string
  /** Before the keys; undefined where rows are only appended. */
  readonly remove: string | undefined
  /** Names of the key's columns, in the order of the columns. */
  readonly keys: readonly string[]
}

export function rowsSql(table: string, columns: readonly Column[], isUpsert: boolean): RowsSql {
  const names = columns.map(({ name }) => quoted(name))
  const keys = columns.filter(({ isKey }) => isKey).map(({ name }) => quoted(name))
  const others = columns.filter(({ isKey }) => !isKey).map(({ name }) => quoted(name))
  // VALUES() is older than the alias of a row, and the only one of the two that MariaDB has.
  const set = others.length > 0 ? others.map((name) => `${name} = VALUES(${name})`) : [`${keys[0]} = ${keys[0]}`]
  return {
    insert: `INSERT INTO ${table} (${names.join(', ')}) VALUES `,
    onDuplicate: isUpsert ? ` ON DUPLICATE KEY UPDATE ${set.join(', ')}` : '',
    remove: isUpsert ? `DELETE FROM ${table} WHERE ` : undefined,
    keys,
  }
}

/** Each stores nothing, and fails where this user lacks a right that the sink needs. */
export function probeSql(table: string, columns: readonly Column[], isUpsert: boolean): readonly string[] {
  const { insert, onDuplicate, remove } = rowsSql(table, columns, isUpsert)
  const nothing = `SELECT ${columns.map(() => 'NULL').join(', ')} FROM DUAL WHERE FALSE`
  const probes = [insert.replace(/VALUES $/, nothing) + onDuplicate]
  if (remove !== undefined) probes.push(`${remove}FALSE`)
  return probes
}

export function offsetProbesSql(offsets: string): readonly string[] {
  const names = offsetColumns.map(quoted)
  return [
    `INSERT INTO ${offsets} (${names.join(', ')}) SELECT ${names.map(() => 'NULL').join(', ')} FROM DUAL WHERE FALSE`,
    `UPDATE ${offsets} SET \`next\` = \`next\` WHERE FALSE`,
  ]
}

/** A statement, and which of the rows it is about: `from` up to, not including, `to`. */
export interface RowsStatement {
  readonly sql: string
  readonly from: number
  readonly to: number
}

/** Longer lists of keys, and the server gives up looking for each in the index. */
const KEYS_OF_DELETE = 1000

/**
 * The rows, in their order, in as few statements as there may be. Rows of one key are applied one after the other, so that the last one counts; which keys
 * are one is for the table's collation to say.
 * @param most characters of the rows of a statement; a single row may be longer
 */
export function* statementsOf(
  sql: RowsSql,
  rows: readonly Row[],
  most: number,
  [begin, end]: readonly [number, number] = [0, rows.length],
): Generator<RowsStatement> {
  let from = begin
  while (from < end) {
    const { isDelete } = rows[from]!
    const parts: string[] = []
    let characters = 0
    let to = from
    for (; to < end; to++) {
      const row = rows[to]!
      if (row.isDelete !== isDelete || (isDelete && parts.length === KEYS_OF_DELETE)) break
      const part = isDelete ? keyCondition(sql, row) : row.values
      if (parts.length > 0 && characters + part.length > most) break
      characters += part.length + 1
      parts.push(part)
    }
    yield { sql: isDelete ? deleteSql(sql, parts) : `${sql.insert}${parts.join(',')}${sql.onDuplicate}`, from, to }
    from = to
  }
}

/** One column: the literal, for IN. More: a condition, for OR, as MySQL 5.6 looks up no rows of IN in an index. */
function keyCondition({ keys }: RowsSql, { key }: Row): string {
  return keys.length === 1 ? key[0]! : `(${keys.map((name, index) => `${name} = ${key[index]}`).join(' AND ')})`
}

function deleteSql({ remove, keys }: RowsSql, parts: readonly string[]): string {
  return keys.length === 1 ? `${remove}${keys[0]} IN (${parts.join(',')})` : `${remove}${parts.join(' OR ')}`
}

/** Without those that a later row of the same key, to the letter, replaces. */
export function lastOfEachKey(rows: readonly Row[]): readonly Row[] {
  const last = new Map<string, number>()
  for (let index = 0; index < rows.length; index++) last.set(rows[index]!.key.join(','), index)
  if (last.size === rows.length) return rows
  return rows.filter((row, index) => last.get(row.key.join(',')) === index)
}

/** `'it\'s'`, for names of databases and tables in a condition. */
export const textLiteral = (text: string): string => literal(text) ?? "''"
