/** The page's address: what a link says is what its sender saw, and a link from elsewhere never fails. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type Address,
  HOUR_MS,
  overview,
  readAddress,
  sortKeys,
  statuses,
  writeAddress,
} from '../../src/dashboard/address.ts'

const name = fc.string({ unit: 'grapheme', minLength: 1 })
const range = fc.oneof(
  fc.record({ lastMs: fc.integer({ min: 1, max: 999 }).map((minutes) => minutes * 60_000) }),
  fc.record({ lastMs: fc.integer({ min: 1, max: 99 }).map((days) => days * 24 * HOUR_MS) }),
  fc.tuple(fc.nat(), fc.integer({ min: 1 })).map(([from, width]) => ({ from, to: from + width })),
)
const filters = fc.record({
  search: fc.string({ unit: 'grapheme' }),
  statuses: fc.subarray([...statuses]),
  sort: fc.constantFrom(...sortKeys),
  isReversed: fc.boolean(),
  range,
})
const place = fc.oneof(
  fc.record({ view: fc.constant('overview' as const), cluster: fc.option(name, { nil: undefined }) }),
  fc.record({ view: fc.constant('group' as const), cluster: name, group: name }),
  fc.record({ view: fc.constant('topic' as const), cluster: name, topic: name }),
  fc.record({
    view: fc.constant('partition' as const),
    cluster: name,
    group: name,
    topic: name,
    partition: fc.nat(99_999),
  }),
  fc.record({
    view: fc.constant('compare' as const),
    cluster: name,
    group: name,
    otherCluster: name,
    otherGroup: name,
  }),
)

/** Absent and undefined are the same here. */
const plain = (address: Address) => JSON.parse(JSON.stringify(address)) as Address

test('address: whatever can be shown comes back from its own link', () => {
  fc.assert(
    fc.property(place, filters, (where, what) => {
      const address: Address = { ...what, ...where }
      assert.deepEqual(plain(readAddress(writeAddress(address))), plain(address))
    }),
  )
})

test('address: any text at all is an address, and the view of it has what it needs', () => {
  fc.assert(
    fc.property(fc.string(), fc.webQueryParameters(), (text, query) => {
      for (const one of [text, query, `?view=group&${query}`, `?view=partition&partition=${text}`]) {
        const { view, cluster, group } = readAddress(one)
        if (view === 'group') assert.ok(cluster !== undefined && group !== undefined)
      }
    }),
  )
})

test('address: the first view has a short one, and what is wrong in one is left out', () => {
  assert.equal(writeAddress(overview), '?')
  assert.deepEqual(plain(readAddress('?view=nonsense&sort=up&status=BAD,OK&last=0h')), {
    ...plain(overview),
    statuses: ['OK'],
  })
  assert.deepEqual(readAddress('?from=5&to=4').range, overview.range)
  assert.deepEqual(readAddress('?last=6h').range, { lastMs: 6 * HOUR_MS })
  assert.equal(writeAddress({ ...overview, range: { lastMs: 90 * 60_000 } }), '?last=90m')
})
