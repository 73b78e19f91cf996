/** Topics: names, configs, partitions, deletion; and records that a topic does not take. */
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { KafkaError } from '../../../src/protocol/error-codes.ts'
import { controlBatch, RecordBatchWriter } from '../../../src/protocol/records/batch-writer.ts'
import { crc32c } from '../../../src/protocol/records/crc32c.ts'
import { LogRefusal } from '../../../src/broker/log/refusal.ts'
import { TopicConfig } from '../../../src/broker/log/topic-config.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'
import { batchOf, keyed, openLogs, readAll, StandingClock, START_MS, valuesOf } from './log-fixtures.ts'

const refuses = (promise: Promise<unknown>, name: string, reason?: string | RegExp) =>
  assert.rejects(promise, (error) => {
    assert.ok(error instanceof LogRefusal && error instanceof KafkaError, String(error))
    assert.equal(error.error.name, name)
    if (typeof reason === 'string') assert.equal(error.reason, reason)
    else if (reason) assert.match(error.reason, reason)
    return true
  })

test('createTopic: names are refused in the words of Kafka', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t))
  const invalid = 'INVALID_TOPIC_EXCEPTION'
  await refuses(logs.createTopic('', 1), invalid, 'Topic name is invalid: the empty string is not allowed')
  await refuses(logs.createTopic('..', 1), invalid, `Topic name is invalid: '.' or '..' is not allowed`)
  await refuses(logs.createTopic('x'.repeat(250), 1), invalid, /is longer than the max allowed length 249$/)
  await refuses(
    logs.createTopic('a/b', 1),
    invalid,
    `Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`,
  )
  await logs.createTopic('a.b', 1)
  await refuses(logs.createTopic('a_b', 1), invalid, `Topic 'a_b' collides with existing topic: a.b`)
  await refuses(logs.createTopic('a.b', 1), 'TOPIC_ALREADY_EXISTS', `Topic 'a.b' already exists.`)
  await refuses(logs.createTopic('c', 0), 'INVALID_PARTITIONS')
  await refuses(logs.createTopic('c', 1, { 'no.such': '1' }), 'INVALID_CONFIG', 'Unknown topic config name: no.such')
  assert.equal(logs.topics().length, 1)
})

test('topics: every legal name has folders of its own, whatever it ends in', async (t) => {
  const directory = await temporaryDirectory(t)
  const names = ['x'.repeat(249), 'a-1', 'a', 'a-delete', 'a.swap-0', 'A', '-', '...', 'topics.json']
  const logs = await openLogs(t, directory)
  for (const [number, name] of names.entries()) {
    const topic = await logs.createTopic(name, 2)
    await topic.partitions[1]!.append(batchOf([`${number}`]))
  }
  await logs.close()
  const again = await openLogs(t, directory)
  for (const [number, name] of names.entries())
    assert.deepEqual(valuesOf(await readAll(again.partition(name, 1)!)), [`${number}`])
})

test('TopicConfig: values are checked against type and limits', () => {
  const wrong = (overrides: Record<string, string>, reason: string) =>
    assert.throws(
      () => new TopicConfig(overrides),
      (error) => error instanceof LogRefusal && error.error.name === 'INVALID_CONFIG' && error.reason === reason,
    )
  wrong({ 'retention.ms': '-2' }, 'Invalid value -2 for configuration retention.ms: Value must be at least -1')
  wrong({ 'retention.ms': 'soon' }, 'Invalid value soon for configuration retention.ms: Not a number of type LONG')
  wrong(
    { 'segment.bytes': '2147483648' },
    'Invalid value 2147483648 for configuration segment.bytes: Not a number of type INT',
  )
  wrong(
    { 'min.cleanable.dirty.ratio': '1.5' },
    'Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1',
  )
  wrong(
    { preallocate: 'yes' },
    'Invalid value yes for configuration preallocate: Expected value to be either true or false',
  )
  wrong(
    { 'message.timestamp.type': 'x' },
    'Invalid value x for configuration message.timestamp.type: String must be one of: CreateTime, LogAppendTime',
  )
  wrong(
    { 'cleanup.policy': 'delete,shred' },
    'Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete',
  )
  const config = new TopicConfig({ 'cleanup.policy': 'compact, delete' }, { 'retention.ms': 7 })
  assert.deepEqual(
    [config.cleanupCompact, config.cleanupDelete, config.retentionMs, config.segmentBytes],
    [true, true, 7, 1073741824],
  )
  const entry = (name: string) => config.entries().find((one) => one.name === name)!
  assert.deepEqual([entry('retention.ms').source, entry('retention.ms').value], ['broker-default', '7'])
  assert.equal(entry('flush.messages').value, '9223372036854775807')
  assert.equal(entry('cleanup.policy').source, 'topic')
})

