/**
 * What the page shows, as it stands in the address: view, filters, order and time range. A link reproduces what its sender saw. All of it is in
 * the query, so that names with any character are written safely and the page works below any path of a proxy.
 */
import type { GroupSummary } from '../lag/api-types.ts'

export type View = 'overview' | 'group' | 'topics' | 'topic' | 'partition' | 'compare'
export type Status = GroupSummary['status']
export type SortKey = 'worst' | 'group' | 'lag' | 'time' | 'members'

/** The last so many milliseconds, going on; or from one moment to another (milliseconds since 1970). */
export type TimeRange = { readonly lastMs: number } | { readonly from: number; readonly to: number }

export interface Address {
  readonly view: View
  /** On the overview: only groups of this cluster. */
  readonly cluster?: string | undefined
  readonly group?: string | undefined
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  /** What is compared with `cluster` and `group`. */
  readonly otherCluster?: string | undefined
  readonly otherGroup?: string | undefined
  readonly search: string
  /** None: all. */
  readonly statuses: readonly Status[]
  readonly sort: SortKey
  readonly isReversed: boolean
  readonly range: TimeRange
}

export const HOUR_MS = 3_600_000
export const statuses: readonly Status[] = ['ERROR', 'WARNING', 'OK', 'UNKNOWN']
export const sortKeys: readonly SortKey[] = ['worst', 'group', 'lag', 'time', 'members']

const views: readonly View[] = ['overview', 'group', 'topics', 'topic', 'partition', 'compare']
const units = { m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS } as const
const defaultRange: TimeRange = { lastMs: HOUR_MS }

export const overview: Address = {
  view: 'overview',
  search: '',
  statuses: [],
  sort: 'worst',
  isReversed: false,
  range: defaultRange,
}

/** What an address lacks, or has wrongly, is as if it were not there: a link from elsewhere must never fail. */
export function readAddress(query: string): Address {
  const params = new URLSearchParams(query)
  const text = (name: string) => params.get(name) || undefined
  const partition = text('partition')
  const address: Address = {
    view: views.find((one) => one === params.get('view')) ?? 'overview',
    cluster: text('cluster'),
    group: text('group'),
    topic: text('topic'),
    partition: partition !== undefined && /^\d{1,9}$/.test(partition) ? Number(partition) : undefined,
    otherCluster: text('with-cluster'),
    otherGroup: text('with-group'),
    search: params.get('q') ?? '',
    statuses: statuses.filter((one) => params.get('status')?.split(',').includes(one)),
    sort: sortKeys.find((one) => one === params.get('sort')) ?? 'worst',
    isReversed: params.has('reversed'),
    range: readRange(params),
  }
  return lacks(address) ? { ...address, view: 'overview' } : address
}

/** `?…`, or `?` for what is shown when nothing is said. */
export function writeAddress(address: Address): string {
  const params = new URLSearchParams()
  const set = (name: string, value: string | undefined) => value && params.set(name, value)
  if (address.view !== 'overview') params.set('view', address.view)
  set('cluster', address.cluster)
  set('group', address.group)
  set('topic', address.topic)
  set('partition', address.partition?.toString())
  set('with-cluster', address.otherCluster)
  set('with-group', address.otherGroup)
  set('q', address.search)
  set('status', address.statuses.join())
  if (address.sort !== 'worst') params.set('sort', address.sort)
  if (address.isReversed) params.set('reversed', '')
  writeRange(params, address.range)
  return `?${params}`
}

function lacks({ view, cluster, group, topic, partition }: Address): boolean {
  const needs: Readonly<Record<View, readonly unknown[]>> = {
    overview: [],
    group: [cluster, group],
    topics: [],
    topic: [cluster, topic],
    partition: [cluster, group, topic, partition],
    compare: [],
  }
  return needs[view].includes(undefined)
}

function readRange(params: URLSearchParams): TimeRange {
  const last = /^(\d{1,5})([mhd])$/.exec(params.get('last') ?? '')
  if (last && Number(last[1]) > 0) return { lastMs: Number(last[1]) * units[last[2] as keyof typeof units] }
  const [from, to] = [params.get('from') ?? '', params.get('to') ?? '']
  const isRange = /^\d{1,15}$/.test(from) && /^\d{1,15}$/.test(to) && Number(from) < Number(to)
  return isRange ? { from: Number(from), to: Number(to) } : defaultRange
}

function writeRange(params: URLSearchParams, range: TimeRange): void {
  if ('from' in range) {
    params.set('from', String(range.from))
    params.set('to', String(range.to))
  } else if (range.lastMs !== HOUR_MS) {
    const [unit, ms] = (['d', 'h', 'm'] as const)
      .map((one) => [one, units[one]] as const)
      .find(([, one]) => range.lastMs % one === 0)!
    params.set('last', `${range.lastMs / ms}${unit}`)
  }
}
