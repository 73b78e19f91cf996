/** How long to wait before the same is tried again: doubling from half a second to half a minute, spread by a fifth. */
import type { Random } from '../seams/random.ts'

const FIRST_MS = 500
const LONGEST_MS = 30_000

/** `attempt` counts from 1. */
export function backoffMs(attempt: number, random: Random): number {
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16))
  return base * (0.8 + 0.4 * random.next())
}
