/** The page while things happen: a real consumer that is slowed, stopped and started again; a cluster and a monitor that go away and come back. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import type { Consumer } from '../../src/client/consumer/index.ts'
import { startBroker } from '../../src/testing/index.ts'
import { startKafka } from '../compat/kafka.ts'
import { until } from '../support/until.ts'
import { assertAccessible, openPage, screenshot, startChromium } from './chromium.ts'
import { type Cluster, CLUSTER, fill, watchBroker, watchCluster, type WatchedCluster } from './watched-broker.ts'

let browser: Browser
before(async () => {
  browser = await startChromium()
})
after(() => browser.close())

const GROUP = 'order-mailer'
const PRODUCED_AT_ONCE = 10
const PRODUCE_EVERY_MS = 100
/** A record each time: a tenth of what is written. */
const SLOW_RECORD_MS = 100

/** Writes on and on, until the test ends. */
function keepProducing(watched: WatchedCluster): void {
  const ending = new AbortController()
  const writing = (async () => {
    while (!ending.signal.aborted) {
      await watched.produce('orders', 0, PRODUCED_AT_ONCE)
      await sleep(PRODUCE_EVERY_MS)
    }
  })()
  watched.stop(async () => {
    ending.abort()
    await writing
  })
}

/** Reads and commits: all that there is, or record by record and slowly. */
class Reader {
  isSlow = false
  #isOver = false
  readonly #consumer: Consumer
  readonly #reading: Promise<void>

  constructor(watched: WatchedCluster) {
    this.#consumer = watched.consumer(GROUP, { 'max.poll.records': 500 })
    this.#consumer.subscribe(['orders'])
    this.#reading = this.#read()
    watched.stop(() => this.stop())
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#reading
    await this.#consumer.close()
  }

  async #read(): Promise<void> {
    while (!this.#isOver) {
      const records = await this.#consumer.poll(100)
      for (const { topic, partition, offset } of records) {
        if (!this.isSlow || this.#isOver) continue
        await sleep(SLOW_RECORD_MS)
        await this.#consumer.commitSync([[{ topic, partition }, { offset: offset + 1 }]])
      }
      if (records.count > 0 && !this.isSlow) await this.#consumer.commitSync()
    }
  }
}

const clusters: Record<string, () => Promise<Cluster>> = {
  'the embedded broker': startBroker,
  'Apache Kafka': startKafka,
}

for (const [name, start] of Object.entries(clusters)) {
  test(`live: over ${name} a consumer is slowed, stopped and started again: OK, Warning, Error, OK, on both views, without reloading`, async (t) => {
    const watched = await watchCluster(t, await start())
    await watched.admin.createTopics([{ name: 'orders', partitions: 1 }])
    keepProducing(watched)
    const first = new Reader(watched)
    await watched.seen(GROUP, ({ members }) => members === 1, 'the consumer is in its group')
    const overview = await openPage(t, browser, watched.url)
    const group = await openPage(t, browser, `${watched.url}/?view=group&cluster=${CLUSTER}&group=${GROUP}&last=15m`)
    await group.page.evaluate('globalThis.wasNotReloaded = true')
    const shows = async (status: string, word: string) => {
      await group.page.locator(`.verdict[data-status=${status}]`).waitFor()
      await overview.page.locator('.groups .row', { hasText: GROUP }).getByText(word, { exact: true }).waitFor()
    }
    await shows('OK', 'OK')
    first.isSlow = true
    await shows('WARNING', 'Warning')
    await group.page.getByText('It reads, and the lag rises.').waitFor()
    await screenshot(group.page, 'live-warning-1280-light')
    await first.stop()
    await shows('ERROR', 'Error')
    await group.page.getByText('No members: the group is empty.').waitFor()
    const second = new Reader(watched)
    await shows('OK', 'OK')
    const events = group.page.locator('.events')
    await events.getByText('WARNING to ERROR').waitFor()
    await events.getByText('ERROR to OK').first().waitFor()
    await screenshot(group.page, 'live-ok-again-1280-light')
    assert.equal(await group.page.evaluate('globalThis.wasNotReloaded'), true)
    assert.deepEqual([...overview.complaints, ...group.complaints], [])
    await second.stop()
  })
}

