/** `wakeup`: SIGTERM, wakeup() and an orderly end, against SIGKILL. */
import type { Experiment } from '../experiment.ts'
import { twoLives } from '../two-lives.ts'

export const wakeup: Experiment = {
  name: 'wakeup',
  summary: 'SIGTERM against SIGKILL at record 150 of a poll of 101 to 200: repeated 0 against 50',
  async run(lab) {
    const records = lab.settings.records ?? 200
    const properties = { 'max.poll.records': Math.ceil(records / 2) }
    const haltAt = Math.ceil((records * 3) / 4)
    for (const [signal, way] of [
      ['SIGTERM', 'SIGTERM: wakeup(), commitSync(), close()'],
      ['SIGKILL', 'SIGKILL: nothing can be done'],
    ] as const) {
      const first = { role: 'reader', options: { commit: 'after', properties, haltAt } } as const
      await twoLives(lab, { way, records, first, signal })
    }
  },
}
