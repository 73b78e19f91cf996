/** The monitor in a thread: it answers, says why it cannot start, and when it dies nobody else does. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import type { Overview } from '../../src/lag/api-types.ts'
import { checkMonitorConf } from '../../src/lag/monitor-conf.ts'
import { type MonitorThreadOptions, startMonitorThread } from '../../src/lag/monitor-thread.ts'
import { type Clock, systemClock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { startBroker } from '../../src/testing/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
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

async function started(t: TestContext, conf: ReturnType<typeof confOf>, over: Partial<MonitorThreadOptions> = {}) {
  const { lines, logger } = listening()
  const thread = await startMonitorThread(conf, { logger, clock: systemClock, version: '1.2.3', ...over })
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
  await assert.rejects(started(t, confOf('127.0.0.1:1'), { memoryMb: 4 }), {
    code: 'SLUICE_MONITOR_ENDED',
    message: /memory/,
  })
})

test('monitor thread: a cluster that cannot be reached is in the log, and the monitor answers', async (t) => {
  const { thread, lines } = await started(t, confOf('127.0.0.1:1'))
  await until(() => lines.some((line) => line.startsWith('warn no sample of the cluster local')))
  assert.equal((await fetch(`${thread.url}/healthz`)).status, 200)
})

/** More and more groups until the monitor's heap cannot take them. @returns the groups, and what was said */
async function fillHeap(t: TestContext, servers: string, lines: readonly string[]) {
  const bench = benchOf(t, servers)
  const offsets = Array.from(
    { length: 100 },
    (_, partition) => [{ topic: 'orders', partition }, { offset: 0 }] as const,
  )
  const groups: string[] = []
  let said: string | undefined
  await until(
    async () => {
      const more = Array.from({ length: 20 }, (_, index) => `many-${groups.length + index}`)
      await Promise.all(more.map((group) => bench.admin.alterGroupOffsets(group, offsets)))
      groups.push(...more)
      said = lines.find((line) => line.startsWith('error'))
      return said !== undefined
    },
    { withinMs: 120_000, what: 'the heap of the monitor is full' },
  )
  return { groups, said: said!, admin: bench.admin }
}

test('monitor thread: one whose heap is full ends, takes nobody with it, and is back at the same address', async (t) => {
  const { bootstrapServers } = await shared
  const store = join(await temporaryDirectory(t), 'lag.db')
  const { thread, lines } = await started(t, confOf(bootstrapServers, { store }), { memoryMb: 40 })
  const { groups, said, admin } = await fillHeap(t, bootstrapServers, lines)
  assert.match(said, /^error the monitor has ended: .*memory.*\. It is started again in 1 s; nothing else is touched$/)
  // What filled it goes, so that it can live. Its store, which the dead thread had open, is free.
  await admin.deleteGroups(groups)
  await until(() => lines.includes(`info the monitor is at ${thread.url} again`), { withinMs: 120_000 })
  await until(async () => {
    const answer = await fetch(`${thread.url}/api/v1/overview`).catch(() => undefined)
    return answer?.status === 200 && ((await answer.json()) as Overview).clusters[0]!.state === 'ok'
  })
  await thread.stop()
  await assert.rejects(fetch(thread.url))
})

test('monitor thread: one that is stopped while it waits to be started again is over at once', async (t) => {
  const { bootstrapServers } = await shared
  const waits: number[] = []
  const clock: Clock = {
    ...systemClock,
    sleep(delayMs, signal) {
      waits.push(delayMs)
      return new Promise((resolve) => signal!.addEventListener('abort', () => resolve(), { once: true }))
    },
  }
  const { thread, lines } = await started(t, confOf(bootstrapServers), { memoryMb: 40, clock })
  await fillHeap(t, bootstrapServers, lines)
  const said = lines.length
  await thread.stop()
  await assert.rejects(fetch(thread.url))
  assert.deepEqual([waits, lines.length], [[1000], said])
})
