/** Differential cases about topics, configurations, metadata and the protocol's own refusals. */
import {
  apiVersions,
  createPartitions,
  createTopics,
  deleteTopics,
  describeCluster,
  describeConfigs,
  incrementalAlterConfigs,
  metadata,
} from '../../src/protocol/messages/index.ts'
import { type RequestInputOf, type ResponseOf } from '../../src/protocol/api.ts'
import { createTopic } from '../support/wire-requests.ts'
import { type WireClient } from '../support/wire-client.ts'
import { byName, defineCase, type DifferentialCase } from './differential-cases.ts'

type NewTopic = RequestInputOf<typeof createTopics>['topics'][number]
type ConfigEntry = ResponseOf<typeof describeConfigs>['results'][number]['configs'][number]

const UNKNOWN_ID = 'CZWtt_OdRb2M5hd1q83cGw'
const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
const TOPIC = 2
const BROKER = 4

/** Kafka's own default for all brokers, set by its controller (KIP-966): a source that one broker alone does not have. */
const elsewhere = new Set(['min.insync.replicas'])

async function create(client: WireClient, topics: (Partial<NewTopic> & { name: string })[], version = 7) {
  const complete = topics.map((topic) => ({
    numPartitions: 1,
    replicationFactor: 1,
    assignments: [],
    configs: [],
    ...topic,
  }))
  const answer = await client.request(createTopics, version, { topics: complete, timeoutMs: 5000, validateOnly: true })
  const comparable = answer.topics.map(({ configs, ...topic }) => ({
    ...topic,
    configs: configs?.filter(({ name }) => !elsewhere.has(name)),
  }))
  return byName(comparable)
}

function creation(what: string, topics: (Partial<NewTopic> & { name: string })[], version?: number): DifferentialCase {
  return defineCase(`CreateTopics: ${what}`, ({ client }) => create(client, topics, version))
}

function manual(name: string, brokerIds: number[][], indexes = brokerIds.map((_, index) => index)) {
  const assignments = brokerIds.map((ids, at) => ({ partitionIndex: indexes[at]!, brokerIds: ids }))
  return { name, numPartitions: -1, replicationFactor: -1, assignments }
}

function configured(name: string, value: string | null) {
  return { name: 'diff-configured', configs: [{ name, value }] }
}

const creations: DifferentialCase[] = [
  creation('plain', [{ name: 'diff-plain', numPartitions: 3 }]),
  creation('defaults', [{ name: 'diff-defaults', numPartitions: -1, replicationFactor: -1 }]),
  creation('defaults, version 2', [{ name: 'diff-defaults', numPartitions: -1, replicationFactor: -1 }], 2),
  creation('defaults, version 5', [{ name: 'diff-defaults', numPartitions: -1, replicationFactor: -1 }], 5),
  creation('none', []),
  creation('invalid names', [{ name: 'a/b' }, { name: '' }, { name: '.' }, { name: '..' }, { name: 'x'.repeat(250) }]),
  creation('the longest name', [{ name: 'x'.repeat(249) }]),
  creation('too few partitions', [
    { name: 'diff-zero', numPartitions: 0 },
    { name: 'diff-negative', numPartitions: -2 },
  ]),
  creation('too many partitions', [{ name: 'diff-many', numPartitions: 10_001 }]),
  creation('replication factors', [
    { name: 'diff-r0', replicationFactor: 0 },
    { name: 'diff-r2', replicationFactor: 2 },
    { name: 'diff-r-2', replicationFactor: -2 },
  ]),
  creation('one name twice', [{ name: 'diff-twice' }, { name: 'diff-twice' }, { name: 'diff-once' }]),
  creation('manual assignment', [manual('diff-manual', [[1], [1]])]),
  creation('manual assignment and a count', [{ ...manual('diff-manual', [[1]]), numPartitions: 1 }]),
  creation('manual assignment and a factor', [{ ...manual('diff-manual', [[1]]), replicationFactor: 1 }]),
  creation('manual assignment to an unknown broker', [manual('diff-manual', [[7]])]),
  creation('manual assignment to nobody', [manual('diff-manual', [[]])]),
  creation('manual assignment twice to the same', [manual('diff-manual', [[1, 1]])]),
  creation('manual assignment with a gap', [manual('diff-manual', [[1]], [1])]),
  creation('manual assignment of one partition twice', [manual('diff-manual', [[1], [1]], [0, 0])]),
  creation('a property', [configured('retention.ms', '5000')]),
  creation('an unknown property', [configured('no.such', '1')]),
  creation('a property of null', [configured('cleanup.policy', null)]),
  creation('not a number', [configured('retention.ms', 'soon')]),
  creation('a number too small', [configured('segment.bytes', '5')]),
  creation('not one of a list', [configured('cleanup.policy', 'shred')]),
  creation('both policies', [configured('cleanup.policy', 'compact,delete')]),
  creation('a ratio out of range', [configured('min.cleanable.dirty.ratio', '2')]),
  creation('not a boolean', [configured('preallocate', 'maybe')]),
  defineCase('CreateTopics: a name that is taken, and one that collides with it', async ({ client }) => {
    await createTopic(client, 'diff.taken')
    return create(client, [{ name: 'diff.taken' }, { name: 'diff_taken' }])
  }),
]

