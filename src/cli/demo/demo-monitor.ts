/**
 * The lag monitor beside the demo's groups: in a thread, with its windows in memory, so that nothing of it stays behind. It is there to be looked at: a monitor that
 * cannot be had costs a line in the log, and never the demo.
 */
import type { ApplicationConf } from '../../app/conf.ts'
import type { ClientSeams } from '../../client/seams.ts'
import type { Overview } from '../../lag/api-types.ts'
import { MEMORY_BESIDE_MB, type MonitorThread, startMonitorThread } from '../../lag/monitor-thread.ts'
import { IN_MEMORY } from '../../lag/store.ts'
import { applicationMonitorConf } from '../application-monitor.ts'
import type { HttpAddress } from '../http-address.ts'
import { grouped } from '../output.ts'

const LOOK_AGAIN_MS = 100
/** Two samples and then some. */
const JUDGED_WITHIN_MS = 10_000

/**
 * The groups are over in seconds. A window spans more than four of their commits, so that none is called stalled between two; and a broker whose process
 * handles half a million records meanwhile may take its time.
 */
const cluster = {
  'sample.interval.ms': 1000,
  'window.samples': 20,
  'members.interval.ms': 1000,
  'request.timeout.ms': 15_000,
  'default.api.timeout.ms': 15_000,
}

export interface Judged {
  readonly group: string
  readonly status: string
  readonly totalLag: number | null
}

export class DemoMonitor {
  readonly url: string
  readonly #thread: MonitorThread
  readonly #seams: ClientSeams

  private constructor(thread: MonitorThread, seams: ClientSeams) {
    this.url = thread.url
    this.#thread = thread
    this.#seams = seams
  }

  /** undefined when it cannot be had, which is then in the log. */
  static async start(
    applications: readonly Pick<ApplicationConf, 'groupId' | 'properties'>[],
    { address, version }: { readonly address: HttpAddress; readonly version: string },
    seams: ClientSeams,
  ): Promise<DemoMonitor | undefined> {
    const { clock, logger } = seams
    try {
      const conf = applicationMonitorConf(applications, { address, store: IN_MEMORY, cluster })
      return new DemoMonitor(
        await startMonitorThread(conf, { clock, logger, version, logLevel: 'error', memoryMb: MEMORY_BESIDE_MB }),
        seams,
      )
    } catch (error) {
      logger.warn({}, `the demo goes on without its monitor: ${(error as Error).message}`)
      return undefined
    }
  }

  /** What is said of the groups by a sample that was taken after they had ended: the last one that could be had. Never rejects. */
  async judgement(groups: number, signal: AbortSignal): Promise<readonly Judged[]> {
    const { clock, logger } = this.#seams
    const since = clock.now()
    const deadline = clock.monotonic() + JUDGED_WITHIN_MS
    let judged: readonly Judged[] = []
    while (!signal.aborted && clock.monotonic() < deadline) {
      try {
        const overview = (await (await fetch(`${this.url}/api/v1/overview`, { signal })).json()) as Overview
        judged = overview.groups
        if (judged.length === groups && overview.groups.every(({ sampledAt }) => (sampledAt ?? 0) > since)) break
      } catch (error) {
        logger.debug({ error: (error as Error).message }, 'the monitor did not answer')
      }
      await clock.sleep(LOOK_AGAIN_MS, signal)
    }
    return judged
  }

  stop(): Promise<void> {
    return this.#thread.stop()
  }
}

/** `file-consumers OK, lag 0; …` */
export function shownJudgement(judged: readonly Judged[]): string {
  if (judged.length === 0) return 'nothing yet'
  const lag = (records: number | null) => (records === null ? 'lag not known' : `lag ${grouped(records)}`)
  return judged.map(({ group, status, totalLag }) => `${group} ${status}, ${lag(totalLag)}`).join('; ')
}
