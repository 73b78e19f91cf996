/** What the conformance suite's child processes open: see sink-child.ts. The argument is the `sink` object as JSON. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export const makeSink = (config: string): Sink => sinks.configure(JSON.parse(config) as Record<string, unknown>).create()
