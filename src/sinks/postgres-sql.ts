/**
 * Every statement of the postgres sink, as text. Pure; knows no connection.
 */
import type { Column, WantedColumn } from './postgres-columns.ts'
import { parseTableName, qualifiedName, quotedName, type TableName } from './sql-names.ts'

export const quoted = (name: string): string => quotedName(name, '"')
export const tableName = (text: string): TableName | undefined => parseTableName(text, '"')
export const qualified = (table: TableName): string => qualifiedName(table, '"')

/** Run once a connection. A connection that hangs is dropped by the server, which frees the locks of an owner that has vanished. */
export function sessionSql(statementTimeoutMs: number, lockTimeoutMs: number): string {
  return [
    `SET client_encoding TO 'UTF8'`,
    `SET TimeZone TO 'UTC'`,
    `SET DateStyle TO 'ISO, YMD'`,
    `SET standard_conforming_strings TO on`,
    `SET statement_timeout TO ${statementTimeoutMs}`,
    `SET lock_timeout TO ${lockTimeoutMs}`,
    `SET idle_in_transaction_session_timeout TO ${statementTimeoutMs}`,
    `SET tcp_keepalives_idle TO 10`,
    `SET tcp_keepalives_interval TO 5`,
    `SET tcp_keepalives_count TO 4`,
  ].join('; ')
}

/** One creator at a time: `IF NOT EXISTS` alone fails when two transactions make the same table at once. */
export const CREATORS_LOCK_SQL = 'SELECT pg_advisory_xact_lock(126943972909925)'

export const FIND_TABLE_SQL = `SELECT c.oid::text AS oid, c.relkind AS kind, n.nspname AS schema, c.relname AS name,
    pg_is_in_recovery() AS "inRecovery",
    c.relhastriggers OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)) AS "mayBlock",
    has_any_column_privilege(c.oid, 'INSERT') AS "mayInsert", has_any_column_privilege(c.oid, 'UPDATE') AS "mayUpdate",
    has_any_column_privilege(c.oid, 'SELECT') AS "maySelect"
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)`

export const COLUMNS_SQL = `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS declared,
    coalesce(base.typname, t.typname) AS type, coalesce(base.typcategory, t.typcategory) AS category,
    a.attnotnull AS "notNull", a.atthasdef OR a.attidentity <> '' AS "hasDefault",
    a.attgenerated <> '' OR a.attidentity = 'a' AS "isGenerated"
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type base ON base.oid = t.typbasetype
  WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

/** The columns of each index that ON CONFLICT could name. */
export const UNIQUE_SQL = `SELECT array_agg(a.attname::text) AS columns
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
  WHERE i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  GROUP BY i.indexrelid`

/**
 * What the lines were encoded for: the columns that they fill, and those that nothing fills although they must be. Asked after COPY, whose lock
 * on the table lets nobody change it before the commit. The arguments: the table's name, the names of the columns.
 */
export const SHAPE_SQL = `SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname) AS shape
  FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attnum > 0 AND NOT attisdropped
    AND (attname = ANY ($2::text[]) OR (attnotnull AND NOT atthasdef AND attidentity = ''))`

export function createTableSql(
  table: string,
  columns: readonly WantedColumn[],
  keyColumns?: readonly string[],
): string {
  const declared = columns.map(({ name, createdAs }) => `${quoted(name)} ${createdAs}`)
  if (keyColumns) declared.push(`PRIMARY KEY (${keyColumns.map(quoted).join(', ')})`)
  return `CREATE TABLE ${table} (${declared.join(', ')})`
}

export function createOffsetsSql(offsets: string): string {
  return `CREATE TABLE ${offsets} (
  application text NOT NULL, cluster_id text NOT NULL, topic_id text NOT NULL, topic text NOT NULL,
  partition integer NOT NULL, next bigint NOT NULL,
  PRIMARY KEY (application, cluster_id, topic_id, partition))`
}

export const offsetColumns = ['application', 'cluster_id', 'topic_id', 'partition', 'topic', 'next'] as const

const THIS_ROW = 'application = $1 AND cluster_id = $2 AND topic_id = $3 AND partition = $4'

/** The arguments of all three begin with application, cluster id, topic id and partition. */
export function offsetsSql(offsets: string): { readonly read: string; readonly move: string; readonly begin: string } {
  return {
    read: `SELECT next FROM ${offsets} WHERE ${THIS_ROW}`,
    move: `UPDATE ${offsets} SET next = $5 WHERE ${THIS_ROW} AND next = $6`,
    begin: `INSERT INTO ${offsets} (${offsetColumns.join(', ')}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
  }
}

