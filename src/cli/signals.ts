/**
 * SIGINT and SIGTERM: the first one asks for an orderly end, a second one ends the process at once with the code that a
 * shell gives a process killed by it.
 */
import { constants } from 'node:os'
import { systemClock, type Clock } from '../seams/clock.ts'

/** Ctrl-C reaches every process of the terminal, and npx and bin/sluice.js pass on what they get: one press, several signals. */
const SAME_PRESS_MS = 100

/** Calls `onFirst` once. Answers how to say that all is done: signals that still come then change nothing. */
export function onTermination(onFirst: (signal: NodeJS.Signals) => void, clock: Clock = systemClock): () => void {
  let first: { signal: NodeJS.Signals; at: number } | undefined
  let isOver = false
  const listener = (signal: NodeJS.Signals) => {
    if (isOver) return
    if (!first) {
      first = { signal, at: clock.monotonic() }
      return onFirst(signal)
    }
    if (signal === 'SIGINT' && first.signal === signal && clock.monotonic() - first.at < SAME_PRESS_MS) return
    process.exit(128 + constants.signals[signal])
  }
  process.on('SIGINT', listener)
  process.on('SIGTERM', listener)
  return () => {
    isOver = true
  }
}
