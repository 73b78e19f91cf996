/** `commit-failed`: a handler slower than `max.poll.interval.ms`. */
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

const SHORT_MS = 1000

async function slowHandler(lab: Lab, way: string, maxPollIntervalMs: number): Promise<void> {
  lab.say(`\n${way}`)
  const records = lab.settings.records ?? 20
  const place = {
    topic: await lab.topic(`commit-failed-${maxPollIntervalMs}`),
    group: lab.group(`commit-failed-${maxPollIntervalMs}`),
  }
  await lab.produce(place.topic, records)
  const tally = new Tally()
  const properties = { 'max.poll.interval.ms': maxPollIntervalMs }
  const child = lab.child('consumer', 'slowHandler', { ...place, properties }, tally)
  await child.reached('slow')
  lab.say(`The handler is busy, and max.poll.interval.ms is ${maxPollIntervalMs}.`)
  if (maxPollIntervalMs === SHORT_MS) {
    await lab.until(async () => (await lab.admin.describeGroups([place.group])).get(place.group).members.length === 0)
    lab.say('No poll in time: the consumer has left the group. Its handler does not know yet, and goes on to commit.')
  } else {
    lab.say('It polls again in time: the group has waited for it.')
  }
  child.go()
  await child.ended()
  await lab.conclude(way, records, tally, place)
}

export const commitFailed: Experiment = {
  name: 'commit-failed',
  summary: 'a handler slower than max.poll.interval.ms: CommitFailedException, and what to do',
  async run(lab) {
    await slowHandler(lab, 'Slower than max.poll.interval.ms', SHORT_MS)
    await slowHandler(lab, 'max.poll.interval.ms with room', 300_000)
    lab.say('\nWhat to do: fewer records a poll (max.poll.records), a longer max.poll.interval.ms,')
    lab.say('or pause() the partitions, go on polling, and resume() when the work is done.')
  },
}
