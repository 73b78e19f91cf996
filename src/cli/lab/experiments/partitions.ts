/** `partitions`: they can grow, never shrink, and keys move when they grow. */
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

export const partitions: Experiment = {
  name: 'partitions',
  summary: 'grow a topic, fail to shrink it, and see keys move to other partitions',
  async run(lab) {
    const keys = Array.from({ length: lab.settings.records ?? 8 }, (_, index) => `key-${index}`)
    const topic = await lab.topic('partitions', 2)
    const before = await lab.send(keys.map((key) => ({ topic, key, value: 'before' })))
    await lab.admin.createPartitions({ [topic]: 4 })
    lab.say(`${topic} has grown to 4 partitions. The same keys are sent again.`)
    const after = await lab.send(keys.map((key) => ({ topic, key, value: 'after' })))
    lab.say(
      formatTable(
        ['KEY', 'BEFORE', 'AFTER', ''],
        keys.map((key, index) => {
          const [from, to] = [before[index]!.partition, after[index]!.partition]
          return [key, from, to, from === to ? '' : 'moved: its order is lost']
        }),
      ),
    )
    lab.say('Back to 2:')
    await lab.admin.createPartitions({ [topic]: 2 }).then(
      () => lab.say('  it shrank'),
      (error: Error) => lab.say(`  refused: ${error.message}`),
    )
    const tally = new Tally()
    for (const record of await lab.readAll(topic)) tally.add(record)
    await lab.conclude('2 partitions, then 4', 2 * keys.length, tally)
  },
}
