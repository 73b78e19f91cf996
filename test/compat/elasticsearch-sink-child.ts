/** What the conformance suite's child processes open: see sink-child.ts. */
import { sinks } from '../../src/sinks/index.ts'
import type { Sink } from '../../src/sinks/sink.ts'

/** @param argument the sink's options as JSON */
export const makeSink = (argument: string): Sink =>
  sinks.configure({ type: 'elasticsearch', ...(JSON.parse(argument) as object) }).create()
