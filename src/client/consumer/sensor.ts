/**
 * One measured thing (the latency of fetches, the bytes of polls) over Java's sliding window: `metrics.num.samples` samples of
 * `metrics.sample.window.ms` each, and totals from the start. Follows Java's SampledStat and Rate, so that both clients show the same figures.
 *
 * A sample that began before the window and reaches into it still counts, which takes one more sample than the window has.
 */
export interface SensorWindow {
  readonly sampleMs: number
  readonly samples: number
}

interface Sample {
  startMs: number
  lastMs: number
  count: number
  sum: number
  max: number
  min: number
}

function sampleFrom(startMs: number): Sample {
  return { startMs, lastMs: startMs, count: 0, sum: 0, max: -Infinity, min: Infinity }
}

export class Sensor {
  readonly #window: SensorWindow
  readonly #samples: Sample[] = []
  #current = 0
  totalCount = 0
  totalSum = 0

  constructor(window: SensorWindow) {
    this.#window = window
  }

  record(value: number, nowMs: number): void {
    let sample = this.#samples[this.#current]
    if (sample === undefined) this.#samples.push((sample = sampleFrom(nowMs)))
    else if (nowMs - sample.startMs >= this.#window.sampleMs) sample = this.#advance(nowMs)
    sample.count++
    sample.sum += value
    sample.lastMs = nowMs
    if (value > sample.max) sample.max = value
    if (value < sample.min) sample.min = value
    this.totalCount++
    this.totalSum += value
  }

  /** NaN when nothing was recorded within the window, as in Java. */
  average(nowMs: number): number {
    let count = 0
    let sum = 0
    for (const sample of this.#recent(nowMs)) {
      count += sample.count
      sum += sample.sum
    }
    return count === 0 ? Number.NaN : sum / count
  }

  maximum(nowMs: number): number {
    const found = Math.max(...this.#recent(nowMs).map(({ max }) => max))
    return found === -Infinity ? Number.NaN : found
  }

  minimum(nowMs: number): number {
    const found = Math.min(...this.#recent(nowMs).map(({ min }) => min))
    return found === Infinity ? Number.NaN : found
  }

  /** Recorded values added up, a second. */
  sumPerSecond(nowMs: number): number {
    return this.#perSecond(
      nowMs,
      this.#recent(nowMs).reduce((sum, one) => sum + one.sum, 0),
    )
  }

  /** Times that something was recorded, a second. */
  countPerSecond(nowMs: number): number {
    return this.#perSecond(
      nowMs,
      this.#recent(nowMs).reduce((sum, { count }) => sum + count, 0),
    )
  }

  /** The window counts as nearly whole from the start, or the first events would look like a storm. */
  #perSecond(nowMs: number, amount: number): number {
    const { sampleMs, samples } = this.#window
    const oldestMs = Math.min(nowMs, ...this.#samples.map(({ startMs }) => startMs))
    let elapsedMs = nowMs - oldestMs
    const missing = samples - 1 - Math.floor(elapsedMs / sampleMs)
    if (missing > 0) elapsedMs += missing * sampleMs
    return amount / (Math.max(elapsedMs, 1) / 1000)
  }

  #advance(nowMs: number): Sample {
    this.#current = (this.#current + 1) % (this.#window.samples + 1)
    const sample = sampleFrom(nowMs)
    this.#samples[this.#current] = sample
    return sample
  }

  /** Samples that ended before the window begin anew. */
  #recent(nowMs: number): readonly Sample[] {
    const expireMs = this.#window.samples * this.#window.sampleMs
    for (const [index, sample] of this.#samples.entries()) {
      if (nowMs - sample.lastMs >= expireMs) this.#samples[index] = sampleFrom(nowMs)
    }
    return this.#samples
  }
}
