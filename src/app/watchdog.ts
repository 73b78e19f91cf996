/**
 * Judges whether consumers get on. One that has work and does not move for longer than the limit is stalled, and the process is then reported as not alive, so
 * that whoever supervises it (Kubernetes, systemd) can start it anew:
 *
 * - a partition with lag or with records under way, of which neither the position nor what is done moved;
 * - a consumer that has not answered: its thread is busy or stuck.
 *
 * A consumer without lag, without partitions or between restarts is not stalled, however long that lasts.
 */
import type { Clock } from '../seams/clock.ts'
import type { Logger } from '../seams/logger.ts'
import type { ConsumerStatus } from './supervisor.ts'
import type { PartitionReport } from './worker-report.ts'

export interface Stall {
  readonly application: string
  readonly consumer: string
  /** `clicks-0`; undefined when it is the consumer itself that does not answer. */
  readonly partition: string | undefined
  readonly seconds: number
  readonly reason: string
}

/** A process that was suspended does not count the time, but for so much of it. */
const LONGEST_STEP_MS = 10_000

interface Mark {
  readonly text: string
  readonly sinceMs: number
}

interface Judged {
  readonly key: string
  readonly consumer: ConsumerStatus
  readonly partition: string | undefined
  /** While it stays the same, nothing has moved. */
  readonly mark: string
  readonly reason: string
}

export class Watchdog {
  readonly #limitMs: number
  readonly #clock: Clock
  readonly #logger: Logger
  #marks = new Map<string, Mark>()
  #stalls = new Map<string, Stall>()
  /** Time that has been watched, and when it was last added to. */
  #watchedMs = 0
  #lookedAtMs: number | undefined

  constructor(limitMs: number, clock: Clock, logger: Logger) {
    this.#limitMs = limitMs
    this.#clock = clock
    this.#logger = logger
  }

  get stalls(): readonly Stall[] {
    return [...this.#stalls.values()]
  }

  /** Called again and again with how consumers stand. Says each stall once, and its end. */
  look(consumers: readonly ConsumerStatus[]): void {
    const nowMs = this.#clock.monotonic()
    this.#watchedMs += Math.min(LONGEST_STEP_MS, nowMs - (this.#lookedAtMs ?? nowMs))
    this.#lookedAtMs = nowMs
    const marks = new Map<string, Mark>()
    const stalls = new Map<string, Stall>()
    for (const { key, consumer, partition, mark, reason } of consumers.flatMap(judged)) {
      const before = this.#marks.get(key)
      const sinceMs = before?.text === mark ? before.sinceMs : this.#watchedMs
      marks.set(key, { text: mark, sinceMs })
      const stalledMs = this.#watchedMs - sinceMs
      if (stalledMs <= this.#limitMs) continue
      const seconds = Math.floor(stalledMs / 1000)
      stalls.set(key, { application: consumer.application, consumer: consumer.consumer, partition, seconds, reason })
    }
    this.#say(stalls)
    this.#marks = marks
    this.#stalls = stalls
  }

  #say(stalls: ReadonlyMap<string, Stall>): void {
    for (const [key, { application, consumer, partition, seconds, reason }] of stalls) {
      if (this.#stalls.has(key)) continue
      this.#logger.error(
        { application, consumer, partition, seconds },
        `${application} ${consumer} is stalled: ${reason} for ${seconds} s. /healthz fails until it moves`,
      )
    }
    for (const [key, { application, consumer, partition }] of this.#stalls) {
      if (stalls.has(key)) continue
      const what = partition === undefined ? 'it answers' : `${partition} moves, or has nothing left to do`
      this.#logger.info(
        { application, consumer, partition },
        `${application} ${consumer} is no longer stalled: ${what}`,
      )
    }
  }
}

function judged(consumer: ConsumerStatus): Judged[] {
  if (consumer.state !== 'running') return []
  const key = `${consumer.entry} ${consumer.application} ${consumer.consumer}`
  const found: Judged[] = [
    {
      key,
      consumer,
      partition: undefined,
      mark: String(consumer.heardAtMs),
      reason: 'it has not answered (its event loop is busy or stuck)',
    },
  ]
  for (const one of consumer.report?.partitions ?? []) {
    if (!hasWork(one)) continue
    const partition = `${one.topic}-${one.partition}`
    const lag = lagOf(one)
    found.push({
      key: `${key} ${partition}`,
      consumer,
      partition,
      mark: `${one.position} ${one.done}`,
      reason: `${partition} ${lag === undefined ? 'could not be begun with' : `has lag ${lag} and has not moved`}`,
    })
  }
  return found
}

function hasWork({ isBusy, position, end }: PartitionReport): boolean {
  return isBusy || (position !== undefined && end !== undefined && end > position)
}

/** Records that are not yet stored or handled; undefined until that is known. */
export function lagOf({ position, done, end }: PartitionReport): number | undefined {
  const from = done ?? position
  return from === undefined || end === undefined ? undefined : Math.max(0, end - from)
}
