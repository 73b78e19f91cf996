/** Numbers, durations and times in the reader's locale. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { DASH, durationParts, formatsFor } from '../../src/dashboard/format.ts'

const english = formatsFor('en-US')
const korean = formatsFor('ko-KR')
const german = formatsFor(['de-DE', 'en'])

test('format: numbers follow the locale, and what is not known is a dash, never zero', () => {
  assert.equal(english.number(1_234_567), '1,234,567')
  assert.equal(german.number(1_234_567), '1.234.567')
  assert.equal(english.compact(1_234_567), '1.23M')
  assert.equal(korean.compact(1_234_567), '123만')
  assert.equal(english.percent(0.5), '50%')
  for (const { number, compact, rate, duration, time } of [english, korean])
    for (const text of [number(null), compact(null), rate(null), duration(null), time(null)]) assert.equal(text, DASH)
})

test('format: rates keep what says something', () => {
  assert.deepEqual([0, 0.034, 2.55, 12.3, 4321].map(english.rate), ['0/s', '0.034/s', '2.6/s', '12/s', '4,321/s'])
})

test('format: a duration has its two largest units', () => {
  assert.equal(english.duration(0), '0s')
  assert.equal(english.duration(45), '45s')
  assert.equal(english.duration(125), '2m 5s')
  assert.equal(english.duration(3600), '1h')
  assert.equal(english.duration(187_200), '2d 4h')
  assert.equal(korean.duration(125), '2분 5초')
})

test('format: the units of a duration make it up to less than its smallest', () => {
  const seconds = { day: 86_400, hour: 3600, minute: 60, second: 1 }
  fc.assert(
    fc.property(fc.nat(100_000_000), (whole) => {
      const parts = durationParts(whole)
      const told = parts.reduce((sum, [count, unit]) => sum + count * seconds[unit], 0)
      assert.ok(told <= whole && parts.length >= 1 && parts.length <= 2)
      const first = seconds[parts[0]![1]]
      const smallest = Object.values(seconds).find((one) => one < first) ?? 1
      assert.ok(whole - told < smallest, `${whole}: ${JSON.stringify(parts)}`)
    }),
  )
})

test('format: a time of another day says which', () => {
  const noon = new Date(2026, 10, 26, 12, 30, 15).getTime()
  assert.equal(english.time(noon, noon), '12:30:15')
  assert.match(english.time(noon, noon + 2 * 86_400_000), /Nov 26.*12:30/)
})
