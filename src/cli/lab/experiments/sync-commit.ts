/** `sync-commit`: where commitSync stands in the loop decides between repeating and losing. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const syncCommit: Experiment = {
  name: 'sync-commit',
  summary: 'commitSync after the work repeats a part, before the work loses it',
  async run(lab) {
    const records = lab.settings.records ?? 100
    const properties = { 'max.poll.records': Math.ceil(records / 2) }
    const haltAt = Math.ceil((records * 3) / 4)
    for (const [commit, way] of [
      ['after', 'commitSync() after the work'],
      ['before', 'commitSync() before the work'],
    ] as const) {
      await twoLives(lab, { way, records, first: { role: 'reader', options: { commit, properties, haltAt } } })
    }
  },
}
