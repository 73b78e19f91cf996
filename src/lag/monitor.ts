/** Several clusters watched side by side, one store for all of them, and everybody who listens. One cluster's trouble is never another's. */
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { Overview } from './api-types.ts'
import type { ClusterMonitor, Sampled } from './cluster-monitor.ts'
import { inSlices } from './slices.ts'
import type { Store } from './store.ts'
import { StoreKeeper } from './store-keeper.ts'
import { byWorst, clusterSummary, groupSummaries } from './views.ts'

export interface MonitorOptions {
  readonly clusters: readonly ClusterMonitor[]
  /** Of Sluice, for those who ask. */
  readonly version: string
  /** Without it nothing survives a restart, and there is no history. */
  readonly store: Store | undefined
  readonly clock: Clock
  readonly logger: Logger
}

export type MonitorListener = (cluster: ClusterMonitor, sampled: Sampled) => void

export class Monitor {
  readonly clusters: ReadonlyMap<string, ClusterMonitor>
  readonly version: string
  readonly store: Store | undefined
  readonly clock: Clock
  readonly #keepers: readonly StoreKeeper[]
  readonly #listeners = new Set<MonitorListener>()
  #writing: Promise<void> = Promise.resolve()
  #stopping: Promise<void> | undefined

  constructor({ clusters, version, store, clock, logger }: MonitorOptions) {
    this.clusters = new Map(clusters.map((one) => [one.name, one]))
    this.version = version
    this.store = store
    this.clock = clock
    this.#keepers = store ? clusters.map((one) => new StoreKeeper(store, one, logger)) : []
    for (const [index, cluster] of clusters.entries()) {
      const keeper = this.#keepers[index]
      if (keeper) {
        keeper.restore(clock.now())
        cluster.onSample((sampled) => this.#keep(keeper, sampled, logger))
      }
      cluster.onSample((sampled) => this.#tell(cluster, sampled))
    }
  }

  start(): void {
    for (const cluster of this.clusters.values()) cluster.start()
  }

  /** Ends every cluster, then writes what there is to write. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Whether every cluster has been seen, or has failed to be. */
  get isReady(): boolean {
    return [...this.clusters.values()].every(({ condition }) => condition !== 'starting')
  }

  /** Called after each sample of any cluster. @returns what ends it */
  onSample(listener: MonitorListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  overview(cluster?: string): Overview {
    const all = [...this.clusters.values()].filter(({ name }) => cluster === undefined || name === cluster)
    return {
      now: this.clock.now(),
      version: this.version,
      clusters: all.map(clusterSummary),
      groups: all.flatMap(groupSummaries).sort(byWorst),
    }
  }

  #tell(cluster: ClusterMonitor, sampled: Sampled): void {
    for (const listener of this.#listeners) listener(cluster, sampled)
  }

  /** One after the other: what is written is written in slices, so that nobody who asks meanwhile waits for it. */
  #keep(keeper: StoreKeeper, sampled: Sampled, logger: Logger): void {
    this.#writing = this.#writing
      .then(() => inSlices(keeper.writing(sampled), this.clock))
      .catch((error: Error) => logger.error({ error: error.stack }, 'the store was not written'))
  }

  async #stop(): Promise<void> {
    await Promise.all([...this.clusters.values()].map((cluster) => cluster.stop()))
    await this.#writing
    const now = this.clock.now()
    for (const keeper of this.#keepers) keeper.saveAll(now)
    this.store?.close()
  }
}
