/**
 * The rule set `sluice`, the default: what Burrow's rules are for, without what its users complain of. Pure: a window in, a judgement out.
 *
 * It rests on samples of the monitor's own clock, so that neither fast nor rare commits change its meaning, and it looks at who is assigned
 * the partition, at what a transaction holds back, and at how long the group usually takes between two commits while there is work.
 * The rules are tried in the order of this file; the first that matches decides.
 */
import { count, duration, type Judgement, rate, records, type RuleName } from './judgement.ts'
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
  const said: Say = (status, rule, evidence) => ({
    status,
    rule,
    evidence,
    from: samples[0]?.at ?? null,
    to: samples.at(-1)?.at ?? null,
    samples: samples.length,
    complete: samples.length / capacity,
  })
  const last = samples.at(-1)
  const lag = currentLag(window)
  if (!last || lag === null)
    return said('OK', 'no-commit', 'The group has committed nothing on this partition: there is no lag to judge.')
  const behind = withTime(records(lag), window.lagSeconds)
  if (lag <= settings.allowedLag) return withinAllowed(window, settings, lag, said)
  const held = heldBack(window, last, said)
  if (held) return held
  if (samples.length < settings.minimumSamples) {
    return said(
      'OK',
      'window-too-short',
      `${behind} wait; ${samples.length} of ${settings.minimumSamples} samples that a judgement needs have been taken.`,
    )
  }
  return (
    rewound(window, behind, said) ??
    stuck(window, settings, behind, said) ??
    lost(window, last, said) ??
    trend(window, settings, behind, said)
  )
}

type Say = (status: PartitionStatus, rule: RuleName, evidence: string) => Judgement

function withTime(text: string, lagSeconds: number | null): string {
  return lagSeconds === null ? text : `${text} (${duration(lagSeconds * 1000)})`
}

function withinAllowed(window: SluiceWindow, settings: SluiceSettings, lag: number, said: Say): Judgement {
  const last = window.samples.at(-1)!
  if (lag === 0 && lagOf(last) > 0 && window.unreadRecords === 0) {
    return said(
      'OK',
      'only-markers',
      `Every record is read: the ${count(lagOf(last))} offsets up to the end are transaction markers.`,
    )
  }
  const allowed = settings.allowedLag === 0 ? 'none is' : `${count(settings.allowedLag)} are`
  return said(
    'OK',
    'within-allowed-lag',
    lag === 0 ? 'Every record is read.' : `${records(lag)} wait, and ${allowed} allowed.`,
  )
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
  const heldMs = last.at - since
  const whole = samples.length > 1 && samples[0]!.committed === lastStable
  return said(
    whole ? 'WARN' : 'OK',
    'open-transaction',
    `The group has read up to offset ${count(lastStable)}, where an open transaction begins, for ${duration(heldMs)}; ` +
      `${count(end - lastStable)} offsets behind it wait for that producer to commit or abort.`,
  )
}

function rewound({ samples }: SluiceWindow, behind: string, said: Say): Judgement | undefined {
  const at = samples.findIndex((sample, index) => index > 0 && sample.committed < samples[index - 1]!.committed)
  if (at < 1) return undefined
  const before = samples[at - 1]!.committed
  if (samples.slice(at).some(({ committed }) => committed >= before)) return undefined
  const { committed, at: when } = samples[at]!
  const last = samples.at(-1)!
  return said(
    'REWIND',
    'rewound',
    `${duration(last.at - when)} ago the committed offset went back by ${records(before - committed)}, from ${count(before)} to ${count(committed)}; ` +
      `it stands at ${count(last.committed)}, and ${behind} wait.`,
  )
}

/** The commit stands still although there is work: for longer than the window, and for longer than this group usually takes. */
function stuck(window: SluiceWindow, settings: SluiceSettings, behind: string, said: Say): Judgement | undefined {
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
  const producers = grown > 0 ? `while ${records(grown)} more were written` : 'and nothing more was written'
  const stands = `The commit has stood at ${count(last.committed)} for ${duration(stuckMs)} ${producers}; ${behind} wait.`
  if (typeof owner === 'object') {
    return said('STALL', 'stalled', `${stands} ${memberName(owner)} is assigned the partition and does not get on.`)
  }
  const who =
    owner === 'unknown'
      ? 'Who is assigned it is not known.'
      : window.groupState && window.groupState !== 'Empty'
        ? `No member is assigned it (the group is ${window.groupState}).`
        : 'The group has no members.'
  return said('STOP', 'stopped', `${stands} ${who}`)
}

function memberName({ clientId, host, memberId }: Exclude<Owner, string>): string {
  return `${clientId || memberId} on ${host.replace(/^\//, '')}`
}

function lost({ logStart }: SluiceWindow, last: Sample, said: Say): Judgement | undefined {
  if (logStart === undefined || last.committed >= logStart) return undefined
  return said(
    'WARN',
    'records-lost',
    `${records(logStart - last.committed)} were deleted before the group read them: it stands at ${count(last.committed)}, the log begins at ${count(logStart)}.`,
  )
}

/** By Mann and Kendall's test, which no single good or bad sample can sway: does the lag rise? */
function trend(window: SluiceWindow, settings: SluiceSettings, behind: string, said: Say): Judgement {
  const { samples, lagSeconds } = window
  const lags = samples.map(lagOf)
  const [first, last] = [lags[0]!, lags.at(-1)!]
  const pace = paceOf(samples)
  const paces = pace ? ` It reads ${rate(pace.read)}, producers write ${rate(pace.written)}.` : ''
  const isBehind = lagSeconds === null || lagSeconds * 1000 > 2 * settings.sampleIntervalMs
  const always = lags.every((lag) => lag > settings.allowedLag)
  const score = mannKendall(lags)
  if (isBehind && always && last > first && score > SIGNIFICANT) {
    const spanMs = samples.at(-1)!.at - samples[0]!.at
    return said(
      'WARN',
      'falling-behind',
      `The lag rose from ${records(first)} to ${records(last)} within ${duration(spanMs)}: ${behind} wait.${paces}`,
    )
  }
  if (always && last < first && score < -SIGNIFICANT) {
    const seconds = forecastSeconds(samples)
    const when = seconds === null ? '' : ` At this pace it has caught up in ${duration(seconds * 1000)}.`
    return said('OK', 'catching-up', `${behind} wait, fewer than the ${count(first)} before.${paces}${when}`)
  }
  return said('OK', 'keeping-pace', `${behind} wait, and the lag does not grow.${paces}`)
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
