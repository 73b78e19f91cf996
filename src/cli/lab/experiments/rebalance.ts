/** `rebalance`: a member joins and leaves, under eager and cooperative assignors and growing numbers of partitions. */
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import type { LabChild } from '../lab-child.ts'
import { Tally } from '../tally.ts'

const HEARTBEAT_MS = 100

interface Measured {
  readonly partitions: number
  readonly assignor: string
  readonly joinMs: number
  readonly leaveMs: number
  readonly stopped: number
}

export const rebalance: Experiment = {
  name: 'rebalance',
  summary: 'members join and leave: how long each takes, eager and cooperative, with 1 to 1000 partitions',
  async run(lab) {
    const measured: Measured[] = []
    for (const partitions of lab.settings.partitions ?? [1, 10, 100, 1000]) {
      for (const assignor of ['range', 'cooperative-sticky']) measured.push(await measure(lab, assignor, partitions))
    }
    lab.say(`\nWith heartbeat.interval.ms ${HEARTBEAT_MS}, as a member hears of a rebalance with its next heartbeat:\n`)
    lab.say(
      formatTable(
        ['PARTITIONS', 'ASSIGNOR', 'JOIN ms', 'LEAVE ms', 'STOPPED'],
        measured.map(({ partitions, assignor, joinMs, leaveMs, stopped }) => [
          partitions,
          assignor,
          Math.round(joinMs),
          Math.round(leaveMs),
          stopped,
        ]),
      ),
    )
    lab.say('\nSTOPPED: partitions that the first member had to give up for the second one to join.')
  },
}

async function measure(lab: Lab, assignor: string, partitions: number): Promise<Measured> {
  const way = `${assignor}, ${partitions} partition${partitions === 1 ? '' : 's'}`
  lab.say(`\n${way}`)
  const records = lab.settings.records ?? 100
  const name = `rebalance-${assignor}-${partitions}`
  const place = { topic: await lab.topic(name, partitions), group: lab.group(name) }
  const tally = new Tally()
  const start = (member: string) => {
    const properties = {
      'partition.assignment.strategy': assignor,
      'heartbeat.interval.ms': HEARTBEAT_MS,
      'client.id': member,
    }
    return lab.child(member, 'member', { ...place, properties, commits: 'when revoked' }, tally)
  }
  await lab.produce(place.topic, records, { partitions })
  const first = start('member-1')
  await owns(first, partitions)
  lab.say(`member-1 has all ${partitions}.`)
  const half = Math.floor(partitions / 2)
  const second = start('member-2')
  await second.reached('joining')
  const joinMs = await timed(lab, () => Promise.all([owns(first, partitions - half), owns(second, half)]))
  // Cooperative: nothing is revoked where nothing moves.
  const stopped = assignor === 'range' || half > 0 ? Number((await first.reached('revoked'))['count']) : 0
  lab.say(`member-2 has joined: ${partitions - half} and ${half}, and ${stopped} of member-1 had to stop.`)
  await lab.produce(place.topic, records, { partitions, from: records })
  await tally.reaches(2 * records)
  const leaveMs = await timed(lab, () => Promise.all([second.kill('SIGTERM'), owns(first, partitions)]))
  lab.say('member-2 has left, and member-1 has all again.')
  await first.kill('SIGTERM')
  await lab.conclude(way, 2 * records, tally, place)
  return { partitions, assignor, joinMs, leaveMs, stopped }
}

/** Waits for the callback after which a member has so many partitions. */
async function owns(member: LabChild, count: number): Promise<void> {
  while ((await member.reached('assigned'))['count'] !== count);
}

async function timed(lab: Lab, work: () => Promise<unknown>): Promise<number> {
  const startedAt = lab.clock.monotonic()
  await work()
  return lab.clock.monotonic() - startedAt
}
