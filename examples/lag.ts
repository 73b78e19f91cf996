/** A group's lag from outside, whether or not its consumers live. Chapter: docs/lab/lag.md. Run: node examples/lag.ts [servers] [group] */
import { Admin } from 'sluice'

const [servers = 'localhost:9092', group = 'simple-consumers'] = process.argv.slice(2)

const admin = new Admin({ 'bootstrap.servers': servers })
// Commits first, ends afterwards: a group that moves meanwhile seems a little behind, never ahead.
const committed = await admin.listGroupOffsets(group)
const ends = await admin.listOffsets([...committed].map(([partition]) => [partition, 'latest'] as const))

let total = 0
for (const [{ topic, partition }, { offset }] of committed) {
  const end = ends.get(`${topic}-${partition}`).offset
  total += end - offset
  console.log(`${topic}-${partition}: committed ${offset}, end ${end}, lag ${end - offset}`)
}
const { members } = (await admin.describeGroups([group])).get(group)
console.log(`${group}: lag ${total}, ${members.length} members`)
await admin.close()
