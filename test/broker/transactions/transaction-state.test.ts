import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeTransaction, encodeTransaction } from '../../../src/broker/transactions/transaction-records.ts'
import {
  addPartitions,
  complete,
  initialize,
  isEpochExhausted,
  isExpired,
  isTimedOut,
  mayInitialize,
  needsNewProducerId,
  newTransaction,
  prepareEnd,
  prepareEndAndBump,
  prepareFence,
  rotate,
  type Step,
  type Transaction,
  type TransactionStatus,
  verifyPartition,
} from '../../../src/broker/transactions/transaction-state.ts'

const producer = { producerId: 7, producerEpoch: 3 }
const tp = { topic: 'a', partition: 0 }

function at(status: TransactionStatus, more: Partial<Transaction> = {}): Transaction {
  const partitions = status === 'Ongoing' || status.startsWith('Prepare') ? new Map([['a-0', tp]]) : new Map()
  return { ...newTransaction('t', 7, 1000, 50), producerEpoch: 3, startTimestamp: 100, status, partitions, ...more }
}

const outcome = (step: Step) => ('error' in step ? step.error : step.next.status)

describe('each step from each status', () => {
  const table: Record<TransactionStatus, { add: string; commit: string; abort: string; verify: string }> = {
    Empty: { add: 'Ongoing', commit: 'INVALID_TXN_STATE', abort: 'INVALID_TXN_STATE', verify: 'TRANSACTION_ABORTABLE' },
    Ongoing: { add: 'NONE', commit: 'PrepareCommit', abort: 'PrepareAbort', verify: 'NONE' },
    PrepareCommit: {
      add: 'CONCURRENT_TRANSACTIONS',
      commit: 'CONCURRENT_TRANSACTIONS',
      abort: 'INVALID_TXN_STATE',
      verify: 'CONCURRENT_TRANSACTIONS',
    },
    PrepareAbort: {
      add: 'CONCURRENT_TRANSACTIONS',
      commit: 'INVALID_TXN_STATE',
      abort: 'CONCURRENT_TRANSACTIONS',
      verify: 'CONCURRENT_TRANSACTIONS',
    },
    CompleteCommit: { add: 'Ongoing', commit: 'NONE', abort: 'INVALID_TXN_STATE', verify: 'TRANSACTION_ABORTABLE' },
    CompleteAbort: { add: 'Ongoing', commit: 'INVALID_TXN_STATE', abort: 'NONE', verify: 'TRANSACTION_ABORTABLE' },
  }
  for (const [status, expected] of Object.entries(table) as [TransactionStatus, (typeof table)[TransactionStatus]][]) {
    it(status, () => {
      const transaction = at(status)
      assert.equal(outcome(addPartitions(transaction, producer, [tp], 200)), expected.add)
      assert.equal(outcome(prepareEnd(transaction, producer, 'commit', 200)), expected.commit)
      assert.equal(outcome(prepareEnd(transaction, producer, 'abort', 200)), expected.abort)
      assert.equal(verifyPartition(transaction, producer, tp), expected.verify)
      for (const [who, error] of [
        [{ producerId: 8, producerEpoch: 3 }, 'INVALID_PRODUCER_ID_MAPPING'],
        [{ producerId: 7, producerEpoch: 2 }, 'PRODUCER_FENCED'],
        [{ producerId: 7, producerEpoch: 4 }, 'PRODUCER_FENCED'],
      ] as const) {
        assert.equal(outcome(addPartitions(transaction, who, [tp], 200)), error)
        assert.equal(outcome(prepareEnd(transaction, who, 'commit', 200)), error)
        assert.equal(verifyPartition(transaction, who, tp), error)
      }
    })
  }
})

describe('InitProducerId', () => {
  const epochs = (step: Step) =>
    'error' in step ? step.error : [step.next.producerEpoch, step.next.lastProducerEpoch, step.next.status]

  it('begins with the epoch 0', () => {
    assert.deepEqual(epochs(initialize(newTransaction('t', 7, 1000, 50), undefined, 1000, 60)), [0, -1, 'Empty'])
  })

  it('bumps the epoch for another producer, and for one that goes on', () => {
    assert.deepEqual(epochs(initialize(at('CompleteCommit'), undefined, 1000, 60)), [4, -1, 'Empty'])
    assert.deepEqual(epochs(initialize(at('CompleteAbort'), producer, 1000, 60)), [4, 3, 'Empty'])
  })

  it('answers a retry with the epoch that was lost, and fences everybody else', () => {
    const bumped = at('Empty', { producerEpoch: 4, lastProducerEpoch: 3 })
    assert.deepEqual(epochs(initialize(bumped, producer, 1000, 60)), [4, 3, 'Empty'])
    assert.equal(epochs(initialize(at('Empty', { producerEpoch: 5 }), producer, 1000, 60)), 'PRODUCER_FENCED')
  })

  it('takes a new producer id when the epochs are used up, and knows its owner afterwards', () => {
    assert.equal(isEpochExhausted(32765), false)
    const last = at('CompleteCommit', { producerEpoch: 32766 })
    assert.equal(needsNewProducerId(last, undefined), true)
    assert.equal(needsNewProducerId(last, { producerId: 7, producerEpoch: 5 }), false)
    const rotated = rotate(last, 99, true, 1000, 60)
    assert.deepEqual(
      [rotated.producerId, rotated.previousProducerId, rotated.producerEpoch, rotated.lastProducerEpoch],
      [99, 7, 0, 32766],
    )
    assert.equal(mayInitialize(rotated, { producerId: 7, producerEpoch: 32766 }), true)
    assert.equal(mayInitialize(rotated, { producerId: 7, producerEpoch: 5 }), false)
    assert.equal(mayInitialize(rotated, { producerId: 1, producerEpoch: 0 }), false)
    assert.equal(mayInitialize(rotated, undefined), true)
  })
})

