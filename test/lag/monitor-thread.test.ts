/** The monitor in a thread: it answers, says why it cannot start, and when it dies nobody else does. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, test, type TestContext } from 'node:test'
import type { Overview } from '../../src/lag/api-types.ts'
import { checkMonitorConf } from '../../src/lag/monitor-conf.ts'
import { startMonitorThread } from '../../src/lag/monitor-thread.ts'
import { systemClock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { startBroker } from '../../src/testing/index.ts'
import { until } from '../support/until.ts'
import { benchOf } from './embedded.ts'

const shared = startBroker({ topics: { orders: 100 } })
after(async () => (await shared).stop())

function confOf(servers: string, over: object = {}) {
  const clusters = { local: { 'bootstrap.servers': servers, 'sample.interval.ms': 200 } }
  return checkMonitorConf({ listen: '127.0.0.1:0', store: ':memory:', clusters, ...over }, 'a test')
}

function listening(): { lines: string[]; logger: Logger } {
  const lines: string[] = []
  const at = (level: string) => (_fields: object, text: string) => void lines.push(`${level} ${text}`)
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

async function started(t: TestContext, conf: ReturnType<typeof confOf>, memoryMb?: number) {
  const { lines, logger } = listening()
  const options = { logger, clock: systemClock, version: '1.2.3', ...(memoryMb === undefined ? {} : { memoryMb }) }
  const thread = await startMonitorThread(conf, options)
  t.after(() => thread.stop())
  return { thread, lines }
}

test('monitor thread: answers from its windows in memory, history included, and is gone when it is stopped', async (t) => {
  const { bootstrapServers } = await shared
  const bench = benchOf(t, bootstrapServers)
  await bench.produce('orders', 0, 3)
  await bench.admin.alterGroupOffsets('reader', [[{ topic: 'orders', partition: 0 }, { offset: 1 }]])
  const { thread, lines } = await started(t, confOf(bootstrapServers))
  let overview: Overview | undefined
  await until(async () => {
    overview = (await (await fetch(`${thread.url}/api/v1/overview`)).json()) as Overview
    return overview.groups.length > 0
  })
  assert.deepEqual(
    [overview!.version, overview!.groups[0]!.group, overview!.groups[0]!.totalLag],
    ['1.2.3', 'reader', 2],
  )
  const history = await fetch(`${thread.url}/api/v1/clusters/local/groups/reader/history`)
  assert.equal(history.status, 200)
  await thread.stop()
  await assert.rejects(fetch(thread.url))
  assert.deepEqual(lines, [])
})

test('monitor thread: one that cannot start says why, with its code', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const conf = confOf('127.0.0.1:1', { listen: `127.0.0.1:${port}` })
  await assert.rejects(started(t, conf), { code: 'SLUICE_MONITOR_ADDRESS', message: /the port is in use/ })
  await assert.rejects(started(t, confOf('127.0.0.1:1'), 4), { code: 'SLUICE_MONITOR_ENDED', message: /memory/ })
})

test('monitor thread: a cluster that cannot be reached is in the log, and the monitor answers', async (t) => {
  const { thread, lines } = await started(t, confOf('127.0.0.1:1'))
  await until(() => lines.some((line) => line.startsWith('warn no sample of the cluster local')))
  assert.equal((await fetch(`${thread.url}/healthz`)).status, 200)
})

test('monitor thread: one whose heap is full ends, is said to have ended, and takes nobody with it', async (t) => {
  const { bootstrapServers } = await shared
  const bench = benchOf(t, bootstrapServers)
  const { thread, lines } = await started(t, confOf(bootstrapServers), 40)
  const offsets = Array.from(
    { length: 100 },
    (_, partition) => [{ topic: 'orders', partition }, { offset: 0 }] as const,
  )
  let groups = 0
  await until(
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => bench.admin.alterGroupOffsets(`many-${groups++}`, offsets)))
      return lines.some((line) => line.startsWith('error'))
    },
    { withinMs: 120_000, what: 'the heap of the monitor is full' },
  )
  assert.match(lines.at(-1)!, /^error the monitor has ended: .*memory.*\. Everything else goes on without it$/)
  await assert.rejects(fetch(thread.url))
  await thread.stop()
})
