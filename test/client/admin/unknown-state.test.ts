/** A state of a group that Sluice has never heard of: a newer broker has one more than this version knows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin } from '../../../src/client/admin/admin.ts'
import { startBroker } from '../../../src/testing/index.ts'

test('groups: a state that is not known is passed on as it came, listed, described and filtered by', async (t) => {
  const broker = await startBroker()
  t.after(() => broker.stop())
  const admin = new Admin({ 'bootstrap.servers': broker.bootstrapServers })
  t.after(() => admin.close())
  const listed = { protocolType: 'consumer', groupType: 'classic' }
  const groups = [
    { ...listed, groupId: 'new', groupState: 'Hibernating' },
    { ...listed, groupId: 'old', groupState: 'Stable' },
  ]
  broker.intercept('ListGroups', () => ({ throttleTimeMs: 0, errorCode: 0, groups }))
  const described = { protocolType: 'consumer', protocolData: 'range', members: [], authorizedOperations: 0 }
  broker.intercept('DescribeGroups', () => ({
    throttleTimeMs: 0,
    groups: [{ ...described, errorCode: 0, errorMessage: null, groupId: 'new', groupState: 'Hibernating' }],
  }))
  const states = async (wanted?: readonly string[]) =>
    [...(await admin.listGroups(wanted ? { states: wanted } : {}))].map(({ groupId, state }) => [groupId, state])
  assert.deepEqual(await states(), [
    ['new', 'Hibernating'],
    ['old', 'Stable'],
  ])
  assert.deepEqual(await states(['Hibernating']), [['new', 'Hibernating']])
  const { state, members } = (await admin.describeGroups(['new'])).get('new')
  assert.deepEqual([state, members], ['Hibernating', []])
})
