/**
 * The `file` sink: one folder a partition, in which each record stands once, in offset order, in files that are whole. When a file is published, and what
 * that means for a crash: create-once-sink.ts. How: file-ranges.ts and intent-chain.ts.
 */
import { z } from 'zod'
import { CreateOnceSink } from './create-once-sink.ts'
import { FileRanges } from './file-ranges.ts'
import { extensionOf, lineOptions } from './line-options.ts'
import { defineSink } from './registry.ts'

export const fileSink = defineSink({
  name: 'file',
  guarantee: 'create-once',
  summary: 'Files of lines (csv, tsv, log, jsonl), a folder a partition, each record once and in order.',
  options: z.strictObject({
    directory: z.string().min(1).describe('Folder for the files; created when missing. One application a directory.'),
    ...lineOptions,
  }),
  example: {
    type: 'file',
    directory: 'out',
    format: 'csv',
    columns: ['time', 'delay', 'distance'],
    'rotate.ms': 60_000,
  },
  create: (options) => new CreateOnceSink('file', options, new FileRanges(options.directory, extensionOf(options))),
})
