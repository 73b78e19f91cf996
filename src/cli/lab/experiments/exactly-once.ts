/** `exactly-once`: the same kill, with the offset in Kafka and with the offset in the store. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemDisk } from '../../../seams/disk.ts'
import { loadSqlite } from '../../../seams/sqlite.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

export const exactlyOnce: Experiment = {
  name: 'exactly-once',
  summary: 'the same kill with rows and offset in one transaction of the store: 0 repeated, 0 lost',
  async run(lab) {
    await killed(lab, 'in Kafka', 'Rows in the store, offset in Kafka')
    await killed(lab, 'in the store', 'Rows and offset in one transaction')
  },
}

async function killed(lab: Lab, offsets: 'in Kafka' | 'in the store', way: string): Promise<void> {
  lab.say(`\n${way}`)
  const records = lab.settings.records ?? 200
  const name = `exactly-once-${offsets.replaceAll(' ', '-').toLowerCase()}`
  const place = { topic: await lab.topic(name), group: lab.group(name), instance: 'the-consumer' }
  const directory = join(tmpdir(), `sluice-lab-${place.topic}`)
  await systemDisk.makeDirectory(directory)
  try {
    await lab.produce(place.topic, records)
    const database = join(directory, 'store.db')
    const options = { ...place, database, offsets, properties: { 'max.poll.records': Math.ceil(records / 2) } }
    const dying = lab.child('first', 'storeReader', { ...options, haltAt: Math.ceil((records * 3) / 4) })
    await dying.reached('halt')
    lab.say(`It is in the midst of its second poll; process ${dying.pid} gets SIGKILL.`)
    await dying.kill('SIGKILL')
    lab.say(`The store holds ${storedIn(database).handled} rows. A second consumer starts in its place.`)
    await lab.child('second', 'storeReader', options).ended()
    await lab.conclude(way, records, storedIn(database), place)
  } finally {
    await systemDisk.removeDirectory(directory)
  }
}

/** What the store says, and nobody else: each of its rows is a record handled. */
function storedIn(database: string): Tally {
  const { DatabaseSync } = loadSqlite()
  const store = new DatabaseSync(database)
  const tally = new Tally()
  for (const row of store.prepare('SELECT partition, position FROM rows').all()) {
    tally.add({ partition: Number(row['partition']), offset: Number(row['position']) })
  }
  store.close()
  return tally
}
