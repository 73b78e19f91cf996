/**
 * The same requests to Apache Kafka and to Sluice's broker: joins, commits, deletions, transactions, in every version and with
 * every mistake that a client can make. Each answer has to be the same, field by field.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import {
  addOffsetsToTxn,
  addPartitionsToTxn,
  deleteGroups,
  describeGroups,
  endTxn,
  findCoordinator,
  heartbeat,
  initProducerId,
  joinGroup,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
  syncGroup,
  txnOffsetCommit,
} from '../../src/protocol/messages/index.ts'
import { startBroker, type TestBroker } from '../../src/testing/start-broker.ts'
import { until } from '../support/until.ts'
import { WireClient } from '../support/wire-client.ts'
import { alone, commitOf, coordinatorsExist, join } from './coordinator-requests.ts'
import { type KafkaCluster, startKafka } from './kafka.ts'
import { Transcript } from './transcript.ts'

let kafka: KafkaCluster
let broker: TestBroker

before(async () => {
  kafka = await startKafka()
  broker = await startBroker()
  for (const bootstrapServers of [kafka.bootstrapServers, broker.bootstrapServers])
    await coordinatorsExist(bootstrapServers)
})
after(async () => {
  await broker?.stop()
  await kafka?.stop()
})

function compare(name: string, play: (transcript: Transcript) => Promise<void>) {
  it(name, async (t: TestContext) => {
    const expected = new Transcript(kafka.bootstrapServers, t)
    await play(expected)
    const actual = new Transcript(broker.bootstrapServers, t)
    await play(actual)
    assert.equal(actual.lines.length, expected.lines.length)
    for (const [index, line] of expected.lines.entries()) assert.deepEqual(actual.lines[index], line)
    assert.ok(expected.lines.length > 0)
  })
}

describe('membership', () => {
  for (let version = 0; version <= 9; version++) {
    compare(`one member joins, syncs, beats, is seen and leaves: JoinGroup ${version}`, async (on) => {
      const groupId = `diff-versions-${version}`
      const first = await on.ask('one', joinGroup, version, join(groupId))
      let { memberId, generationId } = first
      if (version >= 4) ({ generationId } = await on.ask('one', joinGroup, version, join(groupId, { memberId })))
      const upTo = (newest: number) => Math.min(version, newest)
      const assignments = [{ memberId, assignment: Buffer.from('mine') }]
      const said = version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}
      await on.ask('one', syncGroup, upTo(5), { groupId, generationId, memberId, assignments, ...said })
      await on.ask('one', heartbeat, upTo(4), { groupId, generationId, memberId })
      await on.ask('one', joinGroup, version, join(groupId, { memberId }), 'the leader again')
      await on.ask('one', heartbeat, upTo(4), { groupId, generationId, memberId }, 'old generation')
      await on.ask('one', describeGroups, upTo(6), { groups: [groupId, 'diff-nobody'] })
      const leaving = version >= 3 ? { memberId: '', members: [{ memberId }] } : { memberId }
      const body = version >= 3 ? { groupId, members: leaving.members! } : { groupId, memberId }
      await on.ask('one', leaveGroup, upTo(5), body as never)
      await on.ask('one', leaveGroup, upTo(5), body as never, 'again')
      await on.ask('one', describeGroups, upTo(6), { groups: [groupId] }, 'after')
      await on.ask('one', deleteGroups, upTo(2), { groupsNames: [groupId, 'diff-nobody'] })
    })
  }

  compare('mistakes of a joining member', async (on) => {
    const groupId = 'diff-mistakes'
    await on.ask('a', joinGroup, 5, join(''))
    await on.ask('a', joinGroup, 5, { ...join(groupId), sessionTimeoutMs: 1 })
    await on.ask('a', joinGroup, 5, { ...join(groupId), sessionTimeoutMs: 100_000_000 })
    await on.ask('a', joinGroup, 5, join(groupId, { memberId: 'unknown' }))
    await on.ask('a', joinGroup, 5, { ...join(groupId), protocols: [] })
    await on.ask('a', joinGroup, 5, join(groupId, { protocolType: '' }))
    const { memberId, generationId } = await alone(on, groupId)
    await on.ask('a', joinGroup, 5, join(groupId, { protocolType: 'connect' }), 'another type')
    const protocols = [{ name: 'other', metadata: Buffer.from('x') }]
    await on.ask('a', joinGroup, 7, { ...join(groupId), protocols }, 'other protocols')
    await on.ask('a', joinGroup, 5, join(groupId, { memberId: 'unknown' }), 'an unknown id')
    await on.ask('a', joinGroup, 5, join(groupId, { memberId, groupInstanceId: 'i' }), 'an unknown instance')
    for (const [id, generation] of [
      ['unknown', generationId],
      [memberId, generationId + 1],
      [memberId, -1],
      ['', generationId],
    ] as const) {
      await on.ask('a', heartbeat, 3, { groupId, generationId: generation, memberId: id })
      await on.ask('a', syncGroup, 3, { groupId, generationId: generation, memberId: id, assignments: [] })
    }
    const good = { groupId, generationId, memberId, assignments: [] }
    await on.ask('a', syncGroup, 5, { ...good, protocolType: 'consumer', protocolName: 'other' })
    await on.ask('a', syncGroup, 5, { ...good, protocolType: 'connect', protocolName: 'range' })
    await on.ask('a', syncGroup, 5, { ...good, protocolType: null, protocolName: null })
    await on.ask('a', heartbeat, 3, { groupId: '', generationId, memberId })
    await on.ask('a', heartbeat, 3, { groupId: 'diff-nobody', generationId, memberId })
    await on.ask('a', syncGroup, 3, { groupId: '', generationId, memberId, assignments: [] })
    await on.ask('a', syncGroup, 3, { groupId: 'diff-nobody', generationId, memberId, assignments: [] })
    await on.ask('a', leaveGroup, 2, { groupId: '', memberId })
    await on.ask('a', leaveGroup, 2, { groupId: 'diff-nobody', memberId })
    await on.ask('a', leaveGroup, 4, { groupId: 'diff-nobody', members: [{ memberId }] })
    await on.ask('a', leaveGroup, 4, { groupId, members: [{ memberId: 'x' }, { memberId: '' }, { memberId }] })
  })

  compare('two members, a rebalance for each, and the way out', async (on) => {
    const groupId = 'diff-two'
    const one = await alone(on, groupId, 'one')
    const { memberId } = await on.ask('two', joinGroup, 6, join(groupId))
    const two = on.begin('two', joinGroup, 6, join(groupId, { memberId }))
    await until(async () => {
      const client = await WireClient.connect(on.bootstrapServers)
      const { errorCode } = await client.request(heartbeat, 3, { groupId, ...one })
      client.close()
      return errorCode !== 0
    })
    await on.ask('one', heartbeat, 3, { groupId, ...one }, 'while another joins')
    await on.ask('one', syncGroup, 3, { groupId, ...one, assignments: [] }, 'while another joins')
    const again = on.begin('one', joinGroup, 6, join(groupId, { memberId: one.memberId }))
    const { generationId } = await again()
    await two()
    await on.ask('one', describeGroups, 5, { groups: [groupId], includeAuthorizedOperations: true }, 'completing')
    const following = on.begin('two', syncGroup, 4, { groupId, generationId, memberId, assignments: [] })
    const assignments = [
      { memberId: one.memberId, assignment: Buffer.from('first half') },
      { memberId, assignment: Buffer.from('second half') },
    ]
    await on.ask('one', syncGroup, 4, { groupId, generationId, memberId: one.memberId, assignments })
    await following()
    await on.ask('two', syncGroup, 4, { groupId, generationId, memberId, assignments: [] }, 'again')
    await on.ask('two', joinGroup, 6, join(groupId, { memberId }), 'the follower again')
    await on.ask('one', describeGroups, 5, { groups: [groupId] }, 'stable')
    await on.ask('one', listGroups, 5, { statesFilter: ['STABLE'], typesFilter: ['Classic'] })
    await on.ask('one', listGroups, 5, { statesFilter: ['dead'], typesFilter: [] })
    await on.ask('one', deleteGroups, 2, { groupsNames: [groupId] }, 'with members')
    await on.ask('one', leaveGroup, 4, { groupId, members: [{ memberId: one.memberId }, { memberId }] })
    await on.ask('one', describeGroups, 6, { groups: [groupId] }, 'empty')
    await on.ask('one', deleteGroups, 2, { groupsNames: [groupId, groupId] })
  })

  for (const version of [5, 9]) {
    compare(`static members are replaced and fenced: JoinGroup ${version}`, async (on) => {
      const groupId = `diff-static-${version}`
      const first = await on.ask('one', joinGroup, version, join(groupId, { groupInstanceId: 'i1' }))
      const { memberId, generationId } = first
      const assignments = [{ memberId, assignment: Buffer.from('all') }]
      const who = { groupId, generationId, groupInstanceId: 'i1' }
      await on.ask('one', syncGroup, 4, { ...who, memberId, assignments })
      const back = await on.ask('one', joinGroup, version, join(groupId, { groupInstanceId: 'i1' }), 'restarted')
      await on.ask('one', heartbeat, 4, { ...who, memberId }, 'the former self')
      await on.ask('one', syncGroup, 4, { ...who, memberId, assignments: [] }, 'the former self')
      await on.ask('one', joinGroup, version, join(groupId, { memberId, groupInstanceId: 'i1' }), 'the former self')
      const topics = [{ name: 'diff-topic', partitions: [commitOf(0, 1)] }]
      await on.topic('diff-topic', 3)
      const commit = { groupId, generationIdOrMemberEpoch: generationId, topics }
      await on.ask('one', offsetCommit, 8, { ...commit, memberId, groupInstanceId: 'i1' }, 'the former self')
      await on.ask('one', offsetCommit, 8, { ...commit, memberId: back.memberId, groupInstanceId: 'i2' }, 'a stranger')
      await on.ask('one', offsetCommit, 8, { ...commit, memberId: back.memberId, groupInstanceId: 'i1' })
      await on.ask('one', syncGroup, 4, { ...who, memberId: back.memberId, assignments: [] })
      await on.ask('one', heartbeat, 4, { ...who, memberId: back.memberId })
      await on.ask('one', describeGroups, 4, { groups: [groupId] })
      const members = [
        { memberId, groupInstanceId: 'i1' },
        { memberId: '', groupInstanceId: 'i2' },
        { memberId: '', groupInstanceId: 'i1' },
      ]
      await on.ask('one', leaveGroup, 4, { groupId, members })
      await on.ask('one', describeGroups, 4, { groups: [groupId] }, 'after')
    })
  }
})

describe('offsets', () => {
  for (let version = 2; version <= 10; version++) {
    compare(`a consumer that assigns itself commits and reads: OffsetCommit ${version}`, async (on) => {
      const topicId = await on.topic('diff-topic', 3)
      const groupId = `diff-commit-${version}`
      const named = (name: string, id: string) => (version >= 10 ? { topicId: id } : { name })
      const topics = [
        {
          ...named('diff-topic', topicId),
          partitions: [commitOf(0, 10), commitOf(1, 11, null), commitOf(7, 1), commitOf(2, 12, 'x'.repeat(5000))],
        },
        { ...named('diff-missing', 'aaaaaaaaaaaaaaaaaaaaaQ'), partitions: [commitOf(0, 1)] },
      ]
      const body = { groupId, memberId: '', topics }
      await on.ask('a', offsetCommit, version, body as never)
      await on.ask('a', offsetCommit, version, { ...body, generationIdOrMemberEpoch: 3 } as never, 'a generation')
      await on.ask('a', offsetCommit, version, {
        ...body,
        groupId: `${groupId}-none`,
        generationIdOrMemberEpoch: 3,
      } as never)
      await on.ask('a', offsetCommit, version, { ...body, memberId: 'who' } as never, 'a member')
      await on.ask('a', offsetCommit, version, { ...body, topics: [] } as never, 'nothing')
      for (let fetch = 1; fetch <= 7; fetch++) {
        const wanted = [
          { name: 'diff-topic', partitionIndexes: [0, 1, 2, 9] },
          { name: 'diff-missing', partitionIndexes: [0] },
        ]
        await on.ask('a', offsetFetch, fetch, { groupId, topics: wanted })
        if (fetch >= 2) await on.ask('a', offsetFetch, fetch, { groupId, topics: null })
      }
      for (let fetch = 8; fetch <= 10; fetch++) {
        const which = (name: string, id: string) => (fetch >= 10 ? { topicId: id } : { name })
        const wanted = [
          { ...which('diff-topic', topicId), partitionIndexes: [0, 1, 2, 9] },
          { ...which('diff-missing', 'aaaaaaaaaaaaaaaaaaaaaQ'), partitionIndexes: [0] },
        ]
        const groups = [
          { groupId, topics: wanted },
          { groupId: 'diff-nobody', topics: null },
          { groupId, topics: null },
        ]
        await on.ask('a', offsetFetch, fetch, { groups } as never)
      }
      await on.ask('a', describeGroups, 5, { groups: [groupId] })
      await on.ask('a', deleteGroups, 2, { groupsNames: [groupId] })
      await on.ask('a', offsetFetch, 5, { groupId, topics: null }, 'after')
    })
  }

  compare('commits to a group with members', async (on) => {
    await on.topic('diff-topic', 3)
    const groupId = 'diff-members'
    const { memberId } = await on.ask('one', joinGroup, 5, join(groupId))
    const { generationId } = await on.ask('one', joinGroup, 5, join(groupId, { memberId }))
    const topics = [{ name: 'diff-topic', partitions: [commitOf(0, 10)] }]
    const commit = (generation: number, id: string) => ({
      groupId,
      generationIdOrMemberEpoch: generation,
      memberId: id,
      topics,
    })
    await on.ask('one', offsetCommit, 7, commit(generationId, memberId), 'before the sync')
    const assignments = [{ memberId, assignment: Buffer.from('all') }]
    await on.ask('one', syncGroup, 3, { groupId, generationId, memberId, assignments })
    await on.ask('one', offsetCommit, 7, commit(generationId, memberId))
    await on.ask('one', offsetCommit, 7, commit(generationId + 1, memberId))
    await on.ask('one', offsetCommit, 7, commit(-1, memberId))
    await on.ask('one', offsetCommit, 7, commit(generationId, 'unknown'))
    await on.ask('one', offsetCommit, 7, commit(-1, ''))
    const partitions = [{ partitionIndex: 0 }, { partitionIndex: 9 }]
    const both = [
      { name: 'diff-topic', partitions },
      { name: 'diff-missing', partitions },
    ]
    await on.ask('one', offsetDelete, 0, { groupId, topics: both }, 'subscribed')
    await on.ask('one', leaveGroup, 4, { groupId, members: [{ memberId }] })
    await on.ask('one', offsetDelete, 0, { groupId, topics: both }, 'empty')
    await on.ask('one', offsetDelete, 0, { groupId: 'diff-nobody', topics: both })
    await on.ask('one', offsetDelete, 0, { groupId: '', topics: both })
    await on.ask('one', offsetFetch, 5, { groupId, topics: null })
    await on.ask('one', deleteGroups, 1, { groupsNames: ['', groupId] })
  })
})

describe('transactions', () => {
  const init = (transactionalId: string | null, more = {}) => ({
    transactionalId,
    transactionTimeoutMs: 60_000,
    ...more,
  })

  /** Until the markers of the last transaction are written the coordinator asks to try again. */
  async function settled(on: Transcript, transactionalId: string) {
    const client = await WireClient.connect(on.bootstrapServers)
    let given = { producerId: -1, producerEpoch: -1 }
    await until(async () => {
      const answer = await client.request(initProducerId, 4, init(transactionalId))
      given = answer
      return answer.errorCode === 0
    })
    client.close()
    on.name(given.producerId, `producer of ${transactionalId}`)
    return given
  }

  compare('producer ids', async (on) => {
    for (let version = 0; version <= 5; version++) {
      const { producerId } = await (
        await WireClient.connect(on.bootstrapServers)
      ).request(initProducerId, version, init(null))
      assert.ok(producerId >= 0)
    }
    await on.ask('p', initProducerId, 4, init(''))
    await on.ask('p', initProducerId, 4, { ...init('diff-t'), transactionTimeoutMs: 0 })
    await on.ask('p', initProducerId, 4, { ...init('diff-t'), transactionTimeoutMs: 900_001 })
    await on.ask('p', initProducerId, 4, init('diff-t', { producerId: 3 }))
    const { producerId, producerEpoch } = await settled(on, 'diff-bump')
    await on.ask('p', initProducerId, 4, init('diff-bump', { producerId, producerEpoch }), 'go on after an error')
    await on.ask('p', initProducerId, 4, init('diff-bump', { producerId, producerEpoch }), 'the same again')
    await on.ask('p', initProducerId, 4, init('diff-bump'), 'another producer')
    await on.ask('p', initProducerId, 4, init('diff-bump', { producerId, producerEpoch }), 'fenced')
    await on.ask('p', initProducerId, 3, init('diff-bump', { producerId, producerEpoch }), 'fenced, long ago')
    await on.ask('p', initProducerId, 4, init('diff-bump', { producerId: producerId + 777, producerEpoch: 0 }))
  })

  for (let version = 0; version <= 3; version++) {
    compare(`AddPartitionsToTxn ${version} and EndTxn, with mistakes`, async (on) => {
      await on.topic('diff-topic', 3)
      const transactionalId = `diff-txn-${version}`
      const { producerId, producerEpoch } = await settled(on, transactionalId)
      const add = (partitions: number[], more = {}) => ({
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics: [{ name: 'diff-topic', partitions }],
        ...more,
      })
      const end = (committed: boolean, more = {}) => ({
        transactionalId,
        producerId,
        producerEpoch,
        committed,
        ...more,
      })
      await on.ask('p', endTxn, version, end(true), 'nothing is open')
      await on.ask('p', endTxn, version, end(false), 'nothing is open')
      await on.ask('p', addPartitionsToTxn, version, add([0, 8]))
      await on.ask('p', addPartitionsToTxn, version, add([0], { v3AndBelowProducerEpoch: producerEpoch + 5 }))
      await on.ask('p', addPartitionsToTxn, version, add([0], { v3AndBelowProducerId: producerId + 500 }))
      await on.ask('p', addPartitionsToTxn, version, add([0], { v3AndBelowTransactionalId: 'diff-nobody' }))
      await on.ask('p', addPartitionsToTxn, version, add([0], { v3AndBelowTransactionalId: '' }))
      await on.ask('p', addPartitionsToTxn, version, add([0]))
      await on.ask('p', addPartitionsToTxn, version, add([0]), 'again')
      await on.ask('p', addPartitionsToTxn, version, add([0, 1]))
      await on.ask('p', endTxn, version, end(true, { producerEpoch: producerEpoch + 1 }))
      await on.ask('p', endTxn, version, end(true, { producerId: producerId + 500 }))
      await on.ask('p', endTxn, version, end(true, { transactionalId: 'diff-nobody' }))
      await on.ask('p', endTxn, version, end(true, { transactionalId: '' }))
      await on.ask('p', endTxn, version, end(true))
      await settledEnd(on, version, end(true))
      await on.ask('p', endTxn, version, end(true), 'again')
      await on.ask('p', endTxn, version, end(false), 'the opposite')
      await settled(on, transactionalId)
      await on.ask('p', addPartitionsToTxn, version, add([0]), 'fenced')
      await on.ask('p', endTxn, version, end(true), 'fenced')
    })
  }

  /** Waits until a repeated EndTxn is answered by the completed transaction. */
  async function settledEnd(on: Transcript, version: number, body: Parameters<typeof on.ask>[3]) {
    const client = await WireClient.connect(on.bootstrapServers)
    await until(async () => (await client.request(endTxn, version, body as never)).errorCode === 0)
    client.close()
  }

  for (let version = 0; version <= 5; version++) {
    compare(`TxnOffsetCommit ${version}: nobody sees it before the transaction commits`, async (on) => {
      await on.topic('diff-topic', 3)
      const transactionalId = `diff-offsets-${version}`
      const groupId = `diff-txn-group-${version}`
      let producer = await settled(on, transactionalId)
      const who = () => ({ transactionalId, producerId: producer.producerId, producerEpoch: producer.producerEpoch })
      const topics = (offset: number) => [
        { name: 'diff-topic', partitions: [commitOf(0, offset), commitOf(9, 1), commitOf(1, 1, 'x'.repeat(5000))] },
        { name: 'diff-missing', partitions: [commitOf(0, 1)] },
      ]
      const read = async (note: string) => {
        const wanted = [{ name: 'diff-topic', partitionIndexes: [0, 1] }]
        await on.ask('r', offsetFetch, 5, { groupId, topics: wanted }, note)
        await on.ask('r', offsetFetch, 7, { groupId, topics: wanted, requireStable: true }, `${note}, stable`)
      }
      const addOffsets = Math.min(version, 3)
      await on.ask('p', addOffsetsToTxn, addOffsets, { ...who(), groupId: '' })
      // From version 5 on the commit itself adds the group.
      if (version < 5) await on.ask('p', addOffsetsToTxn, addOffsets, { ...who(), groupId })
      await on.ask('p', txnOffsetCommit, version, { ...who(), groupId: '', topics: topics(5) })
      await on.ask('p', txnOffsetCommit, version, { ...who(), groupId, topics: topics(5) })
      await read('open')
      await on.ask('p', endTxn, 3, { ...who(), committed: false })
      producer = await settled(on, transactionalId)
      await read('aborted')
      if (version < 5) await on.ask('p', addOffsetsToTxn, addOffsets, { ...who(), groupId })
      const fenced = { ...who(), producerEpoch: producer.producerEpoch - 1 }
      await on.ask('p', txnOffsetCommit, version, { ...fenced, groupId, topics: topics(6) }, 'fenced')
      await on.ask('p', txnOffsetCommit, version, { ...who(), groupId, topics: topics(6) })
      if (version >= 3) {
        const strange = { ...who(), groupId, topics: topics(7) }
        await on.ask('p', txnOffsetCommit, version, { ...strange, generationId: 4, memberId: 'x' }, 'no such member')
        await on.ask('p', txnOffsetCommit, version, { ...strange, groupId: `${groupId}-none`, generationId: 4 })
      }
      await on.ask('p', endTxn, 3, { ...who(), committed: true })
      producer = await settled(on, transactionalId)
      await read('committed')
    })
  }

  compare('EndTxn 5 gives a new epoch with every end', async (on) => {
    await on.topic('diff-topic', 3)
    const transactionalId = 'diff-bumping'
    let { producerId, producerEpoch } = await settled(on, transactionalId)
    const add = (epoch: number, note: string) =>
      on.ask(
        'p',
        addPartitionsToTxn,
        3,
        {
          v3AndBelowTransactionalId: transactionalId,
          v3AndBelowProducerId: producerId,
          v3AndBelowProducerEpoch: epoch,
          v3AndBelowTopics: [{ name: 'diff-topic', partitions: [0] }],
        },
        note,
      )
    const end = (epoch: number, committed: boolean) => ({
      transactionalId,
      producerId,
      producerEpoch: epoch,
      committed,
    })
    const ask = (epoch: number, committed: boolean, note: string) => on.ask('p', endTxn, 5, end(epoch, committed), note)
    await ask(producerEpoch, true, 'commit, nothing is open')
    for (const committed of [true, false]) {
      const before = producerEpoch
      await add(before, 'open')
      await ask(before + 1, committed, 'an epoch that is not there yet')
      ;({ producerEpoch } = await ask(before, committed, 'the end'))
      await settledEnd(on, 5, end(before, committed))
      await ask(before, committed, 'the same again')
      await ask(before, !committed, 'the opposite')
      await add(before, 'the old epoch')
      await ask(producerEpoch, true, 'commit, nothing is open')
    }
    await add(producerEpoch, 'open')
    const { producerEpoch: next } = await ask(producerEpoch, true, 'the end')
    await settledEnd(on, 5, end(producerEpoch, true))
    const idle = await ask(next, false, 'abort, nothing is open')
    await settledEnd(on, 5, end(next, false))
    await on.ask('p', initProducerId, 4, init(transactionalId, { producerId, producerEpoch: idle.producerEpoch }))
    await on.ask('p', initProducerId, 4, init(transactionalId), 'another producer')
    await ask(idle.producerEpoch, false, 'fenced')
    await ask(next, false, 'fenced, long ago')
    await on.ask('p', endTxn, 5, { ...end(next, false), producerId: producerId + 500 })
    await on.ask('p', endTxn, 5, { ...end(next, false), transactionalId: 'diff-nobody' })
    await on.ask('p', endTxn, 5, { ...end(next, false), transactionalId: '' })
  })

  compare('a new producer aborts what the old one left open', async (on) => {
    await on.topic('diff-topic', 3)
    const transactionalId = 'diff-takeover'
    const { producerId, producerEpoch } = await settled(on, transactionalId)
    await on.ask('p', addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
      v3AndBelowTopics: [{ name: 'diff-topic', partitions: [0] }],
    })
    await on.ask('q', initProducerId, 4, init(transactionalId), 'while one is open')
    await settled(on, transactionalId)
    await on.ask('p', endTxn, 3, { transactionalId, producerId, producerEpoch, committed: true }, 'the old one')
  })
})

describe('lookups', () => {
  for (let version = 0; version <= 6; version++) {
    compare(`FindCoordinator ${version}`, async (on) => {
      if (version < 4) await on.ask('a', findCoordinator, version, { key: 'diff-g' })
      if (version < 4) await on.ask('a', findCoordinator, version, { key: '' }, 'an empty key')
      if (version >= 1 && version < 4) await on.ask('a', findCoordinator, version, { key: 'diff-t', keyType: 1 })
      if (version >= 4) {
        await on.ask('a', findCoordinator, version, { keyType: 0, coordinatorKeys: ['diff-g', 'diff-h', ''] })
        await on.ask('a', findCoordinator, version, { keyType: 1, coordinatorKeys: ['diff-t'] })
        await on.ask('a', findCoordinator, version, { keyType: 0, coordinatorKeys: [] })
        // From version 6 on that is the type of share groups, which Sluice does not have.
        if (version < 6) await on.ask('a', findCoordinator, version, { keyType: 2, coordinatorKeys: ['g:id:0'] })
      }
    })
  }
})
