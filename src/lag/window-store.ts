/**
 * Windows as text, for the store, and back: what a restart must not forget. Numbers that follow one another are stored as differences, which
 * makes a third of it.
 */
import type { Mark } from './api-types.ts'
import type { ClusterState } from './cluster-state.ts'
import type { GroupState } from './group-state.ts'
import { LogState, type TopicState } from './log-state.ts'
import type { PairState } from './pair-state.ts'
import { groupStatuses, type GroupStatus } from './status.ts'

/** [topic, partition, committed, movedAt, lagSince, workGapMs, samples, commits] */
type StoredPair = [string, number, number | null, number | null, number | null, number, number[], (number | null)[]]

interface StoredGroup {
  readonly status: GroupStatus
  readonly since: number | null
  readonly trend: number[]
  readonly marks: Mark[]
  readonly outside: [topic: string, commits: [number, number][] | 'moves'][]
  readonly pairs: StoredPair[]
}

interface StoredTopic {
  readonly topicId: string | null
  /** Of each partition, its ends. */
  readonly logs: number[][]
}

/** Rows of `width` numbers, each but the first as the difference to the one before it. */
export function differences(rows: readonly (readonly number[])[]): number[] {
  return rows.flatMap((row, index) =>
    index === 0 ? [...row] : row.map((value, column) => value - rows[index - 1]![column]!),
  )
}

export function sums(flat: readonly number[], width: number): number[][] {
  const rows: number[][] = []
  for (let at = 0; at + width <= flat.length; at += width) {
    const before = rows.at(-1)
    rows.push(flat.slice(at, at + width).map((value, column) => value + (before?.[column] ?? 0)))
  }
  return rows
}

export function storedGroup(group: GroupState): string {
  const stored: StoredGroup = {
    status: group.status,
    since: group.since ?? null,
    trend: group.trend,
    marks: group.marks,
    outside: [...group.outside].map(([topic, commits]) => [topic, commits === 'moves' ? commits : [...commits]]),
    pairs: [...group.pairs()].map(storedPair),
  }
  return JSON.stringify(stored)
}

function storedPair(pair: PairState): StoredPair {
  const samples = differences(pair.samples.toArray().map(({ at, committed, end }) => [at, committed, end]))
  const commits = pair.commits
    .toArray()
    .flatMap(({ offset, timestamp, observedAt, lag }) => [offset, timestamp, observedAt, lag])
  const { topic, partition, committed, movedAt, lagSince, workGapMs } = pair
  return [
    topic,
    partition,
    committed ?? null,
    movedAt ?? null,
    lagSince ?? null,
    Math.round(workGapMs),
    samples,
    commits,
  ]
}

/** Takes a group back in. @throws what JSON.parse does, or a TypeError, for what is no stored group */
export function restoreGroup(state: ClusterState, groupId: string, data: string): void {
  const stored = JSON.parse(data) as StoredGroup
  if (!groupStatuses.includes(stored.status)) throw new TypeError(`${stored.status} is no status`)
  const group = state.ensureGroup(groupId)
  group.status = stored.status
  group.since = stored.since ?? undefined
  group.trend.push(...stored.trend)
  group.marks.push(...stored.marks)
  for (const [topic, commits] of stored.outside)
    group.outside.set(topic, commits === 'moves' ? commits : new Map(commits))
  for (const [topic, partition, committed, movedAt, lagSince, workGapMs, samples, commits] of stored.pairs) {
    const pair = state.ensurePair(group, topic, partition, stored.pairs.length)
    if (!pair) continue
    pair.committed = committed ?? undefined
    pair.movedAt = movedAt ?? undefined
    pair.lagSince = lagSince ?? undefined
    pair.workGapMs = workGapMs
    for (const [at, offset, end] of sums(samples, 3)) pair.samples.push(at!, offset!, end!)
    for (let at = 0; at + 4 <= commits.length; at += 4) {
      const [offset, timestamp, observedAt, lag] = commits.slice(at, at + 4) as [number, number, number, number | null]
      pair.observeCommit({ offset, timestamp, observedAt, lag })
    }
  }
}

export function storedTopic(topic: TopicState): string {
  const logs = topic.logs.map(({ ends }) => differences(ends.toArray().map(({ at, end }) => [at, end])))
  const stored: StoredTopic = { topicId: topic.topicId ?? null, logs }
  return JSON.stringify(stored)
}

export function restoreTopic(state: ClusterState, name: string, data: string): void {
  const { topicId, logs } = JSON.parse(data) as StoredTopic
  const topic = state.ensureTopic(name, topicId ?? undefined, logs.length)
  for (const [partition, flat] of logs.entries()) {
    const points = sums(flat, 2).map(([at, end]) => ({ at: at!, end: end! }))
    topic.logs[partition] = new LogState(state.settings.intervals, points)
  }
}
