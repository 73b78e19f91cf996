/** The benchmark of the record path still runs: tiny, and without a look at its figures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchRecords } from '../../bench/records.ts'

test('bench/records: measures every part', () => {
  const rows = benchRecords({ records: 200, recordBytes: 20, batchBytes: 1000, bytes: 5000, milliseconds: 1 })
  assert.ok(rows.length >= 19)
  for (const { what, value } of rows) assert.ok(Number.isFinite(value) && value > 0, what)
})
