/**
 * One owner in a process of its own, to be killed: `sink-child <module> <argument> <seed>`. It reads the log of the conformance
 * suite into the sink that the module's `makeSink(argument)` makes, and writes a line for each flush that is durable.
 */
import { CHILD_RECORDS, makeLog, SinkWorld } from './sink-owner.ts'
import type { Sink } from '../sinks/sink.ts'

const [module, argument, seed] = process.argv.slice(2) as [string, string, string]
const { makeSink } = (await import(module)) as { makeSink: (argument: string) => Sink }
const world = new SinkWorld(() => makeSink(argument), [makeLog({ topic: 'conformance', partition: 0 }, CHILD_RECORDS)])
const at = async (step: string) => {
  if (step === 'after flush') process.stdout.write('flushed\n')
}
await world.owner({ at, seed: Number(seed), batchRecords: 20, flushRecords: 50 + (Number(seed) % 40) }).run()
