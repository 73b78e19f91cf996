/** The rule set `sluice`, rule by rule, and what must hold of it whatever the samples are. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { duration, rate } from '../../src/lag/judgement.ts'
import { inWords } from '../../src/lag/sentences.ts'
import { forecastSeconds, judgeBySluice, mannKendall, type SluiceWindow } from '../../src/lag/sluice-rules.ts'
import { SampleWindow, type Sample, type WindowPlace, WindowSpace } from '../../src/lag/window.ts'

const settings = { allowedLag: 0, minimumSamples: 5, sampleIntervalMs: 10_000 }
const START = 1_700_000_000_000
const member = { memberId: 'm-1', clientId: 'shop', host: '/10.0.0.7' }

/** Ten seconds apart. */
function samplesOf(pairs: readonly (readonly [committed: number, end: number])[]): Sample[] {
  return pairs.map(([committed, end], index) => ({ at: START + index * 10_000, committed, end }))
}

function windowOf(pairs: readonly (readonly [number, number])[], over: Partial<SluiceWindow> = {}): SluiceWindow {
  return {
    samples: samplesOf(pairs),
    capacity: 10,
    logStart: 0,
    highWatermark: undefined,
    lastStable: undefined,
    unreadRecords: undefined,
    owner: member,
    groupState: 'Stable',
    isAbandoned: false,
    lagSeconds: null,
    workGapMs: 5000,
    stuckSince: undefined,
    ...over,
  }
}

const times = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
const steady = (n: number) => times(n, (index) => [100 + index * 10, 150 + index * 10] as const)
const stuck = (n: number) => times(n, (index) => [100, 150 + index * 10] as const)
const slow = (n: number) => times(n, (index) => [100 + index * 5, 150 + index * 20] as const)
const faster = (n: number) => times(n, (index) => [100 + index * 50, 700 + index * 10] as const)

