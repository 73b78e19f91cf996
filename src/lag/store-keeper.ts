/**
 * Between a cluster's monitor and the store: brings the windows back at start, then writes, after each sample, a part of them (all within a
 * minute) and the history that is due. Small steps, as SQLite works in the monitor's own thread.
 */
import type { Logger } from '../seams/logger.ts'
import type { Mark } from './api-types.ts'
import type { ClusterMonitor, Sampled } from './cluster-monitor.ts'
import type { GroupState } from './group-state.ts'
import { pointOf, rollUp, storedMark } from './history.ts'
import { atOnce } from './slices.ts'
import { COARSE_MS, type Store } from './store.ts'
import { restoreGroup, restoreTopic, storedGroup, storedTopic } from './window-store.ts'

/** Windows this old say nothing of today. */
const OLDEST_WINDOW_MS = 86_400_000
const SAVE_ALL_WITHIN_MS = 60_000
const ROLL_UPS_A_SAMPLE = 200
const EXPIRE_EVERY_MS = 600_000
/** Groups that are written at once. */
const STEP = 20

export class StoreKeeper {
  readonly #store: Store
  readonly #monitor: ClusterMonitor
  readonly #logger: Logger
  readonly #markedAt = new Map<string, number>()
  #saveQueue: (readonly [kind: 'group' | 'topic', name: string])[] = []
  #rollUps: (readonly [group: string, from: number])[] = []
  #pointsAt = Number.NEGATIVE_INFINITY
  #bucket: number | undefined
  #expiredAt = Number.NEGATIVE_INFINITY

  constructor(store: Store, monitor: ClusterMonitor, logger: Logger) {
    this.#store = store
    this.#monitor = monitor
    this.#logger = logger
  }

  /** Brings windows back. What cannot be read is left out, and said. */
  restore(now: number): void {
    const { state, name: cluster } = this.#monitor
    for (const [kind, restore] of [
      ['topic', restoreTopic],
      ['group', restoreGroup],
    ] as const) {
      for (const { name, at, data } of this.#store.kept(kind, cluster)) {
        if (now - at > OLDEST_WINDOW_MS || at > now) continue
        try {
          restore(state, name, data)
        } catch (error) {
          this.#logger.warn(
            { cluster, [kind]: name, error: (error as Error).message },
            `the stored windows of ${name} cannot be read and begin anew`,
          )
        }
      }
    }
    // What happened before the restart is in the store already.
    for (const group of state.groups.values()) this.#markedAt.set(group.groupId, group.marks.at(-1)?.at ?? 0)
    const bucket = Math.floor(now / COARSE_MS) - 1
    this.#rollUps = [...state.groups.keys()].map((group) => [group, bucket * COARSE_MS] as const)
  }

  /** To be called after each sample. */
  sampled(sampled: Sampled): void {
    atOnce(this.writing(sampled))
  }

  /** The same in small steps, each written by itself. The first that fails is the last: what is left waits for the next sample. */
  *writing({ at, gone }: Sampled): Generator<void, void> {
    for (const part of this.#parts(at, gone)) {
      if (!this.#store.writingPart(part)) return
      yield
    }
    this.#store.allWritten()
  }

  *#parts(at: number, gone: readonly string[]): Generator<() => void, void> {
    yield* inSteps(gone, (group) => this.#forget(group))
    yield* inSteps(this.#dueWindows(), ([kind, name]) => this.#save(kind, name, at))
    yield* inSteps(this.#duePoints(at), (group) => this.#savePoint(group, at))
    const rollUps = this.#rollUps.splice(0, ROLL_UPS_A_SAMPLE)
    yield* inSteps(rollUps, ([group, from]) => rollUp(this.#store, this.#monitor.name, group, from))
    if (at - this.#expiredAt < EXPIRE_EVERY_MS) return
    this.#expiredAt = at
    yield () => this.#store.expire(at)
  }

  /** All windows, at the end. */
  saveAll(now: number): void {
    this.#store.writing(() => {
      this.#saveQueue = this.#everything()
      for (const [kind, name] of this.#saveQueue) this.#save(kind, name, now)
    })
  }

  #everything(): (readonly ['group' | 'topic', string])[] {
    const { topics, groups } = this.#monitor.state
    return [
      ...[...groups.keys()].map((name) => ['group', name] as const),
      ...[...topics.keys()].map((name) => ['topic', name] as const),
    ]
  }

  #dueWindows(): (readonly ['group' | 'topic', string])[] {
    if (this.#saveQueue.length === 0) this.#saveQueue = this.#everything()
    const { topics, groups } = this.#monitor.state
    const turns = Math.max(1, Math.floor(SAVE_ALL_WITHIN_MS / this.#monitor.settings.sampleIntervalMs))
    return this.#saveQueue.splice(0, Math.ceil((topics.size + groups.size) / turns))
  }

  #save(kind: 'group' | 'topic', name: string, at: number): void {
    const { state, name: cluster } = this.#monitor
    const group = kind === 'group' ? state.groups.get(name) : undefined
    const topic = kind === 'topic' ? state.topics.get(name) : undefined
    const data = group ? storedGroup(group) : topic ? storedTopic(topic) : undefined
    if (data === undefined) this.#store.drop(kind, cluster, name)
    else this.#store.keep(kind, cluster, name, at, data)
  }

  #duePoints(at: number): GroupState[] {
    const { state, settings } = this.#monitor
    if (at - this.#pointsAt < this.#store.settings.rawEveryMs - settings.sampleIntervalMs / 2) return []
    this.#pointsAt = at
    const bucket = Math.floor(at / COARSE_MS)
    if (this.#bucket !== undefined && bucket > this.#bucket) {
      const from = this.#bucket * COARSE_MS
      for (const group of state.groups.keys()) this.#rollUps.push([group, from])
    }
    this.#bucket = bucket
    return [...state.groups.values()]
  }

  #savePoint(group: GroupState, at: number): void {
    const { name: cluster } = this.#monitor
    this.#store.addPoint(cluster, group.groupId, 'raw', at, pointOf(group))
    this.#saveMarks(cluster, group.groupId, group.marks)
  }

  #saveMarks(cluster: string, group: string, marks: readonly Mark[]): void {
    const savedUpTo = this.#markedAt.get(group) ?? 0
    for (const mark of marks) if (mark.at > savedUpTo) this.#store.addMark(cluster, group, storedMark(mark))
    this.#markedAt.set(group, Math.max(savedUpTo, marks.at(-1)?.at ?? 0))
  }

  #forget(group: string): void {
    this.#markedAt.delete(group)
    this.#store.drop('group', this.#monitor.name, group)
  }
}

function* inSteps<T>(all: readonly T[], write: (one: T) => void): Generator<() => void, void> {
  for (let from = 0; from < all.length; from += STEP) {
    yield () => {
      for (const one of all.slice(from, from + STEP)) write(one)
    }
  }
}
