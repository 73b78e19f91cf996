/** What client and broker agreed on, API by API. Chapter: docs/lab/versions.md. Run: node examples/versions.ts [servers] */
import { Admin } from 'sluice'

const [servers = 'localhost:9092'] = process.argv.slice(2)

const admin = new Admin({ 'bootstrap.servers': servers })
for (const { name, client, broker, used } of await admin.apiVersions()) {
  const theirs = broker ? `${broker.oldest} to ${broker.newest}` : 'not known'
  console.log(`${name}: client ${client.oldest} to ${client.newest}, broker ${theirs}, used ${used ?? '-'}`)
}
await admin.close()
