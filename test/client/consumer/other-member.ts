/** A member of a group in a thread of its own: says so, then polls until it owns a partition, and stores 1 where it is told to. */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { Consumer } from '../../../src/client/consumer/index.ts'

const { bootstrapServers, group, topic } = workerData as { bootstrapServers: string; group: string; topic: string }
const consumer = new Consumer({
  'bootstrap.servers': bootstrapServers,
  'group.id': group,
  'heartbeat.interval.ms': 100,
})
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
parentPort!.postMessage('ready')
const [state] = (await once(parentPort!, 'message')) as [Int32Array<SharedArrayBuffer>]
consumer.subscribe([topic])
for (;;) {
  await consumer.poll(50)
  if (consumer.assignment().length === 0) continue
  Atomics.store(state, 0, 1)
  Atomics.notify(state, 0)
}
