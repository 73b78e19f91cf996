/** An owner whose connection breaks at one message; then it goes on, or another one does. */
import { type PartitionLog, SinkWorld } from '../../src/testing/sink-owner.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import type { Message, MessageProxy } from './message-proxy.ts'

export interface Cut {
  readonly from: Message['from']
  /** Which of the messages, from 1 on. */
  readonly step: number
  readonly who: 'the same owner' | 'another owner'
  readonly makeSink: () => Sink
}

/** Answers what the message was that was cut; undefined when there are not so many. */
export async function oneCut(
  proxy: MessageProxy,
  log: PartitionLog,
  { from, step, who, makeSink }: Cut,
): Promise<string | undefined> {
  let count = 0
  let cut: string | undefined
  const world = new SinkWorld(makeSink, [log])
  const isDead = () => cut !== undefined && who === 'another owner'
  const owner = world.owner({
    batchRecords: 2,
    flushRecords: 4,
    at: async () => {
      if (isDead()) throw new Error('died')
    },
  })
  proxy.onMessage = (message) => {
    if (message.from !== from || cut !== undefined || ++count < step) return 'pass'
    cut = `${message.type} ${message.text}`
    return 'cut'
  }
  await owner.run().catch((error: unknown) => {
    if (!isDead()) throw error
  })
  if (isDead()) await world.owner({ batchRecords: 3, flushRecords: 3 }).run()
  await world.release()
  return cut
}
