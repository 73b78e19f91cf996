/** What the conformance suite's child processes open: see sink-child.ts. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

/** @param argument the sink's options as JSON */
export const makeSink = (argument: string): Sink => {
  const options = JSON.parse(argument) as Record<string, unknown>
  return sinks.configure({ type: 's3', bucket: 'test', columns: ['id', 'text'], ...options }).create()
}
