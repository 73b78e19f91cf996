/** bench/lag.ts, in small: that it still runs, and measures something. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { benchLag, sourceProgram } from '../../bench/lag.ts'

test('bench/lag.ts: small groups on the embedded broker, judged by a monitor of its own', async () => {
  const printed: string[] = []
  const result = await benchLag({
    program: sourceProgram,
    groups: 25,
    partitions: 4,
    samples: 2,
    intervalMs: 500,
    print: (line) => void printed.push(line),
  })
  assert.equal(result.pairs, 100)
  assert.equal(
    Object.values(result.statuses).reduce((sum, count) => sum + count, 0),
    25,
  )
  assert.ok(result.cpuShare > 0 && result.residentMb > 0 && result.peakMb >= result.residentMb, JSON.stringify(result))
  assert.ok(result.requestsPerSample > 0 && result.requestsPerSample < 25, `${result.requestsPerSample} requests`)
  assert.ok(result.answers.length > 4 && result.answers.every(({ count, p50, p99 }) => count > 0 && p99 >= p50))
  assert.equal(printed.length, 3)
})
