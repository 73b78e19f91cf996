/** When a record was written, from how the log end moved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { LogEnds } from '../../src/lag/log-ends.ts'

const endsOf = (points: readonly (readonly [at: number, end: number])[]) =>
  new LogEnds(points.map(([at, end]) => ({ at, end })))

test('log ends: between two points the moment is in proportion', () => {
  const ends = endsOf([
    [0, 100],
    [10_000, 200],
  ])
  assert.equal(ends.writtenAt(100), 0)
  assert.equal(ends.writtenAt(150), 5000)
  assert.equal(ends.writtenAt(199), 9900)
})

test('log ends: what was not written yet, or before anybody looked, is not known', () => {
  const ends = endsOf([
    [0, 100],
    [10_000, 200],
  ])
  assert.equal(ends.writtenAt(200), undefined)
  assert.equal(ends.writtenAt(99), undefined)
  assert.equal(new LogEnds().writtenAt(0), undefined)
})

test('log ends: after a pause of the producers a record is as old as its own writing, not as the pause', () => {
  const ends = endsOf([
    [0, 100],
    [10_000, 100],
    [3_600_000, 100],
    [3_610_000, 110],
  ])
  assert.equal(ends.writtenAt(100), 3_600_000)
})

test('log ends: an end that fell, or an older look, is not taken', () => {
  const ends = endsOf([
    [0, 100],
    [10_000, 200],
  ])
  assert.equal(ends.push(20_000, 150), false)
  assert.equal(ends.push(5000, 300), false)
  assert.deepEqual(ends.last, { at: 10_000, end: 200 })
})

test('log ends: a rate counts from the last point before the time asked for', () => {
  const ends = endsOf([
    [0, 0],
    [10_000, 100],
    [20_000, 400],
  ])
  assert.equal(ends.ratePerSecond(10_000), 30)
  assert.equal(ends.ratePerSecond(-5), 20)
  assert.equal(endsOf([[0, 0]]).ratePerSecond(0), undefined)
})

test('log ends: room is bounded, moments stay within the points around them, and grow with the offset', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.nat(500)), { minLength: 2, maxLength: 400 })
  fc.assert(
    fc.property(steps, (moves) => {
      const ends = new LogEnds()
      const writtenBetween: [offset: number, after: number, before: number][] = []
      let [at, end] = [0, 0]
      ends.push(at, end)
      for (const [wait, more] of moves) {
        if (more > 0) writtenBetween.push([end, at, at + wait])
        at += wait
        end += more
        ends.push(at, end)
      }
      assert.ok(ends.length <= 64)
      let last = 0
      for (const [offset, after, before] of writtenBetween) {
        const moment = ends.writtenAt(offset)
        if (moment === undefined) continue
        assert.ok(moment >= last, 'later records are not older')
        last = moment
        // Where nothing was thinned out, it is exact.
        if (moves.length < 60) assert.ok(moment >= after && moment <= before, `${moment} within ${after} to ${before}`)
      }
    }),
  )
})
