/** What becomes of a record that was given up: every way says where the record is, and none passes it before it is dealt with. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeadLetterError, FailurePolicy, type FailurePolicyOptions } from '../../src/app/failure-policy.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'
import { SluiceError } from '../../src/error.ts'
import type { Logger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { FailingProducer, headerOf } from './failing-producer.ts'
import { recordAt, TOPIC } from './simulation/cluster.ts'
import { VirtualClock } from './simulation/virtual-clock.ts'

function benchOf(options: Partial<FailurePolicyOptions> = {}) {
  const clock = new VirtualClock()
  const producer = new FailingProducer()
  const said: string[] = []
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: (_, message) => void said.push(message) }
  const policy = new FailurePolicy({
    onFailure: 'dead-letter',
    application: 'app',
    consumer: 'consumer-thread-0',
    producer,
    clock: clock.of({ isDead: false }),
    random: seededRandom(1),
    logger,
    ...options,
  })
  const closing = new AbortController()
  const stopping = new AbortController()
  const signals = { signal: closing.signal, stopping: stopping.signal }
  const failed = { record: recordAt(2, 7), error: new Error('no such card'), attempts: 3 }
  return { clock, producer, said, policy, closing, stopping, signals, failed }
}

const place = `topic ${TOPIC}, partition 2, offset 7`

await test('stop: not passed, and nothing is sent or said', async () => {
  const { policy, failed, signals, producer, said } = benchOf({ onFailure: 'stop' })
  assert.equal(await policy.settle(failed, signals), false)
  assert.deepEqual([producer.sent, said], [[], []])
})

await test('skip: passed, counted, and said with the record’s place and error', async () => {
  const { policy, failed, signals, said } = benchOf({ onFailure: 'skip' })
  assert.equal(await policy.settle(failed, signals), true)
  assert.deepEqual(said, [`${place}: skipped ("on.failure": "skip"): no such card`])
  assert.equal(policy.counts.skipped, 1)
})

await test('dead-letter: the topic is made once, the letter is acknowledged before the record is passed', async () => {
  const { policy, failed, signals, producer, said } = benchOf()
  const acknowledged = Promise.withResolvers<void>()
  producer.beforeSend = () => acknowledged.promise
  let isPassed: boolean | undefined
  const settling = policy.settle(failed, signals).then((passed) => (isPassed = passed))
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([isPassed, policy.counts.deadLettered], [undefined, 0])
  acknowledged.resolve()
  await settling
  await policy.settle({ ...failed, record: recordAt(2, 8) }, signals)
  assert.equal(isPassed, true)
  assert.equal(policy.counts.deadLettered, 2)
  assert.deepEqual(producer.topics, [`${TOPIC}-dlt like ${TOPIC}`])
  assert.deepEqual(
    producer.sent.map((letter) => [letter.topic, headerOf(letter, 'original-offset'), headerOf(letter, 'attempts')]),
    [
      [`${TOPIC}-dlt`, '7', '3'],
      [`${TOPIC}-dlt`, '8', '3'],
    ],
  )
  assert.equal(said[0], `${place}: written to ${TOPIC}-dlt: no such card`)
})

await test('dead-letter: with a transaction the letter waits among its outputs', async () => {
  const { policy, failed, signals, producer } = benchOf({ deadLetterTopic: 'graves' })
  const outputs: ProducerRecord[] = []
  assert.equal(await policy.settle(failed, signals, outputs), true)
  assert.deepEqual(
    outputs.map(({ topic }) => topic),
    ['graves'],
  )
  assert.deepEqual(producer.sent, [])
})

await test('dead-letter: what passes by itself is tried again, and says each time which record waits', async () => {
  const { policy, failed, signals, producer, said, clock } = benchOf()
  let failures = 2
  producer.beforeTopic = async () => {
    if (failures-- > 0) throw new SluiceError('X', 'no controller', { retriable: true })
  }
  let isPassed: boolean | undefined
  void policy.settle(failed, signals).then((passed) => (isPassed = passed))
  await clock.run(() => isPassed === true, 60_000)
  assert.equal(producer.sent.length, 1)
  assert.match(
    said[0]!,
    new RegExp(
      `^${place}: cannot write to the dead-letter topic ${TOPIC}-dlt: no controller\\. Trying again in \\d\\.\\d s; the record is not passed meanwhile$`,
    ),
  )
  assert.equal(said.length, 3)
})

await test('dead-letter: what does not is an error that names the record, its own failure, the topic, and what to do', async () => {
  const { policy, failed, signals, producer } = benchOf({ deadLetterTopic: 'graves' })
  const cause = new SluiceError('X', 'not authorized')
  producer.beforeSend = async () => {
    throw cause
  }
  await assert.rejects(policy.settle(failed, signals), (error: Error) => {
    assert.ok(error instanceof DeadLetterError)
    assert.match(
      error.message,
      new RegExp(
        `^${place}: the record failed \\(no such card\\) and cannot be written to its dead-letter topic graves: not authorized\\. Nothing from this offset on is committed: .*"dead\\.letter\\.topic"`,
      ),
    )
    assert.deepEqual([error.code, error.retriable, error.cause], ['SLUICE_DEAD_LETTER', false, cause])
    return true
  })
  assert.equal(policy.counts.deadLettered, 0)
})

await test('dead-letter: a stop ends the wait for another try, and the record is not passed', async () => {
  const { policy, failed, signals, producer, stopping, said } = benchOf()
  producer.beforeSend = async () => {
    throw new SluiceError('X', 'no leader', { retriable: true })
  }
  const settling = policy.settle(failed, signals)
  while (said.length === 0) await new Promise((resolve) => setImmediate(resolve))
  stopping.abort(new Error('the lane closes'))
  await assert.rejects(settling, /the lane closes/)
  assert.equal(policy.counts.deadLettered, 0)
})

await test('dead-letter: an abort of what is under way counts as no failure of the topic', async () => {
  const { policy, failed, signals, producer, closing } = benchOf()
  producer.beforeSend = async (signal) => {
    closing.abort(new Error('enough'))
    signal.throwIfAborted()
  }
  await assert.rejects(policy.settle(failed, signals), /^Error: enough$/)
})

for (const [pattern, isEndless] of [
  ['fl.*', true],
  ['flights', false],
  ['flights(?:-dlt)?', false],
] as const) {
  await test(`dead-letter: with topics.pattern ${pattern} dead letters ${isEndless ? 'would come back for ever, which stops' : 'come to an end'}`, async () => {
    const { policy, failed, signals, producer } = benchOf({ topicsPattern: `^(?:${pattern})$` })
    const settling = policy.settle(failed, signals)
    if (!isEndless) return assert.equal(await settling, true)
    await assert.rejects(settling, {
      code: 'SLUICE_ENDLESS_DEAD_LETTERS',
      message: new RegExp(
        `^${place}: the record failed \\(no such card\\), and its dead-letter topic ${TOPIC}-dlt is read`,
      ),
    })
    assert.deepEqual([producer.topics, producer.sent], [[], []])
  })
}

await test('dead-letter: with topics.pattern and a topic of its own that it does not match, all is well', async () => {
  const { policy, failed, signals } = benchOf({ topicsPattern: '^(?:fl.*)$', deadLetterTopic: 'graves' })
  assert.equal(await policy.settle(failed, signals), true)
})
