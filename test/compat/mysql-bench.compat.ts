/** bench/mysql-sink.ts runs, tiny: against rot, not for its figures. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchMysqlSink } from '../../bench/mysql-sink.ts'

test('bench: the mysql sink and LOAD DATA store the same rows', async () => {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  const figures = await benchMysqlSink({ rows: 3000, rounds: 2, flushRecords: 1000, server: 'mariadb', print })
  assert.equal(figures.length, 2)
  for (const one of figures) for (const perSecond of Object.values(one)) assert.ok(perSecond > 0)
  assert.match(lines[0]!, /^round 1 {2}load +\d+ k rows\/s {2}sink +\d+ k rows\/s, ratio \d+\.\d\d/)
})
