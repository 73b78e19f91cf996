/** Chance, handed in, so that a seed reproduces a run. Only this file draws from the system. */
import { randomUUID } from 'node:crypto'

export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A random UUID in its 36-character form. */
  uuid(): string
}

export const systemRandom: Random = {
  next: () => Math.random(),
  uuid: () => randomUUID(),
}

/** The same numbers for the same seed (mulberry32). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const digits = (count: number) => Array.from({ length: count }, () => Math.floor(next() * 16).toString(16)).join('')
  return { next, uuid: () => `${digits(8)}-${digits(4)}-4${digits(3)}-a${digits(3)}-${digits(12)}` }
}
