/** `versions`: what client and broker agreed on, API by API. */
import { Cluster } from '../../../client/cluster.ts'
import { parseAdminConfig } from '../../../client/config.ts'
import { systemSeams } from '../../../client/seams.ts'
import { apis, apiVersions } from '../../../protocol/messages/index.ts'
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import type { Lab } from '../lab.ts'
import { Tally } from '../tally.ts'

export const versions: Experiment = {
  name: 'versions',
  summary: 'which version of each API client and broker agreed on',
  async run(lab) {
    const brokers = await brokerVersions(lab)
    lab.say(
      'Each connection begins with ApiVersions: the broker says what it speaks, the client takes the newest of both.\n',
    )
    lab.say(
      formatTable(
        ['KEY', 'API', 'CLIENT', 'BROKER', 'USED'],
        apis.map(({ key, name, versions: [oldest, newest] }) => {
          const broker = brokers.get(key)
          if (!broker) return [key, name, `${oldest} to ${newest}`, 'not known', null]
          const used = Math.min(newest, broker[1])
          const isCommon = used >= Math.max(oldest, broker[0])
          return [key, name, `${oldest} to ${newest}`, `${broker[0]} to ${broker[1]}`, isCommon ? used : null]
        }),
      ),
    )
    const topic = await lab.topic('versions')
    await lab.produce(topic, 1)
    const tally = new Tally()
    for (const record of await lab.readAll(topic)) tally.add(record)
    await lab.conclude('one record through with them', 1, tally)
  },
}

async function brokerVersions(lab: Lab): Promise<ReadonlyMap<number, readonly [number, number]>> {
  const cluster = new Cluster(parseAdminConfig({ 'bootstrap.servers': lab.bootstrapServers }), systemSeams())
  try {
    await cluster.connect()
    const request = { clientSoftwareName: 'sluice-lab', clientSoftwareVersion: '1' }
    const { apiKeys } = await cluster.send(apiVersions, 'any', request)
    return new Map(apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, [minVersion, maxVersion]]))
  } finally {
    await cluster.close()
  }
}
