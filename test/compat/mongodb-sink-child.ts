/** What the conformance suite's child processes open: see sink-child.ts. The argument is a `sink` object as JSON. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

export const makeSink = (argument: string): Sink =>
  sinks.configure({ type: 'mongodb', ...(JSON.parse(argument) as object) }).create()
