/**
 * The rule set `burrow`: Burrow's own rules, in its order, with its statuses (linkedin/Burrow, core/internal/evaluator/caching.go at ced55ba).
 * Pure. What Burrow gets wrong it gets wrong here too: Sluice's own rules are in sluice-rules.ts.
 */
import { count, duration, type Judgement, records, type RuleName } from './judgement.ts'
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
  const said = (status: PartitionStatus, rule: RuleName, evidence: string): Judgement => ({
    status,
    rule,
    evidence,
    from: commits[0]?.timestamp ?? null,
    to: commits.at(-1)?.timestamp ?? null,
    samples: commits.length,
    complete,
  })
  const last = commits.at(-1)
  if (!last) return said('OK', 'no-commit', 'No commit of the group on this partition has been seen.')
  if (complete < settings.minimumComplete) {
    return said('OK', 'window-too-short', `Only ${commits.length} of ${intervals} commits have been seen.`)
  }
  const { currentLag } = window
  if (currentLag <= settings.allowedLag) {
    return said(
      'OK',
      'within-allowed-lag',
      `The lag is ${records(currentLag)}, at most ${count(settings.allowedLag)} are allowed.`,
    )
  }
  const nowMs = Math.floor(settings.now / 1000) * 1000
  if (hasStopped(commits, nowMs) && !wasRecentlyAtEnd(last, window.ends)) {
    const silentMs = nowMs - last.timestamp
    const spanMs = last.timestamp - commits[0]!.timestamp
    return said(
      'STOP',
      'stopped',
      `The last commit was ${duration(silentMs)} ago; the ${commits.length} before it came within ${duration(spanMs)}. ${records(currentLag)} wait.`,
    )
  }
  const rewind = rewindIndex(commits)
  if (rewind > 0 && !hasRecovered(commits, rewind)) {
    const [before, after] = [commits[rewind - 1]!.offset, commits[rewind]!.offset]
    return said(
      'REWIND',
      'rewound',
      `The committed offset went back from ${count(before)} to ${count(after)} and stands at ${count(last.offset)}.`,
    )
  }
  if (commits.some(({ lag }) => lag !== null && lag <= settings.allowedLag)) {
    return said('OK', 'lag-was-allowed', `One of the last ${commits.length} commits left no more lag than is allowed.`)
  }
  if (commits.every(({ offset }) => offset === last.offset)) {
    return said(
      'STALL',
      'stalled',
      `${commits.length} commits in a row are of the same offset ${count(last.offset)}, and ${records(currentLag)} wait.`,
    )
  }
  if (neverFell(commits)) {
    return said(
      'WARN',
      'falling-behind',
      `Over ${commits.length} commits the lag never fell; it is ${records(currentLag)}.`,
    )
  }
  return said(
    'OK',
    'lag-fell',
    `The lag is ${records(currentLag)} and fell at least once within ${commits.length} commits.`,
  )
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
