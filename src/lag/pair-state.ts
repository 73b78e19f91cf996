/**
 * What is remembered of one partition as one group reads it: the two windows, since when it is stuck, and how long the group usually takes.
 * Fed with what was seen; judges nothing.
 */
import type { Judgement } from './judgement.ts'
import { type Commit, CommitWindow, SampleWindow, type WindowPlace } from './window.ts'

export interface PairSettings {
  readonly intervals: number
  readonly minDistanceMs: number
}

/** Of a commit that took this long nobody learns patience. */
const LONGEST_GAP_MS = 3_600_000
/** How fast an exceptional wait is forgotten, with each commit. */
const GAP_KEPT = 0.8

export class PairState {
  readonly topic: string
  readonly partition: number
  /** Where both windows are. */
  readonly place: WindowPlace
  readonly samples: SampleWindow
  readonly commits: CommitWindow
  readonly #minDistanceMs: number
  /** The last commit that was seen, also when there was no log end to go with it. */
  committed: number | undefined
  /** When it last changed. */
  movedAt: number | undefined
  /** Since when there has been more lag than is allowed. */
  lagSince: number | undefined
  workGapMs = 0
  judgement: Judgement | undefined
  lag: number | null = null
  lagSeconds: number | null = null
  /** What a look at the log found from the commit on; holds while both offsets are the same. */
  peeked:
    | {
        readonly committed: number
        readonly end: number
        readonly timestamp: number | null
        readonly records: number | undefined
      }
    | undefined

  /** Numbers that its place must have room for. */
  static doubles(intervals: number): number {
    return SampleWindow.doubles(intervals) + CommitWindow.doubles(intervals)
  }

  constructor(topic: string, partition: number, { intervals, minDistanceMs }: PairSettings, place: WindowPlace) {
    this.topic = topic
    this.partition = partition
    this.place = place
    const { block, start } = place
    this.samples = new SampleWindow(intervals, block, start)
    this.commits = new CommitWindow(intervals, block, start + SampleWindow.doubles(intervals))
    this.#minDistanceMs = minDistanceMs
  }

  /** Since when the commit has not moved although there was work. */
  get stuckSince(): number | undefined {
    return this.lagSince === undefined ? undefined : Math.max(this.lagSince, this.movedAt ?? this.lagSince)
  }

  /**
   * Takes in the commit that a sample found, and the log end if that can be believed.
   *
   * @param isCommit whether an offset that changed stands for a commit: where commits are not seen one by one
   */
  observe(at: number, committed: number, end: number | undefined, allowedLag: number, isCommit = true): void {
    if (committed !== this.committed) {
      if (isCommit) this.#commit({ offset: committed, timestamp: at, observedAt: at, lag: lagAt(end, committed) })
      if (this.lagSince !== undefined && this.committed !== undefined) {
        const gapMs = at - Math.max(this.lagSince, this.movedAt ?? this.lagSince)
        this.workGapMs = Math.max(Math.min(gapMs, LONGEST_GAP_MS), this.workGapMs * GAP_KEPT)
      }
      this.committed = committed
      this.movedAt = at
    }
    if (end === undefined) return
    this.samples.push(at, committed, end)
    if (end - committed > allowedLag) this.lagSince ??= at
    else this.lagSince = undefined
  }

  /** A commit that was read from `__consumer_offsets`, with its own time; the offset is taken in by the next sample. */
  observeCommit(commit: Commit): void {
    this.#commit(commit)
  }

  /** Nothing of before counts any more: the clock jumped, or another log has the name now. */
  forgetPast(): void {
    this.samples.clear()
    this.commits.clear()
    this.movedAt = undefined
    this.lagSince = undefined
    this.peeked = undefined
  }

  #commit(commit: Commit): void {
    this.commits.push(commit, this.#minDistanceMs)
  }
}

function lagAt(end: number | undefined, committed: number): number | null {
  return end === undefined ? null : Math.max(0, end - committed)
}
