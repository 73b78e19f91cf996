/** Windows of metrics: figures worked out by hand after Java's SampledStat and Rate. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchTally } from '../../../src/client/consumer/fetch-tally.ts'
import { Sensor } from '../../../src/client/consumer/sensor.ts'

const window = { sampleMs: 30_000, samples: 2 }

test('average, maximum and minimum cover the window, totals everything', () => {
  const sensor = new Sensor(window)
  assert.ok(Number.isNaN(sensor.average(0)))
  assert.ok(Number.isNaN(sensor.maximum(0)))
  assert.ok(Number.isNaN(sensor.minimum(0)))
  sensor.record(10, 0)
  sensor.record(20, 29_999)
  sensor.record(60, 30_000)
  assert.deepEqual([sensor.average(30_000), sensor.maximum(30_000), sensor.minimum(30_000)], [30, 60, 10])
  // The first sample's last event is 60 s old: it is out.
  assert.deepEqual([sensor.average(89_999), sensor.maximum(89_999), sensor.minimum(89_999)], [60, 60, 60])
  assert.ok(Number.isNaN(sensor.average(90_000)))
  assert.deepEqual([sensor.totalCount, sensor.totalSum], [3, 90])
})

test('a rate counts the window as all but whole from the start', () => {
  const sensor = new Sensor(window)
  sensor.record(300, 1000)
  assert.equal(sensor.sumPerSecond(1000), 10)
  assert.equal(sensor.countPerSecond(1000), 1 / 30)
  // Half a sample has passed beside the one that is assumed.
  assert.equal(sensor.sumPerSecond(16_000), 300 / 45)
  sensor.record(300, 31_000)
  assert.equal(sensor.sumPerSecond(46_000), 600 / 45)
  assert.equal(new Sensor(window).sumPerSecond(0), 0)
})

test('a sample that reaches into the window still counts', () => {
  const sensor = new Sensor(window)
  for (let atMs = 0; atMs < 300_000; atMs += 1000) sensor.record(1, atMs)
  const rate = sensor.countPerSecond(299_500)
  assert.ok(rate > 0.97 && rate < 1.03, `${rate} a second`)
})

test('a fetch is told when all of its partitions are drained', () => {
  let told: [string, number][] | undefined
  const tally = new FetchTally(2, ({ byTopic }) => {
    told = [...byTopic].map(([topic, { records }]) => [topic, records])
  })
  tally.add('a', 3, 30)
  tally.partitionDone()
  assert.equal(told, undefined)
  tally.add('a', 4, 40)
  tally.add('b', 1, 10)
  tally.partitionDone()
  assert.deepEqual(told, [
    ['a', 7],
    ['b', 1],
  ])
})
