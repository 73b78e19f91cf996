/** Waits, over the wire, until a group has so many members and has come to rest: for tests of clients that do not say so themselves. */
import { describeGroups } from '../../src/protocol/messages/index.ts'
import { until } from './until.ts'
import { WireClient } from './wire-client.ts'

export async function stableGroup(bootstrapServers: string, groupId: string, members: number): Promise<void> {
  const client = await WireClient.connect(bootstrapServers)
  try {
    await until(
      async () => {
        const { groups } = await client.request(describeGroups, 4, {
          groups: [groupId],
          includeAuthorizedOperations: false,
        })
        return groups[0]!.groupState === 'Stable' && groups[0]!.members.length === members
      },
      { withinMs: 60_000, everyMs: 50, what: `${groupId} is stable with ${members} members` },
    )
  } finally {
    client.close()
  }
}
