/** What the conformance suite's child processes open: see sink-child.ts. */
import type { Sink } from '../../src/sinks/sink.ts'
import { s3SinkAt } from './s3-store.ts'

export const makeSink = (endpoint: string): Sink => s3SinkAt(endpoint, { columns: ['id', 'text'] })
