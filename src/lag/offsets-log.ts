/**
 * What the records of `__consumer_offsets` say: every commit, which groups there are, who their members are and what they are assigned. Fed record by
 * record, in the order of each partition; no I/O. Kafka compacts the topic, so reading it from its beginning tells everything that holds.
 *
 *     key 0, 1   a commit                    value versions 0 to 4; null: deleted or expired
 *     key 2      a classic group             value versions 0 to 4; null: deleted
 *     key 3      a group of KIP-848          null: deleted
 *     key 5, 8   its members, and what each is assigned; null: it left
 *     key 4, 6, 7 and others                 the coordinator's own business
 */
import type { GroupDescription, GroupMember } from '../client/admin/index.ts'
import { consumerProtocolAssignment } from '../protocol/stored/consumer-protocol.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
} from '../protocol/stored/consumer-group-records.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../protocol/stored/group-records.ts'
import type { SampledCommits, SampledGroup, SeenCommit } from './cluster-sample.ts'

interface ModernMember {
  clientId: string
  host: string
  groupInstanceId: string | undefined
  assignment: readonly { topicId: string; partitions: readonly number[] }[]
}

interface LoggedGroup {
  /** Of `__consumer_offsets`. */
  readonly home: number
  readonly commits: Map<string, Map<number, number>>
  classic: GroupDescription | undefined
  modern: Map<string, ModernMember> | undefined
  description: GroupDescription | undefined
}

/** Commits that wait to be taken, at most. */
const MOST_SEEN = 200_000

export class OffsetsLog {
  readonly #groups = new Map<string, LoggedGroup>()
  readonly #wants: (groupId: string) => boolean
  #seen: SeenCommit[] = []
  /** Records that could not be read. */
  unreadable = 0

  constructor(wants: (groupId: string) => boolean) {
    this.#wants = wants
  }

  get groups(): number {
    return this.#groups.size
  }

  /** @param home the partition of `__consumer_offsets`; @param observedAt milliseconds since 1970 */
  apply(home: number, key: Buffer | null, value: Buffer | null, observedAt: number): void {
    if (!key || key.length < 2) return
    try {
      this.#apply(home, key, value, observedAt)
    } catch {
      this.unreadable++
    }
  }

  /** What of a partition is known is void: it is going to be read again from its beginning. */
  forget(home: number): void {
    for (const [groupId, group] of this.#groups) if (group.home === home) this.#groups.delete(groupId)
  }

  /** Where a group's records are; undefined if it has none. */
  homeOf(groupId: string): number | undefined {
    return this.#groups.get(groupId)?.home
  }

  committed(groupId: string, topic: string, partition: number): number | undefined {
    return this.#groups.get(groupId)?.commits.get(topic)?.get(partition)
  }

  /** The commits that came since the last call, oldest first. */
  takeSeen(): SeenCommit[] {
    const seen = this.#seen
    this.#seen = []
    return seen
  }

  /** @param nameOf the topic of an id; @param isKnown whether a partition of `__consumer_offsets` has been read to its end */
  sampled(
    nameOf: (topicId: string) => string | undefined,
    isKnown: (home: number) => boolean,
  ): Map<string, SampledGroup> {
    const found = new Map<string, SampledGroup>()
    for (const [groupId, group] of this.#groups) {
      group.description ??= group.modern ? modernDescription(groupId, group.modern, nameOf) : group.classic
      const { description } = group
      found.set(groupId, {
        groupId,
        state: description?.state ?? 'Empty',
        type: group.modern ? 'consumer' : 'classic',
        protocolType: description?.protocolType ?? '',
        coordinator: -1,
        description,
        // A copy: what is committed while the log ends are asked for belongs to the next sample.
        commits: isKnown(group.home) ? copyOf(group.commits) : undefined,
      })
    }
    return found
  }

  #apply(home: number, key: Buffer, value: Buffer | null, observedAt: number): void {
    switch (key.readInt16BE(0)) {
      case 0:
      case 1:
        return this.#commit(home, offsetCommitKey.decode(key).value, value, observedAt)
      case 2:
        return this.#classic(home, groupMetadataKey.decode(key).value.group, value)
      case 3:
        return this.#modern(home, consumerGroupMetadataKey.decode(key).value.groupId, value)
      case 5:
        return this.#member(home, consumerGroupMemberMetadataKey.decode(key).value, value)
      case 8:
        return this.#assigned(home, consumerGroupCurrentMemberAssignmentKey.decode(key).value, value)
      default:
    }
  }

