/**
 * What is known of one log (a partition of a topic): its end over time, and whether a look at it can be believed.
 *
 * A log end never falls by itself. One that does comes from a broker that is behind (just restarted, just made leader): such a look is held
 * back, for a lag computed from it would be a lie. Only when the lower end is told several times in a row was the log really cut back (an
 * unclean election): then everything begins anew.
 */
import type { SampledLog } from './cluster-sample.ts'
import { type EndPoint, LogEnds } from './log-ends.ts'

/** taken: the end can be judged by. held: not now. cut: the log is shorter than it was, and its past is void. */
export type Observed = 'taken' | 'held' | 'cut'

const TELLINGS_BELIEVED = 3

export class LogState {
  readonly ends: LogEnds
  /** Burrow's ring: the last ends, one a sample. */
  #recent: number[] = []
  readonly #intervals: number
  #lowerTold = 0
  leader = -1
  leaderEpoch = -1
  logStart: number | undefined
  lastStable: number | undefined

  constructor(intervals: number, ends: readonly EndPoint[] = []) {
    this.#intervals = intervals
    this.ends = new LogEnds(ends)
  }

  get end(): number | undefined {
    return this.ends.last?.end
  }

  get recent(): readonly number[] {
    return this.#recent
  }

  observe(at: number, seen: SampledLog): Observed {
    this.leader = seen.leader
    this.leaderEpoch = seen.leaderEpoch
    this.logStart = seen.logStart ?? this.logStart
    this.lastStable = seen.lastStable
    const { end } = seen
    if (end === undefined) return 'held'
    const before = this.end
    let observed: Observed = 'taken'
    if (before !== undefined && end < before) {
      if (++this.#lowerTold < TELLINGS_BELIEVED) return 'held'
      this.forgetPast()
      observed = 'cut'
    }
    this.#lowerTold = 0
    this.ends.push(at, end)
    if (this.#recent.length === this.#intervals) this.#recent.shift()
    this.#recent.push(end)
    return observed
  }

  forgetPast(): void {
    this.ends.clear()
    this.#recent = []
  }
}

export class TopicState {
  readonly topic: string
  topicId: string | undefined
  isInternal = false
  readonly logs: LogState[] = []
  readonly #intervals: number

  constructor(topic: string, topicId: string | undefined, intervals: number) {
    this.topic = topic
    this.topicId = topicId
    this.#intervals = intervals
  }

  log(partition: number): LogState | undefined {
    return this.logs[partition]
  }

  /** Makes as many logs as there are partitions. */
  grow(partitions: number): void {
    while (this.logs.length < partitions) this.logs.push(new LogState(this.#intervals))
    this.logs.length = partitions
  }
}
