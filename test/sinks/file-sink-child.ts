/** What the conformance suite's child processes open: see sink-child.ts. */
import type { Sink } from '../../src/sinks/sink.ts'
import { fileSinkIn } from './file-store.ts'

export const makeSink = (directory: string): Sink => fileSinkIn(directory, { columns: ['id', 'text'] })
