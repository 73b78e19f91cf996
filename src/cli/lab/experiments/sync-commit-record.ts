/** `sync-commit-record`: an offset map after each record. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const syncCommitRecord: Experiment = {
  name: 'sync-commit-record',
  summary: 'an offset map after each record: one repeated at most, a request a record',
  async run(lab) {
    const records = lab.settings.records ?? 100
    await twoLives(lab, {
      way: 'Killed between a record and its commit',
      records,
      first: { role: 'reader', options: { commit: 'record', haltAt: Math.ceil(records / 2) } },
    })
  },
}
