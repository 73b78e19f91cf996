/**
 * The outcome of a call about many things (topics, groups, partitions), each of which can fail by itself, and the loop that
 * asks again for those that may succeed later.
 */
import { SluiceError } from '../../error.ts'
import { KafkaError } from '../../protocol/error-codes.ts'
import { type Cluster } from '../cluster.ts'
import { AbortedError, TimeoutError } from '../errors.ts'
import { isRetriable, withRetries } from '../retry.ts'

/** A call about several things of which some failed. `failures` says which and why; `values` holds what succeeded. */
export class AdminError extends SluiceError {
  readonly failures: ReadonlyMap<string, Error>
  readonly values: ReadonlyMap<string, unknown>

  constructor(doing: string, failures: ReadonlyMap<string, Error>, values: ReadonlyMap<string, unknown>) {
    const said = [...failures].map(([name, error]) => `${name}: ${error.message}`).join('; ')
    super('SLUICE_ADMIN', `${doing} failed for ${failures.size} of ${failures.size + values.size}: ${said}`, {
      cause: failures.values().next().value,
      retriable: [...failures.values()].every(isRetriable),
    })
    this.failures = failures
    this.values = values
  }
}

/** What was asked for, by its name (a topic, a group, `topic-partition`). Nothing is hidden: who needs all of it says `orThrow()`. */
export class Results<V> implements Iterable<[string, V]> {
  readonly values: ReadonlyMap<string, V>
  readonly failures: ReadonlyMap<string, Error>
  readonly #doing: string

  constructor(doing: string, values: ReadonlyMap<string, V>, failures: ReadonlyMap<string, Error>) {
    this.#doing = doing
    this.values = values
    this.failures = failures
  }

  /** The value of one name. @throws its error */
  get(name: string): V {
    const failure = this.failures.get(name)
    if (failure) throw failure
    const value = this.values.get(name)
    if (value === undefined) throw new SluiceError('SLUICE_INVALID_ARGUMENT', `${name} was not asked for`)
    return value
  }

  /** All values. @throws the error if there was one thing to do, AdminError if there were several */
  orThrow(): ReadonlyMap<string, V> {
    if (this.failures.size === 0) return this.values
    const only = this.failures.size + this.values.size === 1 ? this.failures.values().next().value : undefined
    throw only ?? new AdminError(this.#doing, this.failures, this.values)
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.values.entries()
  }
}

export interface AdminCallOptions {
  /** Instead of `default.api.timeout.ms`. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface AdminContext {
  readonly cluster: Cluster
  readonly defaultTimeoutMs: number
  readonly retries: number
}

/** Runs one request until it succeeds or cannot. Metadata are fetched again before each new attempt. */
export function untilDone<T>(
  { cluster, defaultTimeoutMs, retries }: AdminContext,
  doing: string,
  options: AdminCallOptions,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { timeoutMs = defaultTimeoutMs, signal } = options
  const onRetry = () => cluster.refreshMetadata().catch(() => {})
  const ends = signal ? AbortSignal.any([signal, cluster.closing]) : cluster.closing
  return withRetries(cluster.seams, cluster.config, { doing, timeoutMs, signal: ends, retries, onRetry }, attempt)
}

const UNKNOWN_TOPIC_OR_PARTITION = 3

/** What is still open, what succeeded and what failed. */
export class Gathering<K, V> {
  readonly doing: string
  readonly pending: Map<string, K>
  readonly #values = new Map<string, V>()
  readonly #failures = new Map<string, Error>()
  readonly #isMissingFinal: boolean
  #lastError: Error | undefined
  readonly #lastErrors = new Map<string, Error>()

  /** @param isMissingFinal whether a topic that does not exist is an answer, not something to wait for */
  constructor(doing: string, keys: Iterable<readonly [string, K]>, isMissingFinal = true) {
    this.doing = doing
    this.pending = new Map(keys)
    this.#isMissingFinal = isMissingFinal
  }

  succeed(name: string, value: V): void {
    if (this.pending.delete(name)) this.#values.set(name, value)
  }

  /** An error that may go away leaves the thing pending. */
  fail(name: string, error: Error): void {
    if (!this.pending.has(name)) return
    if (isRetriable(error)) {
      this.#lastError = error
      this.#lastErrors.set(name, error)
      return
    }
    this.failForGood(name, error)
  }

  /** Also for an error that a retry could heal, where the answer is wanted now. */
  failForGood(name: string, error: Error): void {
    if (this.pending.delete(name)) this.#failures.set(name, error)
  }

  failCode(name: string, code: number, message?: string | null): void {
    const error = new KafkaError(code, `${this.doing} (${name})`, message)
    if (code === UNKNOWN_TOPIC_OR_PARTITION && this.#isMissingFinal) this.failForGood(name, error)
    else this.fail(name, error)
  }

  /** Repeats `attempt` for what is pending. What is still pending at the end fails with the TimeoutError; where `retries` ended it, with its own error. */
  async run(
    context: AdminContext,
    options: AdminCallOptions,
    attempt: (signal: AbortSignal) => Promise<void>,
  ): Promise<Results<V>> {
    try {
      await untilDone(context, this.doing, options, async (signal) => {
        if (this.pending.size === 0) return
        this.#lastError = undefined
        await attempt(signal)
        if (this.pending.size > 0) {
          throw this.#lastError ?? new KafkaError(-1, this.doing, 'The broker did not answer for everything.')
        }
      })
    } catch (error) {
      if (!(error instanceof KafkaError) && !isRetriable(error)) throw error
      const all = error as Error
      for (const name of this.pending.keys()) {
        this.#failures.set(name, all instanceof TimeoutError ? all : (this.#lastErrors.get(name) ?? all))
      }
    }
    return new Results(this.doing, this.#values, this.#failures)
  }

  /**
   * Asks for everything that is pending at the node that is responsible for it, all nodes at once. An error of finding
   * or asking a node counts for what was to be asked of it.
   */
  async askByNode(
    nodeOf: (name: string, key: K) => Promise<number>,
    ask: (node: number, keys: Map<string, K>) => Promise<void>,
  ): Promise<void> {
    const byNode = new Map<number, Map<string, K>>()
    await Promise.all(
      [...this.pending].map(async ([name, key]) => {
        try {
          const node = await nodeOf(name, key)
          const keys = byNode.get(node) ?? new Map<string, K>()
          byNode.set(node, keys.set(name, key))
        } catch (error) {
          this.#failUnlessAborted([name], error as Error)
        }
      }),
    )
    await Promise.all(
      [...byNode].map(async ([node, keys]) => {
        try {
          await ask(node, keys)
        } catch (error) {
          this.#failUnlessAborted(keys.keys(), error as Error)
        }
      }),
    )
  }

  /** The end of the time or the caller's signal is no answer about a thing: the whole attempt ends. */
  #failUnlessAborted(names: Iterable<string>, error: Error): void {
    if (error instanceof AbortedError) throw error
    for (const name of names) this.fail(name, error)
  }
}
