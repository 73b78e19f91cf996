/**
 * The user's callbacks at a rebalance. All of them run inside `poll`, `unsubscribe` or `close` and never at any other time; the call waits
 * until their promise settles. Inside, the consumer may be used (commitSync, seek, pause, position …), but not polled.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { type TopicPartition } from '../../protocol/records/topic-partition.ts'

export interface RebalanceListener {
  /**
   * Partitions that this member gives up: the last moment to commit for them. Eager assignors: all of them, before every rebalance. Cooperative: only
   * those that move, after it. A throw is thrown again by the call that ran it and changes nothing about the assignment.
   */
  onPartitionsRevoked?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** Partitions that are new to this member, once a rebalance, even if there are none. A pause does not survive: pause again here. */
  onPartitionsAssigned?(partitions: readonly TopicPartition[]): void | Promise<void>
  /**
   * Partitions that another member may own already (session timed out, fenced, max.poll.interval.ms): nothing can be committed for them any more.
   * Without this method onPartitionsRevoked is called instead.
   */
  onPartitionsLost?(partitions: readonly TopicPartition[]): void | Promise<void>
}

type Callback = keyof RebalanceListener

/** Runs callbacks one after the other, marks the time in which the user's code may use the consumer, and keeps the first error. */
export class ListenerCalls {
  #listener: RebalanceListener | undefined
  readonly #context = new AsyncLocalStorage<boolean>()
  #running = 0
  #error: unknown
  #failed = false

  set listener(listener: RebalanceListener | undefined) {
    this.#listener = listener
  }

  /** True while one of the user's callbacks runs. */
  get isRunning(): boolean {
    return this.#running > 0
  }

  /** True for code that a callback calls, and not for what else runs at the same time. */
  get isInside(): boolean {
    return this.#running > 0 && this.#context.getStore() === true
  }

  async call(which: Callback, partitions: readonly TopicPartition[]): Promise<void> {
    const listener = this.#listener
    if (!listener) return
    const named = which === 'onPartitionsLost' && !listener.onPartitionsLost ? 'onPartitionsRevoked' : which
    if (!listener[named]) return
    const plain = partitions.map(({ topic, partition }) => ({ topic, partition }))
    this.#running++
    try {
      await this.#context.run(true, () => listener[named]!(plain))
    } catch (error) {
      if (!this.#failed) this.#error = error
      this.#failed = true
    } finally {
      this.#running--
    }
  }

  /** Throws what the first failing callback threw, once. */
  throwError(): void {
    if (!this.#failed) return
    const error = this.#error
    this.#failed = false
    this.#error = undefined
    throw error
  }
}
