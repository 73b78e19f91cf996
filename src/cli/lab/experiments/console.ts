/** `console`: type lines, see them arrive. */
import { Consumer } from '../../../client/consumer/consumer.ts'
import { WakeupError } from '../../../client/consumer/consumer-errors.ts'
import { Producer } from '../../../client/producer/producer.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

export const consoleExperiment: Experiment = {
  name: 'console',
  summary: 'type lines, see them arrive (end with Ctrl-D)',
  async run(lab) {
    const place = { topic: await lab.topic('console'), group: lab.group('console') }
    const tally = new Tally()
    const consumer = new Consumer({
      'bootstrap.servers': lab.bootstrapServers,
      'group.id': place.group,
      'auto.offset.reset': 'earliest',
    })
    const producer = new Producer({ 'bootstrap.servers': lab.bootstrapServers, 'linger.ms': 0 })
    const reading = arrive(lab, consumer, place.topic, tally)
    lab.say('Type a line and press Enter; Ctrl-D ends.')
    let produced = 0
    try {
      for await (const value of lab.settings.input) {
        await producer.send({ topic: place.topic, value })
        produced++
      }
      await tally.reaches(produced)
    } finally {
      await producer.close()
      consumer.wakeup()
      await reading
    }
    await lab.conclude('typed', produced, tally, place)
  },
}

async function arrive(lab: Lab, consumer: Consumer, topic: string, tally: Tally): Promise<void> {
  consumer.subscribe([topic])
  try {
    for (;;) {
      for (const record of await consumer.poll(1000)) {
        lab.say(`  >> ${record.valueText()} (partition ${record.partition}, offset ${record.offset})`)
        tally.add(record)
      }
    }
  } catch (error) {
    if (!(error instanceof WakeupError)) throw error
  } finally {
    await consumer.close()
  }
}
