/** Fake time and a network that loses, doubles and delays: the ground of the membership simulation. Same seed, same run. */
import { type Random } from '../../../../src/seams/random.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

const isBefore = (left: Event, right: Event) =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)

const REQUEST_TIMEOUT_MS = 10_000

export interface NetworkFaults {
  /** Chance that a request or a response is lost; the sender hears of a broken connection later. */
  readonly loss: number
  /** Chance that a message arrives twice. */
  readonly double: number
}

export class World {
  readonly random: Random
  faults: NetworkFaults
  nowMs = 0
  #order = 0
  /** A heap: the next event first. */
  readonly #events: Event[] = []

  constructor(random: Random, faults: NetworkFaults) {
    this.random = random
    this.faults = faults
  }

  chance(probability: number): boolean {
    return this.random.next() < probability
  }

  between(from: number, to: number): number {
    return from + Math.floor(this.random.next() * (to - from + 1))
  }

  after(ms: number, run: () => void): void {
    const event = { atMs: this.nowMs + ms, order: this.#order++, run }
    let at = this.#events.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, this.#events[parent]!)) break
      this.#events[at] = this.#events[parent]!
      at = parent
    }
    this.#events[at] = event
  }

  /** Runs everything that happens up to this moment. */
  runUntil(endMs: number): void {
    for (let event = this.#events[0]; event && event.atMs <= endMs; event = this.#events[0]) {
      this.#removeFirst()
      this.nowMs = event.atMs
      event.run()
    }
    this.nowMs = endMs
  }

  #removeFirst(): void {
    const events = this.#events
    const last = events.pop()!
    if (events.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++
      if (child >= events.length || !isBefore(events[child]!, last)) break
      events[at] = events[child]!
      at = child
    }
    events[at] = last
  }

  /**
   * One request: `serve` runs where it arrives, each time that it does. `answered` runs with each answer that comes back, which may be more than one; `failed`
   * at most once, when the connection breaks or nothing has come in time. An answer may still come after that.
   */
  exchange<T>(serve: (reply: (answer: T) => void) => void, answered: (answer: T) => void, failed: () => void): void {
    let settled = false
    const fail = () => {
      if (settled) return
      settled = true
      failed()
    }
    const deliver = (answer: T) => {
      if (this.chance(this.faults.loss)) return this.after(this.between(10, 200), fail)
      for (let times = this.chance(this.faults.double) ? 2 : 1; times > 0; times--) {
        this.after(this.between(1, 40), () => {
          settled = true
          answered(answer)
        })
      }
    }
    this.after(REQUEST_TIMEOUT_MS, fail)
    if (this.chance(this.faults.loss)) return this.after(this.between(10, 200), fail)
    for (let times = this.chance(this.faults.double) ? 2 : 1; times > 0; times--)
      this.after(this.between(1, 40), () => serve(deliver))
  }
}
