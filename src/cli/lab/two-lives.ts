/** One consumer gets a signal in the midst of its work, a second one takes over: what most experiments are about. */
import type { Role, RoleOptions } from './children/index.ts'
import type { Lab } from './lab.ts'
import { type Outcome, Tally } from './tally.ts'

type Given = 'bootstrapServers' | 'group' | 'instance' | 'topic'

export interface TwoLives<R extends Role> {
  /** How it is done: the row's name in the table. */
  readonly way: string
  readonly records: number
  readonly first: { readonly role: R; readonly options: Omit<RoleOptions<R>, Given> }
  readonly signal?: 'SIGKILL' | 'SIGTERM'
  /** Default: a reader that commits after each poll. */
  readonly second?: { readonly role: R; readonly options: Omit<RoleOptions<R>, Given> }
}

/** A topic and a group of its own, produced first; the first child is expected to `halt`, and then gets the signal. */
export async function twoLives<R extends Role>(lab: Lab, lives: TwoLives<R>): Promise<Outcome> {
  const { way, records, first, second, signal = 'SIGKILL' } = lives
  lab.say(`\n${way}`)
  const name = way
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/-$/, '')
  const topic = await lab.topic(name)
  const place = { topic, group: lab.group(name), instance: 'the-consumer' }
  await lab.produce(topic, records)
  const tally = new Tally()
  const start = (as: string, { role, options }: { role: R; options: Omit<RoleOptions<R>, Given> }) =>
    lab.child(as, role, { ...place, ...options } as unknown as Omit<RoleOptions<R>, 'bootstrapServers'>, tally)
  const dying = start('first', first)
  await dying.reached('halt')
  lab.say(`${tally.handled} records are handled; process ${dying.pid} gets ${signal}.`)
  const { code } = await dying.kill(signal)
  lab.say(code === null ? 'It is gone.' : `It ended with exit code ${code}.`)
  lab.say(`The group has committed ${await lab.committed(place.group, topic)}.`)
  lab.say('A second consumer starts in its place.')
  const next = second ? start('second', second) : lab.child('second', 'reader', { ...place, commit: 'after' }, tally)
  await next.ended()
  return lab.conclude(way, records, tally, place)
}
