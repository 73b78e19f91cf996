/**
 * Judges every group of a cluster by what is remembered of it: makes the windows that the rule sets look at, keeps what they say. Pure but for
 * the state it is given.
 */
import { judgeByBurrow } from './burrow-rules.ts'
import type { ClusterSample } from './cluster-sample.ts'
import type { Applied, ClusterState } from './cluster-state.ts'
import type { GroupState } from './group-state.ts'
import { inEnglish, type Judgement } from './judgement.ts'
import type { LogState } from './log-state.ts'
import type { PairState } from './pair-state.ts'
import type { Sentence } from './sentences.ts'
import { everyRecordIsRead, judgeBySluice, paceOf, type SluiceWindow } from './sluice-rules.ts'
import { groupStatusOf, partitionStatuses, worstOf, type GroupStatus } from './status.ts'
import { lagOf, type SampleWindow } from './window.ts'

export type RuleSet = 'sluice' | 'burrow'

export interface JudgeSettings {
  readonly ruleSet: RuleSet
  readonly allowedLag: (groupId: string) => number
  /** Burrow's `minimum-complete`, 0 to 1. */
  readonly minimumComplete: number
  /** Sluice's: samples below which nothing but the lag is said. */
  readonly minimumSamples: number
  readonly sampleIntervalMs: number
  readonly readsCommitted: (groupId: string) => boolean
}

export interface StatusChange {
  readonly group: string
  readonly before: GroupStatus
  readonly status: GroupStatus
  readonly evidence: string | null
}

/** Takes a sample in and judges by it, group after group, with a pause after each: whoever looks meanwhile finds each as it was, or as it is now. */
export function* judging(
  state: ClusterState,
  sample: ClusterSample,
  settings: JudgeSettings,
): Generator<void, Applied & { readonly changes: readonly StatusChange[] }> {
  const changes: StatusChange[] = []
  const isJudged = !state.isTooSlow(sample)
  const work = state.applying(sample)
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return { ...step.value, changes }
    const change = isJudged ? judgeOne(state, step.value, sample.at, settings) : undefined
    if (change) changes.push(change)
    yield
  }
}

function judgeOne(
  state: ClusterState,
  group: GroupState,
  at: number,
  settings: JudgeSettings,
): StatusChange | undefined {
  // Its commits could not be read this time: what was said of it stands.
  if (group.sampledAt !== at) return undefined
  const before = group.status
  judgeGroup(state, group, at, settings)
  const { groupId, status, worst } = group
  if (status === before || before === 'UNKNOWN') return undefined
  return { group: groupId, before, status, evidence: worst?.evidence ?? null }
}

function judgeGroup(state: ClusterState, group: GroupState, at: number, settings: JudgeSettings): void {
  let worst: Judgement | undefined
  let worstLag = -1
  const totals = { lag: 0, known: 0, most: 0, seconds: null as number | null, bad: 0, read: 0, written: 0, paced: 0 }
  const statuses = new Set<Judgement['status']>()
  for (const pair of group.pairs()) {
    const log = state.topics.get(pair.topic)?.log(pair.partition)
    if (!log) continue
    const judgement = judgePair(group, pair, log, at, settings)
    pair.judgement = judgement
    statuses.add(judgement.status)
    if (judgement.status !== 'OK') totals.bad++
    if (isWorse(judgement, pair.lag ?? 0, worst, worstLag)) [worst, worstLag] = [judgement, pair.lag ?? 0]
    addUp(totals, pair)
  }
  group.worst = worst
  group.badPartitions = totals.bad
  group.totalLag = totals.known > 0 ? totals.lag : null
  group.maxLag = totals.known > 0 ? totals.most : null
  group.lagSeconds = totals.seconds
  group.readPerSecond = totals.paced > 0 ? totals.read : null
  group.writtenPerSecond = totals.paced > 0 ? totals.written : null
  const gain = totals.read - totals.written
  group.forecastSeconds = group.totalLag === 0 ? 0 : group.totalLag !== null && gain > 0 ? group.totalLag / gain : null
  if (group.totalLag !== null) group.pushTrend(group.totalLag)
  group.version++
  group.setStatus(at, worstOf(statuses), worst?.sentences ?? [])
}

/** By status, then by lag. */
function isWorse(judgement: Judgement, lag: number, worst: Judgement | undefined, worstLag: number): boolean {
  if (!worst) return true
  const [one, other] = [groupStatusOf(judgement.status), groupStatusOf(worst.status)]
  if (one !== other) return worstOf([judgement.status, worst.status]) === one
  const rank = partitionStatuses.indexOf(judgement.status) - partitionStatuses.indexOf(worst.status)
  return rank === 0 ? lag > worstLag : rank > 0
}

