/** `lag`: from inside the consumer and from outside, what of both remains when it is dead, and how the monitor judges one that is slow, stops and comes back. */
import type { GroupSummary } from '../../../lag/api-types.ts'
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

export const lag: Experiment = {
  name: 'lag',
  summary: 'lag from inside and from outside, what remains when the consumer is dead, and how the monitor judges it',
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
    await judged(lab)
  },
}

/** How many are read in this act is a matter of time, so it has no row in the table. */
async function judged(lab: Lab): Promise<void> {
  lab.say(
    '\nHow much is too much? The monitor watches a group with five samples a second; 40 records a second are written.',
  )
  const place = { topic: await lab.topic('judged'), group: lab.group('judged') }
  const tally = new Tally()
  const end = lab.producing(place.topic, 4)
  const monitor = lab.monitor(place.group)
  const says = ({ status, totalLag, evidence }: GroupSummary) =>
    lab.say(`The monitor: ${status}, lag ${totalLag ?? 'not known'}. ${evidence ?? 'Nothing is behind.'}`)
  const quick = { ...place, perPoll: 500, pauseMs: 50 }

  lab.say('A consumer that takes what there is:')
  let reader = lab.child('quick', 'pacedReader', quick, tally)
  says(await monitor.becomes('OK', ({ readPerSecond }) => (readPerSecond ?? 0) > 0))

  lab.say('It is slowed down to five records a second:')
  await reader.kill('SIGTERM')
  reader = lab.child('slow', 'pacedReader', { ...place, perPoll: 1, pauseMs: 200 }, tally)
  says(await monitor.becomes('WARNING'))

  lab.say('It is stopped:')
  await reader.kill('SIGTERM')
  says(await monitor.becomes('ERROR', ({ members }) => members === 0))

  lab.say('It is started again, as quick as it was:')
  reader = lab.child('quick', 'pacedReader', quick, tally)
  says(await monitor.becomes('OK', ({ members }) => members > 0))
  const written = await end()
  await lab.until(async () => (await lab.committed(place.group, place.topic)) === written)
  await reader.kill('SIGTERM')
  const { repeated, lost } = tally.outcome('', written, written)
  lab.say(`All ${written} records are read: ${repeated} repeated, ${lost} lost.`)
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
