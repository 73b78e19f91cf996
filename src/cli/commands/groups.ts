/** `sluice groups`: what kafka-consumer-groups does. */
import { Command } from 'commander'
import type { Admin } from '../../client/admin/admin.ts'
import type { GroupDescription } from '../../client/admin/groups.ts'
import { topicPartitionKey, TopicPartitionMap, type TopicPartition } from '../../protocol/records/topic-partition.ts'
import { withAdmin } from '../client-properties.ts'
import { CommandError, UsageError } from '../exit.ts'
import { names, several, type ConnectionOptions, withConnection, withJson } from '../options.ts'
import { print, printJson, printRows } from '../output.ts'
import { offsetTargets, partitionsNamed, type ResetOptions, resetOffsets } from '../reset-offsets.ts'

interface Options extends ConnectionOptions {
  readonly json?: boolean
  readonly group?: readonly string[]
  readonly allGroups?: boolean
}

export function groupsCommand(): Command {
  const groups = new Command('groups').description('list, describe, reset and delete consumer groups')
  withJson(withConnection(groups.command('list')))
    .description('all groups')
    .option('--state <states>', 'only groups in these states', names)
    .action(list)
  withGroups(groups.command('describe'), 'offsets and lag of groups, partition by partition')
    .option('--offsets', 'offsets and lag (this is the default)')
    .option('--members', 'members and what they are assigned')
    .option('--verbose', 'with --members, name the partitions')
    .option('--state', 'state, coordinator and assignor')
    .action(describe)
  const reset = withGroups(groups.command('reset-offsets'), 'set the committed offsets of a group that has no members')
    .option('--topic <topic[:partitions]>', 'which topic, and of it which partitions: flights:0,2', several)
    .option('--all-topics', 'every topic that the group has committed offsets of')
    .option('--dry-run', 'only show what would be set (this is the default)')
    .option('--execute', 'set it')
  for (const [flags, description] of offsetTargets) reset.option(flags, description)
  reset.action(resetAll)
  withGroups(groups.command('delete'), 'delete groups that have no members').action(remove)
  return groups
}

function withGroups(command: Command, description: string): Command {
  return withJson(withConnection(command.argument('[groups...]', 'names of groups')))
    .description(description)
    .option('--group <names>', 'names of groups, in place of arguments', names)
    .option('--all-groups', 'every consumer group')
}

async function chosen(admin: Admin, args: readonly string[], options: Options): Promise<string[]> {
  if (options.allGroups) {
    const all = await admin.listGroups()
    return all
      .filter(({ protocolType }) => protocolType === 'consumer' || protocolType === '')
      .map(({ groupId }) => groupId)
      .sort()
  }
  const named = [...new Set([...args, ...(options.group ?? [])])]
  if (named.length === 0) throw new UsageError('which group? Name at least one, or say --all-groups')
  return named
}

async function list(options: ConnectionOptions & { json?: boolean; state?: readonly string[] }): Promise<void> {
  const found = await withAdmin(options, (admin) => admin.listGroups({ states: options.state }))
  const rows = found
    .map(({ groupId, state, protocolType, type }) => ({ group: groupId, state, protocol: protocolType, type }))
    .sort((left, right) => (left.group < right.group ? -1 : 1))
  printRows(
    rows,
    [
      ['GROUP', 'group'],
      ['STATE', 'state'],
      ['PROTOCOL', 'protocol'],
      ['TYPE', 'type'],
    ],
    { json: options.json, empty: 'there are no groups' },
  )
}

interface DescribeOptions extends Options {
  readonly members?: boolean
  readonly verbose?: boolean
  readonly state?: boolean
}

async function describe(args: readonly string[], options: DescribeOptions): Promise<void> {
  await withAdmin(options, async (admin) => {
    const groups = await chosen(admin, args, options)
    if (groups.length === 0) return options.json ? printJson([]) : void process.stderr.write('there are no groups\n')
    const described = await admin.describeGroups(groups)
    const missing = groups.filter(
      (group) => described.values.get(group)?.state === 'Dead' || isNotFound(described.failures.get(group)),
    )
    if (missing.length > 0) throw new CommandError(`there is no group ${missing.map((one) => `"${one}"`).join(', ')}`)
    const descriptions = [...described.orThrow().values()]
    if (options.state) return printStates(descriptions, options)
    if (options.members) return printMembers(descriptions, options)
    await printOffsets(admin, descriptions, options)
  })
}

/** Brokers before 4.0 describe a group that does not exist as `Dead`, later ones refuse. */
function isNotFound(error: Error | undefined): boolean {
  return (error as { code?: string } | undefined)?.code === 'KAFKA_GROUP_ID_NOT_FOUND'
}

function printStates(descriptions: readonly GroupDescription[], { json }: Options): void {
  printRows(
    descriptions.map(({ groupId, coordinator, assignor, state, members }) => ({
      group: groupId,
      coordinator,
      assignor: assignor === '' ? undefined : assignor,
      state,
      members: members.length,
    })),
    [
      ['GROUP', 'group'],
      ['COORDINATOR', 'coordinator'],
      ['ASSIGNMENT-STRATEGY', 'assignor'],
      ['STATE', 'state'],
      ['#MEMBERS', 'members'],
    ],
    { json },
  )
}

