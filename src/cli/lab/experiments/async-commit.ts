/** `async-commit`: an older commit that arrives later takes the group back. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const asyncCommit: Experiment = {
  name: 'async-commit',
  summary: 'an older commit that is sent again later overwrites the newer one; a sequence number prevents it',
  async run(lab) {
    const records = lab.settings.records ?? 100
    for (const [retry, way] of [
      ['blindly', 'A failed commit is sent again'],
      ['newest only', 'Only if nothing newer came after it'],
    ] as const) {
      const options = { records, heldBack: 'first', retry, syncAtEnd: false } as const
      await twoLives(lab, { way, records, first: { role: 'asyncCommitter', options } })
    }
  },
}
