/**
 * What the page knows, and how an event of the monitor's stream changes it. Values only: live.ts listens and keeps one of these.
 *
 * A group's detail is kept with the points that came in since the page has watched it, so that its charts move between two points of the history.
 */
import type { ClusterSummary, GroupDetail, GroupSummary, HistoryPoint, MonitorEvent } from '../lag/api-types.ts'

export interface LivePoint extends HistoryPoint {
  /** By `partitionKey`. */
  readonly partitions: ReadonlyMap<string, { readonly lag: number | null; readonly status: string }>
}

export interface Watched {
  readonly detail: GroupDetail
  /** Oldest first. */
  readonly points: readonly LivePoint[]
}

export interface LiveState {
  /** loading: nothing came yet. live. lost: the stream is broken since `lostAt`, and is tried again. paused: nothing is listened to while nobody looks. */
  readonly connection: 'loading' | 'live' | 'lost' | 'paused'
  readonly lostAt: number | undefined
  /** Samples until then may be missing, as nothing was listened to for a time; 0: none is. */
  readonly missedUntil: number
  readonly version: string
  /** Of the monitor, with the newest event. */
  readonly now: number
  readonly clusters: ReadonlyMap<string, ClusterSummary>
  /** By `groupKey`. */
  readonly groups: ReadonlyMap<string, GroupSummary>
  /** Groups of which the partitions are sent, by `groupKey`. */
  readonly watched: ReadonlyMap<string, Watched>
  /** Status changes of the newest sample that had any, for those who cannot see them. */
  readonly changes: readonly Extract<MonitorEvent, { type: 'status' }>[]
}

export const nothingYet: LiveState = {
  connection: 'loading',
  lostAt: undefined,
  missedUntil: 0,
  version: '',
  now: 0,
  clusters: new Map(),
  groups: new Map(),
  watched: new Map(),
  changes: [],
}

const MOST_POINTS = 720

export function groupKey(cluster: string, group: string): string {
  return JSON.stringify([cluster, group])
}

/** Names of topics have no blank. */
export function partitionKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

/** @param scope the one cluster that the stream tells of; undefined: all */
export function applyEvent(state: LiveState, event: MonitorEvent, scope?: string): LiveState {
  const live: LiveState = { ...state, connection: 'live', lostAt: undefined }
  if (event.type === 'overview') {
    const wasCutOff = state.connection === 'lost' || state.connection === 'paused'
    const missedUntil = wasCutOff ? event.overview.now : state.missedUntil
    return withOverview({ ...live, missedUntil }, event, scope)
  }
  if (event.type === 'sample') return withSample(live, event)
  if (event.type === 'group') return withGroup(live, event)
  const others = state.changes[0]?.at === event.at ? state.changes : []
  return { ...live, changes: [...others, event] }
}

type EventOf<T extends MonitorEvent['type']> = Extract<MonitorEvent, { type: T }>

function withOverview(state: LiveState, { overview }: EventOf<'overview'>, scope: string | undefined): LiveState {
  const { now, version } = overview
  const others = <T extends { cluster: string }>(known: ReadonlyMap<string, T>) =>
    scope === undefined ? [] : [...known].filter(([, { cluster }]) => cluster !== scope)
  const clusters = new Map(others(state.clusters))
  for (const one of overview.clusters) clusters.set(one.cluster, one)
  const groups = new Map(others(state.groups))
  for (const one of overview.groups) groups.set(groupKey(one.cluster, one.group), one)
  return { ...state, now, version, clusters, groups }
}

function withSample(state: LiveState, { at, cluster, groups: changed, gone }: EventOf<'sample'>): LiveState {
  const groups = new Map(state.groups)
  for (const one of changed) groups.set(groupKey(one.cluster, one.group), one)
  for (const name of gone) groups.delete(groupKey(cluster.cluster, name))
  return { ...state, now: at, clusters: new Map(state.clusters).set(cluster.cluster, cluster), groups }
}

function withGroup(state: LiveState, { detail }: EventOf<'group'>): LiveState {
  const key = groupKey(detail.cluster, detail.group)
  const points = withPoint(state.watched.get(key)?.points ?? [], detail)
  return { ...state, watched: new Map(state.watched).set(key, { detail, points }) }
}

export function connectionLost(state: LiveState, at: number): LiveState {
  return state.connection === 'lost' ? state : { ...state, connection: 'lost', lostAt: at }
}

/** Nobody looks, and nothing is listened to. A connection that was lost stays so until something comes. */
export function paused(state: LiveState): LiveState {
  return state.connection === 'live' ? { ...state, connection: 'paused' } : state
}

function withPoint(points: readonly LivePoint[], detail: GroupDetail): readonly LivePoint[] {
  const at = detail.sampledAt
  if (at === null || points.at(-1)?.at === at) return points
  const { status, totalLag, maxLag, lagSeconds, readPerSecond, writtenPerSecond, members } = detail
  const partitions = new Map(
    detail.partitionList.map((one) => [partitionKey(one.topic, one.partition), { lag: one.lag, status: one.status }]),
  )
  const point = { at, status, totalLag, maxLag, lagSeconds, readPerSecond, writtenPerSecond, members, partitions }
  return [...points, point].slice(-MOST_POINTS)
}
