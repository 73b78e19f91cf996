/** `sluice topics`: what kafka-topics and kafka-configs do for topics. */
import { Command } from 'commander'
import type { Admin } from '../../client/admin/admin.ts'
import { withAdmin } from '../client-properties.ts'
import { UsageError } from '../exit.ts'
import { nameValue, names, type ConnectionOptions, wholeNumber, withConnection, withJson } from '../options.ts'
import { print, printJson, printRows } from '../output.ts'

interface Options extends ConnectionOptions {
  readonly json?: boolean
  readonly topic?: readonly string[]
}

interface CreateOptions extends Options {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: Readonly<Record<string, string>>
  readonly ifNotExists?: boolean
}

interface AlterOptions extends Options {
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
  readonly deleteConfig?: readonly string[]
}

export function topicsCommand(): Command {
  const topics = new Command('topics').description('list, create, describe, alter and delete topics')
  withJson(withConnection(topics.command('list')))
    .description('names of all topics')
    .option('--exclude-internal', 'leave out topics that Kafka keeps for itself')
    .action(list)
  withTopics(topics.command('create'), 'create topics')
    .option('--partitions <n>', "partitions of each (default: the broker's)", wholeNumber(1))
    .option('--replication-factor <n>', "replicas of each partition (default: the broker's)", wholeNumber(1))
    .option('--config <name=value>', 'a setting of the topic, may be given several times', nameValue)
    .option('--if-not-exists', 'a topic that exists is no failure')
    .action(create)
  withTopics(topics.command('describe'), 'partitions, replicas and settings of topics').action(describe)
  withTopics(topics.command('alter'), 'add partitions, change settings')
    .option('--partitions <n>', 'how many partitions there are to be in all', wholeNumber(1))
    .option('--config <name=value>', 'a setting to change, may be given several times', nameValue)
    .option('--delete-config <names>', 'settings that go back to their defaults', names)
    .action(alter)
  withTopics(topics.command('delete'), 'delete topics and their records')
    .option('--if-exists', 'a topic that does not exist is no failure')
    .action(remove)
  return topics
}

function withTopics(command: Command, description: string): Command {
  return withJson(withConnection(command.argument('[topics...]', 'names of topics')))
    .description(description)
    .option('--topic <names>', 'names of topics, in place of arguments', names)
}

function chosen(args: readonly string[], { topic = [] }: Options): string[] {
  const all = [...new Set([...args, ...topic])]
  if (all.length === 0) throw new UsageError('which topic? Name at least one')
  return all
}

async function list(options: Options & { excludeInternal?: boolean }): Promise<void> {
  const topics = await withAdmin(options, (admin) => admin.listTopics({ includeInternal: true }))
  const found = topics
    .filter(({ isInternal }) => !(isInternal && options.excludeInternal))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
  if (options.json) printJson(found)
  else for (const { name } of found) print(name)
}

async function create(args: readonly string[], options: CreateOptions): Promise<void> {
  const topics = chosen(args, options)
  await withAdmin(options, async (admin) => {
    for (const topic of topics) {
      try {
        const { partitions, replicationFactor, config: configs } = options
        await admin.createTopics([{ name: topic, partitions, replicationFactor, configs }])
        if (!options.json) print(`created ${topic}`)
      } catch (error) {
        if (!(options.ifNotExists && isKafkaError(error, 'TOPIC_ALREADY_EXISTS'))) throw error
        if (!options.json) print(`${topic} exists already`)
      }
    }
    if (options.json) printJson(await descriptions(admin, topics))
  })
}

function isKafkaError(error: unknown, name: string): boolean {
  return (error as { code?: string }).code === `KAFKA_${name}`
}

async function descriptions(admin: Admin, topics: readonly string[]) {
  if (topics.length === 0) return []
  const [described, configs] = await Promise.all([
    admin.describeTopics(topics),
    admin.describeConfigs(topics.map((name) => ({ type: 'topic' as const, name }))),
  ])
  const settings = configs.orThrow()
  return [...described.orThrow().values()]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, topicId, isInternal, partitions }) => {
      const own = [...settings.get(name)!.values()].filter(({ isDefault, source }) => !isDefault && source === 'topic')
      return {
        name,
        topicId,
        isInternal,
        configs: Object.fromEntries(own.map(({ name, value }) => [name, value])),
        partitions: [...partitions].sort((left, right) => left.partition - right.partition),
      }
    })
}

async function describe(args: readonly string[], options: Options): Promise<void> {
  await withAdmin(options, async (admin) => {
    const all = [...args, ...(options.topic ?? [])]
    const topics = all.length > 0 ? all : (await admin.listTopics()).map(({ name }) => name)
    const found = await descriptions(admin, topics)
    if (options.json) return printJson(found)
    for (const { name, topicId, partitions, configs } of found) {
      const settings = Object.entries(configs).map(([key, value]) => `${key}=${value}`)
      print(`${name}  id ${topicId}  partitions ${partitions.length}  ${settings.join(' ')}`.trimEnd())
      printRows(
        partitions.map(({ partition, leader, replicas, inSyncReplicas }) => ({
          partition,
          leader,
          replicas: replicas.join(','),
          inSync: inSyncReplicas.join(','),
        })),
        [
          ['PARTITION', 'partition'],
          ['LEADER', 'leader'],
          ['REPLICAS', 'replicas'],
          ['IN-SYNC', 'inSync'],
        ],
        {},
      )
    }
  })
}

async function alter(args: readonly string[], options: AlterOptions): Promise<void> {
  const { partitions, config = {}, deleteConfig = [], json } = options
  if (partitions === undefined && Object.keys(config).length === 0 && deleteConfig.length === 0) {
    throw new UsageError('what is to change? Say --partitions, --config or --delete-config')
  }
  const topics = chosen(args, options)
  await withAdmin(options, async (admin) => {
    for (const topic of topics) {
      if (partitions !== undefined) await admin.createPartitions({ [topic]: partitions })
      const changes = [
        ...Object.entries(config).map(([name, value]) => ({ name, operation: 'set' as const, value })),
        ...deleteConfig.map((name) => ({ name, operation: 'delete' as const })),
      ]
      if (changes.length > 0) await admin.incrementalAlterConfigs([{ type: 'topic', name: topic, changes }])
      if (!json) print(`changed ${topic}`)
    }
    if (json) printJson(await descriptions(admin, topics))
  })
}

async function remove(args: readonly string[], options: Options & { ifExists?: boolean }): Promise<void> {
  const topics = chosen(args, options)
  await withAdmin(options, async (admin) => {
    for (const topic of topics) {
      try {
        await admin.deleteTopics([topic])
        if (!options.json) print(`deleted ${topic}`)
      } catch (error) {
        if (!(options.ifExists && isKafkaError(error, 'UNKNOWN_TOPIC_OR_PARTITION'))) throw error
      }
    }
    if (options.json) printJson(topics.map((name) => ({ name, deleted: true })))
  })
}
