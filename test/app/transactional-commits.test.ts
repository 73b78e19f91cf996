/** What a commit with a transaction refuses, and what it remembers; under faults it is tried by handler-simulation.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TransactionBrokenError, TransactionsRefusedError } from '../../src/app/errors.ts'
import type { ProducerPort } from '../../src/app/producer-port.ts'
import { TransactionalCommits } from '../../src/app/transactional-commits.ts'
import type { GroupMetadata } from '../../src/client/producer/transaction-offsets.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'
import { AbortedError, TimeoutError } from '../../src/client/errors.ts'
import { SluiceError } from '../../src/error.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

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
  const clock = new VirtualClock()
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
    clock.of({ isDead: false }),
  )
  return { commits, sent, held, state, clock }
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

test('a commit that waits for its turn ends with its signal, and begins nothing later', async () => {
  const { commits, sent, state } = benchOf()
  const first = Promise.withResolvers<void>()
  state.outcome = () => first.promise
  const running = commits.commitSync(offsets(1), {})
  const stop = new AbortController()
  const waiting = commits.commitSync(offsets(2), { signal: stop.signal })
  stop.abort()
  await assert.rejects(waiting, AbortedError)
  first.resolve()
  await running
  await commits.commitSync(offsets(2), {})
  assert.deepEqual(
    sent.map(({ values }) => values),
    [['a'], ['b']],
  )
})

test('a commit that waits for its turn ends with its time, and begins nothing later', async () => {
  const { commits, sent, state, clock } = benchOf()
  const first = Promise.withResolvers<void>()
  state.outcome = () => first.promise
  const running = commits.commitSync(offsets(1), {})
  let failure: unknown
  commits.commitSync(offsets(2), { timeoutMs: 1000 }).catch((error: unknown) => (failure = error))
  await clock.run(() => failure !== undefined, 2000)
  assert.ok(failure instanceof TimeoutError, String(failure))
  assert.match(failure.message, /^Committing output and offsets in a transaction did not succeed within 1000 ms/)
  first.resolve()
  await running
  await commits.commitSync(offsets(1), {})
  assert.deepEqual(
    sent.map(({ values }) => values),
    [['a'], []],
  )
})

test('one whose turn has come is waited for, whatever its signal says: its end decides what counts', async () => {
  const { commits, held, state } = benchOf()
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  state.outcome = () => {
    begun.resolve()
    return end.promise
  }
  const stop = new AbortController()
  let isOver = false
  const committing = commits.commitSync(offsets(2), { signal: stop.signal }).then(() => (isOver = true))
  await begun.promise
  stop.abort()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isOver, false)
  end.resolve()
  await committing
  assert.equal(held.size, 0)
})

test('a cluster that refuses transactions is asked once', async () => {
  const { commits, sent, state } = benchOf()
  state.outcome = async () => {
    throw new TransactionsRefusedError('app', new Error('not allowed'))
  }
  await assert.rejects(commits.commitSync(offsets(1), {}), TransactionsRefusedError)
  await assert.rejects(commits.commitSync(offsets(1), {}), TransactionsRefusedError)
  assert.equal(sent.length, 1)
})
