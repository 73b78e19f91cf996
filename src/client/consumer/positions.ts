/**
 * Brings every assigned partition to a position from which it can be fetched: the committed offset, or what `auto.offset.reset` says, checked against the
 * leader's log when an epoch is known (KIP-320).
 *
 * `update` looks at all partitions, starts what is missing and returns at once; a poll calls it again when the signal says that something came back.
 * One lookup of each kind is under way at a time. An answer counts only for the version of the partition for which it was asked.
 */
import { type Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { isRetriable } from '../retry.ts'
import { LogTruncationError, NoOffsetForPartitionError } from './consumer-errors.ts'
import { type GroupOffsets } from './group-offsets.ts'
import { durationMs } from '../iso-duration.ts'
import { EARLIEST_TIMESTAMP, type FoundOffset, LATEST_TIMESTAMP, type OffsetLookup } from './offset-lookup.ts'
import { TopicPartitionMap } from '../../protocol/records/topic-partition.ts'
import { type AssignedPartition, type ResetStrategy, type SubscriptionState } from './subscription-state.ts'
import { type WakeSignal } from './wake-signal.ts'

export interface PositionsParts {
  readonly cluster: Cluster
  readonly config: ConsumerConfig
  readonly subscriptions: SubscriptionState
  readonly signal: WakeSignal
  readonly lookup: OffsetLookup
  /** undefined without a group. */
  readonly groupOffsets: GroupOffsets | undefined
}

type Work = 'committed' | 'reset' | 'validate'

export class Positions {
  readonly #parts: PositionsParts
  readonly #abort = new AbortController()
  readonly #running = new Set<Work>()
  #error: unknown
  #metadataVersion = -1
  #assignmentVersion = -1

  constructor(parts: PositionsParts) {
    this.#parts = parts
  }

  close(): void {
    this.#abort.abort()
  }

  /** True while everything that is assigned has a position and no leader changed: the cheap look of the fast path. */
  get isSettled(): boolean {
    const { cluster, subscriptions } = this.#parts
    if (this.#error !== undefined || this.#assignmentVersion !== subscriptions.assignmentVersion) return false
    return this.#metadataVersion === cluster.metadata.version
  }

  /** Starts what is missing. Throws what a lookup failed with for good. */
  update(): void {
    const error = this.#error
    if (error !== undefined) {
      this.#error = undefined
      throw error
    }
    const { subscriptions, config, cluster } = this.#parts
    const nowMs = cluster.seams.clock.monotonic()
    const initializing: AssignedPartition[] = []
    const resetting: AssignedPartition[] = []
    const validating: AssignedPartition[] = []
    let waiting = false
    for (const partition of subscriptions.partitions) {
      this.#noticeLeader(partition)
      const { name } = partition.phase
      if (name === 'fetching') continue
      waiting = true
      if (partition.notBeforeMs > nowMs) continue
      if (name === 'initializing') initializing.push(partition)
      else if (name === 'resetting') resetting.push(partition)
      else validating.push(partition)
    }
    if (!waiting) {
      this.#assignmentVersion = subscriptions.assignmentVersion
      this.#metadataVersion = cluster.metadata.version
      return
    }
    this.#assignmentVersion = -1
    if (initializing.length > 0) {
      if (this.#parts.groupOffsets)
        this.#run('committed', initializing, (signal) => this.#committed(initializing, signal))
      else this.#withoutCommitted(initializing, config['auto.offset.reset'])
    }
    if (resetting.length > 0) this.#run('reset', resetting, (signal) => this.#reset(resetting, signal))
    if (validating.length > 0) this.#run('validate', validating, (signal) => this.#validate(validating, signal))
  }

  /** A seek or a reset needs another look. */
  unsettle(): void {
    this.#assignmentVersion = -1
  }

  /** A leader of another epoch may have another log: the position is checked before anything more is fetched. */
  #noticeLeader(partition: AssignedPartition): void {
    if (!partition.hasPosition) return
    const leader = this.#parts.cluster.metadata.leader(partition)
    if (!leader || leader.leaderEpoch < 0 || leader.leaderEpoch === partition.checkedLeaderEpoch) return
    const { positionEpoch } = partition.buffer
    if (positionEpoch < 0 || positionEpoch === leader.leaderEpoch) {
      partition.checkedLeaderEpoch = leader.leaderEpoch
      if (partition.phase.name === 'validating') partition.phase = { name: 'fetching' }
    } else if (partition.phase.name === 'fetching') {
      partition.phase = { name: 'validating' }
    }
  }

  #run(work: Work, partitions: readonly AssignedPartition[], task: (signal: AbortSignal) => Promise<void>): void {
    if (this.#running.has(work)) return
    const { cluster, config, signal } = this.#parts
    this.#running.add(work)
    task(this.#abort.signal)
      .catch((error: unknown) => {
        if (this.#abort.signal.aborted) return
        if (!isRetriable(error)) this.#error = error
        cluster.seams.logger.debug({ work, error: (error as Error).message }, 'positions could not be looked up')
        const notBeforeMs = cluster.seams.clock.monotonic() + config['retry.backoff.ms']
        for (const partition of partitions) if (partition.phase.name !== 'fetching') partition.notBeforeMs = notBeforeMs
      })
      .finally(() => {
        this.#running.delete(work)
        signal.notify()
      })
  }

  async #committed(partitions: readonly AssignedPartition[], signal: AbortSignal): Promise<void> {
    const { config, groupOffsets } = this.#parts
    const versions = partitions.map(({ version }) => version)
    const committed = await groupOffsets!.fetchOnce(partitions, signal)
    const without: AssignedPartition[] = []
    for (const [index, partition] of partitions.entries()) {
      if (partition.version !== versions[index] || partition.phase.name !== 'initializing') continue
      const found = committed.get(partition)
      if (found) partition.seek(found.offset, found.leaderEpoch)
      else without.push(partition)
    }
    this.#withoutCommitted(without, config['auto.offset.reset'])
  }

  #withoutCommitted(partitions: readonly AssignedPartition[], strategy: ResetStrategy | 'none'): void {
    if (partitions.length === 0) return
    if (strategy === 'none') {
      throw new NoOffsetForPartitionError(partitions.map(({ topic, partition }) => ({ topic, partition })))
    }
    for (const partition of partitions) partition.reset(strategy)
  }

  async #reset(partitions: readonly AssignedPartition[], signal: AbortSignal): Promise<void> {
    const asked = partitions.flatMap((partition) => {
      const { phase, version } = partition
      return phase.name === 'resetting' ? [{ partition, version, strategy: phase.strategy }] : []
    })
    const found = new TopicPartitionMap<FoundOffset>()
    const { lookup } = this.#parts
    try {
      await lookup.findOnce(
        asked.map(({ partition, strategy }) => [
          partition,
          timestampOf(strategy, this.#parts.cluster.seams.clock.now()),
        ]),
        found,
        signal,
      )
      // Nothing is that young: what comes next is, as Java has it.
      const younger = asked.filter(({ partition }) => found.get(partition)?.offset === -1)
      const ends = new TopicPartitionMap<FoundOffset>()
      if (younger.length > 0) {
        for (const { partition } of younger) found.delete(partition)
        await lookup.findOnce(
          younger.map(({ partition }) => [partition, LATEST_TIMESTAMP]),
          ends,
          signal,
        )
      }
      for (const [partition, end] of ends.entries()) found.set(partition, end)
    } finally {
      // What was answered counts, whatever became of the other leaders.
      for (const { partition, version } of asked) {
        const answer = found.get(partition)
        if (!answer || answer.offset < 0 || partition.version !== version) continue
        partition.seek(answer.offset, answer.leaderEpoch)
        // The leader itself has just said so: there is nothing to check.
        partition.phase = { name: 'fetching' }
        partition.checkedLeaderEpoch = this.#parts.cluster.metadata.leader(partition)?.leaderEpoch ?? -1
      }
    }
  }

  async #validate(partitions: readonly AssignedPartition[], signal: AbortSignal): Promise<void> {
    const { cluster, config, lookup } = this.#parts
    const asked = partitions.map((partition) => ({
      partition,
      version: partition.version,
      leaderEpoch: cluster.metadata.leader(partition)?.leaderEpoch ?? -1,
    }))
    const ends = await lookup.epochEnds(
      partitions.map((partition) => [partition, partition.buffer.positionEpoch]),
      signal,
    )
    const retryMs = cluster.seams.clock.monotonic() + config['retry.backoff.ms']
    for (const { partition, version, leaderEpoch } of asked) {
      if (partition.version !== version || partition.phase.name !== 'validating') continue
      const end = ends.get(partition)
      if (!end) {
        partition.notBeforeMs = retryMs
        continue
      }
      const { position } = partition.buffer
      if (end.endOffset >= position) {
        partition.phase = { name: 'fetching' }
        partition.checkedLeaderEpoch = leaderEpoch
      } else {
        this.#truncated(partition, position, end.endOffset, end.leaderEpoch)
      }
    }
  }

  /** What was consumed is not in the log any more. With a reset strategy: on from where the histories part, or a reset where that is not known. */
  #truncated(partition: AssignedPartition, position: number, endOffset: number, epoch: number): void {
    const { config, cluster } = this.#parts
    const { topic, partition: number } = partition
    const known = endOffset >= 0 && epoch >= 0
    cluster.seams.logger.warn({ partition: `${topic}-${number}`, position, endOffset }, 'the log was truncated')
    const strategy = config['auto.offset.reset']
    if (strategy === 'none') {
      partition.notBeforeMs = cluster.seams.clock.monotonic() + config['retry.backoff.ms']
      throw new LogTruncationError({ topic, partition: number }, position, known ? endOffset : undefined)
    }
    if (known) {
      partition.seek(endOffset, epoch)
      partition.phase = { name: 'fetching' }
    } else {
      partition.reset(strategy)
    }
  }
}

/** The question to ListOffsets for a reset. */
function timestampOf(strategy: ResetStrategy, nowMs: number): number {
  switch (strategy) {
    case 'earliest':
      return EARLIEST_TIMESTAMP
    case 'latest':
      return LATEST_TIMESTAMP
    default:
      return Math.max(0, Math.floor(nowMs - durationMs(strategy.slice('by_duration:'.length))!))
  }
}