function printMembers(descriptions: readonly GroupDescription[], { json, verbose }: DescribeOptions): void {
  const rows = descriptions.flatMap(({ groupId, members }) =>
    members.map(({ memberId, groupInstanceId, clientId, host, assignment }) => ({
      group: groupId,
      consumerId: memberId,
      instanceId: groupInstanceId,
      host,
      clientId,
      partitions: assignment.length,
      assignment: assignment.map(topicPartitionKey).join(', '),
    })),
  )
  printRows(
    rows,
    [
      ['GROUP', 'group'],
      ['CONSUMER-ID', 'consumerId'],
      ['HOST', 'host'],
      ['CLIENT-ID', 'clientId'],
      ['#PARTITIONS', 'partitions'],
      ...(verbose ? [['ASSIGNMENT', 'assignment'] as const] : []),
    ],
    { json, empty: 'the group has no members' },
  )
}

async function printOffsets(admin: Admin, descriptions: readonly GroupDescription[], { json }: Options): Promise<void> {
  const committedOf = (await admin.listOffsetsOfGroups(descriptions.map(({ groupId }) => groupId))).orThrow()
  const rows = await Promise.all(
    descriptions.map(async (group) => offsetRows(admin, group, committedOf.get(group.groupId)!)),
  )
  printRows(
    rows.flat(),
    [
      ['GROUP', 'group'],
      ['TOPIC', 'topic'],
      ['PARTITION', 'partition'],
      ['CURRENT-OFFSET', 'currentOffset'],
      ['LOG-END-OFFSET', 'logEndOffset'],
      ['LAG', 'lag'],
      ['CONSUMER-ID', 'consumerId'],
      ['HOST', 'host'],
      ['CLIENT-ID', 'clientId'],
    ],
    { json, empty: 'the group has neither members nor committed offsets' },
  )
}

async function offsetRows(
  admin: Admin,
  { groupId, members }: GroupDescription,
  committed: TopicPartitionMap<{ readonly offset: number }>,
) {
  const owners = new TopicPartitionMap(
    members.flatMap((member) => member.assignment.map((topicPartition) => [topicPartition, member] as const)),
  )
  const all = new TopicPartitionMap<true>([...committed.keys(), ...owners.keys()].map((one) => [one, true]))
  const ends = await admin.listOffsets([...all.keys()].map((topicPartition) => [topicPartition, 'latest'] as const))
  return [...all.keys()].sort(byTopicAndPartition).map((topicPartition) => {
    const currentOffset = committed.get(topicPartition)?.offset
    // A topic that was deleted leaves commits behind, and no end.
    const logEndOffset = ends.values.get(topicPartitionKey(topicPartition))?.offset
    const owner = owners.get(topicPartition)
    return {
      group: groupId,
      topic: topicPartition.topic,
      partition: topicPartition.partition,
      currentOffset,
      logEndOffset,
      lag:
        currentOffset === undefined || logEndOffset === undefined
          ? undefined
          : Math.max(0, logEndOffset - currentOffset),
      consumerId: owner?.memberId,
      host: owner?.host,
      clientId: owner?.clientId,
    }
  })
}

export function byTopicAndPartition(left: TopicPartition, right: TopicPartition): number {
  if (left.topic !== right.topic) return left.topic < right.topic ? -1 : 1
  return left.partition - right.partition
}

async function resetAll(
  args: readonly string[],
  options: Options & ResetOptions & { execute?: boolean },
): Promise<void> {
  if (options.execute && options.dryRun) throw new UsageError('--dry-run and --execute contradict each other')
  await withAdmin(options, async (admin) => {
    const groups = await chosen(admin, args, options)
    const rows: { group: string; topic: string; partition: number; before: number | undefined; newOffset: number }[] =
      []
    for (const group of groups) {
      const described = await admin.describeGroups([group])
      const state = isNotFound(described.failures.get(group)) ? 'Dead' : described.get(group).state
      if (state !== 'Empty' && state !== 'Dead') {
        throw new CommandError(
          `the group "${group}" is ${state}: its members would overwrite what is set. Stop them first, then wait until session.timeout.ms has passed`,
        )
      }
      const committed = await admin.listGroupOffsets(group)
      const partitions = await partitionsNamed(admin, options, committed)
      const offsets = await resetOffsets(admin, partitions, committed, options)
      if (options.execute)
        await admin.alterGroupOffsets(
          group,
          [...offsets].map(([one, offset]) => [one, { offset }]),
        )
      for (const [one, newOffset] of [...offsets].sort(([left], [right]) => byTopicAndPartition(left, right))) {
        rows.push({ group, ...one, before: committed.get(one)?.offset, newOffset })
      }
    }
    printRows(
      rows,
      [
        ['GROUP', 'group'],
        ['TOPIC', 'topic'],
        ['PARTITION', 'partition'],
        ['OLD-OFFSET', 'before'],
        ['NEW-OFFSET', 'newOffset'],
      ],
      { json: options.json, empty: 'there is nothing to set: the group has no committed offsets' },
    )
    if (!options.execute && rows.length > 0) process.stderr.write('nothing was changed: --execute does it\n')
  })
}

async function remove(args: readonly string[], options: Options): Promise<void> {
  await withAdmin(options, async (admin) => {
    const groups = await chosen(admin, args, options)
    if (groups.length > 0) await admin.deleteGroups(groups)
    if (options.json) printJson(groups.map((group) => ({ group, deleted: true })))
    else for (const group of groups) print(`deleted ${group}`)
  })
}
