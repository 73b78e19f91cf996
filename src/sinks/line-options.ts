/** The options of every sink that writes lines into files or objects. */
import { z } from 'zod'
import { recordColumns } from './file-encoding.ts'

export const lineOptions = {
  format: z
    .enum(['csv', 'tsv', 'log', 'jsonl'])
    .default('csv')
    .describe(
      'csv (RFC 4180 quoting), tsv (backslash escapes), log (one value a line) or jsonl (one JSON object a line).',
    ),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      `Fields of the JSON value, in this order; ${recordColumns.join(', ')} are the record's own. ` +
        'Without it: topic, partition, offset, timestamp, key, value.',
    ),
  header: z.boolean().default(false).describe('Begins every csv and tsv file with a row of column names.'),
  delimiter: z
    .string()
    .length(1)
    .refine((character) => !/["\r\n]/.test(character), 'expected one character that is no quote and no line break')
    .default(',')
    .describe('What stands between two fields of a csv file.'),
  gzip: z.boolean().default(false).describe('Compresses the files; their names end with .gz.'),
  'rotate.records': z.int().positive().default(500_000).describe('Publishes a file after this many records.'),
  'rotate.bytes': z
    .int()
    .positive()
    .default(128 * 1024 * 1024)
    .describe('Publishes a file that has reached this size; the batch that reaches it is still inside.'),
  'rotate.ms': z
    .int()
    .positive()
    .default(10_000)
    .describe('Publishes a file this long after its first record, however small it is.'),
}

export type LineOptions = z.infer<z.ZodObject<typeof lineOptions>>

/** Without the dot: `csv`, `jsonl.gz`. */
export function extensionOf({ format, gzip }: LineOptions): string {
  return `${format}${gzip ? '.gz' : ''}`
}