test('addPartitions: the new ones are empty, the old ones as they were; fewer are refused in the words of Kafka', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const topic = await logs.createTopic('grow', 2)
  const first = topic.partitions[0]!
  await logs.addPartitions('grow', 4)
  assert.equal(logs.topic('grow')!.partitions.length, 4)
  assert.equal(logs.partition('grow', 0), first)
  await refuses(logs.addPartitions('grow', 4), 'INVALID_PARTITIONS', 'Topic already has 4 partition(s).')
  await refuses(
    logs.addPartitions('grow', 1),
    'INVALID_PARTITIONS',
    'The topic grow currently has 4 partition(s); 1 would not be an increase.',
  )
  await refuses(logs.addPartitions('none', 1), 'UNKNOWN_TOPIC_OR_PARTITION')
  await logs.close()
  assert.equal((await openLogs(t, directory)).topic('grow')!.partitions.length, 4)
})

test('deleteTopic: the records are gone for good, those who wait are told, the name is free', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  const changes: string[] = []
  logs.onChange(({ name }, change) => changes.push(`${name} ${change}`))
  const topic = await logs.createTopic('gone', 2)
  const log = topic.partitions[0]!
  await log.append(batchOf(['old']))
  let told = 0
  log.onAppend(() => told++)
  const appending = Promise.allSettled([log.append(batchOf(['late'])), log.append(batchOf(['later']))])
  await logs.deleteTopic('gone')
  await appending
  assert.ok(told > 0 && log.closed)
  await refuses(log.append(batchOf(['x'])), 'UNKNOWN_TOPIC_OR_PARTITION')
  await refuses(
    log.read(0, { maxBytes: 1, isolation: 'read_uncommitted', minOneBatch: true }),
    'UNKNOWN_TOPIC_OR_PARTITION',
  )
  assert.deepEqual(
    (await readdir(directory)).filter((name) => name.includes('gone') || name.endsWith('-delete')),
    [],
  )
  const again = await logs.createTopic('gone', 1)
  assert.notEqual(again.id, topic.id)
  assert.equal(again.partitions[0]!.logEndOffset, 0)
  assert.equal(logs.topicById(topic.id), undefined)
  assert.deepEqual(changes, ['gone created', 'gone deleted', 'gone created'])
})

test('deleteTopic: a crash at any step leaves either the topic or nothing of it to the next of its name', async (t) => {
  const root = await temporaryDirectory(t)
  let crashed = true
  for (let at = 0; crashed; at++) {
    crashed = false
    let armed = false
    let calls = 0
    const strike = () => {
      if (!armed || calls++ < at) return
      crashed = true
      throw Object.assign(new Error('gone'), { code: 'EIO', errno: -5, syscall: 'rename' })
    }
    const disk = {
      ...systemDisk,
      rename: async (from: string, to: string) => (strike(), systemDisk.rename(from, to)),
      removeDirectory: async (path: string) => (strike(), systemDisk.removeDirectory(path)),
      syncDirectory: async (path: string) => (strike(), systemDisk.syncDirectory(path)),
    }
    const directory = join(root, String(at))
    const logs = await openLogs(t, directory, { disk })
    const topic = await logs.createTopic('topic', 2)
    for (const log of topic.partitions) await log.append(batchOf(['old']))
    armed = true
    await logs.deleteTopic('topic').catch(() => {})
    await logs.abandon().catch(() => {})
    const again = await openLogs(t, directory)
    const left = again.topic('topic')
    if (left) {
      assert.equal(left.id, topic.id)
      for (const log of left.partitions) assert.deepEqual(valuesOf(await readAll(log)), ['old'])
    } else {
      assert.deepEqual(
        (await readdir(directory)).filter((name) => /^topic-|-delete$/.test(name)),
        [],
      )
      for (const log of (await again.createTopic('topic', 2)).partitions) assert.equal(log.logEndOffset, 0)
    }
    await again.close()
  }
})

test('createTopic: a folder that belongs to no topic is put aside, not taken over', async (t) => {
  const directory = await temporaryDirectory(t)
  const logs = await openLogs(t, directory)
  await mkdir(join(directory, 'topic-0'))
  await writeFile(join(directory, 'topic-0', '00000000000000000000.log'), batchOf(['of nobody']))
  const { partitions } = await logs.createTopic('topic', 1)
  assert.equal(partitions[0]!.logEndOffset, 0)
  assert.equal(
    (await readdir(directory)).filter((name) => name.startsWith('topic-0.') && name.endsWith('-stray')).length,
    1,
  )
})

test('append: what is no sound batch of format 2 is refused, and the log is as it was', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t))
  const log = (await logs.createTopic('topic', 1, { 'max.message.bytes': '1000' })).partitions[0]!
  const batch = batchOf(['value'])
  for (let at = 17; at < batch.length; at++) {
    const damaged = Buffer.from(batch)
    damaged[at]! ^= 0x10
    await refuses(log.append(damaged), 'CORRUPT_MESSAGE')
  }
  for (let length = 1; length < batch.length; length++)
    await refuses(log.append(batch.subarray(0, length)), 'CORRUPT_MESSAGE')
  await refuses(log.append(Buffer.alloc(0)), 'INVALID_RECORD')
  await refuses(log.append(Buffer.concat([batch, batch])), 'INVALID_RECORD', /exactly one record batch/)
  const old = Buffer.from(batch)
  old[16] = 1
  await refuses(log.append(old), 'UNSUPPORTED_FOR_MESSAGE_FORMAT')
  await refuses(
    log.append(batchOf(['x'.repeat(1000)])),
    'MESSAGE_TOO_LARGE',
    /^The record batch size in the append to topic-0 is 10\d\d bytes which exceeds the maximum configured value of 1000\.$/,
  )
  const marker = controlBatch({
    type: 'commit',
    producerId: 1,
    producerEpoch: 0,
    coordinatorEpoch: 0,
    timestamp: START_MS,
  })
  await refuses(
    log.append(marker),
    'INVALID_RECORD',
    'Clients are not allowed to write control records in topic partition topic-0',
  )
  assert.equal(log.logEndOffset, 0)
})

