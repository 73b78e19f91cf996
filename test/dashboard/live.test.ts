/** When the page listens to the monitor, and when it leaves its connections to other tabs. The streams are stand-ins; live.compat.ts has a browser's own. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Live } from '../../src/dashboard/live.ts'
import type { MonitorEvent } from '../../src/lag/api-types.ts'
import { clusterOf, summaryOf } from './summaries.ts'

class Source extends EventTarget {
  readonly CLOSED = 2
  readyState = 1
  readonly address: string

  constructor(address: string) {
    super()
    this.address = address
  }

  close(): void {
    this.readyState = this.CLOSED
  }

  tell(event: MonitorEvent): void {
    this.dispatchEvent(new MessageEvent(event.type, { data: JSON.stringify(event) }))
  }
}

const LONG_MS = 60_000
const SHORT_MS = 1000

function pageOf(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const opened: Source[] = []
  const live = new Live((address) => {
    const source = new Source(address)
    opened.push(source)
    return source as unknown as EventSource
  })
  const open = () => opened.filter((source) => source.readyState !== source.CLOSED)
  return { live, opened, open, addresses: () => open().map(({ address }) => address) }
}

const overviewAt = (now: number, ...groups: string[]): MonitorEvent => ({
  type: 'overview',
  overview: {
    now,
    version: '1',
    clusters: [clusterOf('local')],
    groups: groups.map((group) => summaryOf(group)),
  },
})

const compared = [
  { cluster: 'local', group: 'a' },
  { cluster: 'local', group: 'b' },
]

test('live: a page that is hidden for long ends its streams, and is not cut off by that', (t) => {
  const { live, open } = pageOf(t)
  live.listen(compared)
  open()[0]!.tell(overviewAt(10, 'a', 'b'))
  live.hide()
  t.mock.timers.tick(SHORT_MS)
  assert.deepEqual([open().length, live.state.connection], [2, 'live'])
  t.mock.timers.tick(LONG_MS)
  assert.deepEqual([open().length, live.state.connection, live.state.lostAt], [0, 'paused', undefined])
})

test('live: a page that is seen again opens its streams at once, and knows what it missed', (t) => {
  const { live, open, addresses } = pageOf(t)
  live.listen(compared)
  const before = addresses()
  open()[0]!.tell(overviewAt(10, 'a', 'b'))
  assert.equal(live.state.missedUntil, 0, 'nothing was missed before the first overview')
  live.hide()
  t.mock.timers.tick(LONG_MS)
  live.show()
  assert.deepEqual(addresses(), before)
  for (const source of open()) source.tell(overviewAt(500, 'b'))
  assert.deepEqual([live.state.connection, live.state.missedUntil], ['live', 500])
  assert.deepEqual(
    [...live.state.groups.values()].map(({ group }) => group),
    ['b'],
    'a has gone meanwhile',
  )
})

test('live: a short look at another tab leaves the streams as they are', (t) => {
  const { live, opened, open } = pageOf(t)
  live.listen([{}])
  open()[0]!.tell(overviewAt(10))
  for (let turn = 0; turn < 30; turn++) {
    live.hide()
    t.mock.timers.tick(SHORT_MS)
    live.show()
    t.mock.timers.tick(SHORT_MS)
  }
  assert.deepEqual([opened.length, open().length, live.state.connection], [1, 1, 'live'])
})

test('live: a page that is opened out of sight opens no stream until it is seen, then that of where it is', (t) => {
  const { live, opened, addresses } = pageOf(t)
  live.hide()
  live.listen([{}])
  t.mock.timers.tick(LONG_MS)
  live.listen([{ cluster: 'local', group: 'a' }])
  assert.deepEqual([opened.length, live.state.connection], [0, 'loading'])
  live.show()
  assert.deepEqual(addresses(), ['api/v1/events?cluster=local&group=a'])
})

test('live: a monitor that does not answer is not asked again while the page is hidden', (t) => {
  const { live, opened, open } = pageOf(t)
  live.listen([{}])
  opened[0]!.tell(overviewAt(10))
  opened[0]!.close()
  opened[0]!.dispatchEvent(new Event('error'))
  assert.equal(live.state.connection, 'lost')
  live.hide()
  t.mock.timers.tick(LONG_MS)
  const asked = opened.length
  for (const source of opened) source.dispatchEvent(new Event('error'))
  t.mock.timers.tick(LONG_MS)
  assert.deepEqual([opened.length, open().length, live.state.connection], [asked, 0, 'lost'])
  live.show()
  open()[0]!.tell(overviewAt(900))
  assert.deepEqual([live.state.connection, live.state.missedUntil], ['live', 900])
})
