/** What the conformance suite's child processes open: see sink-child.ts. The argument is a `sink` object as JSON. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export function makeSink(argument: string): Sink {
  return sinks.configure(JSON.parse(argument) as Record<string, unknown>).create()
}
