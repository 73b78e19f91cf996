/** What a chart draws: the history that the store has, and after it what came in live. Values only. */
import type { GroupHistory, HistoryPoint, Mark } from '../lag/api-types.ts'
import type { TimeRange } from './address.ts'
import { type LivePoint, partitionKey } from './live-state.ts'

export interface Row {
  readonly topic: string
  readonly partition: number
  /** As long as `points`. */
  readonly lag: readonly (number | null)[]
  readonly status: readonly (string | null)[]
}

export interface Series {
  readonly from: number
  readonly to: number
  readonly points: readonly HistoryPoint[]
  /** By topic, then partition. */
  readonly rows: readonly Row[]
  readonly marks: readonly Mark[]
}

export function spanOf(range: TimeRange, now: number): { from: number; to: number } {
  return 'from' in range ? range : { from: now - range.lastMs, to: now }
}

/** @param marks of the group now; the history may have others */
export function seriesOf(
  history: GroupHistory | undefined,
  live: readonly LivePoint[],
  marks: readonly Mark[],
  { from, to }: { from: number; to: number },
): Series {
  const isWithin = ({ at }: { at: number }) => at >= from && at <= to
  const stored = history?.points.length ?? 0
  const kept = history?.points.flatMap((point, index) => (isWithin(point) ? [index] : [])) ?? []
  const lastStored = history?.points.at(-1)?.at ?? 0
  const fresh = live.filter((point) => isWithin(point) && point.at > lastStored)
  const rows = new Map<string, Row & { lag: (number | null)[]; status: (string | null)[] }>()
  const rowOf = (topic: string, partition: number) => {
    const key = partitionKey(topic, partition)
    const row = rows.get(key) ?? { topic, partition, lag: [], status: [] }
    rows.set(key, row)
    return row
  }
  for (const { topic, partition, lag, status } of stored > 0 ? history!.partitions : []) {
    const row = rowOf(topic, partition)
    for (const index of kept) {
      row.lag.push(lag[index] ?? null)
      row.status.push(status[index] ?? null)
    }
  }
  for (const [index, { partitions }] of fresh.entries()) {
    const place = kept.length + index
    for (const [key, { lag, status }] of partitions) {
      const row = rows.get(key) ?? rowOf(key.slice(0, key.indexOf(' ')), Number(key.slice(key.indexOf(' ') + 1)))
      // A partition that was not there before begins here.
      while (row.lag.length < place) addTo(row, null, null)
      addTo(row, lag, status)
    }
  }
  const points = [...kept.map((index) => history!.points[index]!), ...fresh]
  for (const row of rows.values()) while (row.lag.length < points.length) addTo(row, null, null)
  return {
    from,
    to,
    points,
    rows: [...rows.values()].sort(
      (left, right) =>
        (left.topic < right.topic ? -1 : left.topic > right.topic ? 1 : 0) || left.partition - right.partition,
    ),
    marks: mergedMarks(history?.marks ?? [], marks).filter(isWithin),
  }
}

function addTo(row: { lag: (number | null)[]; status: (string | null)[] }, lag: number | null, status: string | null) {
  row.lag.push(lag)
  row.status.push(status)
}

function mergedMarks(left: readonly Mark[], right: readonly Mark[]): Mark[] {
  const all = new Map([...left, ...right].map((mark) => [`${mark.at} ${mark.kind} ${mark.text}`, mark]))
  return [...all.values()].sort((one, other) => one.at - other.at)
}
