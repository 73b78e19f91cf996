/**
 * What the conformance suite's child processes open: see sink-child.ts. The argument is a `sink` object as JSON, and `aheadBytes` beside it:
 * how many bytes of lines are sent before the flush.
 */
import { PostgresSink } from '../../src/sinks/postgres.ts'
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export function makeSink(argument: string): Sink {
  const { aheadBytes, ...config } = JSON.parse(argument) as { aheadBytes: number } & Record<string, unknown>
  const { options } = sinks.configure(config)
  return new PostgresSink(options as ConstructorParameters<typeof PostgresSink>[0], { aheadBytes })
}
