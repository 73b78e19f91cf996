/**
 * Which leader epoch began at which offset: how a consumer finds out that the log it read is no longer the log that is there
 * (KIP-320). One node is always the leader; its epoch is raised when recovery had to cut records off, because then offsets
 * are given a second time. Kept in Kafka's `leader-epoch-checkpoint`.
 */
import { type EpochEndOffset } from './partition-types.ts'

export interface EpochStart {
  readonly epoch: number
  startOffset: number
}

export class LeaderEpochs {
  #starts: EpochStart[]
  #current: number

  constructor(starts: readonly EpochStart[]) {
    this.#starts = [...starts]
    this.#current = starts.at(-1)?.epoch ?? 0
  }

  get current(): number {
    return this.#current
  }

  get starts(): readonly EpochStart[] {
    return this.#starts
  }

  /** Records of the current epoch are about to be seen from this offset on. */
  note(offset: number): void {
    if (this.#starts.at(-1)?.epoch !== this.#current) this.#starts.push({ epoch: this.#current, startOffset: offset })
  }

  /** A new epoch, after everything from `endOffset` on was cut off. */
  raise(endOffset: number): void {
    this.#starts = this.#starts.filter(({ startOffset }) => startOffset < endOffset)
    this.#current++
    this.note(endOffset)
  }

  removeBefore(offset: number): void {
    const kept = this.#starts.findLastIndex(({ startOffset }) => startOffset <= offset)
    if (kept < 0) return
    this.#starts = this.#starts.slice(kept)
    this.#starts[0]!.startOffset = Math.max(this.#starts[0]!.startOffset, offset)
  }

  /** Where the epoch ended, as Kafka's LeaderEpochFileCache.endOffsetFor has it. */
  endOf(epoch: number, logEndOffset: number): EpochEndOffset {
    if (epoch === this.#current) return { leaderEpoch: epoch, endOffset: logEndOffset }
    const next = this.#starts.findIndex((start) => start.epoch > epoch)
    if (epoch < 0 || next < 0) return { leaderEpoch: -1, endOffset: -1 }
    if (next === 0) return { leaderEpoch: epoch, endOffset: this.#starts[0]!.startOffset }
    return { leaderEpoch: this.#starts[next - 1]!.epoch, endOffset: this.#starts[next]!.startOffset }
  }
}
