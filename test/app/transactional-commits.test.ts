/** What a commit with a transaction refuses, and what it remembers; under faults it is tried by handler-simulation.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransactionBrokenError } from '../../src/app/errors.ts'
import type { ProducerPort } from '../../src/app/producer-port.ts'
import { TransactionalCommits } from '../../src/app/transactional-commits.ts'
import type { GroupMetadata } from '../../src/client/producer/transaction-offsets.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'
import { SluiceError } from '../../src/error.ts'

const topicPartition = { topic: 'orders', partition: 0 }
const offsets = (offset: number) => [{ topicPartition, offset }]

function benchOf() {
  const sent: { values: unknown[]; group: GroupMetadata }[] = []
  const held = new Map<number, string>([
    [1, 'a'],
    [2, 'b'],
  ])
  const state = {
    group: { groupId: 'g', memberId: 'm', generationId: 3 } as GroupMetadata,
    outcome: async () => {},
  }
  const producer = {
    transact: async (records: readonly ProducerRecord[], _offsets: unknown, group: GroupMetadata) => {
      sent.push({ values: records.map(({ value }) => value), group })
      await state.outcome()
    },
  } as unknown as ProducerPort
  const commits = new TransactionalCommits(
    producer,
    {
      outputsUpTo: (_, next) =>
        [...held].flatMap(([offset, value]) => (offset <= next ? [{ topic: 'out', value }] : [])),
      forgetOutputs: (_, next) => {
        for (const offset of held.keys()) if (offset <= next) held.delete(offset)
      },
    },
    () => state.group,
  )
  return { commits, sent, held, state }
}

test('output goes with the offsets that cover it, once', async () => {
  const { commits, sent } = benchOf()
  await commits.commitSync(offsets(1), {})
  await commits.commitSync(offsets(2), {})
  assert.deepEqual(
    sent.map(({ values }) => values),
    [['a'], ['b']],
  )
})

test('what failed for sure is sent again with the next commit', async () => {
  const { commits, sent, state } = benchOf()
  state.outcome = async () => {
    throw new SluiceError('X', 'aborted', { retriable: true })
  }
  await assert.rejects(commits.commitSync(offsets(1), {}), /aborted/)
  state.outcome = async () => {}
  await commits.commitSync(offsets(2), {})
  assert.deepEqual(sent.at(-1)!.values, ['a', 'b'])
})

test('after an end that nobody knows of nothing is sent any more', async () => {
  const { commits, sent, state } = benchOf()
  state.outcome = async () => {
    throw new TransactionBrokenError('committing', new Error('no answer'))
  }
  await assert.rejects(commits.commitSync(offsets(1), {}), TransactionBrokenError)
  state.outcome = async () => {}
  await assert.rejects(commits.commitSync(offsets(2), {}), TransactionBrokenError)
  assert.equal(sent.length, 1)
})

test('without a generation nothing is sent: brokers would not refuse a member that was put out', async () => {
  const { commits, sent, state } = benchOf()
  for (const group of [{ groupId: 'g', memberId: '', generationId: -1 }, { groupId: 'g' }]) {
    state.group = group
    await assert.rejects(commits.commitSync(offsets(1), {}), /not a member of the group g/)
  }
  assert.deepEqual(sent, [])
})

test('a commit that waits for its turn belongs to the generation that asked for it', async () => {
  const { commits, sent, state } = benchOf()
  const first = Promise.withResolvers<void>()
  state.outcome = () => first.promise
  const both = [commits.commitSync(offsets(1), {}), commits.commitSync(offsets(2), {})]
  state.group = { groupId: 'g', memberId: 'm', generationId: 4 }
  first.resolve()
  await Promise.all(both)
  assert.deepEqual(
    sent.map(({ group }) => group.generationId),
    [3, 3],
  )
})
