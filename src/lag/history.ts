/**
 * The history of groups: a point every half minute, put together into one every ten minutes, and read back for a chart. Of several points that
 * become one, the worst counts: a peak must not vanish in a mean.
 */
import type { GroupHistory, HistoryPoint, Mark, PartitionHistory } from './api-types.ts'
import type { GroupState } from './group-state.ts'
import type { Sentence } from './sentences.ts'
import { groupStatuses, partitionStatuses, worstFirst, type PartitionStatus } from './status.ts'
import { COARSE_MS, type MarkRow, type Store, type Tier } from './store.ts'

/** As it is stored: [status, totalLag, maxLag, lagSeconds, read, written, members, partitions] */
type StoredPoint = [
  number,
  number | null,
  number | null,
  number | null,
  number | null,
  number | null,
  number,
  StoredPartitions[],
]
/** [topic, partitions, lags, statuses as one digit each] */
type StoredPartitions = [topic: string, partitions: number[], lags: (number | null)[], statuses: string]

const MOST_POINTS = 1500

export function pointOf(group: GroupState): string {
  const partitions: StoredPartitions[] = []
  for (const [topic, pairs] of group.topics) {
    const all = [...pairs.values()]
    const statuses = all.map(({ judgement }) => partitionStatuses.indexOf(judgement?.status ?? 'OK')).join('')
    partitions.push([topic, all.map(({ partition }) => partition), all.map(({ lag }) => lag), statuses])
  }
  const point: StoredPoint = [
    groupStatuses.indexOf(group.status),
    group.totalLag,
    group.maxLag,
    rounded(group.lagSeconds),
    rounded(group.readPerSecond),
    rounded(group.writtenPerSecond),
    group.description?.members.length ?? 0,
    partitions,
  ]
  return JSON.stringify(point)
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100
}

/** One point of several; undefined for none. */
export function worstPoint(points: readonly string[]): string | undefined {
  if (points.length === 0) return undefined
  const all = points.map((data) => JSON.parse(data) as StoredPoint)
  const worst = all.reduce(worseOf)
  worst[4] = meanOf(all.map((point) => point[4]))
  worst[5] = meanOf(all.map((point) => point[5]))
  return JSON.stringify(worst)
}

function worseOf(left: StoredPoint, right: StoredPoint): StoredPoint {
  const byStatus = worstFirst(groupStatuses[left[0]]!, groupStatuses[right[0]]!)
  const partitions = new Map(left[7].map((one) => [one[0], one]))
  for (const one of right[7]) {
    const before = partitions.get(one[0])
    partitions.set(one[0], before ? worsePartitions(before, one) : one)
  }
  const most = (index: 1 | 2 | 3) => maxOf(left[index], right[index])
  const status = byStatus <= 0 ? left[0] : right[0]
  return [status, most(1), most(2), most(3), null, null, Math.max(left[6], right[6]), [...partitions.values()]]
}

function worsePartitions(left: StoredPartitions, right: StoredPartitions): StoredPartitions {
  const found = new Map<number, [lag: number | null, status: number]>()
  for (const [, partitions, lags, statuses] of [left, right]) {
    for (const [index, partition] of partitions.entries()) {
      const [lag, status] = found.get(partition) ?? [null, 0]
      found.set(partition, [maxOf(lag, lags[index]!), Math.max(status, Number(statuses[index]))])
    }
  }
  const sorted = [...found].sort(([one], [other]) => one - other)
  return [
    left[0],
    sorted.map(([partition]) => partition),
    sorted.map(([, [lag]]) => lag),
    sorted.map(([, [, status]]) => status).join(''),
  ]
}

function maxOf(left: number | null, right: number | null): number | null {
  return left === null ? right : right === null ? left : Math.max(left, right)
}

/** Of what is known. */
function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? [])
  return known.length === 0 ? null : rounded(known.reduce((sum, value) => sum + value, 0) / known.length)
}