const cases: readonly {
  name: string
  window: SluiceWindow
  allowedLag?: number
  status: string
  rule: string
  says: RegExp
}[] = [
  {
    name: 'nothing committed',
    window: windowOf([]),
    status: 'OK',
    rule: 'no-commit',
    says: /committed nothing/,
  },
  {
    name: 'everything read',
    window: windowOf(times(5, () => [100, 100] as const)),
    status: 'OK',
    rule: 'within-allowed-lag',
    says: /^Every record is read\.$/,
  },
  {
    name: 'lag that is allowed, standing still for ever',
    window: windowOf(
      times(10, () => [100, 108] as const),
      { stuckSince: START - 3_600_000 },
    ),
    allowedLag: 10,
    status: 'OK',
    rule: 'within-allowed-lag',
    says: /8 records wait, and 10 are allowed/,
  },
  {
    name: 'only transaction markers after the commit',
    window: windowOf(
      times(10, () => [100, 101] as const),
      { unreadRecords: 0, stuckSince: START - 60_000 },
    ),
    status: 'OK',
    rule: 'only-markers',
    says: /1 offsets up to the end are transaction markers/,
  },
  {
    name: 'held back by an open transaction, for the whole window',
    window: windowOf(
      times(10, (n) => [100, 120 + n] as const),
      { lastStable: 100, stuckSince: START },
    ),
    status: 'WARN',
    rule: 'open-transaction',
    says: /up to offset 100, where an open transaction begins, for 1 min 30 s; 29 offsets/,
  },
  {
    name: 'held back by an open transaction, a moment ago',
    window: windowOf([...times(4, (n) => [90 + n, 110] as const), [100, 120]], { lastStable: 100 }),
    status: 'OK',
    rule: 'open-transaction',
    says: /for 0 s/,
  },
  {
    name: 'too few samples to judge',
    window: windowOf(stuck(4), { stuckSince: START }),
    status: 'OK',
    rule: 'window-too-short',
    says: /80 records wait; 4 of 5 samples/,
  },
  {
    name: 'a member is assigned and the commit stands',
    window: windowOf(stuck(10), { stuckSince: START, lagSeconds: 95 }),
    status: 'STALL',
    rule: 'stalled',
    says: /stood at 100 for 1 min 30 s while 90 records more were written; 140 records \(1 min 35 s\) wait\. shop on 10\.0\.0\.7/,
  },
  {
    name: 'the group has no members',
    window: windowOf(stuck(10), { stuckSince: START, owner: 'nobody', groupState: 'Empty' }),
    status: 'STOP',
    rule: 'stopped',
    says: /The group has no members\.$/,
  },
  {
    name: 'the group has no members: no patience is needed',
    window: windowOf(stuck(5), {
      stuckSince: START,
      owner: 'nobody',
      groupState: 'Empty',
      isAbandoned: true,
      workGapMs: 600_000,
    }),
    status: 'STOP',
    rule: 'stopped',
    says: /stood at 100 for 40 s/,
  },
  {
    name: 'nobody is assigned the partition',
    window: windowOf(stuck(10), { stuckSince: START, owner: 'nobody' }),
    status: 'STOP',
    rule: 'stopped',
    says: /No member is assigned it \(the group is Stable\)/,
  },
  {
    name: 'stuck while producers are idle',
    window: windowOf(
      times(10, () => [100, 150] as const),
      { stuckSince: START },
    ),
    status: 'STALL',
    rule: 'stalled',
    says: /and nothing more was written; 50 records wait/,
  },
  {
    name: 'work came only just now: producers were idle and the reader was not late',
    window: windowOf([...times(9, () => [100, 100] as const), [100, 150]], { stuckSince: START + 90_000 }),
    status: 'OK',
    rule: 'keeping-pace',
    says: /50 records wait/,
  },
  {
    name: 'a group that commits every ten minutes is not stopped after two',
    window: windowOf(stuck(10), { stuckSince: START - 30_000, workGapMs: 600_000, lagSeconds: 3 }),
    status: 'OK',
    rule: 'keeping-pace',
    says: /does not grow/,
  },
  {
    name: 'a group whose pace nobody knows has the whole window',
    window: windowOf(stuck(7), { stuckSince: START, workGapMs: 0, lagSeconds: 3 }),
    status: 'OK',
    rule: 'keeping-pace',
    says: /wait/,
  },
  {
    name: 'went back and has not recovered',
    window: windowOf([...steady(6), [20, 210], [40, 220]]),
    status: 'REWIND',
    rule: 'rewound',
    says: /10 s ago the committed offset went back by 130 records, from 150 to 20; it stands at 40/,
  },
  {
    name: 'went back and recovered',
    window: windowOf([...steady(6), [120, 210], [160, 220]]),
    status: 'OK',
    rule: 'keeping-pace',
    says: /wait/,
  },
  {
    name: 'reads, but more slowly than is written',
    window: windowOf(slow(10), { lagSeconds: 100 }),
    status: 'WARN',
    rule: 'falling-behind',
    says: /rose from 50 records to 185 records within 1 min 30 s: 185 records \(1 min 40 s\) wait\. It reads 0\.50\/s, producers write 2\.00\/s/,
  },
  {
    name: 'a lag that rises within a commit interval is nothing',
    window: windowOf(slow(10), { lagSeconds: 4 }),
    status: 'OK',
    rule: 'keeping-pace',
    says: /wait/,
  },
  {
    name: 'one good sample does not hide that it falls behind',
    window: windowOf(slow(10).map(([committed, end], index) => [committed, index === 6 ? end - 60 : end] as const)),
    status: 'WARN',
    rule: 'falling-behind',
    says: /rose/,
  },
  {
    name: 'catches up, and when it will have',
    window: windowOf(faster(10)),
    status: 'OK',
    rule: 'catching-up',
    says: /240 records wait, fewer than the 600 before\..* caught up in 1 min\./,
  },
  {
    name: 'records were deleted before they were read',
    window: windowOf(steady(10), { logStart: 200 }),
    status: 'WARN',
    rule: 'records-lost',
    says: /10 records were deleted before the group read them: it stands at 190, the log begins at 200/,
  },
]

const plain = { number: String, duration: String, rate: String, status: String }

for (const { name, window, allowedLag = 0, status, rule, says } of cases) {
  test(`sluice rules: ${name}`, () => {
    const judgement = judgeBySluice(window, { ...settings, allowedLag })
    assert.deepEqual([judgement.status, judgement.rule], [status, rule], judgement.evidence)
    assert.match(judgement.evidence, says)
    for (const language of ['en', 'ko'] as const)
      for (const sentence of judgement.sentences) assert.doesNotMatch(inWords(sentence, language, plain), /[{}]/)
  })
}

test('sluice rules: the evidence names the samples that were seen', () => {
  const judgement = judgeBySluice(windowOf(stuck(10), { stuckSince: START }), settings)
  assert.deepEqual(
    [judgement.from, judgement.to, judgement.samples, judgement.complete],
    [START, START + 90_000, 10, 1],
  )
})

