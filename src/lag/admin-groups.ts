/**
 * Groups by the admin API: ListGroups of every broker, which are then known to be their coordinators, members now and then, and OffsetFetch of two hundred of a
 * coordinator's groups in one request: an answer for thousands would keep the event loop for as long as all of them take.
 */
import type { Admin, GroupDescription, GroupListing } from '../client/admin/index.ts'
import type { TopicPartition } from '../client/index.ts'
import type { Clock } from '../seams/clock.ts'
import type { CallOptions, GroupSource, SampledCommits, SampledGroup, SampledGroups } from './cluster-sample.ts'
import type { MissingRights, Problems } from './sample-problems.ts'

export interface AdminGroupsSettings {
  /** Groups to look at; others are as if they did not exist. */
  readonly wantsGroup: (groupId: string) => boolean
  readonly maxGroups: number
  /** Members of a group that rests are asked for again after this time. */
  readonly describeEveryMs: number
}

/** Of one OffsetFetch. */
const GROUPS_AT_ONCE = 200

interface Described {
  readonly description: GroupDescription | undefined
  readonly state: string | undefined
  readonly at: number
}

export class AdminGroups implements GroupSource {
  readonly #admin: Admin
  readonly #clock: Clock
  readonly #settings: AdminGroupsSettings
  readonly #described = new Map<string, Described>()

  constructor(admin: Admin, clock: Clock, settings: AdminGroupsSettings) {
    this.#admin = admin
    this.#clock = clock
    this.#settings = settings
  }

  async read(options: CallOptions, problems: Problems, rights: MissingRights): Promise<SampledGroups> {
    const { listings, isWhole, leftOut } = await this.#groups(options, problems)
    const descriptions = await this.#descriptions(listings, options, rights, problems)
    const began = this.#clock.monotonic()
    const commits = await this.#commits(listings, options, problems, rights)
    const groups = new Map<string, SampledGroup>()
    for (const { groupId, state, type, protocolType, coordinator } of listings) {
      const description = descriptions.get(groupId)
      groups.set(groupId, {
        groupId,
        state,
        type,
        protocolType,
        coordinator,
        description,
        commits: commits.get(groupId),
      })
    }
    return { groups, isWhole, leftOut, began, seen: [], seesEveryCommit: false }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #groups(options: CallOptions, problems: Problems) {
    const byBroker = await this.#admin.listGroupsByBroker(options)
    if (byBroker.values.size === 0 && byBroker.failures.size > 0) throw byBroker.failures.values().next().value!
    for (const [node, error] of byBroker.failures) problems.add(`Listing the groups of broker ${node}`, error)
    const found = new Map<string, GroupListing>()
    for (const listing of [...byBroker.values.values()].flat()) {
      if (isOfConsumers(listing) && this.#settings.wantsGroup(listing.groupId)) found.set(listing.groupId, listing)
    }
    // In the order of their names: who is beyond the cap is so in every sample.
    const all = [...found.values()].sort((left, right) => (left.groupId < right.groupId ? -1 : 1))
    const listings = all.slice(0, this.#settings.maxGroups)
    if (byBroker.failures.size === 0) {
      for (const groupId of this.#described.keys()) if (!found.has(groupId)) this.#described.delete(groupId)
    }
    return { listings, isWhole: byBroker.failures.size === 0, leftOut: all.length - listings.length }
  }

  async #commits(
    listings: readonly GroupListing[],
    options: CallOptions,
    problems: Problems,
    rights: MissingRights,
  ): Promise<Map<string, SampledCommits>> {
    const found = new Map<string, SampledCommits>()
    const byCoordinator = Map.groupBy(listings, ({ coordinator }) => coordinator)
    await Promise.all(
      [...byCoordinator.values()].map(async (own) => {
        for (let from = 0; from < own.length; from += GROUPS_AT_ONCE) {
          const groupIds = own.slice(from, from + GROUPS_AT_ONCE).map(({ groupId }) => groupId)
          const answers = await this.#admin.listOffsetsOfGroups(groupIds, options)
          for (const [groupId, error] of answers.failures) {
            if (isNotFound(error)) found.set(groupId, new Map())
            else if (!rights.note(error, `Describe on Group ${groupId}`)) problems.add('Reading commits', error)
          }
          for (const [groupId, offsets] of answers) found.set(groupId, commitsByTopic(offsets))
        }
      }),
    )
    return found
  }

  /** Of groups that are new, changed their state or were not asked for a while; the others are as they were. */
  async #descriptions(
    listings: readonly GroupListing[],
    options: CallOptions,
    rights: MissingRights,
    problems: Problems,
  ): Promise<ReadonlyMap<string, GroupDescription>> {
    const now = this.#clock.monotonic()
    const due = listings.filter(({ groupId, state }) => {
      const known = this.#described.get(groupId)
      return !known || known.state !== state || now - known.at >= this.#settings.describeEveryMs
    })
    if (due.length > 0) {
      const names = due.map(({ groupId }) => groupId)
      const answers = await this.#admin.describeGroups(names, options)
      for (const [groupId, error] of answers.failures) {
        if (!isNotFound(error) && !rights.note(error, `Describe on Group ${groupId}`))
          problems.add('Describing groups', error)
      }
      for (const { groupId, state } of due) {
        this.#described.set(groupId, { description: answers.values.get(groupId), state, at: now })
      }
    }
    const found = new Map<string, GroupDescription>()
    for (const { groupId } of listings) {
      const description = this.#described.get(groupId)?.description
      if (description) found.set(groupId, description)
    }
    return found
  }
}

function commitsByTopic(offsets: Iterable<readonly [TopicPartition, { readonly offset: number }]>): SampledCommits {
  const byTopic = new Map<string, Map<number, number>>()
  for (const [{ topic, partition }, { offset }] of offsets) {
    let partitions = byTopic.get(topic)
    if (!partitions) byTopic.set(topic, (partitions = new Map()))
    partitions.set(partition, offset)
  }
  return byTopic
}

/** Kafka Connect's workers and schema registries are groups, too, and commit nothing. */
function isOfConsumers({ protocolType, type }: GroupListing): boolean {
  const isShared = type !== undefined && !['classic', 'consumer'].includes(type.toLowerCase())
  return !isShared && (protocolType === 'consumer' || protocolType === '')
}

function isNotFound(error: Error): boolean {
  return (error as { code?: string }).code === 'KAFKA_GROUP_ID_NOT_FOUND'
}
