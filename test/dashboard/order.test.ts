/** Which groups the overview lists, and in which order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overview } from '../../src/dashboard/address.ts'
import { countsOf, listed } from '../../src/dashboard/order.ts'
import { summaryOf } from './summaries.ts'

const groups = [
  summaryOf('b-ok', { totalLag: 900, lagSeconds: 3, members: 2 }),
  summaryOf('a-error', { status: 'ERROR', totalLag: 5, lagSeconds: 60 }),
  summaryOf('Orders-Warning', { status: 'WARNING', totalLag: 70, lagSeconds: null, cluster: 'west' }),
  summaryOf('c-error', { status: 'ERROR', totalLag: 50, lagSeconds: 1, members: 9 }),
  summaryOf('z-unknown', { status: 'UNKNOWN', totalLag: null }),
]
const names = (wanted: Partial<typeof overview>) => listed(groups, { ...overview, ...wanted }).map(({ group }) => group)

test('order: worst first is status, then lag; what is not known comes last', () => {
  assert.deepEqual(names({}), ['c-error', 'a-error', 'Orders-Warning', 'b-ok', 'z-unknown'])
  assert.deepEqual(names({ sort: 'lag' }), ['b-ok', 'Orders-Warning', 'c-error', 'a-error', 'z-unknown'])
  assert.deepEqual(names({ sort: 'time' })[0], 'a-error')
  assert.deepEqual(names({ sort: 'members' }).slice(0, 2), ['c-error', 'b-ok'])
  assert.deepEqual(names({ sort: 'group', isReversed: true })[0], 'z-unknown')
})

test('order: filters by words in any case, by status and by cluster', () => {
  assert.deepEqual(names({ search: 'ERROR a-' }), ['a-error'])
  assert.deepEqual(names({ search: 'west ord' }), ['Orders-Warning'])
  assert.deepEqual(names({ statuses: ['OK', 'UNKNOWN'] }), ['b-ok', 'z-unknown'])
  assert.deepEqual(names({ cluster: 'west' }), ['Orders-Warning'])
  assert.deepEqual(names({ search: 'nothing like it' }), [])
})

test('order: two groups that stand alike keep their places', () => {
  const alike = ['d', 'a', 'c', 'b'].map((name) => summaryOf(name))
  assert.deepEqual(
    listed(alike, overview).map(({ group }) => group),
    ['a', 'b', 'c', 'd'],
  )
})

test('order: groups are counted by status', () => {
  assert.deepEqual(countsOf(groups), { ERROR: 2, WARNING: 1, OK: 1, UNKNOWN: 1 })
})
