/** `producer-exact-partition`: the sender names the partition, and the key has no say. */
import type { Experiment } from '../experiment.ts'
import { topicPartitionKey } from '../../../protocol/records/topic-partition.ts'
import { Tally } from '../tally.ts'

export const producerExactPartition: Experiment = {
  name: 'producer-exact-partition',
  summary: 'the sender names the partition, whatever the key',
  async run(lab) {
    const records = lab.settings.records ?? 6
    const topic = await lab.topic('exact', 3)
    lab.say('Each record has a key of its own, and all name partition 1.')
    const sent = await lab.send(
      Array.from({ length: records }, (_, index) => ({ topic, partition: 1, key: `key ${index}`, value: `${index}` })),
    )
    for (const { partition, offset } of sent) lab.say(`  acknowledged: partition ${partition}, offset ${offset}`)
    const tally = new Tally()
    for (const record of await lab.readAll(topic)) tally.add(record)
    const partitions = [0, 1, 2]
    const ends = await lab.admin.listOffsets(partitions.map((partition) => [{ topic, partition }, 'latest'] as const))
    // The answer has no order of its own.
    for (const name of partitions.map((partition) => topicPartitionKey({ topic, partition })))
      lab.say(`${name} ends at ${ends.get(name).offset}.`)
    await lab.conclude('all to partition 1', records, tally)
  },
}
