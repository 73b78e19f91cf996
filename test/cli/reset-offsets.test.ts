import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../../src/cli/exit.ts'
import { durationMs, parseTopicOption, targetOf, timeOf } from '../../src/cli/reset-offsets.ts'

await test('reset-offsets: exactly one target, in the right form', () => {
  assert.deepEqual(targetOf({ toEarliest: true }, 0), { kind: 'spec', spec: 'earliest' })
  assert.deepEqual(targetOf({ toOffset: '12' }, 0), { kind: 'offset', offset: 12 })
  assert.deepEqual(targetOf({ shiftBy: '-3' }, 0), { kind: 'shift', by: -3 })
  assert.deepEqual(targetOf({ byDuration: 'PT1M' }, 100_000), { kind: 'spec', spec: 40_000 })
  assert.throws(() => targetOf({}, 0), UsageError)
  assert.throws(() => targetOf({ toEarliest: true, toLatest: true }, 0), UsageError)
  assert.throws(() => targetOf({ toOffset: '-1' }, 0), /--to-offset takes a whole number, not "-1"/)
  assert.throws(() => targetOf({ shiftBy: '1.5' }, 0), /--shift-by takes/)
})

await test('reset-offsets: times are UTC unless they say otherwise', () => {
  assert.equal(timeOf('2026-11-24T18:00:00.000'), Date.UTC(2026, 10, 24, 18))
  assert.equal(timeOf('2026-11-24T18:00:00.000+02:00'), Date.UTC(2026, 10, 24, 16))
  assert.equal(timeOf('2026-11-24T18:00'), Date.UTC(2026, 10, 24, 18))
  for (const text of ['yesterday', '2026-11-24', '2026-13-24T00:00:00']) assert.throws(() => timeOf(text), UsageError)
})

await test('reset-offsets: durations are ISO 8601', () => {
  assert.equal(durationMs('PT1H30M'), 5_400_000)
  assert.equal(durationMs('P1DT0.5S'), 86_400_500)
  for (const text of ['P', 'PT', '1h', 'P1DT', 'PT-1S', '']) assert.throws(() => durationMs(text), UsageError, text)
})

await test('reset-offsets: a topic with or without partitions', () => {
  assert.deepEqual(parseTopicOption('flights'), { topic: 'flights', partitions: undefined })
  assert.deepEqual(parseTopicOption('my.topic:0,2'), { topic: 'my.topic', partitions: [0, 2] })
  assert.throws(() => parseTopicOption('flights:'), UsageError)
})