interface Totals {
  lag: number
  known: number
  most: number
  seconds: number | null
  read: number
  written: number
  paced: number
}

function addUp(totals: Totals, pair: PairState): void {
  if (pair.lag !== null) {
    totals.known++
    totals.lag += pair.lag
    totals.most = Math.max(totals.most, pair.lag)
  }
  if (pair.lagSeconds !== null) totals.seconds = Math.max(totals.seconds ?? 0, pair.lagSeconds)
  const first = pair.samples.at(0)
  const last = pair.samples.at(-1)
  const pace = first && last ? paceOf([first, last]) : undefined
  if (!pace) return
  totals.read += pace.read
  totals.written += pace.written
  totals.paced++
}

function judgePair(group: GroupState, pair: PairState, log: LogState, at: number, settings: JudgeSettings): Judgement {
  const allowedLag = settings.allowedLag(group.groupId)
  const last = pair.samples.at(-1)
  const peeked =
    last && pair.peeked?.committed === last.committed && pair.peeked.end === last.end ? pair.peeked : undefined
  if (settings.ruleSet === 'burrow') {
    pair.lag = last ? lagOf(last) : null
    pair.lagSeconds = secondsBehind(pair, log)
    return judgeByBurrow(
      {
        intervals: pair.commits.intervals,
        commits: pair.commits.toArray(),
        ends: log.recent,
        currentLag: pair.lag ?? 0,
      },
      { now: at, allowedLag, minimumComplete: settings.minimumComplete },
    )
  }
  pair.lag = last ? (peeked?.records ?? Math.max(0, last.end - Math.max(last.committed, log.logStart ?? 0))) : null
  pair.lagSeconds = pair.lag === 0 ? 0 : secondsBehind(pair, log)
  // The commonest case by far, without a window being made of it.
  if (last && last.end <= last.committed && pair.samples.length === pair.samples.capacity) return everythingRead(pair)
  return judgeBySluice(sluiceWindow(group, pair, log, peeked?.records, settings), { ...settings, allowedLag })
}

const everything: readonly Sentence[] = [everyRecordIsRead]

/**
 * What is said of nearly every partition nearly always, of the window as it stands: one object for as long as it holds, for a hundred thousand new ones with each sample
 * are a lot to clear away.
 */
class EverythingRead implements Judgement {
  readonly #samples: SampleWindow

  constructor(samples: SampleWindow) {
    this.#samples = samples
  }

  get status() {
    return 'OK' as const
  }

  get rule() {
    return 'within-allowed-lag' as const
  }

  get sentences() {
    return everything
  }

  get evidence() {
    return inEnglish(everything)
  }

  get from() {
    return this.#samples.at(0)?.at ?? null
  }

  get to() {
    return this.#samples.at(-1)?.at ?? null
  }

  get samples() {
    return this.#samples.length
  }

  get complete() {
    return this.#samples.length / this.#samples.capacity
  }
}

function everythingRead({ judgement, samples }: PairState): Judgement {
  return judgement instanceof EverythingRead ? judgement : new EverythingRead(samples)
}

export function sluiceWindow(
  group: GroupState,
  pair: PairState,
  log: LogState,
  unreadRecords: number | undefined,
  settings: JudgeSettings,
): SluiceWindow {
  return {
    samples: pair.samples.toArray(),
    capacity: pair.samples.capacity,
    logStart: log.logStart,
    highWatermark: settings.readsCommitted(group.groupId) ? log.end : undefined,
    lastStable: log.lastStable,
    unreadRecords,
    owner: group.owner(pair.topic, pair.partition),
    groupState: group.state,
    isAbandoned: group.isAbandoned,
    lagSeconds: pair.lagSeconds,
    workGapMs: pair.workGapMs,
    stuckSince: pair.stuckSince,
  }
}

/**
 * How old the first unread record is: from when the log end passed the commit, or from the record itself where somebody looked. null if
 * neither is known: never a guess.
 */
export function secondsBehind(pair: PairState, log: LogState): number | null {
  const last = pair.samples.at(-1)
  if (!last) return null
  if (last.end <= last.committed) return 0
  const { peeked } = pair
  const writtenAt =
    log.ends.writtenAt(Math.max(last.committed, log.logStart ?? 0)) ??
    (peeked?.committed === last.committed ? peeked.timestamp : null)
  return writtenAt === null || writtenAt < 0 ? null : Math.max(0, (last.at - writtenAt) / 1000)
}
