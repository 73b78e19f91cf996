import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onTermination } from '../../src/cli/signals.ts'
import type { Clock } from '../../src/seams/clock.ts'

await test('signals: one Ctrl-C that arrives several times is one; a second press ends at once; after the end none matters', (t) => {
  let now = 1000
  const clock = { monotonic: () => now } as Clock
  const codes: (number | string | null | undefined)[] = []
  t.mock.method(process, 'exit', (code?: number) => void codes.push(code))
  const before = process.listeners('SIGINT').concat(process.listeners('SIGTERM'))
  const seen: string[] = []
  const isOver = onTermination((signal) => seen.push(signal), clock)
  t.after(() => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      for (const listener of process.listeners(signal)) if (!before.includes(listener)) process.off(signal, listener)
    }
  })
  process.emit('SIGINT', 'SIGINT')
  now += 20
  process.emit('SIGINT', 'SIGINT')
  assert.deepEqual([seen, codes], [['SIGINT'], []])
  now += 500
  process.emit('SIGINT', 'SIGINT')
  process.emit('SIGTERM', 'SIGTERM')
  assert.deepEqual([seen, codes], [['SIGINT'], [130, 143]])
  isOver()
  process.emit('SIGTERM', 'SIGTERM')
  assert.deepEqual(codes, [130, 143])
})
