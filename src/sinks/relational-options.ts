/** Options that the stores with tables and a server have in common, and what no schema says of them. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'
import { SinkOptionsError } from './sink.ts'

/** How a server is spoken to. */
export const accessOptions = {
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
}

/** @param type of a column, with its description */
export function columnsOption<Type extends z.ZodType<string | undefined>>(type: Type) {
  const column = z.strictObject({
    name: z.string().min(1).describe('Name of the column.'),
    type,
    field: z.string().min(1).optional().describe('Field of the JSON value, if its name is not the column’s.'),
    optional: z.boolean().optional().describe('Stores NULL when the field is missing, which is an error otherwise.'),
  })
  return z
    .array(z.union([z.string().min(1), column]))
    .min(1)
    .optional()
    .describe(
      'Columns, each the name of a field of the JSON value or { name, type, field, optional }; ' +
        `${recordColumns.join(', ')} are the record's own. Without it: topic, partition, offset, timestamp, key, value.`,
    )
}

export const modeOption = z
  .enum(['append', 'upsert'])
  .default('append')
  .describe(
    'append: a row a record. upsert: a row a key, as the last record left it; when "key.columns" are the record’s own ' +
      '($key), a record without a value deletes its row.',
  )

export const keyColumnsOption = z.array(z.string().min(1)).min(1).optional()

export const poolOptions = {
  'pool.size': z
    .int()
    .positive()
    .default(2)
    .describe('Connections of one consumer: so many partitions are stored at a time.'),
  'connect.timeout.ms': z.int().positive().default(10_000).describe('How long to wait for a connection.'),
}

export const lockTimeoutOption = z.int().positive().default(10_000)

export const flushOptions = {
  'flush.records': z.int().positive().default(50_000).describe('Commits after this many records of a partition.'),
  'flush.bytes': z
    .int()
    .positive()
    .default(16_777_216)
    .describe('Commits when the rows of a partition that are not committed hold about this many bytes.'),
  'flush.ms': z
    .int()
    .positive()
    .default(1_000)
    .describe('Commits this long after the first record that is not committed.'),
}

export interface TableOptions {
  readonly table: string
  readonly 'offsets.table': string
  readonly mode: 'append' | 'upsert'
  readonly 'key.columns'?: readonly string[] | undefined
}

/**
 * @param namesOf the columns' names
 * @throws SinkOptionsError
 */
export function checkTableOptions(
  { table, 'offsets.table': offsets, mode, 'key.columns': keyColumns }: TableOptions,
  namesOf: () => readonly string[],
): void {
  if (table === offsets) throw new SinkOptionsError('sink.table and sink.offsets.table are the same table')
  if (mode === 'append') {
    if (keyColumns) throw new SinkOptionsError('sink.key.columns is for "mode": "upsert", and the mode is append')
    return
  }
  if (!keyColumns)
    throw new SinkOptionsError('sink.key.columns is missing: "mode": "upsert" needs the columns that tell rows apart')
  const names = namesOf()
  const unknown = keyColumns.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw new SinkOptionsError(`sink.key.columns has "${unknown}", which is not among the columns ${names.join(', ')}`)
  }
}
