/**
 * Whom a notifier has to tell what: opens an alert when a group reaches the threshold, says it again at an interval, and closes it when the group is
 * well. Pure; what it remembers goes into the store, so that a restart neither repeats an alert nor forgets to close it.
 *
 *     (none) ── status >= threshold ──► open ── every interval ──► repeat (not with send.once)
 *                                        └──── status is OK ─────► close  (with send.close)
 */
import type { GroupStatus } from '../status.ts'

export interface AlertSettings {
  /** The least status that is told. */
  readonly threshold: 'WARNING' | 'ERROR'
  /** Between two messages about the same group. */
  readonly intervalMs: number
  readonly sendOnce: boolean
  /** Whether it is told that a group is well again. */
  readonly sendClose: boolean
}

export interface Alert {
  readonly id: string
  /** Since when, milliseconds since 1970. */
  readonly start: number
  readonly sentAt: number
  /** Its opening did not get through: it is told as soon as it can be. */
  readonly isUnsent?: boolean
}

export type Told = 'open' | 'repeat' | 'close'

const rank: Readonly<Record<GroupStatus, number>> = { UNKNOWN: 0, OK: 1, WARNING: 2, ERROR: 3 }

export class AlertBook {
  readonly #settings: AlertSettings
  readonly #open: Map<string, Alert>

  constructor(settings: AlertSettings, open: Iterable<readonly [string, Alert]> = []) {
    this.#settings = settings
    this.#open = new Map(open)
  }

  get(key: string): Alert | undefined {
    return this.#open.get(key)
  }

  keys(): string[] {
    return [...this.#open.keys()]
  }

  /** What is to be told of a group now, with the alert that it belongs to; undefined: nothing. */
  consider(
    now: number,
    key: string,
    status: GroupStatus,
    newId: () => string,
  ): { told: Told; alert: Alert } | undefined {
    const { threshold, intervalMs, sendOnce, sendClose } = this.#settings
    const alert = this.#open.get(key)
    if (status === 'OK') {
      if (!alert) return undefined
      this.#open.delete(key)
      return sendClose ? { told: 'close', alert } : undefined
    }
    // Nobody knows, or better than the threshold and not well: what is open stays open.
    if (rank[status] < rank[threshold]) return undefined
    if (!alert) {
      const opened = { id: newId(), start: now, sentAt: now }
      this.#open.set(key, opened)
      return { told: 'open', alert: opened }
    }
    if (alert.isUnsent) {
      const opened = { id: alert.id, start: alert.start, sentAt: now }
      this.#open.set(key, opened)
      return { told: 'open', alert: opened }
    }
    if (sendOnce || now - alert.sentAt < intervalMs) return undefined
    const again = { ...alert, sentAt: now }
    this.#open.set(key, again)
    return { told: 'repeat', alert: again }
  }

  /** What was told did not get through: it is to be told again. */
  undo(key: string, told: Told, alert: Alert): void {
    if (told === 'close' && this.#open.has(key)) return
    if (told !== 'close' && this.#open.get(key)?.id !== alert.id) return
    this.#open.set(key, told === 'open' ? { ...alert, isUnsent: true } : { ...alert, sentAt: 0 })
  }

  /** The group is gone: so is its alert. */
  forget(key: string): boolean {
    return this.#open.delete(key)
  }
}
