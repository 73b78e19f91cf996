/** Search, filters, order and time range stand in the address: a link shows the same, and the browser's way back works. By keyboard, too. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { until } from '../support/until.ts'
import { openPage, startChromium } from './chromium.ts'
import { CLUSTER, fill, watchBroker } from './watched-broker.ts'

let browser: Browser
before(async () => {
  browser = await startChromium()
})
after(() => browser.close())

const listed = (page: Page) => page.locator('.groups .rows .row .group a').allInnerTexts()

async function lists(page: Page, groups: readonly string[]): Promise<void> {
  await until(async () => (await listed(page)).join() === groups.join(), { everyMs: 50, what: groups.join() }).catch(
    async (error: Error) => {
      throw new Error(`${error.message}, but ${(await listed(page)).join()}`)
    },
  )
}

test('address: what is chosen on the overview is in the link, and another person’s page shows the same', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page } = await openPage(t, browser, watched.url)
  await page.getByRole('link', { name: 'shipping' }).waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('ing')
  await lists(page, ['shipping', 'billing'])
  await page.getByLabel('Sorted by').selectOption('group')
  await lists(page, ['billing', 'shipping'])
  await page.getByRole('button', { name: 'Reverse the order' }).click()
  await lists(page, ['shipping', 'billing'])
  await page.getByRole('group', { name: 'Filter by status' }).getByRole('button', { name: 'OK' }).click()
  await lists(page, ['billing'])
  const { page: other } = await openPage(t, browser, page.url())
  await lists(other, ['billing'])
  assert.equal(await other.getByLabel('Search groups').inputValue(), 'ing')
  await page.goBack()
  await lists(page, ['shipping', 'billing'])
  await page.goForward()
  await lists(page, ['billing'])
})

test('address: a time range is in the link; the way back leads to the overview as it was', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page } = await openPage(t, browser, `${watched.url}/?q=ship`)
  await page.getByRole('link', { name: 'shipping' }).press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Group shipping' }).waitFor()
  await page.getByRole('button', { name: '6h' }).click()
  assert.equal(new URL(page.url()).searchParams.get('last'), '6h')
  await page.getByRole('button', { name: 'Earlier' }).click()
  const { searchParams } = new URL(page.url())
  const [from, to] = [Number(searchParams.get('from')), Number(searchParams.get('to'))]
  assert.equal(to - from, 6 * 3_600_000)
  const { page: other } = await openPage(t, browser, page.url())
  await other.getByRole('button', { name: 'Other …', pressed: true }).waitFor()
  await page.goBack()
  await page.goBack()
  await page.goBack()
  await lists(page, ['shipping'])
})

test('address: by keyboard from the strip of partitions to a partition, and what stands under the cursor is said', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page } = await openPage(t, browser, `${watched.url}/?view=group&cluster=${CLUSTER}&group=shipping&last=15m`)
  const strip = page.getByRole('application')
  await strip.focus()
  await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('ArrowDown')
  await page.locator('.heat .readout', { hasText: /orders 1, \d\d:\d\d:\d\d: lag 50/ }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'orders, partition 1' }).waitFor()
  const samples = page.getByRole('table', { name: 'Samples' })
  assert.match(await samples.locator('tbody tr').first().innerText(), /150\t200\t50/)
})

test('address: the language and the colours that were chosen stay chosen', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const { page } = await openPage(t, browser, watched.url)
  await page.getByLabel('Language').selectOption('ko')
  await page.getByRole('heading', { name: '컨슈머 그룹' }).waitFor()
  await page.getByLabel('색상').selectOption('dark')
  await page.reload()
  await page.getByRole('heading', { name: '컨슈머 그룹' }).waitFor()
  assert.equal(await page.evaluate('document.documentElement.lang'), 'ko')
  assert.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark')
})

test('address: the evidence and what happened are said in the language of the page, numbers in the locale of the reader', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 } })
  await fill(watched)
  const url = `${watched.url}/?view=group&cluster=${CLUSTER}&group=shipping&last=15m`
  const evidence = async (locale: string) => {
    const { page } = await openPage(t, browser, url, { locale })
    await page.locator('[data-status=ERROR] .evidence').waitFor()
    return page.locator('.evidence').innerText()
  }
  assert.match(
    await evidence('en-GB'),
    /^The commit has stood at 1?\d\d for \d+s.*; \d+ records.* wait\. The group has no members\.$/,
  )
  assert.match(await evidence('ko-KR'), /^커밋이 \d+초째 1?\d\d에 멈춰 .* 그룹에 멤버가 없습니다\.$/)
})
