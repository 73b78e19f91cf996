/** `lag`: from inside the consumer and from outside, and what of both remains when it is dead. */
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

export const lag: Experiment = {
  name: 'lag',
  summary: 'records-lag-max from inside, lag by partition from outside, and what remains when the consumer is dead',
  async run(lab) {
    const records = lab.settings.records ?? 100
    const place = { topic: await lab.topic('lag', 2), group: lab.group('lag'), instance: 'the-consumer' }
    await lab.produce(place.topic, records, { partitions: 2 })
    const tally = new Tally()
    const slow = lab.child('slow', 'laggard', place, tally)
    for (let poll = 1; poll <= 2; poll++) {
      const { lagMax } = await slow.reached('behind')
      lab.say(
        `After poll ${poll}, ${tally.handled} records are in work or done. Inside: records-lag-max ${String(lagMax)}.`,
      )
      if (poll < 2) slow.go()
    }
    await outside(lab, place)
    lab.say('\nThe consumer gets SIGKILL. Inside there is nothing to ask any more; producers go on.')
    await slow.kill('SIGKILL')
    await lab.produce(place.topic, records, { partitions: 2, from: records })
    await outside(lab, place)
    lab.say('\nA successor that keeps up:')
    await lab.child('next', 'reader', { ...place, commit: 'after' }, tally).ended()
    await outside(lab, place)
    await lab.conclude('killed with a poll in work', 2 * records, tally, place)
  },
}

async function outside(lab: Lab, { topic, group }: { topic: string; group: string }): Promise<void> {
  const rows = await lab.lag(group, topic)
  lab.say('Outside:')
  lab.say(
    formatTable(
      ['PARTITION', 'COMMITTED', 'END', 'LAG'],
      [
        ...rows.map((row) => [row.partition, row.committed, row.end, row.lag]),
        ['all', null, null, rows.reduce((sum, row) => sum + row.lag, 0)],
      ],
    ),
  )
}
