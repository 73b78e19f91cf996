/** `async-then-sync`: asynchronous in the loop, where the next commit mends a failed one; synchronous at the end, where none follows. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const asyncThenSync: Experiment = {
  name: 'async-then-sync',
  summary: 'commitAsync in the loop, commitSync at its end: the last commit has nobody to mend it',
  async run(lab) {
    const records = lab.settings.records ?? 100
    for (const [syncAtEnd, way] of [
      [false, 'commitAsync only, the last one fails'],
      [true, 'commitSync at the end'],
    ] as const) {
      const options = { records, heldBack: 'last', retry: 'never', syncAtEnd } as const
      await twoLives(lab, { way, records, first: { role: 'asyncCommitter', options } })
    }
  },
}
