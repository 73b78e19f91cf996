/** How many records a second each consumer stores or handles, over the last half minute. */
import type { ConsumerStatus } from './supervisor.ts'

const WINDOW_MS = 30_000

interface Sample {
  readonly atMs: number
  readonly done: number
}

export class Rates {
  readonly #samples = new Map<string, Sample[]>()

  look(consumers: readonly ConsumerStatus[], nowMs: number): void {
    for (const consumer of consumers) {
      const samples = this.#samples.get(keyOf(consumer)) ?? []
      const last = samples.at(-1)
      // An answer that has not come yet is no standstill.
      if (last?.atMs === consumer.heardAtMs) continue
      samples.push({ atMs: consumer.heardAtMs, done: consumer.counts.stored })
      while (samples.length > 2 && nowMs - samples[1]!.atMs > WINDOW_MS) samples.shift()
      this.#samples.set(keyOf(consumer), samples)
    }
  }

  /** undefined before there are two counts to compare. */
  of(consumer: ConsumerStatus): number | undefined {
    const samples = this.#samples.get(keyOf(consumer))
    const [first, last] = [samples?.[0], samples?.at(-1)]
    if (!first || !last || last.atMs <= first.atMs) return undefined
    return Math.round(((last.done - first.done) / (last.atMs - first.atMs)) * 10_000) / 10
  }
}

function keyOf({ entry, application, consumer }: ConsumerStatus): string {
  return `${entry} ${application} ${consumer}`
}
