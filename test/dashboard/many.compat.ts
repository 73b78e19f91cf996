/** Two thousand groups, and a group of two thousand partitions: the page draws what is in sight, and reaches all of it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { benchDashboard } from '../../bench/dashboard.ts'
import { until } from '../support/until.ts'
import { assertAccessible, openPage, startChromium } from './chromium.ts'
import { groupName, serveManyGroups } from './many-groups.ts'

let browser: Browser
before(async () => {
  browser = await startChromium()
})
after(() => browser.close())

/** Whatever is in sight, and some beside it. */
const MOST_ROWS = 80

test('many: of two thousand groups some tens are drawn, all are reached, and a sample changes what is in sight', async (t) => {
  const many = await serveManyGroups(2000, 2)
  t.after(() => many.stop())
  const { page, complaints } = await openPage(t, browser, `${many.url}/?sort=group`)
  const rows = page.locator('.groups .rows .row')
  await page.getByRole('link', { name: groupName(0) }).waitFor()
  assert.ok((await rows.count()) <= MOST_ROWS, `${await rows.count()} rows`)
  await page.getByText('2,000 of 2,000 groups').waitFor()
  assert.equal(await page.getByRole('table').getAttribute('aria-rowcount'), '2001')
  await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
  const last = rows.filter({ hasText: groupName(1999) })
  await last.waitFor()
  assert.equal(await last.getAttribute('aria-rowindex'), '2001')
  assert.ok((await rows.count()) <= MOST_ROWS)
  const lag = last.locator('.lag')
  const before = await lag.innerText()
  await many.tick()
  await until(async () => (await lag.innerText()) !== before, { everyMs: 50, what: 'the lag changes in place' })
  await assertAccessible(page, 'the end of a long list')
  assert.deepEqual(complaints, [])
})

test('many: a group of two thousand partitions is shown as quickly as one of two', async (t) => {
  const many = await serveManyGroups(1, 2000)
  t.after(() => many.stop())
  const { page, complaints } = await openPage(t, browser, `${many.url}/?view=group&cluster=local&group=${groupName(0)}`)
  const rows = page.locator('.partitions .rows .row')
  await rows.first().waitFor()
  assert.ok((await rows.count()) <= MOST_ROWS)
  await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
  await until(async () => (await rows.last().getAttribute('aria-rowindex')) === '2001', {
    everyMs: 50,
    what: 'the last partition',
  })
  const strip = page.getByRole('application')
  await strip.press('ArrowLeft')
  for (const key of ['PageDown', 'PageDown', 'PageDown']) await strip.press(key)
  await page.locator('.heat .readout', { hasText: 'topic-0 60' }).waitFor()
  assert.deepEqual(complaints, [])
})

test('many: the benchmark of frame times runs', async () => {
  const lines: string[] = []
  const results = await benchDashboard({
    groups: 50,
    partitions: 2,
    samples: 2,
    intervalMs: 200,
    print: (line) => lines.push(line),
  })
  assert.deepEqual(
    results.map(({ view }) => view),
    ['overview', 'group'],
  )
  assert.ok(results.every(({ frames, p50 }) => frames > 0 && p50 > 0))
  assert.equal(lines.length, 2)
})
