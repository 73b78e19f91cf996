/** The rule set `burrow` against Burrow's own table of tests, and what that table leaves out. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { type BurrowWindow, judgeByBurrow } from '../../src/lag/burrow-rules.ts'
import type { Commit } from '../../src/lag/window.ts'

interface RuleCase {
  readonly name: string
  readonly commits: readonly { offset: number; timestamp: number; lag: number | null }[]
  readonly ends: readonly number[]
  readonly currentLag: number
  readonly now: number
  readonly allowedLag: number
  readonly status: string
}

const vectors = new URL('vectors/burrow-rules.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(vectors, 'utf8')) as { cases: RuleCase[] }

const seen = (commits: RuleCase['commits']): Commit[] => commits.map((one) => ({ ...one, observedAt: one.timestamp }))

for (const { name, commits, ends, currentLag, now, allowedLag, status } of cases) {
  test(`burrow rules: ${name}`, () => {
    const window: BurrowWindow = { intervals: commits.length, commits: seen(commits), ends, currentLag }
    const judgement = judgeByBurrow(window, { now, allowedLag, minimumComplete: 0 })
    assert.equal(judgement.status, status, judgement.evidence)
    assert.equal(judgement.complete, 1)
  })
}

test('burrow rules: Burrow has 16 rows in its table, and all of them are here', () => {
  assert.equal(cases.length, 16)
  assert.deepEqual([...new Set(cases.map(({ status }) => status))].sort(), ['OK', 'REWIND', 'STALL', 'STOP'])
})

test('burrow rules: a lag that never fell while the offset moved is WARN, and one fall is enough to be OK', () => {
  const commits = seen([50, 60, 60, 90].map((lag, index) => ({ offset: index * 10, timestamp: index * 10_000, lag })))
  const window = { intervals: 4, commits, ends: [130], currentLag: 100 }
  const judgement = judgeByBurrow(window, { now: 40_000, allowedLag: 0, minimumComplete: 0 })
  assert.deepEqual([judgement.status, judgement.rule], ['WARN', 'falling-behind'])
  const once = { ...window, commits: commits.with(2, { ...commits[2]!, lag: 59 }) }
  assert.equal(judgeByBurrow(once, { now: 40_000, allowedLag: 0, minimumComplete: 0 }).status, 'OK')
})

const settings = { now: 600_000, allowedLag: 0, minimumComplete: 0 }

test('burrow rules: a partition without a commit is OK and complete to nothing', () => {
  const judgement = judgeByBurrow({ intervals: 10, commits: [], ends: [], currentLag: 0 }, settings)
  assert.deepEqual([judgement.status, judgement.rule, judgement.complete], ['OK', 'no-commit', 0])
})

test('burrow rules: one commit and some lag is STOP already, unless minimum-complete says otherwise', () => {
  const window = {
    intervals: 10,
    commits: seen([{ offset: 10, timestamp: 500_000, lag: 5 }]),
    ends: [15],
    currentLag: 5,
  }
  assert.equal(judgeByBurrow(window, settings).status, 'STOP')
  const patient = judgeByBurrow(window, { ...settings, minimumComplete: 0.5 })
  assert.deepEqual([patient.status, patient.rule, patient.complete], ['OK', 'window-too-short', 0.1])
})

test('burrow rules: a log end at the last commit within the window keeps STOP away', () => {
  const commits = seen([{ offset: 10, timestamp: 500_000, lag: 0 }])
  const window = { intervals: 10, commits, ends: [10, 15], currentLag: 5 }
  assert.equal(judgeByBurrow(window, settings).status, 'OK')
})

test('burrow rules: lags that are not known neither excuse nor accuse', () => {
  const commits = seen([1, 2, 3].map((n) => ({ offset: n * 10, timestamp: n * 100_000, lag: null })))
  const window = { intervals: 3, commits, ends: [100], currentLag: 70 }
  assert.equal(judgeByBurrow(window, { ...settings, now: 350_000 }).status, 'WARN')
})

test('burrow rules: time counts in whole seconds', () => {
  const commits = seen([0, 1].map((n) => ({ offset: n, timestamp: n * 1000, lag: 5 })))
  const window = { intervals: 2, commits, ends: [9], currentLag: 8 }
  assert.notEqual(judgeByBurrow(window, { ...settings, now: 2999 }).status, 'STOP')
  assert.equal(judgeByBurrow(window, { ...settings, now: 3000 }).status, 'STOP')
})

const commitsOf = fc
  .array(fc.record({ offset: fc.nat(1000), gap: fc.integer({ min: 1, max: 60_000 }), lag: fc.option(fc.nat(1000)) }), {
    minLength: 1,
    maxLength: 12,
  })
  .map((steps) => {
    let timestamp = 0
    return steps.map(({ offset, gap, lag }) => ({ offset, lag, timestamp: (timestamp += gap), observedAt: timestamp }))
  })

test('burrow rules: no lag beyond what is allowed is OK, whatever else happened', () => {
  fc.assert(
    fc.property(commitsOf, fc.nat(1_000_000), fc.nat(500), fc.nat(500), (commits, later, lag, allowed) => {
      const window = { intervals: 12, commits, ends: [], currentLag: Math.min(lag, allowed) }
      const now = commits.at(-1)!.timestamp + later
      assert.equal(judgeByBurrow(window, { now, allowedLag: allowed, minimumComplete: 0 }).status, 'OK')
    }),
  )
})

test('burrow rules: a judgement names a rule, says something, and changes nothing of its window', () => {
  fc.assert(
    fc.property(commitsOf, fc.nat(1_000_000), fc.array(fc.nat(2000)), fc.nat(1000), (commits, later, ends, lag) => {
      const before = structuredClone(commits)
      const window = { intervals: 12, commits, ends, currentLag: lag }
      const judgement = judgeByBurrow(window, {
        now: commits.at(-1)!.timestamp + later,
        allowedLag: 0,
        minimumComplete: 0,
      })
      assert.deepEqual(commits, before)
      assert.match(judgement.evidence, /^[A-Z0-9][^{}]*\.$/)
      assert.ok(judgement.complete > 0 && judgement.complete <= 1)
      if (judgement.status !== 'OK') assert.ok(lag > 0)
    }),
  )
})
