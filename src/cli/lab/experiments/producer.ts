/** `producer`: the three ways to send, and what each knows of the outcome. */
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

const ways = [
  ['callback', 'All at once, each outcome looked at'],
  ['wait', 'One after the other, each awaited'],
  ['forget', 'Fire and forget, and the process ends'],
] as const

export const producer: Experiment = {
  name: 'producer',
  summary: 'three ways to send: wait for each, look at each outcome, or forget and lose',
  async run(lab) {
    const records = lab.settings.records ?? 5
    for (const [way, title] of ways) {
      lab.say(`\n${title}`)
      const topic = await lab.topic(`producer-${way}`)
      await lab.child('producer', 'writer', { topic, records, way }).ended()
      const tally = new Tally()
      for (const record of await lab.readAll(topic)) tally.add(record)
      lab.say(`${records} records were sent, ${tally.handled} are in the topic.`)
      await lab.conclude(title, records, tally)
    }
  },
}
