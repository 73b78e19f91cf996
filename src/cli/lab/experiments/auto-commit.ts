/** `auto-commit`: too seldom repeats, too early loses. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const autoCommit: Experiment = {
  name: 'auto-commit',
  summary: 'killed before the interval is over: everything again; committed before it is done: lost',
  async run(lab) {
    const records = lab.settings.records ?? 100
    const properties = { 'enable.auto.commit': true, 'auto.commit.interval.ms': 60_000 }
    await twoLives(lab, {
      way: 'Interval 60 s, killed before it is over',
      records,
      first: { role: 'reader', options: { commit: 'auto', properties, haltAt: records } },
    })
    await twoLives(lab, {
      way: 'Committed while records wait in a queue',
      records,
      first: { role: 'hastyReader', options: { records, handles: Math.floor(records / 4) } },
    })
  },
}
