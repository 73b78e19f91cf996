/** Every view of the page in a real Chromium: what it shows, that nothing is cut on a phone, that nobody is left out, in both colours. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { assertAccessible, assertFits, openPage, screenshot, startChromium } from './chromium.ts'
import { CLUSTER, fill, KOREAN_GROUP, watchBroker } from './watched-broker.ts'

let browser: Browser
before(async () => {
  browser = await startChromium()
})
after(() => browser.close())

const views = {
  overview: { query: '?', ready: 'text=shipping' },
  filtered: { query: '?q=i&status=ERROR,OK&sort=group&reversed=', ready: 'text=billing' },
  nothing: { query: '?q=no-such-group', ready: 'text=No group matches.' },
  group: { query: `?view=group&cluster=${CLUSTER}&group=shipping&last=15m`, ready: '.partitions >> text=orders' },
  topics: { query: '?view=topics', ready: 'text=orders' },
  topic: { query: `?view=topic&cluster=${CLUSTER}&topic=orders`, ready: '.topic-partitions >> text=200' },
  partition: {
    query: `?view=partition&cluster=${CLUSTER}&group=shipping&topic=orders&partition=0&last=15m`,
    ready: 'text=What the rule saw',
  },
  compare: {
    query: `?view=compare&cluster=${CLUSTER}&group=shipping&with-cluster=${CLUSTER}&with-group=billing&last=15m`,
    ready: 'td >> text=billing',
  },
  korean: {
    query: `?view=group&cluster=${CLUSTER}&group=shipping&last=15m`,
    ready: 'text=모든 파티션',
    locale: 'ko-KR',
  },
} as const

test('page: every view, wide and narrow, light and dark: nothing cut, nothing that axe minds, nobody else asked', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  for (const [name, { query, ready, ...options }] of Object.entries(views)) {
    for (const width of [1280, 400]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const what = `${name}-${width}-${colorScheme}`
        const { page, complaints, hosts } = await openPage(t, browser, `${watched.url}/${query}`, {
          viewport: { width, height: width === 400 ? 800 : 900 },
          colorScheme,
          ...options,
        })
        await page.waitForSelector(ready)
        await page.waitForSelector('[data-connection=live]')
        await assertFits(page, what)
        await assertAccessible(page, what)
        await screenshot(page, what)
        assert.deepEqual(complaints, [], what)
        assert.deepEqual([...hosts], [new URL(watched.url).host], what)
        await page.context().close()
      }
    }
  }
})

test('page: a name with every kind of character is shown as it is and leads to its group', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page, complaints } = await openPage(t, browser, watched.url)
  await page.getByRole('link', { name: KOREAN_GROUP }).click()
  await page.getByRole('heading', { level: 1, name: KOREAN_GROUP }).waitFor()
  assert.equal(new URL(page.url()).searchParams.get('group'), KOREAN_GROUP)
  await page.reload()
  await page.getByRole('heading', { level: 1, name: KOREAN_GROUP }).waitFor()
  assert.deepEqual(complaints, [])
})
