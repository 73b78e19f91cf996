/**
 * The groups that this broker knows, each with its state machine, timers and unanswered requests. Carries out what the
 * machines ask for: answers, timers, records. Decides nothing itself.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'
import { type Clock, type Timer } from '../../seams/clock.ts'
import { type Logger } from '../../seams/logger.ts'
import { ClassicGroup } from './classic-group.ts'
import { type GroupSettings } from './group-data.ts'
import {
  type GroupAction,
  type GroupEvent,
  type GroupSnapshot,
  type JoinReply,
  type LeaveReply,
  type SyncReply,
  type TimerName,
} from './group-events.ts'
import { encodeGroup } from './group-records.ts'
import { coordinatorError, type InternalTopic } from './internal-topic.ts'

/** An event that waits for an answer, before its number is given. */
type Asking<Type extends GroupEvent['type']> = Omit<Extract<GroupEvent, { type: Type }>, 'replyTo'>

interface Entry {
  readonly group: ClassicGroup
  readonly timers: Map<TimerName, Timer>
}

export class GroupDirectory {
  readonly #topic: InternalTopic
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #settings: GroupSettings
  readonly #entries = new Map<string, Entry>()
  readonly #waiting = new Map<number, (reply: unknown) => void>()
  #nextReply = 1

  constructor(options: { topic: InternalTopic; clock: Clock; logger: Logger; settings: GroupSettings }) {
    this.#topic = options.topic
    this.#clock = options.clock
    this.#logger = options.logger
    this.#settings = options.settings
  }

  get(groupId: string): ClassicGroup | undefined {
    return this.#entries.get(groupId)?.group
  }

  all(): ClassicGroup[] {
    return [...this.#entries.values()].map(({ group }) => group)
  }

  /** Requests whose answers wait for something: none may be left when the broker stops. */
  get unansweredCount(): number {
    return this.#waiting.size
  }

  create(groupId: string): ClassicGroup {
    const group = new ClassicGroup(groupId, this.#settings, this.#clock.now())
    this.#entries.set(groupId, { group, timers: new Map() })
    return group
  }

  /** Puts a group in as its record tells it, instead of what was known of it. */
  restore(groupId: string, snapshot: GroupSnapshot): void {
    this.#entries.set(groupId, {
      group: ClassicGroup.restore(groupId, this.#settings, snapshot),
      timers: new Map(),
    })
  }

  /** Takes a group out: its timers and unanswered requests end. */
  remove(groupId: string): void {
    const entry = this.#entries.get(groupId)
    if (!entry) return
    this.#entries.delete(groupId)
    this.#carryOut(entry, entry.group.handle({ type: 'deleted' }, this.#clock.now()))
  }

  removeAll(): void {
    for (const groupId of this.#entries.keys()) this.remove(groupId)
  }

  /** A new group's first record. */
  storeAsNew(groupId: string): void {
    const entry = this.#entries.get(groupId)
    if (entry) this.#carryOut(entry, entry.group.storeAsNew())
  }

  tell(groupId: string, event: Extract<GroupEvent, { type: 'alive' | 'loaded' }>): void {
    const entry = this.#entries.get(groupId)
    if (entry) this.#carryOut(entry, entry.group.handle(event, this.#clock.now()))
  }

  /** Resolves with the group's answer, at once or when the others have come. The group must exist. */
  ask(groupId: string, event: Asking<'join'>): Promise<JoinReply>
  ask(groupId: string, event: Asking<'sync'>): Promise<SyncReply>
  ask(groupId: string, event: Asking<'heartbeat'>): Promise<ErrorName>
  ask(groupId: string, event: Asking<'leave'>): Promise<LeaveReply>
  ask(groupId: string, event: Asking<'join' | 'sync' | 'heartbeat' | 'leave'>): Promise<unknown> {
    const entry = this.#entries.get(groupId)!
    const replyTo = this.#nextReply++
    return new Promise((resolve) => {
      this.#waiting.set(replyTo, resolve)
      this.#carryOut(entry, entry.group.handle({ ...event, replyTo } as GroupEvent, this.#clock.now()))
    })
  }

  #carryOut(entry: Entry, actions: readonly GroupAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'joined':
        case 'synced':
        case 'left':
          this.#answer(action.replyTo, action.reply)
          break
        case 'beaten':
          this.#answer(action.replyTo, action.error)
          break
        case 'set-timer':
          this.#setTimer(entry, action.name, action.delayMs)
          break
        case 'cancel-timer':
          entry.timers.get(action.name)?.cancel()
          entry.timers.delete(action.name)
          break
        case 'store':
          void this.#store(entry, action.storeId, action.snapshot)
          break
        case 'note':
          this.#logger.info(action.fields, action.what)
          break
        default:
          action satisfies never
      }
    }
  }

  #answer(replyTo: number, reply: unknown): void {
    const resolve = this.#waiting.get(replyTo)
    this.#waiting.delete(replyTo)
    resolve?.(reply)
  }

  #setTimer(entry: Entry, name: TimerName, delayMs: number): void {
    entry.timers.get(name)?.cancel()
    const fire = () => {
      entry.timers.delete(name)
      this.#carryOut(entry, entry.group.handle({ type: 'timer', name }, this.#clock.now()))
    }
    entry.timers.set(name, this.#clock.setTimer(delayMs, fire, { background: true }))
  }

  async #store(entry: Entry, storeId: number, snapshot: GroupSnapshot): Promise<void> {
    const { groupId } = entry.group
    let error: ErrorName | null = null
    try {
      await this.#topic.append(this.#topic.partitionOf(groupId), [encodeGroup(groupId, snapshot)])
    } catch (cause) {
      error = coordinatorError(cause)
      this.#logger.error({ group: groupId, err: cause }, 'the state of a group could not be written')
    }
    this.#carryOut(entry, entry.group.handle({ type: 'stored', storeId, error }, this.#clock.now()))
  }
}
