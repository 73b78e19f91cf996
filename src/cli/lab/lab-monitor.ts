/** The lag monitor as the lab uses it: of one group, with five samples a second, so that a status that takes minutes elsewhere is there in seconds. */
import { clusterDefaults } from '../../lag/cluster-conf.ts'
import type { ClusterMonitor } from '../../lag/cluster-monitor.ts'
import { openCluster } from '../../lag/open-cluster.ts'
import type { GroupStatus } from '../../lag/status.ts'
import { groupSummary } from '../../lag/views.ts'
import type { GroupSummary } from '../../lag/api-types.ts'
import { literally } from '../literal-pattern.ts'

const SAMPLE_INTERVAL_MS = 200
/** A cluster in the same process, or on a busy machine, may answer later than the next sample is due. */
const ANSWERS_WITHIN_MS = 15_000

export class LabMonitor {
  readonly #group: string
  readonly #cluster: ClusterMonitor

  constructor(bootstrapServers: string, group: string) {
    this.#group = group
    this.#cluster = openCluster({
      ...clusterDefaults,
      name: 'lab',
      properties: {
        'bootstrap.servers': bootstrapServers,
        'request.timeout.ms': ANSWERS_WITHIN_MS,
        'default.api.timeout.ms': ANSWERS_WITHIN_MS,
      },
      sampleIntervalMs: SAMPLE_INTERVAL_MS,
      allow: new RegExp(`^${literally(group)}$`, 'u'),
      describeEveryMs: 1000,
      peek: false,
    })
    this.#cluster.start()
  }

  /** Resolves with the first judgement that says so, of a window that is full enough to judge by. */
  becomes(status: GroupStatus, also: (summary: GroupSummary) => boolean = () => true): Promise<GroupSummary> {
    return new Promise((resolve) => {
      const ends = this.#cluster.onSample(() => {
        const group = this.#cluster.state.groups.get(this.#group)
        const summary = group && groupSummary(this.#cluster, group)
        if (summary?.status !== status || summary.rule === 'window-too-short' || !also(summary)) return
        ends()
        resolve(summary)
      })
    })
  }

  stop(): Promise<void> {
    return this.#cluster.stop()
  }
}
