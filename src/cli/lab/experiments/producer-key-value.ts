/** `producer-key-value`: a key decides the partition, and so the order. */
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

const keys = ['apple', 'banana', 'cherry', 'damson']

export const producerKeyValue: Experiment = {
  name: 'producer-key-value',
  summary: 'records with the same key go to the same partition, in the order in which they were sent',
  async run(lab) {
    const records = lab.settings.records ?? 12
    const topic = await lab.topic('key-value', 3)
    await lab.send(
      Array.from({ length: records }, (_, index) => ({ topic, key: keys[index % keys.length], value: `${index}` })),
    )
    const tally = new Tally()
    const found = await lab.readAll(topic)
    for (const record of found) tally.add(record)
    for (const key of keys) {
      const own = found.filter((record) => record.key === key)
      const partitions = [...new Set(own.map(({ partition }) => partition))].join(', ')
      lab.say(`Key ${key}: partition ${partitions}, values in the order ${own.map(({ value }) => value).join(' ')}`)
    }
    await lab.conclude('four keys, three partitions', records, tally)
  },
}
