/**
 * A member of a group in a thread of its own: says so, then polls until it owns a partition, and stores where it is told to: 1, how many threads it has
 * started for that, and how many of its consumers a heartbeat thread keeps.
 */
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { Consumer } from '../../../src/client/consumer/index.ts'
import { processLink } from '../../../src/client/consumer/heartbeat-link.ts'

const { bootstrapServers, group, topic } = workerData as { bootstrapServers: string; group: string; topic: string }
let threads = 0
process.on('worker', () => threads++)
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
  Atomics.store(state, 1, threads)
  Atomics.store(state, 2, processLink.size)
  Atomics.store(state, 0, 1)
  Atomics.notify(state, 0)
}
