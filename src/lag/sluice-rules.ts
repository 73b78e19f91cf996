/**
 * The rule set `sluice`, the default: what Burrow's rules are for, without what its users complain of. Pure: a window in, a judgement out.
 *
 * It rests on samples of the monitor's own clock, so that neither fast nor rare commits change its meaning, and it looks at who is assigned
 * the partition, at what a transaction holds back, and at how long the group usually takes between two commits while there is work.
 * The rules are tried in the order of this file; the first that matches decides.
 */
import { type Judgement, RuleJudgement, type RuleName } from './judgement.ts'
import type { Sentence } from './sentences.ts'
import type { PartitionStatus } from './status.ts'
import { lagOf, type Sample } from './window.ts'

/** Who is assigned a partition; `unknown` when the group could not be described. */
export type Owner =
  | { readonly memberId: string; readonly clientId: string; readonly host: string }
  | 'nobody'
  | 'unknown'

export interface SluiceWindow {
  /** Oldest first, at most `capacity`. */
  readonly samples: readonly Sample[]
  readonly capacity: number
  /** First offset that can still be read; undefined if not known. */
  readonly logStart: number | undefined
  /** End of the log without regard to transactions; undefined where `end` is that already. */
  readonly highWatermark: number | undefined
  /** First offset of an open transaction, or the high watermark; undefined if not known. */
  readonly lastStable: number | undefined
  /** How many of the offsets between commit and end are records, transaction markers not among them; undefined if nobody has looked. */
  readonly unreadRecords: number | undefined
  readonly owner: Owner
  /** Kafka's state of the group, for the words. */
  readonly groupState: string | undefined
  /** The group has subscribed members at other times and none now: nobody can commit. Not so where partitions are read by `assign`. */
  readonly isAbandoned: boolean
  /** Age of the first unread record; null if not known. */
  readonly lagSeconds: number | null
  /** The longest the group lately took from having work to its next commit, in milliseconds; 0 if not known. */
  readonly workGapMs: number
  /** Since when the commit has not moved although there was work; undefined while it moves. */
  readonly stuckSince: number | undefined
}

export interface SluiceSettings {
  readonly allowedLag: number
  /** With fewer samples nothing is judged but whether there is lag. */
  readonly minimumSamples: number
  readonly sampleIntervalMs: number
}

/** Of the newest sample. */
export function currentLag({ samples, unreadRecords, logStart }: SluiceWindow): number | null {
  const last = samples.at(-1)
  if (!last) return null
  if (unreadRecords !== undefined) return unreadRecords
  return Math.max(0, last.end - Math.max(last.committed, logStart ?? 0))
}

export function judgeBySluice(window: SluiceWindow, settings: SluiceSettings): Judgement {
  const { samples, capacity } = window
  const last = samples.at(-1)
  const seen = {
    from: samples[0]?.at ?? null,
    to: last?.at ?? null,
    samples: samples.length,
    complete: samples.length / capacity,
  }
  const said: Say = (status, rule, ...sentences) => new RuleJudgement(status, rule, sentences, seen)
  const lag = currentLag(window)
  if (!last || lag === null) return said('OK', 'no-commit', nothingCommitted)
  const behind = { lag, lagSeconds: window.lagSeconds }
  if (lag <= settings.allowedLag) return withinAllowed(window, settings, lag, said)
  const held = heldBack(window, last, said)
  if (held) return held
  if (samples.length < settings.minimumSamples) {
    return said('OK', 'window-too-short', {
      name: 'too-few-samples',
      values: { ...behind, samples: samples.length, needed: settings.minimumSamples },
    })
  }
  return (
    rewound(window, behind, said) ??
    stuck(window, settings, behind, said) ??
    lost(window, last, said) ??
    trend(window, settings, behind, said)
  )
}

/** Said of very many partitions with every sample: one of each for all of them. */
export const everyRecordIsRead: Sentence = { name: 'everything-read', values: {} }
const nothingCommitted: Sentence = { name: 'nothing-committed', values: {} }

type Say = (status: PartitionStatus, rule: RuleName, ...sentences: readonly Sentence[]) => Judgement

interface Behind {
  readonly lag: number
  readonly lagSeconds: number | null
}

function withinAllowed(window: SluiceWindow, settings: SluiceSettings, lag: number, said: Say): Judgement {
  const offsets = lagOf(window.samples.at(-1)!)
  if (lag === 0 && offsets > 0 && window.unreadRecords === 0)
    return said('OK', 'only-markers', { name: 'only-markers', values: { offsets } })
  if (lag === 0) return said('OK', 'within-allowed-lag', everyRecordIsRead)
  return said('OK', 'within-allowed-lag', { name: 'allowed', values: { lag, allowed: settings.allowedLag } })
}

/** A reader of committed records cannot pass the last stable offset. Committed exactly there, it waits for the transaction, not for itself. */
function heldBack(
  { lastStable, highWatermark, samples }: SluiceWindow,
  last: Sample,
  said: Say,
): Judgement | undefined {
  const end = highWatermark ?? last.end
  if (lastStable === undefined || lastStable >= end || last.committed !== lastStable) return undefined
  const since = samples.find(({ committed }) => committed === lastStable)!.at
  const whole = samples.length > 1 && samples[0]!.committed === lastStable
  return said(whole ? 'WARN' : 'OK', 'open-transaction', {
    name: 'open-transaction',
    values: { offset: lastStable, held: last.at - since, waiting: end - lastStable },
  })
}

