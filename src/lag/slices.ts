/**
 * Work over a hundred thousand partitions takes a second, and whoever asks the API meanwhile is not to wait for it. Such work is a generator that pauses where what
 * it leaves can be looked at; here it is run in slices.
 */
import type { Clock } from '../seams/clock.ts'

/** Long enough to cost nothing, short enough not to be noticed. */
const SLICE_MS = 8

/** Runs it to its end, and lets others have their turn after each slice. */
export async function inSlices<T>(work: Generator<unknown, T>, clock: Clock): Promise<T> {
  let began = clock.monotonic()
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (clock.monotonic() - began < SLICE_MS) continue
    await clock.yield()
    began = clock.monotonic()
  }
}

export function atOnce<T>(work: Generator<unknown, T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
