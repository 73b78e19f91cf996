/** docs/handlers.md names what the code writes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { deadLetterHeaders } from '../../src/app/dead-letters.ts'
import { onFailures } from '../../src/app/failure-policy.ts'
import { MOST_AHEAD, orders } from '../../src/app/handler-lane.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'handlers.md'), 'utf8')
const firstCells = [...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name)

test('docs/handlers.md: the orders, the ways of failures and the headers of dead letters, all of them and no other', () => {
  assert.deepEqual(firstCells, ['order', ...orders, 'on.failure', ...onFailures, ...Object.values(deadLetterHeaders)])
  assert.ok(page.includes(`at most ${MOST_AHEAD.toLocaleString('en')} records`))
})