function rewound({ samples }: SluiceWindow, behind: Behind, said: Say): Judgement | undefined {
  const at = samples.findIndex((sample, index) => index > 0 && sample.committed < samples[index - 1]!.committed)
  if (at < 1) return undefined
  const before = samples[at - 1]!.committed
  if (samples.slice(at).some(({ committed }) => committed >= before)) return undefined
  const { committed, at: when } = samples[at]!
  const last = samples.at(-1)!
  return said('REWIND', 'rewound', {
    name: 'went-back',
    values: {
      ago: last.at - when,
      by: before - committed,
      from: before,
      to: committed,
      committed: last.committed,
      ...behind,
    },
  })
}

/** The commit stands still although there is work: for longer than the window, and for longer than this group usually takes. */
function stuck(window: SluiceWindow, settings: SluiceSettings, behind: Behind, said: Say): Judgement | undefined {
  const { samples, stuckSince, owner, workGapMs } = window
  const last = samples.at(-1)!
  if (stuckSince === undefined) return undefined
  const stuckMs = last.at - stuckSince
  // Nobody knows yet how often this group commits: then it has the whole window. Without members there is nothing to be patient with.
  const least = workGapMs > 0 || window.isAbandoned ? settings.minimumSamples : window.capacity
  // Samples are not taken to the millisecond: half an interval is given.
  const patienceMs = Math.max((least - 1.5) * settings.sampleIntervalMs, window.isAbandoned ? 0 : 2 * workGapMs)
  const isWholeWindow =
    workGapMs === 0 &&
    samples.length === window.capacity &&
    samples.every(({ at, committed }) => {
      return committed === last.committed && at >= stuckSince
    })
  if (stuckMs < patienceMs && !isWholeWindow) return undefined
  const since = samples.find(({ at }) => at >= stuckSince) ?? last
  const grown = last.end - since.end
  const stands: Sentence = {
    name: grown > 0 ? 'stands-while-written' : 'stands-in-silence',
    values: { committed: last.committed, stuck: stuckMs, written: grown, ...behind },
  }
  if (typeof owner === 'object') return said('STALL', 'stalled', stands, idle(owner))
  return said('STOP', 'stopped', stands, withoutOwner(window))
}

function idle({ clientId, host, memberId }: Exclude<Owner, string>): Sentence {
  return { name: 'owner-idle', values: { client: clientId || memberId, host: host.replace(/^\//, '') } }
}

function withoutOwner({ owner, groupState }: SluiceWindow): Sentence {
  if (owner === 'unknown') return { name: 'owner-unknown', values: {} }
  if (groupState && groupState !== 'Empty') return { name: 'no-owner', values: { state: groupState } }
  return { name: 'no-members', values: {} }
}

function lost({ logStart }: SluiceWindow, last: Sample, said: Say): Judgement | undefined {
  if (logStart === undefined || last.committed >= logStart) return undefined
  return said('WARN', 'records-lost', {
    name: 'deleted-unread',
    values: { lost: logStart - last.committed, committed: last.committed, start: logStart },
  })
}

/** By Mann and Kendall's test, which no single good or bad sample can sway: does the lag rise? */
function trend(window: SluiceWindow, settings: SluiceSettings, behind: Behind, said: Say): Judgement {
  const { samples, lagSeconds } = window
  const lags = samples.map(lagOf)
  const [first, last] = [lags[0]!, lags.at(-1)!]
  const pace = paceOf(samples)
  const paces: Sentence[] = pace ? [{ name: 'paces', values: { ...pace } }] : []
  const isBehind = lagSeconds === null || lagSeconds * 1000 > 2 * settings.sampleIntervalMs
  const always = lags.every((lag) => lag > settings.allowedLag)
  const score = mannKendall(lags)
  if (isBehind && always && last > first && score > SIGNIFICANT) {
    const span = samples.at(-1)!.at - samples[0]!.at
    return said('WARN', 'falling-behind', { name: 'lag-rose', values: { first, last, span, ...behind } }, ...paces)
  }
  if (always && last < first && score < -SIGNIFICANT) {
    const seconds = forecastSeconds(samples)
    const forecast: Sentence[] = seconds === null ? [] : [{ name: 'forecast', values: { left: seconds * 1000 } }]
    return said('OK', 'catching-up', { name: 'lag-falls', values: { first, ...behind } }, ...paces, ...forecast)
  }
  return said('OK', 'keeping-pace', { name: 'lag-stays', values: { ...behind } }, ...paces)
}

/** One-sided, one in a hundred. */
const SIGNIFICANT = 2.326

/** The test's normal score: above 0 rising, below 0 falling. 0 with fewer than three values. */
export function mannKendall(values: readonly number[]): number {
  const n = values.length
  if (n < 3) return 0
  let sum = 0
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) sum += Math.sign(values[j]! - values[i]!)
  if (sum === 0) return 0
  return (sum - Math.sign(sum)) / Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
}

/** Records a second over the window; undefined if it spans no time. */
export function paceOf(samples: readonly Sample[]): { read: number; written: number } | undefined {
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || last.at <= first.at) return undefined
  const seconds = (last.at - first.at) / 1000
  return {
    read: Math.max(0, last.committed - first.committed) / seconds,
    written: Math.max(0, last.end - first.end) / seconds,
  }
}

/** Until the lag is gone at the pace of the window: 0 if there is none, null if it is not getting smaller. */
export function forecastSeconds(samples: readonly Sample[]): number | null {
  const last = samples.at(-1)
  if (!last) return null
  const lag = lagOf(last)
  if (lag === 0) return 0
  const pace = paceOf(samples)
  return pace && pace.read > pace.written ? lag / (pace.read - pace.written) : null
}
