/** The program of the monitor's thread, and nothing else: never imported, only started (monitor-thread.ts). */
import { parentPort, workerData } from 'node:worker_threads'
import { systemSeams } from '../client/index.ts'
import { SluiceError } from '../error.ts'
import { systemDisk } from '../seams/disk.ts'
import { threadLogger } from '../seams/thread-logger.ts'
import type { FromMonitorThread, MonitorThreadStart } from './monitor-thread.ts'
import { type RunningMonitor, startMonitor } from './start-monitor.ts'

const port = parentPort!
const start = workerData as MonitorThreadStart
const post = (message: FromMonitorThread) => port.postMessage(message)

const logger = threadLogger(start.logLevel, post)

async function begin(): Promise<RunningMonitor | undefined> {
  try {
    const running = await startMonitor(start.conf, {
      seams: systemSeams({ logger }),
      disk: systemDisk,
      version: start.version,
    })
    post({ type: 'started', url: running.url })
    return running
  } catch (error) {
    const { message } = error as Error
    post({ type: 'failed', code: error instanceof SluiceError ? error.code : 'SLUICE_MONITOR', message })
    return undefined
  }
}

const running = await begin()
// The only thing that is ever told: to end. It waits in the port until now.
port.once('message', () => {
  void end()
})

async function end(): Promise<void> {
  await running?.stop()
  process.exit(0)
}