function partitionsCase(what: string, count: number, assignments: number[][] | null = null): DifferentialCase {
  return defineCase(`CreatePartitions: ${what}`, async ({ client }) => {
    const name = `diff-partitions-${what.replaceAll(/\W+/g, '-')}`
    await createTopic(client, name, 3)
    const topics = [{ name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null }]
    return client.request(createPartitions, 3, { topics, timeoutMs: 5000, validateOnly: false })
  })
}

const partitions: DifferentialCase[] = [
  partitionsCase('more', 5),
  partitionsCase('lowered', 2),
  partitionsCase('as many', 3),
  partitionsCase('none', 0),
  partitionsCase('negative', -1),
  partitionsCase('manual assignment', 4, [[1]]),
  partitionsCase('manual assignment too short', 5, [[1]]),
  partitionsCase('manual assignment to an unknown broker', 4, [[9]]),
  partitionsCase('manual assignment to nobody', 4, [[]]),
  defineCase('CreatePartitions: unknown and twice', async ({ client }) => {
    const ask = (name: string, count: number) => ({ name, count, assignments: null })
    const topics = [ask('diff-none', 3), ask('diff-dup', 3), ask('diff-dup', 4)]
    const answer = await client.request(createPartitions, 3, { topics, timeoutMs: 5000, validateOnly: false })
    return byName(answer.results)
  }),
]

type DeleteInput = RequestInputOf<typeof deleteTopics>

function deletion(what: string, version: number, asked: Partial<DeleteInput>): DifferentialCase {
  return defineCase(`DeleteTopics: ${what}`, async ({ client }) => {
    const answer = await client.request(deleteTopics, version, { timeoutMs: 5000, topicNames: [], ...asked })
    return byName(answer.responses)
  })
}

function named(name: string | null) {
  return { name, topicId: NO_ID }
}

const deletions: DifferentialCase[] = [
  deletion('unknown name', 6, { topics: [named('diff-none')] }),
  deletion('unknown name, version 1', 1, { topicNames: ['diff-none'] }),
  deletion('unknown id', 6, { topics: [{ name: null, topicId: UNKNOWN_ID }] }),
  deletion('name and id', 6, { topics: [{ name: 'diff-none', topicId: UNKNOWN_ID }] }),
  deletion('neither', 6, { topics: [named(null)] }),
  deletion('twice', 6, { topics: [named('diff-none'), named('diff-none')] }),
  deletion('names, version 5', 5, { topicNames: ['diff-none', 'diff-none', 'diff-other'] }),
  defineCase('DeleteTopics: by name, then by id', async ({ client }) => {
    await createTopic(client, 'diff-delete-a')
    const topicId = await createTopic(client, 'diff-delete-b')
    const topics = [named('diff-delete-a'), { name: null, topicId }]
    return byName((await client.request(deleteTopics, 6, { timeoutMs: 5000, topics })).responses)
  }),
]

type MetadataInput = RequestInputOf<typeof metadata>

function metadataCase(what: string, version: number, asked: MetadataInput): DifferentialCase {
  return defineCase(`Metadata: ${what}, version ${version}`, async ({ client }) => {
    await createTopicOnce(client, 'diff-metadata', 2)
    const answer = await client.request(metadata, version, asked)
    // Of all topics only the case's own: other cases create theirs.
    const topics = answer.topics.filter(({ name }) => asked.topics?.length !== 0 || name === 'diff-metadata')
    const own = asked.topics === null ? topics.filter(({ name }) => name === 'diff-metadata') : topics
    return { ...answer, topics: byName(own) }
  })
}

async function createTopicOnce(client: WireClient, name: string, count = 1) {
  const { topics } = await client.request(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false })
  if (topics[0]!.errorCode !== 0) await createTopic(client, name, count)
  return topics[0]!.topicId
}

