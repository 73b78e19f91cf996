/** `multi-thread`: three consumers of one process on three partitions, and how they end. */
import type { Experiment } from '../experiment.ts'
import type { LabChild } from '../lab-child.ts'
import { Tally } from '../tally.ts'

const CONSUMERS = 3

export const multiThread: Experiment = {
  name: 'multi-thread',
  summary: 'three consumers of one process on three partitions; SIGTERM wakes each of them up',
  async run(lab) {
    const records = lab.settings.records ?? 6
    const place = { topic: await lab.topic('threads', CONSUMERS), group: lab.group('threads') }
    const tally = new Tally()
    const child = lab.child('process', 'threads', { ...place, consumers: CONSUMERS }, tally)
    await eachHasOne(child)
    lab.say('Each consumer has one partition. A record goes to each in turn; then the process gets SIGTERM.\n')
    for (let index = 0; index < records; index++) {
      const value = String.fromCharCode('a'.charCodeAt(0) + (index % 26))
      await lab.send([{ topic: place.topic, partition: (index + 1) % CONSUMERS, value }])
      lab.say(String((await child.reached('line'))['text']))
    }
    const ended = child.kill('SIGTERM')
    for (let line = 0; line < 1 + CONSUMERS; line++) lab.say(String((await child.reached('line'))['text']))
    await ended
    await child.ended()
    await lab.conclude('SIGTERM, wakeup() of each consumer', records, tally, place)
  },
}

/** They join one after the other; the last rebalance has given one to each. */
async function eachHasOne(child: LabChild): Promise<void> {
  const counts = new Map<unknown, number>()
  while (counts.size < CONSUMERS || [...counts.values()].some((count) => count !== 1)) {
    const { name, partitions } = await child.reached('assigned')
    counts.set(name, (partitions as number[]).length)
  }
}
