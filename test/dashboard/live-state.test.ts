/** What the page knows after each event of the stream, and the series that its charts draw. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyEvent, connectionLost, groupKey, nothingYet } from '../../src/dashboard/live-state.ts'
import { seriesOf, spanOf } from '../../src/dashboard/series.ts'
import type { GroupHistory, PartitionSummary } from '../../src/lag/api-types.ts'
import { clusterOf, detailOf, summaryOf } from './summaries.ts'

const whole = {
  type: 'overview',
  overview: {
    now: 10,
    version: '1',
    clusters: [clusterOf('local'), clusterOf('west')],
    groups: [summaryOf('a'), summaryOf('b'), summaryOf('a', { cluster: 'west' })],
  },
} as const

test('live: an overview is everything, and of one cluster everything of that one', () => {
  const state = applyEvent(nothingYet, whole)
  assert.equal(state.connection, 'live')
  assert.equal(state.groups.size, 3)
  const narrow = { ...whole.overview, clusters: [clusterOf('local')], groups: [summaryOf('c')] }
  const after = applyEvent(state, { type: 'overview', overview: narrow }, 'local')
  assert.deepEqual([...after.groups.keys()].sort(), [groupKey('local', 'c'), groupKey('west', 'a')].sort())
  const restarted = applyEvent(state, { type: 'overview', overview: narrow })
  assert.deepEqual([...restarted.clusters.keys()], ['local'])
})

test('live: a sample changes what it names, and takes away what is gone', () => {
  const state = applyEvent(applyEvent(nothingYet, whole), {
    type: 'sample',
    at: 20,
    cluster: clusterOf('local', { state: 'stale', problem: 'away' }),
    groups: [summaryOf('a', { status: 'ERROR' })],
    gone: ['b'],
  })
  assert.equal(state.now, 20)
  assert.equal(state.clusters.get('local')!.state, 'stale')
  assert.equal(state.groups.get(groupKey('local', 'a'))!.status, 'ERROR')
  assert.equal(state.groups.get(groupKey('west', 'a'))!.status, 'OK')
  assert.ok(!state.groups.has(groupKey('local', 'b')))
})

test('live: status changes of one sample are told together, and those of the next in their place', () => {
  const change = (at: number, group: string) =>
    ({ type: 'status', at, cluster: 'local', group, before: 'OK', status: 'ERROR', evidence: null }) as const
  const first = [change(20, 'a'), change(20, 'b')].reduce((state, one) => applyEvent(state, one), nothingYet)
  assert.deepEqual(
    first.changes.map(({ group }) => group),
    ['a', 'b'],
  )
  assert.deepEqual(applyEvent(first, change(30, 'c')).changes, [change(30, 'c')])
})

test('live: a stream that breaks says since when, and is live again with the next event', () => {
  const lost = connectionLost(connectionLost(applyEvent(nothingYet, whole), 5), 9)
  assert.deepEqual([lost.connection, lost.lostAt, lost.groups.size], ['lost', 5, 3])
  assert.equal(applyEvent(lost, whole).lostAt, undefined)
})

const partition = (topic: string, number: number, lag: number) =>
  ({ topic, partition: number, lag, status: 'OK' }) as PartitionSummary
const watchedAt = (at: number, ...partitions: PartitionSummary[]) =>
  ({ type: 'group', at, detail: detailOf('a', { sampledAt: at, totalLag: at, partitionList: partitions }) }) as const

test('live: each sample of a watched group is one point, however often it is told', () => {
  let state = nothingYet
  for (const at of [100, 200, 200, 300]) state = applyEvent(state, watchedAt(at, partition('t', 0, at)))
  const { points } = state.watched.get(groupKey('local', 'a'))!
  assert.deepEqual(
    points.map(({ at, totalLag }) => [at, totalLag]),
    [
      [100, 100],
      [200, 200],
      [300, 300],
    ],
  )
})

test('series: live points follow the stored ones; a partition that came later has nothing before', () => {
  let state = nothingYet
  state = applyEvent(state, watchedAt(200, partition('t', 0, 2)))
  state = applyEvent(state, watchedAt(300, partition('t', 0, 3), partition('t', 1, 9)))
  const { points } = state.watched.get(groupKey('local', 'a'))!
  const point = {
    status: 'OK',
    totalLag: 1,
    maxLag: 1,
    lagSeconds: 0,
    readPerSecond: 0,
    writtenPerSecond: 0,
    members: 1,
  }
  const history: GroupHistory = {
    cluster: 'local',
    group: 'a',
    from: 0,
    to: 500,
    stepMs: 100,
    points: [
      { at: 50, ...point },
      { at: 100, ...point },
      { at: 200, ...point },
    ] as GroupHistory['points'],
    partitions: [{ topic: 't', partition: 0, lag: [0, 1, 2], status: ['OK', 'OK', 'STOP'] }],
    marks: [{ at: 150, kind: 'rebalance', text: 'x' }],
  }
  const series = seriesOf(history, points, [{ at: 150, kind: 'rebalance', text: 'x' }], { from: 60, to: 400 })
  assert.deepEqual(
    series.points.map(({ at }) => at),
    [100, 200, 300],
  )
  assert.deepEqual(
    series.rows.map(({ partition, lag, status }) => [partition, lag, status]),
    [
      [0, [1, 2, 3], ['OK', 'STOP', 'OK']],
      [1, [null, null, 9], [null, null, 'OK']],
    ],
  )
  assert.equal(series.marks.length, 1, 'a mark that both have is one')
})

test('series: the last hour goes on, a range from one moment to another stays', () => {
  assert.deepEqual(spanOf({ lastMs: 60 }, 100), { from: 40, to: 100 })
  assert.deepEqual(spanOf({ from: 1, to: 2 }, 100), { from: 1, to: 2 })
})
