/** `simple-consumer`: subscribe, poll, print, commit, close. */
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

export const simpleConsumer: Experiment = {
  name: 'simple-consumer',
  summary: 'the smallest consumer: subscribe, poll, print, commit, close',
  async run(lab) {
    const records = lab.settings.records ?? 5
    const place = { topic: await lab.topic('simple'), group: lab.group('simple') }
    await lab.produce(place.topic, records)
    lab.say('A consumer in a process of its own prints what it gets.')
    const tally = new Tally()
    const options = { ...place, commit: 'auto', verbose: true, properties: { 'enable.auto.commit': true } } as const
    await lab.child('consumer', 'reader', options, tally).ended()
    await lab.conclude('auto-commit, closed in order', records, tally, place)
  },
}
