/** `versions`: what client and broker agreed on, API by API. */
import type { ApiVersionRange } from '../../../client/admin/api-versions.ts'
import { formatTable } from '../../output.ts'
import type { Experiment } from '../experiment.ts'
import { Tally } from '../tally.ts'

const range = ({ oldest, newest }: ApiVersionRange) => `${oldest} to ${newest}`

export const versions: Experiment = {
  name: 'versions',
  summary: 'which version of each API client and broker agreed on',
  async run(lab) {
    const agreed = await lab.admin.apiVersions()
    lab.say(
      'Each connection begins with ApiVersions: the broker says what it speaks, the client takes the newest of both.\n',
    )
    lab.say(
      formatTable(
        ['KEY', 'API', 'CLIENT', 'BROKER', 'USED'],
        agreed.map(({ key, name, client, broker, used }) => [
          key,
          name,
          range(client),
          broker ? range(broker) : 'not known',
          used,
        ]),
      ),
    )
    const topic = await lab.topic('versions')
    await lab.produce(topic, 1)
    const tally = new Tally()
    for (const record of await lab.readAll(topic)) tally.add(record)
    await lab.conclude('one record through with them', 1, tally)
  },
}
