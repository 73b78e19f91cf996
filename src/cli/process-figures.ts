/** What the system says of this process. */
import type { ProcessFigures } from '../app/prometheus.ts'
import type { Clock } from '../seams/clock.ts'

export function processFigures(clock: Clock): () => ProcessFigures {
  const startSeconds = clock.now() / 1000 - process.uptime()
  return () => {
    const { user, system } = process.cpuUsage()
    return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6, startSeconds }
  }
}
