/** What the conformance suite's child processes open: see sink-child.ts. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export const makeSink = (database: string): Sink =>
  sinks.configure({ type: 'sqlite', database, table: 'records', columns: ['id', 'text', '$partition'] }).create()
