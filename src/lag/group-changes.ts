/**
 * Resetting the offsets of a group and deleting it: what it would do, and doing it. Only for a group without members, since members would overwrite what is
 * set. Brokers refuse it too, should one join in between.
 */
import { type Admin, type OffsetTarget, placeOffsets, type PlacedOffset } from '../client/admin/index.ts'
import { SluiceError } from '../error.ts'
import { KafkaError } from '../protocol/error-codes.ts'
import { type TopicPartition, TopicPartitionMap } from '../protocol/records/topic-partition.ts'
import type { OffsetChange, ResetRequest, ResetTo } from './api-types.ts'

/** Members are in the group. */
export class GroupNotEmptyError extends SluiceError {
  readonly httpStatus = 409

  constructor(group: string, state: string, members: number) {
    super(
      'SLUICE_GROUP_NOT_EMPTY',
      `the group ${group} is ${state} and has ${members} ${members === 1 ? 'member' : 'members'}: stop them first, then wait until session.timeout.ms has passed`,
    )
  }
}

/** What was asked for cannot be done as it was asked. */
export class GroupChangeError extends SluiceError {
  readonly httpStatus: number

  constructor(httpStatus: number, message: string, cause?: unknown) {
    super('SLUICE_GROUP_CHANGE', message, { cause })
    this.httpStatus = httpStatus
  }
}

const NON_EMPTY_GROUP = 68
const UNKNOWN_MEMBER_ID = 25

export class GroupChanges {
  readonly #admin: Admin

  constructor(admin: Admin) {
    this.#admin = admin
  }

  /** @throws GroupNotEmptyError, GroupChangeError */
  async reset(group: string, { to, topic, dryRun = true }: ResetRequest): Promise<OffsetChange[]> {
    return this.#trying(group, async () => {
      await this.#assertEmpty(group)
      const committed = await this.#admin.listGroupOffsets(group)
      const placed = to.kind === 'offsets' ? await this.#exactly(to) : await this.#placed(committed, to, topic)
      if (placed.size === 0)
        throw new GroupChangeError(
          400,
          `the group ${group} has committed nothing${topic === undefined ? '' : ` on ${topic}`}`,
        )
      if (!dryRun)
        await this.#admin.alterGroupOffsets(
          group,
          [...placed].map(([one, { offset }]) => [one, { offset }]),
        )
      return [...placed].map(([one, { offset, end }]) => changeOf(one, committed.get(one)?.offset ?? null, offset, end))
    })
  }

  /** @throws GroupNotEmptyError, GroupChangeError */
  async delete(group: string, { dryRun }: { dryRun: boolean }): Promise<OffsetChange[]> {
    return this.#trying(group, async () => {
      await this.#assertEmpty(group)
      const committed = await this.#admin.listGroupOffsets(group)
      const ends = await this.#admin.listOffsets([...committed.keys()].map((one) => [one, 'latest'] as const))
      if (!dryRun) await this.#admin.deleteGroups([group])
      return [...committed].map(([one, { offset }]) => {
        // A topic that was deleted leaves commits behind, and no end.
        const end = ends.values.get(`${one.topic}-${one.partition}`)?.offset
        return changeOf(one, offset, null, end)
      })
    })
  }

  async #assertEmpty(group: string): Promise<void> {
    const { state, members } = (await this.#admin.describeGroups([group])).get(group)
    if (state !== 'Empty' && state !== 'Dead') throw new GroupNotEmptyError(group, state, members.length)
  }

  #placed(
    committed: TopicPartitionMap<{ readonly offset: number }>,
    to: Exclude<ResetTo, { kind: 'offsets' }>,
    topic: string | undefined,
  ): Promise<TopicPartitionMap<PlacedOffset>> {
    const partitions = [...committed.keys()].filter((one) => topic === undefined || one.topic === topic)
    return placeOffsets(this.#admin, partitions, committed, targetOf(to))
  }

  /** What a dry run said, done: refused where the log has moved away from it since. */
  async #exactly({ offsets }: Extract<ResetTo, { kind: 'offsets' }>): Promise<TopicPartitionMap<PlacedOffset>> {
    const wanted = new TopicPartitionMap(offsets.map(({ offset, ...one }) => [one, { offset }] as const))
    const placed = await placeOffsets(this.#admin, [...wanted.keys()], wanted, { kind: 'current' })
    for (const [{ topic, partition }, { offset, start, end }] of placed) {
      const { offset: asked } = wanted.get({ topic, partition })!
      if (offset !== asked)
        throw new GroupChangeError(
          409,
          `offset ${asked} is outside of the log of ${topic}-${partition}, which goes from ${start} to ${end}: ask for a dry run again`,
        )
    }
    return placed
  }

  async #trying<T>(group: string, change: () => Promise<T>): Promise<T> {
    try {
      return await change()
    } catch (error) {
      if (error instanceof GroupNotEmptyError || error instanceof GroupChangeError) throw error
      const cause = (error as { cause?: unknown }).cause instanceof KafkaError ? (error as Error).cause : error
      const code = cause instanceof KafkaError ? cause.error.code : undefined
      if (code === NON_EMPTY_GROUP || code === UNKNOWN_MEMBER_ID)
        throw new GroupChangeError(409, `members have joined the group ${group}: nothing was changed`, error)
      throw new GroupChangeError(502, (error as Error).message, error)
    }
  }
}

function targetOf(to: Exclude<ResetTo, { kind: 'offsets' }>): OffsetTarget {
  if (to.kind === 'earliest' || to.kind === 'latest') return { kind: 'spec', spec: to.kind }
  return to.kind === 'time' ? { kind: 'spec', spec: to.at } : to
}

function changeOf(
  { topic, partition }: TopicPartition,
  before: number | null,
  after: number | null,
  end: number | undefined,
): OffsetChange {
  const lagOf = (offset: number | null) => (offset === null || end === undefined ? null : Math.max(0, end - offset))
  return { topic, partition, before, after, lagBefore: lagOf(before), lagAfter: lagOf(after) }
}