test('live: a cluster that goes away is said to be stale, since when and why, until it is back', async (t) => {
  const watched = await watchBroker(t, {
    topics: { orders: 3, clicks: 1 },
    clusters: { elsewhere: { 'bootstrap.servers': '127.0.0.1:1', 'sample.interval.ms': 250 } },
  })
  await fill(watched)
  const { page } = await openPage(t, browser, watched.url)
  await page.getByText('elsewhere could not be read yet.').waitFor()
  assert.equal(await page.locator('[data-stale=local]').count(), 0, 'another cluster’s trouble is not this one’s')
  await watched.broker.kill()
  const notice = page.locator('[data-stale=local]')
  await notice.waitFor()
  assert.match(
    await notice.innerText(),
    /local cannot be read since \d\d:\d\d:\d\d \(.+\): its groups stand as they were/,
  )
  await page.getByRole('link', { name: 'shipping' }).waitFor()
  await page.locator('.cluster.stale', { hasText: 'local' }).waitFor()
  const looks = await page.evaluate(
    "[...document.querySelectorAll('.cluster.stale button')].map((card) => getComputedStyle(card).backgroundColor)",
  )
  assert.ok(
    Array.isArray(looks) && looks.length === 2 && looks[0] === looks[1],
    `both cards look stale: ${String(looks)}`,
  )
  await assertAccessible(page, 'a stale cluster')
  await screenshot(page, 'stale-1280-light')
  await watched.broker.restart()
  await notice.waitFor({ state: 'detached' })
})

test('live: a monitor that goes away is said, and the page goes on by itself when it is back', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page } = await openPage(t, browser, watched.url)
  await page.locator('[data-connection=live]').waitFor()
  await watched.stopMonitor()
  await page.getByRole('alert').getByText('The monitor does not answer since').waitFor()
  await page.getByRole('link', { name: 'shipping' }).waitFor()
  await screenshot(page, 'lost-1280-light')
  await watched.restartMonitor()
  await page.locator('[data-connection=live]').waitFor()
  await page.getByRole('alert').waitFor({ state: 'detached' })
})

/** More than the connections that the browser has for one host. */
const TABS = 8

/** Pages of a headless browser are all seen; this one is told otherwise. */
async function look(page: Page, state: 'hidden' | 'visible'): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' })
    document.dispatchEvent(new Event('visibilitychange'))
  `)
}

test('live: of eight tabs the one that is seen is live, and another one is as soon as it is looked at', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const compared = `view=compare&cluster=${CLUSTER}&group=shipping&with-cluster=${CLUSTER}&with-group=billing&last=15m`
  const { page: first } = await openPage(t, browser, `${watched.url}/?${compared}`)
  const billing = first.getByRole('cell', { name: 'billing' })
  await billing.waitFor()
  const hidden: Page[] = []
  let seen = first
  while (hidden.length < TABS - 1) {
    await look(seen, 'hidden')
    hidden.push(seen)
    seen = await first.context().newPage()
    await seen.goto(watched.url)
    await seen.locator('[data-connection=live]').waitFor()
  }
  await until(() => watched.openStreams() === 1, { what: 'the hidden tabs listen no more' })
  await watched.commit('payments', 'clicks', [5])
  await watched.admin.deleteGroups(['billing'])
  await seen.getByRole('link', { name: 'payments' }).waitFor()
  await seen.getByRole('link', { name: 'billing' }).waitFor({ state: 'detached' })
  for (const page of hidden) {
    assert.equal(await page.locator('[data-connection]').getAttribute('data-connection'), 'paused')
    assert.equal(await page.getByRole('alert').count(), 0, 'a hidden tab is not cut off')
  }
  assert.equal(await billing.count(), 1, 'a hidden tab hears nothing')
  await look(seen, 'hidden')
  const filled = first.waitForRequest(/shipping\/history/)
  await look(first, 'visible')
  await billing.waitFor({ state: 'detached' })
  await first.getByRole('cell', { name: 'shipping' }).waitFor()
  await filled
  await look(hidden[1]!, 'visible')
  await hidden[1]!.getByRole('link', { name: 'payments' }).waitFor()
  await until(() => watched.openStreams() === 3, { what: 'two groups are compared, and one tab has them all' })
})
