/** The four things of the outside world that a client needs, so that a test can hand in others. */
import { systemClock, type Clock } from '../seams/clock.ts'
import { silentLogger, type Logger } from '../seams/logger.ts'
import { systemRandom, type Random } from '../seams/random.ts'
import { systemTransport, type Transport } from '../seams/transport.ts'

export interface ClientSeams {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly logger: Logger
}

/** The system's own clock, chance and network, and a logger that says nothing. */
export function systemSeams(overrides: Partial<ClientSeams> = {}): ClientSeams {
  return { clock: systemClock, random: systemRandom, transport: systemTransport, logger: silentLogger, ...overrides }
}