const walks = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { minLength: 1, maxLength: 10 }).map((steps) => {
  let committed = 0
  let end = 100
  return steps.map(([read, written]) => {
    end += written
    committed = Math.min(end, committed + read)
    return [committed, end] as const
  })
})

test('sluice rules: whoever reaches the end is OK at that moment', () => {
  fc.assert(
    fc.property(walks, fc.boolean(), (pairs, isOwned) => {
      const end = pairs.at(-1)![1]
      const window = windowOf([...pairs, [end, end]], { owner: isOwned ? member : 'nobody', stuckSince: START })
      assert.equal(judgeBySluice(window, settings).status, 'OK')
    }),
  )
})

test('sluice rules: while the commit moves, a partition is neither STOP nor STALL nor REWIND', () => {
  fc.assert(
    fc.property(walks, (pairs) => {
      assert.ok(['OK', 'WARN'].includes(judgeBySluice(windowOf(pairs), settings).status))
    }),
  )
})

test('sluice rules: more allowed lag never makes a status worse', () => {
  const rank = ['OK', 'WARN', 'STOP', 'STALL', 'REWIND']
  fc.assert(
    fc.property(walks, fc.nat(200), fc.nat(200), (pairs, one, two) => {
      const window = windowOf(pairs)
      const [less, more] = [Math.min(one, two), Math.max(one, two)]
      const strict = judgeBySluice(window, { ...settings, allowedLag: less })
      const lax = judgeBySluice(window, { ...settings, allowedLag: more })
      assert.ok(rank.indexOf(lax.status) <= rank.indexOf(strict.status))
    }),
  )
})

test('sluice rules: Mann and Kendall’s score is antisymmetric, and 0 where nothing changes', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 20 }), (values) => {
      assert.equal(mannKendall(values), -mannKendall(values.toReversed()) + 0)
      assert.equal(mannKendall(values.map(() => 1)), 0)
    }),
  )
  // n = 10, S = 45, variance 125: (45 - 1) / 11.18.
  assert.equal(mannKendall([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).toFixed(3), '3.935')
})

test('sluice rules: a forecast is only given where the lag shrinks', () => {
  assert.equal(forecastSeconds(samplesOf([[10, 10]])), 0)
  assert.equal(
    forecastSeconds(
      samplesOf([
        [0, 10],
        [0, 20],
      ]),
    ),
    null,
  )
  // 10 records in 10 s, none written: 20 s for the 20 that are left.
  assert.equal(
    forecastSeconds(
      samplesOf([
        [0, 30],
        [10, 30],
      ]),
    ),
    20,
  )
  assert.equal(forecastSeconds([]), null)
})

test('sample window: the newest samples are kept, oldest first, however many there were', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }),
      (capacity, all) => {
        const { block, start } = new WindowSpace(SampleWindow.doubles(capacity)).take()
        const window = new SampleWindow(capacity, block, start)
        for (const [index, [committed, end]] of all.entries()) window.push(index, committed, end)
        const expected = all.map(([committed, end], at) => ({ at, committed, end })).slice(-capacity)
        assert.deepEqual(window.toArray(), expected)
        assert.deepEqual(window.at(-1), expected.at(-1))
        assert.equal(window.length, expected.length)
      },
    ),
  )
})

test('window space: every place has its own numbers, and one that was given back is taken again', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('give back'), fc.integer({ min: 1, max: 300 }))), (steps) => {
      const space = new WindowSpace(4)
      const taken: WindowPlace[] = []
      let most = 0
      for (const step of steps) {
        if (step === 'give back') {
          const place = taken.shift()
          if (place) space.giveBack(place)
        } else taken.push(space.take(step as number))
        most = Math.max(most, taken.length)
      }
      for (const [index, { block, start }] of taken.entries()) block.fill(index, start, start + 4)
      for (const [index, { block, start }] of taken.entries())
        assert.deepEqual([...block.subarray(start, start + 4)], [index, index, index, index])
      assert.ok(space.bytes <= most * 256 * 32, 'a block is made only where no place is free')
    }),
  )
})

test('words: durations and rates as a person says them', () => {
  assert.deepEqual([0, 59_400, 60_000, 125_000, 3_600_000, 11_400_000, 90_000_000, 187_200_000].map(duration), [
    '0 s',
    '59 s',
    '1 min',
    '2 min 5 s',
    '1 h',
    '3 h 10 min',
    '1 d 1 h',
    '2 d 4 h',
  ])
  assert.deepEqual([0, 0.5, 12.34, 1234.5].map(rate), ['0.00/s', '0.50/s', '12.3/s', '1,235/s'])
})