const asked = [{ name: 'diff-metadata' }]
const metadatas: DifferentialCase[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13].map((version) =>
    metadataCase('one topic', version, { topics: asked }),
  ),
  metadataCase('all by an empty list', 0, { topics: [] }),
  ...[1, 4, 8, 12, 13].map((version) => metadataCase('all by null', version, { topics: null })),
  ...[1, 12].map((version) => metadataCase('none', version, { topics: [] })),
  metadataCase('authorized operations', 10, {
    topics: asked,
    includeTopicAuthorizedOperations: true,
    includeClusterAuthorizedOperations: true,
  }),
  metadataCase('one twice', 12, { topics: [...asked, ...asked] }),
  metadataCase('unknown', 12, { topics: [{ name: 'diff-none' }], allowAutoTopicCreation: false }),
  metadataCase('invalid name', 12, { topics: [{ name: 'a/b' }] }),
  metadataCase('unknown id', 12, { topics: [{ name: null, topicId: UNKNOWN_ID }] }),
  metadataCase('an id in a version that takes none', 10, { topics: [{ name: null, topicId: UNKNOWN_ID }] }),
  metadataCase('neither name nor id', 12, { topics: [{ name: null }] }),
]

function describe(
  what: string,
  type: number,
  resourceName: string,
  keys: string[] | null,
  version = 4,
): DifferentialCase {
  return defineCase(`DescribeConfigs: ${what}`, async ({ client }) => {
    await createTopicOnce(client, 'diff-configs')
    const resources = [{ resourceType: type, resourceName, configurationKeys: keys }]
    const { results } = await client.request(describeConfigs, version, { resources, includeSynonyms: true })
    return results.map((result) => ({ ...result, configs: comparableConfigs(result.configs) }))
  })
}

function comparableConfigs(configs: readonly ConfigEntry[]): ConfigEntry[] {
  return byName(configs.filter(({ name }) => !elsewhere.has(name)))
}

const BROKER_KEYS = ['num.partitions', 'message.max.bytes', 'offsets.topic.num.partitions', 'auto.create.topics.enable']
/** What Kafka can change while it runs, and this broker cannot. */
const dynamic = new Set(['message.max.bytes'])

const descriptions: DifferentialCase[] = [
  describe('every property of a topic', TOPIC, 'diff-configs', null),
  describe('every property of a topic, by an empty list', TOPIC, 'diff-configs', []),
  describe('some, and an unknown one', TOPIC, 'diff-configs', ['retention.ms', 'cleanup.policy', 'no.such']),
  describe('some, version 1', TOPIC, 'diff-configs', ['retention.ms', 'max.message.bytes'], 1),
  describe('unknown topic', TOPIC, 'diff-none', null),
  describe('invalid topic', TOPIC, 'a/b', null),
  describe('no topic', TOPIC, '', null),
  describe('another broker', BROKER, '9', null),
  describe('a broker that is no number', BROKER, 'x', null),
  describe('brokers by default', BROKER, '', null),
  describe('an unknown type', 99, 'x', null),
  defineCase('DescribeConfigs: the broker', async ({ client }) => {
    const resources = [{ resourceType: BROKER, resourceName: '1', configurationKeys: BROKER_KEYS }]
    const { results } = await client.request(describeConfigs, 4, { resources, includeSynonyms: true })
    return byName(results[0]!.configs).map((entry) => ({
      ...entry,
      readOnly: entry.readOnly || dynamic.has(entry.name),
    }))
  }),
]

type Change = [name: string, operation: number, value: string | null]

function alteration(what: string, changes: Change[], resource: [number, string] = [TOPIC, '']): DifferentialCase {
  return defineCase(`IncrementalAlterConfigs: ${what}`, async ({ client }) => {
    const own = `diff-alter-${what.replaceAll(/\W+/g, '-')}`
    if (resource[1] === '') await createTopic(client, own)
    const [resourceType, resourceName] = [resource[0], resource[1] || own]
    const configs = changes.map(([name, configOperation, value]) => ({ name, configOperation, value }))
    const altered = await client.request(incrementalAlterConfigs, 1, {
      resources: [{ resourceType, resourceName, configs }],
      validateOnly: false,
    })
    return { altered, after: resource[1] === '' ? await settled(client, own) : [] }
  })
}