test('append: a header that lies about its records is refused, packed or not', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t))
  const log = (await logs.createTopic('topic', 1)).partitions[0]!
  const resealed = (batch: Buffer, change: (batch: Buffer) => void) => {
    change(batch)
    batch.writeUInt32BE(crc32c(batch, 21, batch.length), 17)
    return batch
  }
  const three = ['a', 'b', 'c']
  for (const compression of ['none', 'gzip'] as const) {
    const batch = () => batchOf(three, { compression })
    await refuses(
      log.append(resealed(batch(), (bytes) => bytes.writeInt32BE(2, 57))),
      'INVALID_RECORD',
      /Inconsistent batch offset range/,
    )
    const two = (bytes: Buffer) => (bytes.writeInt32BE(2, 57), bytes.writeInt32BE(1, 23))
    await refuses(log.append(resealed(batch(), two)), 'INVALID_RECORD', /bytes follow/)
    await refuses(log.append(resealed(batch(), (bytes) => bytes.writeInt32BE(0, 57))), 'INVALID_RECORD')
  }
  await refuses(log.append(resealed(batchOf(three), (bytes) => bytes.fill(0xff, 61))), 'INVALID_RECORD')
  await refuses(
    log.append(resealed(batchOf(three, { compression: 'gzip' }), (bytes) => bytes.fill(0xff, 61))),
    'CORRUPT_MESSAGE',
  )
  assert.equal(log.logEndOffset, 0)
})

test('append: a compacted topic takes no record without a key, and says which', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t))
  const log = (await logs.createTopic('state', 1, { 'cleanup.policy': 'compact' })).partitions[0]!
  await assert.rejects(log.append(batchOf([keyed('a', '1'), 'none'], { compression: 'gzip' })), (error) => {
    assert.ok(error instanceof LogRefusal)
    assert.equal(error.error.name, 'INVALID_RECORD')
    const message = 'Compacted topic cannot accept message without key in topic partition state-0'
    assert.deepEqual(error.recordRefusals, [{ batchIndex: 1, message }])
    return true
  })
  assert.equal((await log.append(batchOf([keyed('', '1')]))).baseOffset, 0)
})

test('append: timestamps out of range are refused; LogAppendTime sets them, and the checksum is right', async (t) => {
  const clock = new StandingClock()
  const logs = await openLogs(t, await temporaryDirectory(t), { clock })
  const log = (await logs.createTopic('topic', 1, { 'message.timestamp.before.max.ms': '10' })).partitions[0]!
  await refuses(log.append(batchOf(['x'], { timestamp: START_MS - 11 })), 'INVALID_TIMESTAMP')
  await refuses(log.append(batchOf(['x'], { timestamp: START_MS + 3_600_001 })), 'INVALID_TIMESTAMP')
  await log.append(batchOf(['x'], { timestamp: START_MS + 3_600_000 }))
  await logs.alterConfig('topic', { 'message.timestamp.type': 'LogAppendTime' })
  const { logAppendTimeMs, baseOffset } = await log.append(batchOf(['y', 'z'], { timestamp: 5 }))
  assert.equal(logAppendTimeMs, START_MS)
  const records = await readAll(log, baseOffset)
  assert.deepEqual(
    records.map(({ timestamp, timestampType }) => [timestamp, timestampType]),
    [
      [START_MS, 'LogAppendTime'],
      [START_MS, 'LogAppendTime'],
    ],
  )
})

test('append: bytes are stored as they came, but for offset and epoch', async (t) => {
  const logs = await openLogs(t, await temporaryDirectory(t), { tailMemoryBytes: 0 })
  const log = (await logs.createTopic('topic', 1)).partitions[0]!
  await log.append(batchOf(['before']))
  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const writer = new RecordBatchWriter({ compression })
    writer.append({
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: [{ key: 'h', value: null }],
      timestamp: START_MS,
    })
    const sent = writer.build()
    const copy = Buffer.from(sent)
    const { baseOffset } = await log.append(sent)
    const { records } = await log.read(baseOffset, {
      maxBytes: 1 << 20,
      isolation: 'read_uncommitted',
      minOneBatch: true,
    })
    const stored = Buffer.concat(records)
    assert.equal(Number(stored.readBigInt64BE(0)), baseOffset)
    assert.deepEqual(stored.subarray(16), copy.subarray(16))
  }
})