  #commit(
    home: number,
    key: { group: string; topic: string; partition: number },
    value: Buffer | null,
    observedAt: number,
  ): void {
    const { group: groupId, topic, partition } = key
    if (value === null) {
      const group = this.#groups.get(groupId)
      const partitions = group?.commits.get(topic)
      if (!group || !partitions?.delete(partition)) return
      if (partitions.size === 0) group.commits.delete(topic)
      this.#dropIfEmpty(groupId, group)
      return
    }
    if (!this.#wants(groupId)) return
    const { offset, commitTimestamp: timestamp } = offsetCommitValue.decode(value).value
    const group = this.#groupOf(home, groupId)
    let partitions = group.commits.get(topic)
    if (!partitions) group.commits.set(topic, (partitions = new Map()))
    partitions.set(partition, offset)
    if (this.#seen.length < MOST_SEEN) this.#seen.push({ groupId, topic, partition, offset, timestamp, observedAt })
  }

  #classic(home: number, groupId: string, value: Buffer | null): void {
    if (value === null) {
      const group = this.#groups.get(groupId)
      if (!group) return
      group.classic = undefined
      group.description = undefined
      this.#dropIfEmpty(groupId, group)
      return
    }
    if (!this.#wants(groupId)) return
    const { protocolType, protocol, members } = groupMetadataValue.decode(value).value
    const group = this.#groupOf(home, groupId)
    group.description = undefined
    group.classic = {
      groupId,
      state: members.length > 0 ? 'Stable' : 'Empty',
      type: 'classic',
      protocolType,
      assignor: protocol ?? '',
      coordinator: -1,
      members: members.map(({ memberId, groupInstanceId, clientId, clientHost, assignment }): GroupMember => ({
        memberId,
        groupInstanceId: groupInstanceId ?? undefined,
        clientId,
        host: clientHost,
        assignment: protocolType === 'consumer' ? assignmentOf(assignment) : [],
      })),
    }
  }

  #modern(home: number, groupId: string, value: Buffer | null): void {
    if (value !== null) {
      if (!this.#wants(groupId)) return
      const group = this.#groupOf(home, groupId)
      group.modern ??= new Map()
      group.description = undefined
      return
    }
    const group = this.#groups.get(groupId)
    if (!group) return
    group.modern = undefined
    group.description = undefined
    this.#dropIfEmpty(groupId, group)
  }

  #member(home: number, { groupId, memberId }: { groupId: string; memberId: string }, value: Buffer | null): void {
    if (!this.#wants(groupId)) return
    const group = this.#groupOf(home, groupId)
    group.modern ??= new Map()
    group.description = undefined
    if (value === null) {
      group.modern.delete(memberId)
      return
    }
    const { clientId, clientHost, instanceId } = consumerGroupMemberMetadataValue.decode(value).value
    const assignment = group.modern.get(memberId)?.assignment ?? []
    group.modern.set(memberId, { clientId, host: clientHost, groupInstanceId: instanceId ?? undefined, assignment })
  }

  #assigned(home: number, { groupId, memberId }: { groupId: string; memberId: string }, value: Buffer | null): void {
    if (value === null || !this.#wants(groupId)) return
    const group = this.#groupOf(home, groupId)
    group.modern ??= new Map()
    group.description = undefined
    const { assignedPartitions: assignment } = consumerGroupCurrentMemberAssignmentValue.decode(value).value
    const member = group.modern.get(memberId) ?? { clientId: '', host: '', groupInstanceId: undefined, assignment: [] }
    group.modern.set(memberId, { ...member, assignment })
  }

  #groupOf(home: number, groupId: string): LoggedGroup {
    let group = this.#groups.get(groupId)
    if (!group) {
      group = { home, commits: new Map(), classic: undefined, modern: undefined, description: undefined }
      this.#groups.set(groupId, group)
    }
    return group
  }

  #dropIfEmpty(groupId: string, group: LoggedGroup): void {
    if (group.commits.size === 0 && !group.classic && !group.modern) this.#groups.delete(groupId)
  }
}

function copyOf(commits: ReadonlyMap<string, ReadonlyMap<number, number>>): SampledCommits {
  return new Map([...commits].map(([topic, partitions]) => [topic, new Map(partitions)]))
}

function assignmentOf(bytes: Buffer): GroupMember['assignment'] {
  if (bytes.length === 0) return []
  const { assignedPartitions } = consumerProtocolAssignment.decode(bytes).value
  return assignedPartitions.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
}

function modernDescription(
  groupId: string,
  members: ReadonlyMap<string, ModernMember>,
  nameOf: (topicId: string) => string | undefined,
): GroupDescription {
  return {
    groupId,
    state: members.size > 0 ? 'Stable' : 'Empty',
    type: 'consumer',
    protocolType: 'consumer',
    assignor: '',
    coordinator: -1,
    members: [...members].map(([memberId, { clientId, host, groupInstanceId, assignment }]) => ({
      memberId,
      groupInstanceId,
      clientId,
      host,
      assignment: assignment.flatMap(({ topicId, partitions }) => {
        const topic = nameOf(topicId)
        return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
      }),
    })),
  }
}
