/**
 * Which broker coordinates a group or a transactional id: asked once, remembered until somebody says that it is wrong.
 * Everybody who asks for the same key at the same time shares one request. A lookup tries again while the broker has no
 * coordinator yet (right after a cluster's first start, `__consumer_offsets` is still being created).
 */
import { KafkaError } from '../protocol/error-codes.ts'
import { findCoordinator } from '../protocol/messages/index.ts'
import { type Cluster } from './cluster.ts'
import { orAborted, withRetries } from './retry.ts'

export type CoordinatorType = 'group' | 'transaction'

export class CoordinatorLookup {
  readonly #cluster: Cluster
  readonly #known = new Map<string, number>()
  readonly #asking = new Map<string, Promise<number>>()
  /** Why a coordinator is still being looked for. */
  readonly #failures = new Map<string, Error>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  /** The coordinator's node id. Rejects with KafkaError (not authorised …), TimeoutError, AbortedError. */
  find(type: CoordinatorType, key: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<number> {
    const id = `${type} ${key}`
    const known = this.#known.get(id)
    if (known !== undefined) return Promise.resolve(known)
    let asking = this.#asking.get(id)
    if (!asking) {
      asking = this.#ask(type, key, options.timeoutMs).finally(() => {
        this.#asking.delete(id)
        this.#failures.delete(id)
      })
      asking.catch(() => {})
      this.#asking.set(id, asking)
    }
    return orAborted(
      asking,
      options.signal,
      `Finding the coordinator of the ${type} ${key}`,
      () => this.#failures.get(id) ?? this.#cluster.hindrance,
    )
  }

  /** After NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE or a broken connection: the next `find` asks again. */
  forget(type: CoordinatorType, key: string): void {
    this.#known.delete(`${type} ${key}`)
  }

  /** A broker has listed the group as its own, which only its coordinator does: nobody needs to ask. */
  learn(type: CoordinatorType, key: string, node: number): void {
    this.#known.set(`${type} ${key}`, node)
  }

  /** One request, no retries: what `find` repeats. For callers with a retry loop of their own. */
  async findOnce(type: CoordinatorType, key: string, signal?: AbortSignal): Promise<number> {
    const id = `${type} ${key}`
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const keyType = type === 'group' ? 0 : 1
    const response = await this.#cluster.send(
      findCoordinator,
      'any',
      (version) =>
        version >= 4 ? { key: '', keyType, coordinatorKeys: [key] } : { key, keyType, coordinatorKeys: [] },
      { signal },
    )
    const found = response.coordinators[0] ?? response
    if (found.errorCode !== 0) {
      throw new KafkaError(found.errorCode, `Finding the coordinator of the ${type} ${key}`, found.errorMessage)
    }
    this.#cluster.metadata.brokers.set(found.nodeId, {
      rack: null,
      ...this.#cluster.metadata.brokers.get(found.nodeId),
      nodeId: found.nodeId,
      host: found.host,
      port: found.port,
    })
    this.#known.set(id, found.nodeId)
    return found.nodeId
  }

  #ask(type: CoordinatorType, key: string, timeoutMs: number): Promise<number> {
    const doing = `Finding the coordinator of the ${type} ${key}`
    return withRetries(
      this.#cluster.seams,
      this.#cluster.config,
      {
        doing,
        timeoutMs,
        signal: this.#cluster.closing,
        onRetry: (error) => void this.#failures.set(`${type} ${key}`, error),
      },
      (signal) => this.findOnce(type, key, signal),
    )
  }
}
