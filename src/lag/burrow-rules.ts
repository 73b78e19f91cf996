/**
 * The rule set `burrow`: Burrow's own rules, in its order, with its statuses (linkedin/Burrow, core/internal/evaluator/caching.go at ced55ba).
 * Pure. What Burrow gets wrong it gets wrong here too: Sluice's own rules are in sluice-rules.ts.
 */
import { type Judgement, RuleJudgement, type RuleName } from './judgement.ts'
import type { SentenceName } from './sentences.ts'
import type { PartitionStatus } from './status.ts'
import type { Commit } from './window.ts'

export interface BurrowWindow {
  /** Places of the window (`intervals`); `complete` is how many of them are filled. */
  readonly intervals: number
  /** Oldest first, at most `intervals`. */
  readonly commits: readonly Commit[]
  /** The last `intervals` log ends, in any order. */
  readonly ends: readonly number[]
  /** Newest log end less the last commit. */
  readonly currentLag: number
}

export interface BurrowSettings {
  /** Milliseconds since 1970. Burrow counts in whole seconds, and so does this. */
  readonly now: number
  readonly allowedLag: number
  readonly minimumComplete: number
}

export function judgeByBurrow(window: BurrowWindow, settings: BurrowSettings): Judgement {
  const { commits, intervals } = window
  const complete = commits.length / intervals
  const last = commits.at(-1)
  const seen = { from: commits[0]?.timestamp ?? null, to: last?.timestamp ?? null, samples: commits.length, complete }
  const said = (status: PartitionStatus, rule: RuleName, name: SentenceName, values: Record<string, number>) =>
    new RuleJudgement(status, rule, [{ name, values: { commits: commits.length, ...values } }], seen)
  if (!last) return said('OK', 'no-commit', 'burrow.no-commit', {})
  if (complete < settings.minimumComplete)
    return said('OK', 'window-too-short', 'burrow.too-few-commits', { intervals })
  const { currentLag: lag } = window
  const { allowedLag: allowed } = settings
  if (lag <= allowed) return said('OK', 'within-allowed-lag', 'burrow.allowed', { lag, allowed })
  const nowMs = Math.floor(settings.now / 1000) * 1000
  if (hasStopped(commits, nowMs) && !wasRecentlyAtEnd(last, window.ends)) {
    const [silent, span] = [nowMs - last.timestamp, last.timestamp - commits[0]!.timestamp]
    return said('STOP', 'stopped', 'burrow.stopped', { silent, span, lag })
  }
  const committed = last.offset
  const rewind = rewindIndex(commits)
  if (rewind > 0 && !hasRecovered(commits, rewind)) {
    const [from, to] = [commits[rewind - 1]!.offset, commits[rewind]!.offset]
    return said('REWIND', 'rewound', 'burrow.went-back', { from, to, committed })
  }
  if (commits.some((commit) => commit.lag !== null && commit.lag <= allowed))
    return said('OK', 'lag-was-allowed', 'burrow.was-allowed', {})
  if (commits.every(({ offset }) => offset === committed))
    return said('STALL', 'stalled', 'burrow.same-offset', { committed, lag })
  if (neverFell(commits)) return said('WARN', 'falling-behind', 'burrow.never-fell', { lag })
  return said('OK', 'lag-fell', 'burrow.fell', { lag })
}

function hasStopped(commits: readonly Commit[], nowMs: number): boolean {
  const first = commits[0]!.timestamp
  const last = commits.at(-1)!.timestamp
  return nowMs - last > last - first
}

function wasRecentlyAtEnd(last: Commit, ends: readonly number[]): boolean {
  return ends.some((end) => end <= last.offset)
}

/** The index of the first commit that is lower than the one before it, or -1. */
function rewindIndex(commits: readonly Commit[]): number {
  return commits.findIndex((commit, index) => index > 0 && commit.offset < commits[index - 1]!.offset)
}

function hasRecovered(commits: readonly Commit[], rewind: number): boolean {
  const before = commits[rewind - 1]!.offset
  return commits.some(({ offset }, index) => index >= rewind && offset >= before)
}

function neverFell(commits: readonly Commit[]): boolean {
  const lags = commits.flatMap(({ lag }) => lag ?? [])
  return lags.every((lag, index) => index === 0 || lag >= lags[index - 1]!)
}
