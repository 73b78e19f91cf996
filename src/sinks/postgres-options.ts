/** The options of the postgres sink, and what no schema says of them. */
import { z } from 'zod'
import { columnsOf, columnTypes } from './postgres-columns.ts'
import { tableName } from './postgres-sql.ts'
import {
  accessOptions,
  checkTableOptions,
  columnsOption,
  flushOptions,
  keyColumnsOption,
  lockTimeoutOption,
  modeOption,
  poolOptions,
} from './relational-options.ts'

const columnTypeOption = z
  .enum(columnTypes)
  .optional()
  .describe('Type of the column; one that exists must have it. Without it, a new column is jsonb.')

const table = z.string().refine((name) => tableName(name) !== undefined, 'expected a name: table or schema.table')

export const options = z.strictObject({
  url: z
    .string()
    .optional()
    .describe(
      'postgres://user:password@host:port/database, with ?sslmode= if need be. The options below replace its parts.',
    ),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('Name or address of the server, or the folder of its socket. Without it and url: localhost.'),
  port: z.int().min(1).max(65_535).optional().describe('Port of the server. Without it and url: 5432.'),
  database: z.string().min(1).optional().describe('Name of the database. Without it and url: that of the user.'),
  ...accessOptions,
  table: table.describe(
    'Table for the rows, table or schema.table, as it is written; created when missing, with the columns below.',
  ),
  columns: columnsOption(columnTypeOption),
  mode: modeOption,
  'key.columns': keyColumnsOption.describe(
    'upsert: names of the columns that tell rows apart. The table needs a unique index on them.',
  ),
  'offsets.table': table
    .default('sluice_offsets')
    .describe('Table for the offsets, in the same database; created when missing.'),
  ...poolOptions,
  'open.timeout.ms': z
    .int()
    .nonnegative()
    .default(60_000)
    .describe('How long the start waits for a server that is down, starting up, in recovery or full.'),
  'statement.timeout.ms': z
    .int()
    .positive()
    .default(30_000)
    .describe('How long one statement may take, and a transaction stand still, before the server gives it up.'),
  'lock.timeout.ms': lockTimeoutOption.describe('How long a statement waits for another session’s lock.'),
  ...flushOptions,
})

export type PostgresOptions = z.infer<typeof options>

/** @throws SinkOptionsError */
export function checkOptions(given: PostgresOptions): void {
  checkTableOptions(given, () => columnsOf(given.columns, 'json').map(({ name }) => name))
}
