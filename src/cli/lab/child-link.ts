/**
 * What a child process of an experiment says to the lab, and how it waits for it. Nothing in the lab waits for a fixed time: a child
 * reports that it has reached a point and stands still there until it is told to go on, gets a signal, or is killed.
 *
 * Messages of one child arrive in order, so that whoever reads "reached" has read everything that was handled before.
 */
import type { ConsumerRecord } from '../../protocol/records/consumer-record.ts'

export type Report =
  | { readonly type: 'said'; readonly text: string }
  | { readonly type: 'handled'; readonly partition: number; readonly offset: number; readonly value: string | null }
  | { readonly type: 'reached'; readonly what: string; readonly fields: Readonly<Record<string, unknown>> }

export class ChildLink {
  #gate = Promise.withResolvers<void>()
  #lastSent: Promise<void> = Promise.resolve()
  #isTerminated = false
  #onTermination: ((signal: NodeJS.Signals) => void) | undefined

  constructor() {
    process.on('message', () => this.#open())
    // Without the lab there is nobody to report to.
    process.on('disconnect', () => process.exit(1))
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (!this.#onTermination) process.exit(1)
        this.#isTerminated = true
        this.#onTermination(signal)
        this.#open()
      })
    }
  }

  /** What SIGTERM and SIGINT do, beside ending a `halt`. Without it they end the process. */
  onTermination(listener: (signal: NodeJS.Signals) => void): void {
    this.#onTermination = listener
  }

  say(text: string): void {
    this.#send({ type: 'said', text })
  }

  handled({ partition, offset, value }: Pick<ConsumerRecord, 'partition' | 'offset' | 'value'>): void {
    this.#send({ type: 'handled', partition, offset, value: value?.toString() ?? null })
  }

  reached(what: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#send({ type: 'reached', what, fields })
  }

  /** Reports `what` and waits for the lab's go, or for SIGTERM. */
  async halt(what: string, fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
    this.#gate = Promise.withResolvers<void>()
    this.reached(what, fields)
    if (!this.#isTerminated) await this.#gate.promise
  }

  /** Resolves when everything that was said is on its way. */
  async finish(): Promise<void> {
    await this.#lastSent
    process.removeAllListeners('disconnect')
    process.disconnect()
  }

  #open(): void {
    this.#gate.resolve()
  }

  #send(report: Report): void {
    this.#lastSent = new Promise((resolve) => process.send!(report, () => resolve()))
  }
}