/** A topic's own properties. Kafka tells its brokers of a change a little later than it answers. */
async function settled(client: WireClient, name: string) {
  await new Promise((resolve) => setTimeout(resolve, 300))
  const resources = [{ resourceType: TOPIC, resourceName: name, configurationKeys: null }]
  const { results } = await client.request(describeConfigs, 4, { resources })
  return byName(results[0]!.configs.filter(({ configSource }) => configSource === 1))
}

const alterations: DifferentialCase[] = [
  alteration('set', [['retention.ms', 0, '5000']]),
  alteration('set two, remove one', [
    ['retention.ms', 0, '5000'],
    ['max.message.bytes', 0, '1000'],
    ['segment.ms', 1, null],
  ]),
  alteration('append to a list', [['cleanup.policy', 2, 'compact']]),
  alteration('append what is there', [['cleanup.policy', 2, 'delete']]),
  alteration('take from a list', [['cleanup.policy', 3, 'delete']]),
  alteration('append to a number', [['retention.ms', 2, '5']]),
  alteration('take from a number', [['retention.ms', 3, '5']]),
  alteration('an unknown property', [['no.such', 0, '5']]),
  alteration('remove an unknown property', [['no.such', 1, null]]),
  alteration('not a number', [['retention.ms', 0, 'x']]),
  alteration('null', [['retention.ms', 0, null]]),
  alteration('a key twice', [
    ['retention.ms', 0, '1'],
    ['retention.ms', 0, '2'],
  ]),
  alteration('an unknown operation', [['retention.ms', 9, '1']]),
  alteration('unknown topic', [['retention.ms', 0, '1']], [TOPIC, 'diff-none']),
  alteration('invalid topic', [['retention.ms', 0, '1']], [TOPIC, 'a/b']),
  alteration('what a broker cannot change', [['num.partitions', 0, '3']], [BROKER, '1']),
  alteration('another broker', [['num.partitions', 0, '3']], [BROKER, '9']),
  alteration('unknown type', [['x', 0, '1']], [99, '1']),
]

function raw(key: number, version: number, correlationId: number, rest: number[]): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt16BE(key, 0)
  head.writeInt16BE(version, 2)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, Buffer.from(rest)])
}

const clientId = [0, 1, 97]
const heartbeatBody = [...clientId, 0, 1, 98, 0, 0, 0, 0, 0, 1, 99]

const protocol: DifferentialCase[] = [
  ...[1, 2].map((endpointType) =>
    defineCase(`DescribeCluster: endpoint type ${endpointType}`, ({ client }) =>
      client.request(describeCluster, 2, { endpointType, includeClusterAuthorizedOperations: true }),
    ),
  ),
  defineCase('DescribeCluster: an unknown endpoint type', ({ client }) =>
    client.request(describeCluster, 2, { endpointType: 3, includeClusterAuthorizedOperations: false }),
  ),
  defineCase('ApiVersions: a client that misnames itself', ({ client }) =>
    client.request(apiVersions, 4, { clientSoftwareName: '-x', clientSoftwareVersion: '1' }),
  ),
  defineCase('ApiVersions: a version that is not known', ({ client }) =>
    client.exchangeBytes(raw(18, 99, 7, [...clientId, 0])),
  ),
  defineCase('ApiVersions: the ranges of what both answer', async ({ client }) => {
    const { apiKeys } = await client.request(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    // AddPartitionsToTxn (24) is left out: its versions from 4 on are for brokers among themselves.
    const both = new Set([
      0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22, 23, 25, 26, 28, 32, 37, 42, 44, 47, 60,
    ])
    return apiKeys.filter(({ apiKey }) => both.has(apiKey))
  }),
  defineCase('an unknown API', ({ client }) => client.exchangeBytes(raw(999, 0, 7, clientId))),
  defineCase('an unknown version', ({ client }) => client.exchangeBytes(raw(12, 99, 7, heartbeatBody))),
  defineCase('Produce version 2', ({ client }) =>
    client.exchangeBytes(raw(0, 2, 7, [...clientId, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
  ),
  defineCase('a request that ends early', ({ client }) =>
    client.exchangeBytes(raw(12, 0, 7, heartbeatBody.slice(0, -3))),
  ),
  defineCase('a request with bytes too many', async ({ client }) => {
    // Which error the group gets is another matter; that there is an answer is what is asked here.
    const answer = await client.exchangeBytes(raw(12, 0, 7, [...heartbeatBody, 1, 2]))
    return answer.length
  }),
]

export const topicCases: readonly DifferentialCase[] = [
  ...creations,
  ...partitions,
  ...deletions,
  ...metadatas,
  ...descriptions,
  ...alterations,
  ...protocol,
]
