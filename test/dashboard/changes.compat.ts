/** Changing a group from the page: shown first, then done; not while it has members, not without the token. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser } from 'playwright-core'
import { until } from '../support/until.ts'
import { assertAccessible, assertFits, openPage, screenshot, startChromium } from './chromium.ts'
import { CLUSTER, fill, TOKEN, watchBroker } from './watched-broker.ts'

let browser: Browser
before(async () => {
  browser = await startChromium()
})
after(() => browser.close())

const groupAt = (url: string, group: string) => `${url}/?view=group&cluster=${CLUSTER}&group=${group}&last=15m`

test('page: offsets are reset and a group is deleted, after a dry run, with the token', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 3, clicks: 1 }, allowChanges: true })
  await fill(watched)
  const { page } = await openPage(t, browser, groupAt(watched.url, 'shipping'), {
    viewport: { width: 400, height: 800 },
  })
  await page.getByRole('button', { name: 'Reset offsets' }).click()
  const token = page.getByLabel('Token')
  await token.fill('wrong')
  await page.getByRole('button', { name: 'Show what it would do' }).click()
  await page.getByRole('alert').getByText('this takes the token').waitFor()
  await token.fill(TOKEN)
  await page.locator('.change-form select').first().selectOption('shift')
  await page.getByLabel('By how many').fill('-20')
  await page.getByRole('button', { name: 'Show what it would do' }).click()
  await page.getByText('Nothing was changed yet').waitFor()
  const rows = page.locator('.change-form tbody tr')
  assert.deepEqual(await rows.allInnerTexts(), [
    'orders\t0\t20\t0\t180\t200',
    'orders\t1\t150\t130\t50\t70',
    'orders\t2\t200\t180\t0\t20',
  ])
  await assertFits(page, 'the dry run')
  await assertAccessible(page, 'the dry run')
  await screenshot(page, 'changes-400-light')
  assert.equal((await watched.group('shipping')).totalLag, 230)
  await page.getByRole('button', { name: 'Set these offsets' }).click()
  await page.getByText('Done.').waitFor()
  await watched.seen('shipping', ({ totalLag }) => totalLag === 290, 'the new lag')

  await page.getByRole('button', { name: 'Delete the group …' }).click()
  await page.getByRole('button', { name: 'Show what it would do' }).click()
  await page.getByRole('button', { name: 'Delete the group and these offsets' }).click()
  await page.getByText('There is no group shipping on local').waitFor()
  assert.ok(!(await watched.overview()).groups.some(({ group }) => group === 'shipping'))
})

test('page: a group with members cannot be changed, and without --allow-changes there is nothing to change with', async (t) => {
  const watched = await watchBroker(t, { topics: { orders: 1 }, allowChanges: true })
  const consumer = watched.consumer('busy')
  await watched.produce('orders', 0, 5)
  consumer.subscribe(['orders'])
  await until(async () => (await consumer.poll(200)).count > 0, { what: 'the consumer reads' })
  await consumer.commitSync()
  await watched.seen('busy', ({ members }) => members === 1, 'the member is seen')
  const { page } = await openPage(t, browser, groupAt(watched.url, 'busy'))
  await page.getByText('The group has members').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Reset offsets' }).isDisabled())

  const off = await watchBroker(t, { topics: { orders: 1 } })
  await off.produce('orders', 0, 5)
  await off.commit('idle', 'orders', [1])
  await off.seen('idle', () => true, 'the group is seen')
  const { page: other } = await openPage(t, browser, groupAt(off.url, 'idle'))
  await other.locator('.partitions').getByText('orders').waitFor()
  assert.equal(await other.getByRole('button', { name: 'Reset offsets' }).count(), 0)
})
