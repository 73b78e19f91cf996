/**
 * The heartbeat thread's program, and nothing else: never imported, only started (heartbeat-link.ts). Each thread that hosts consumers sends a port; when
 * a port closes, with its thread or with that thread's death, the memberships that came over it are kept no longer.
 */
import { type MessagePort, parentPort } from 'node:worker_threads'
import { systemSeams } from '../seams.ts'
import { HeartbeatKeeper, SharedClusters } from './heartbeat-keeper.ts'
import { type ToKeeper } from './heartbeat-messages.ts'

const seams = systemSeams()
const clusters = new SharedClusters(seams)

parentPort!.on('message', ({ port }: { port: MessagePort }) => {
  const keeper = new HeartbeatKeeper(seams, clusters, (message) => port.postMessage(message))
  port.on('message', (message: ToKeeper) => keeper.receive(message))
  port.on('close', () => keeper.close())
})
