/** The options of the mysql sink, and what no schema says of them. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'
import { columnsOf } from './mysql-columns.ts'
import { tableName } from './mysql-sql.ts'
import { columnType } from './mysql-types.ts'
import { SinkOptionsError } from './sink.ts'

const column = z.strictObject({
  name: z.string().min(1).describe('Name of the column.'),
  type: z
    .string()
    .refine(
      (type) => columnType(type) !== undefined,
      'expected a type of MySQL’s, such as varchar(100), bigint unsigned, decimal(10,2), datetime(3) or json',
    )
    .optional()
    .describe('Type of the column; one that exists must have it. Without it, a new column is json.'),
  field: z.string().min(1).optional().describe('Field of the JSON value, if its name is not the column’s.'),
  optional: z.boolean().optional().describe('Stores NULL when the field is missing, which is an error otherwise.'),
})

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
  user: z.string().min(1).optional().describe('Name of the user; required here or in url.'),
  password: z.string().optional().describe('Password of the user. Never shown.'),
  ssl: z
    .enum(['disable', 'require', 'verify-full'])
    .optional()
    .describe(
      'TLS: none (without this option), encrypted without a look at the certificate, or with certificate and host name checked.',
    ),
  'ssl.ca': z
    .string()
    .min(1)
    .optional()
    .describe('File of the authorities (PEM) that the certificate may come from. Without it: the system’s.'),
  table: table.describe(
    'Table for the rows, table or database.table; created when missing, with the columns below. Its engine must have transactions, as InnoDB.',
  ),
  columns: z
    .array(z.union([z.string().min(1), column]))
    .min(1)
    .optional()
    .describe(
      'Columns, each the name of a field of the JSON value or { name, type, field, optional }; ' +
        `${recordColumns.join(', ')} are the record's own. Without it: topic, partition, offset, timestamp, key, value.`,
    ),
  mode: z
    .enum(['append', 'upsert'])
    .default('append')
    .describe(
      'append: a row a record. upsert: a row a key, as the last record left it; when "key.columns" are the record’s own ' +
        '($key), a record without a value deletes its row.',
    ),
  'key.columns': z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'upsert: names of the columns that tell rows apart. The table needs a unique index on them, and no other.',
    ),
  'offsets.table': table
    .default('sluice_offsets')
    .describe('Table for the offsets, on the same server; created when missing.'),
  'pool.size': z
    .int()
    .positive()
    .default(2)
    .describe('Connections of one consumer: so many partitions are stored at a time.'),
  'connect.timeout.ms': z.int().positive().default(10_000).describe('How long to wait for a connection.'),
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
  'lock.timeout.ms': z
    .int()
    .positive()
    .default(10_000)
    .describe('How long a statement waits for another session’s lock; the server counts in seconds.'),
  'flush.records': z.int().positive().default(50_000).describe('Commits after this many records of a partition.'),
  'flush.bytes': z
    .int()
    .positive()
    .default(16_777_216)
    .describe('Commits when the rows of a partition that are not committed hold this many characters.'),
  'flush.ms': z
    .int()
    .positive()
    .default(1_000)
    .describe('Commits this long after the first record that is not committed.'),
})

export type MysqlOptions = z.infer<typeof options>

/** @throws SinkOptionsError */
export function checkOptions({
  mode,
  columns,
  'key.columns': keyColumns,
  table: rows,
  'offsets.table': offsets,
}: MysqlOptions): void {
  if (rows === offsets) throw new SinkOptionsError('sink.table and sink.offsets.table are the same table')
  if (mode === 'append') {
    if (keyColumns) throw new SinkOptionsError('sink.key.columns is for "mode": "upsert", and the mode is append')
    return
  }
  if (!keyColumns)
    throw new SinkOptionsError('sink.key.columns is missing: "mode": "upsert" needs the columns that tell rows apart')
  const names: readonly string[] = columnsOf({ columns, keyColumns, valueType: 'json' }).map(({ name }) => name)
  const unknown = keyColumns.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new SinkOptionsError(`sink.key.columns has "${unknown}", which is not among the columns ${names.join(', ')}`)
  }
}
