/** `rebalance-listener`: the last moment to commit is before partitions go to another member. */
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

export const rebalanceListener: Experiment = {
  name: 'rebalance-listener',
  summary: 'commit in onPartitionsRevoked, or the next owner begins where the last commit was',
  async run(lab) {
    const records = lab.settings.records ?? 100
    for (const [commits, way] of [
      ['never', 'Without a commit in onPartitionsRevoked'],
      ['when revoked', 'commitSync() in onPartitionsRevoked'],
    ] as const) {
      lab.say(`\n${way}`)
      const name = `listener-${commits.replace(' ', '-')}`
      const place = { topic: await lab.topic(name, 2), group: lab.group(name) }
      await lab.produce(place.topic, records, { partitions: 2 })
      const tally = new Tally()
      const properties = { 'partition.assignment.strategy': 'range', 'heartbeat.interval.ms': 100 }
      const start = (member: string) =>
        lab.child(member, 'member', { ...place, properties, commits, verbose: true }, tally)
      const first = start('member-1')
      await first.reached('end')
      lab.say(`member-1 has handled all ${records}; nothing is committed yet. A second member joins.`)
      const second = start('member-2')
      await Promise.all([first.reached('end'), second.reached('end')])
      lab.say(`Both have read to the end of what they own: ${tally.handled} records are handled.`)
      // Both at once and without a word, so that no further rebalance changes what is to be seen.
      await Promise.all([first.kill('SIGKILL'), second.kill('SIGKILL')])
      await lab.conclude(way, records, tally, place)
    }
  },
}