/** Whatever the user's defaults are: the compare-and-set relies on a wait for the row, then a second look at it. */
export const BEGIN_SQL = 'BEGIN ISOLATION LEVEL READ COMMITTED'

export interface RowsSql {
  /** Once a connection, before its first transaction. */
  readonly prepare: string | undefined
  readonly begin: string
  readonly copy: string
  /** The table that `copy` fills, as the context of an error names it. */
  readonly copied: string
  /** After COPY, when lines delete. */
  readonly remove: string | undefined
  /** After COPY. */
  readonly merge: string | undefined
}

export function appendSql(table: string, relation: string, columns: readonly Column[]): RowsSql {
  const names = columns.map(({ name }) => quoted(name)).join(', ')
  return {
    prepare: undefined,
    begin: BEGIN_SQL,
    copy: `COPY ${table} (${names}) FROM STDIN`,
    copied: relation,
    remove: undefined,
    merge: undefined,
  }
}

const BATCH = 'pg_temp.sluice_batch'

/**
 * Lines go into a temporary table first, each with its offset: of the lines of one key, the last counts. Rows are touched in the order of
 * their keys, so that two partitions with keys in common wait for each other and do not deadlock.
 */
export function upsertSql(table: string, columns: readonly Column[], keyColumns: readonly string[]): RowsSql {
  const own = columns.map((_, index) => `c${index}`)
  const names = columns.map(({ name }) => quoted(name))
  const keys = keyColumns.map(quoted)
  const ownKeys = keyColumns.map((key) => own[columns.findIndex(({ name }) => name === key)]!)
  const others = columns.filter(({ name }) => !keyColumns.includes(name)).map(({ name }) => quoted(name))
  const last = `SELECT DISTINCT ON (${ownKeys.join(', ')}) * FROM ${BATCH} ORDER BY ${ownKeys.join(', ')}, sluice_offset DESC`
  const set = others.map((name) => `${name} = EXCLUDED.${name}`).join(', ')
  return {
    prepare:
      `CREATE TEMPORARY TABLE IF NOT EXISTS sluice_batch ON COMMIT DELETE ROWS AS SELECT NULL::bigint AS sluice_offset, ` +
      `NULL::boolean AS sluice_deleted, ${names.map((name, index) => `${name} AS ${own[index]}`).join(', ')} FROM ${table} WITH NO DATA`,
    begin: BEGIN_SQL,
    copy: `COPY ${BATCH} (sluice_offset, sluice_deleted, ${own.join(', ')}) FROM STDIN`,
    copied: 'sluice_batch',
    remove:
      `DELETE FROM ${table} AS target USING (${last}) AS batch ` +
      `WHERE batch.sluice_deleted AND ${keys.map((key, index) => `target.${key} = batch.${ownKeys[index]}`).join(' AND ')}`,
    merge:
      `INSERT INTO ${table} (${names.join(', ')}) SELECT ${own.join(', ')} FROM (${last}) AS batch WHERE NOT sluice_deleted ` +
      `ON CONFLICT (${keys.join(', ')}) DO ${others.length === 0 ? 'NOTHING' : `UPDATE SET ${set}`}`,
  }
}

/**
 * 1-based: the line at which COPY into `relation` failed. undefined when the error's context says none, or in a language with another order
 * of words (the server's lc_messages).
 */
export function copyLineOf(where: string | undefined, relation: string): number | undefined {
  const name = relation.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const match = new RegExp(`^COPY ${name}, \\S+ (\\d+)`, 'm').exec(where ?? '')
  return match ? Number(match[1]) : undefined
}
