/** Work that is done again and again, each kind at its own pace, one run of a kind after the other. */
import { type Clock, type Timer } from '../../seams/clock.ts'
import { type Logger } from '../../seams/logger.ts'

export interface Chore {
  readonly what: string
  readonly everyMs: number
  readonly work: () => Promise<void>
}

export class Upkeep {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #chores: readonly Chore[]
  readonly #timers = new Map<Chore, Timer>()
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(clock: Clock, logger: Logger, chores: readonly Chore[]) {
    this.#clock = clock
    this.#logger = logger
    this.#chores = chores
  }

  start(): void {
    for (const chore of this.#chores) this.#schedule(chore)
  }

  /** Resolves when what is under way has ended; nothing begins afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) timer.cancel()
    await Promise.all(this.#running)
  }

  #schedule(chore: Chore): void {
    if (this.#stopped) return
    const timer = this.#clock.setTimer(chore.everyMs, () => this.#begin(chore), { background: true })
    this.#timers.set(chore, timer)
  }

  #begin(chore: Chore): void {
    const run = this.#run(chore).finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  async #run(chore: Chore): Promise<void> {
    try {
      await chore.work()
    } catch (error) {
      this.#logger.error({ err: error }, `${chore.what} failed; it is tried again`)
    }
    this.#schedule(chore)
  }
}