/** Puts the points of one ten minutes together. `from` is where they begin. */
export function rollUp(store: Store, cluster: string, group: string, from: number): void {
  const points = store.points(cluster, group, 'raw', from, from + COARSE_MS - 1)
  const worst = worstPoint(points.map(({ data }) => data))
  if (worst !== undefined) store.addPoint(cluster, group, 'coarse', from, worst)
}

/** @param now decides which tier still reaches back to `from` */
export function groupHistory(
  store: Store,
  cluster: string,
  group: string,
  from: number,
  to: number,
  now: number,
): GroupHistory {
  const { rawEveryMs, rawForMs } = store.settings
  const tier: Tier = from >= now - rawForMs && (to - from) / rawEveryMs <= MOST_POINTS ? 'raw' : 'coarse'
  const finest = tier === 'raw' ? rawEveryMs : COARSE_MS
  const times = Math.max(1, Math.ceil((to - from) / finest / MOST_POINTS))
  const stepMs = finest * times
  const all = store.points(cluster, group, tier, from, to)
  // The ten minutes under way stand in the finer tier only.
  const youngest = all.at(-1)?.at ?? from
  if (tier === 'coarse') all.push(...store.points(cluster, group, 'raw', youngest + COARSE_MS, to))
  const steps = Map.groupBy(all, ({ at }) => Math.floor(at / stepMs))
  const points: HistoryPoint[] = []
  const rows = new Map<
    string,
    { topic: string; partition: number; lag: (number | null)[]; status: (PartitionStatus | null)[] }
  >()
  for (const ofStep of steps.values()) {
    const stored = JSON.parse(
      ofStep.length === 1 ? ofStep[0]!.data : worstPoint(ofStep.map(({ data }) => data))!,
    ) as StoredPoint
    const [status, totalLag, maxLag, lagSeconds, readPerSecond, writtenPerSecond, members, partitions] = stored
    const at = ofStep[0]!.at
    points.push({
      at,
      status: groupStatuses[status]!,
      totalLag,
      maxLag,
      lagSeconds,
      readPerSecond,
      writtenPerSecond,
      members,
    })
    for (const one of partitions) addRow(rows, one, points.length)
  }
  const marks = store.marks(cluster, group, from, to).map(markOf)
  return { cluster, group, from, to, stepMs, points, partitions: wholeRows(rows.values(), points.length), marks }
}

export function storedMark({ at, kind, text, sentences }: Mark): MarkRow {
  return { at, kind, text, sentences: sentences ? JSON.stringify(sentences) : null }
}

function markOf({ at, kind, text, sentences }: MarkRow): Mark {
  const mark = { at, kind: kind as Mark['kind'], text }
  return sentences === null ? mark : { ...mark, sentences: JSON.parse(sentences) as readonly Sentence[] }
}

type Row = { topic: string; partition: number; lag: (number | null)[]; status: (PartitionStatus | null)[] }

function addRow(rows: Map<string, Row>, [topic, partitions, lags, statuses]: StoredPartitions, count: number): void {
  for (const [index, partition] of partitions.entries()) {
    const key = `${topic}-${partition}`
    let row = rows.get(key)
    if (!row) rows.set(key, (row = { topic, partition, lag: [], status: [] }))
    fill(row, count - 1)
    row.lag.push(lags[index]!)
    row.status.push(partitionStatuses[Number(statuses[index])]!)
  }
}

/** A partition that was not there at some point has null there. */
function fill(row: Row, length: number): void {
  while (row.lag.length < length) {
    row.lag.push(null)
    row.status.push(null)
  }
}

function wholeRows(rows: Iterable<Row>, length: number): PartitionHistory[] {
  const all = [...rows]
  for (const row of all) fill(row, length)
  return all.sort((left, right) =>
    left.topic < right.topic ? -1 : left.topic > right.topic ? 1 : left.partition - right.partition,
  )
}
