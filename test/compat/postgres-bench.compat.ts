/** bench/postgres-sink.ts runs, tiny: against rot, not for its figures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchPostgresSink } from '../../bench/postgres-sink.ts'

test('bench: the postgres sink and psql store the same rows', async () => {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  const figures = await benchPostgresSink({ rows: 3000, rounds: 2, flushRecords: 1000, print })
  assert.equal(figures.length, 2)
  for (const one of figures) for (const perSecond of Object.values(one)) assert.ok(perSecond > 0)
  assert.match(lines[0]!, /^round 1 {2}\\copy +\d+ k rows\/s {2}sink +\d+ k rows\/s, ratio \d+\.\d\d/)
})
