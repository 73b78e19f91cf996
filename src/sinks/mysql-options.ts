/** The options of the mysql sink, and what no schema says of them. */
import { z } from 'zod'
import { columnsOf } from './mysql-columns.ts'
import { tableName } from './mysql-sql.ts'
import { columnType } from './mysql-types.ts'
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
  .string()
  .refine(
    (type) => columnType(type) !== undefined,
    'expected a type of MySQL’s, such as varchar(100), bigint unsigned, decimal(10,2), datetime(3) or json',
  )
  .optional()
  .describe('Type of the column; one that exists must have it. Without it, a new column is json.')

const table = z.string().refine((name) => tableName(name) !== undefined, 'expected a name: table or database.table')

export const options = z.strictObject({
  url: z
    .string()
    .optional()
    .describe(
      'mysql://user:password@host:port/database, with ?ssl-mode= if need be. The options below replace its parts.',
    ),
  host: z
    .string()
    .min(1)
    .optional()
    .describe('Name or address of the server, or the path of its socket. Without it and url: localhost.'),
  port: z.int().min(1).max(65_535).optional().describe('Port of the server. Without it and url: 3306.'),
  database: z.string().min(1).optional().describe('Name of the database; required here or in url.'),
  ...accessOptions,
  table: table.describe(
    'Table for the rows, table or database.table; created when missing, with the columns below. Its engine must have transactions, as InnoDB.',
  ),
  columns: columnsOption(columnTypeOption),
  mode: modeOption,
  'key.columns': keyColumnsOption.describe(
    'upsert: names of the columns that tell rows apart. The table needs a unique index on them, and no other.',
  ),
  'offsets.table': table
    .default('sluice_offsets')
    .describe('Table for the offsets, on the same server; created when missing.'),
  ...poolOptions,
  'open.timeout.ms': z
    .int()
    .nonnegative()
    .default(60_000)
    .describe('How long the start waits for a server that is down, starting up, read-only or full.'),
  'statement.timeout.ms': z
    .int()
    .positive()
    .default(30_000)
    .describe(
      'How long one statement may take before its connection is given up, and a connection stand still before the server ends it.',
    ),
  'lock.timeout.ms': lockTimeoutOption.describe(
    'How long a statement waits for another session’s lock; the server counts in seconds.',
  ),
  ...flushOptions,
})

export type MysqlOptions = z.infer<typeof options>

/** @throws SinkOptionsError */
export function checkOptions(given: MysqlOptions): void {
  const { columns, 'key.columns': keyColumns = [] } = given
  checkTableOptions(given, () => columnsOf({ columns, keyColumns, valueType: 'json' }).map(({ name }) => name))
}