describe('EndTxn 5', () => {
  const ended = (step: Step) =>
    'error' in step ? step.error : [step.next.status, step.next.producerEpoch, step.next.nextProducerId]

  it('bumps the epoch, and knows its own retry by the epoch before', () => {
    assert.deepEqual(ended(prepareEndAndBump(at('Ongoing'), producer, 'commit', 200)), ['PrepareCommit', 4, -1])
    const bumped = { producerEpoch: 4, bumpsEpoch: true }
    for (const [status, result, expected] of [
      ['PrepareCommit', 'commit', 'CONCURRENT_TRANSACTIONS'],
      ['PrepareCommit', 'abort', 'INVALID_TXN_STATE'],
      ['CompleteCommit', 'commit', 'NONE'],
      ['CompleteCommit', 'abort', 'INVALID_TXN_STATE'],
      ['CompleteAbort', 'abort', 'NONE'],
      ['Ongoing', 'commit', 'PRODUCER_FENCED'],
    ] as const) {
      assert.equal(
        ended(prepareEndAndBump(at(status, bumped), producer, result, 200)),
        expected,
        `${status}, ${result}`,
      )
    }
  })

  it('aborts when nothing is open, as a write may have been lost, and commits nothing', () => {
    for (const status of ['Empty', 'CompleteCommit', 'CompleteAbort'] as const) {
      assert.deepEqual(ended(prepareEndAndBump(at(status), producer, 'abort', 200)), ['PrepareAbort', 4, -1])
      assert.equal(ended(prepareEndAndBump(at(status), producer, 'commit', 200)), 'INVALID_TXN_STATE')
    }
  })

  it('is no retry of a transaction that was fenced', () => {
    const fenced = complete(prepareFence(at('Ongoing', { bumpsEpoch: true }), 200), 300)
    assert.equal(ended(prepareEndAndBump(fenced, producer, 'abort', 400)), 'PRODUCER_FENCED')
  })

  it('goes on with a new producer id when the epochs are used up', () => {
    const last = { producerId: 7, producerEpoch: 32766 }
    const step = prepareEndAndBump(at('Ongoing', last), last, 'commit', 200, 99)
    assert.deepEqual(ended(step), ['PrepareCommit', 32767, 99])
    assert.ok('next' in step)
    const done = complete(step.next, 300)
    assert.deepEqual([done.producerId, done.previousProducerId, done.producerEpoch], [99, 7, 0])
    assert.equal(ended(prepareEndAndBump(done, last, 'commit', 400)), 'NONE')
    assert.equal(
      ended(prepareEndAndBump(done, { producerId: 7, producerEpoch: 3 }, 'commit', 400)),
      'INVALID_PRODUCER_ID_MAPPING',
    )
    const { key, value } = encodeTransaction('t', step.next)
    assert.deepEqual(decodeTransaction(key, value).transaction, { ...step.next, lastProducerEpoch: -1 })
  })
})

it('fencing aborts with an epoch that nobody has, and never runs over the largest', () => {
  const fenced = prepareFence(at('Ongoing'), 500)
  assert.deepEqual([fenced.status, fenced.producerEpoch, fenced.partitions.size], ['PrepareAbort', 4, 1])
  assert.equal(prepareFence(at('Ongoing', { producerEpoch: 32767 }), 500).producerEpoch, 32767)
})

it('completion keeps the decision and forgets the partitions', () => {
  assert.equal(complete(at('PrepareCommit'), 9).status, 'CompleteCommit')
  assert.deepEqual(
    [complete(at('PrepareAbort'), 9).status, complete(at('PrepareAbort'), 9).partitions.size],
    ['CompleteAbort', 0],
  )
})

it('times out only while open, expires only at rest', () => {
  assert.equal(isTimedOut(at('Ongoing'), 1100), false)
  assert.equal(isTimedOut(at('Ongoing'), 1101), true)
  assert.equal(isTimedOut(at('PrepareCommit'), 9999), false)
  assert.equal(isExpired(at('CompleteCommit'), 1000, 1050), true)
  assert.equal(isExpired(at('CompleteCommit'), 1000, 1049), false)
  assert.equal(isExpired(at('Ongoing'), 1000, 9999), false)
})

it('each status is read back as it was written', () => {
  for (const status of [
    'Empty',
    'Ongoing',
    'PrepareCommit',
    'PrepareAbort',
    'CompleteCommit',
    'CompleteAbort',
  ] as const) {
    const transaction = at(status, { previousProducerId: 5 })
    const { key, value } = encodeTransaction('t', transaction)
    assert.deepEqual(decodeTransaction(key, value), { transactionalId: 't', transaction })
  }
  const { key, value } = encodeTransaction('t', null)
  assert.deepEqual(decodeTransaction(key, value), { transactionalId: 't', transaction: null })
})
