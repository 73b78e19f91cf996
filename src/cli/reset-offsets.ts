/** Where `groups reset-offsets` sets offsets to: Kafka's flags, and what they mean for each partition. */
import type { Admin } from '../client/admin/admin.ts'
import { type OffsetTarget, placeOffsets } from '../client/admin/offset-targets.ts'
import { TopicPartitionMap, type TopicPartition } from '../protocol/records/topic-partition.ts'
import { systemClock } from '../seams/clock.ts'
import { CommandError, UsageError } from './exit.ts'

export interface ResetOptions {
  readonly topic?: readonly string[]
  readonly allTopics?: boolean
  readonly dryRun?: boolean
  readonly toEarliest?: boolean
  readonly toLatest?: boolean
  readonly toCurrent?: boolean
  readonly toOffset?: string
  readonly toDatetime?: string
  readonly byDuration?: string
  readonly shiftBy?: string
}

/** Exactly one of these is given. */
export const offsetTargets: readonly (readonly [flags: string, description: string])[] = [
  ['--to-earliest', 'to the first offset of each log'],
  ['--to-latest', 'to the end of each log'],
  ['--to-current', 'to where the group stands'],
  ['--to-offset <offset>', 'to this offset'],
  ['--to-datetime <time>', 'to the first record at or after a time: 2026-11-24T18:00:00.000'],
  ['--by-duration <duration>', 'to the first record at or after now minus a duration: PT1H30M'],
  ['--shift-by <n>', 'forward by n offsets, or back by -n'],
]

const targetNames = ['toEarliest', 'toLatest', 'toCurrent', 'toOffset', 'toDatetime', 'byDuration', 'shiftBy'] as const

/** Throws `UsageError` unless exactly one target is given, in the right form. */
export function targetOf(options: ResetOptions, now: number): OffsetTarget {
  const given = targetNames.filter((name) => options[name] !== undefined)
  if (given.length !== 1) {
    throw new UsageError(`say exactly one of ${offsetTargets.map(([flags]) => flags.split(' ')[0]).join(', ')}`)
  }
  return targets[given[0]!](options, now)
}

const targets: Readonly<Record<(typeof targetNames)[number], (options: ResetOptions, now: number) => OffsetTarget>> = {
  toEarliest: () => ({ kind: 'spec', spec: 'earliest' }),
  toLatest: () => ({ kind: 'spec', spec: 'latest' }),
  toCurrent: () => ({ kind: 'current' }),
  toOffset: ({ toOffset }) => ({ kind: 'offset', offset: integer(toOffset!, '--to-offset', /^\d+$/) }),
  shiftBy: ({ shiftBy }) => ({ kind: 'shift', by: integer(shiftBy!, '--shift-by', /^[+-]?\d+$/) }),
  toDatetime: ({ toDatetime }) => ({ kind: 'spec', spec: timeOf(toDatetime!) }),
  byDuration: ({ byDuration }, now) => ({ kind: 'spec', spec: now - durationMs(byDuration!) }),
}

function integer(text: string, option: string, form: RegExp): number {
  const value = form.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new UsageError(`${option} takes a whole number, not "${text}"`)
  return value
}

/** As Kafka's tool: `YYYY-MM-DDTHH:mm:SS.sss`, with or without a zone; without one it is UTC. */
export function timeOf(text: string): number {
  const match = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text)
  const time = match ? Date.parse(match[1] === undefined ? `${text}Z` : text) : Number.NaN
  if (Number.isNaN(time)) throw new UsageError(`--to-datetime takes 2026-11-24T18:00:00.000, not "${text}"`)
  return time
}

/** ISO 8601 with days, hours, minutes and seconds: `P1DT2H`, `PT30M`, `PT0.5S`. */
export function durationMs(text: string): number {
  const match = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text)
  if (!match || /^P$|T$/i.test(text))
    throw new UsageError(`--by-duration takes an ISO 8601 duration such as PT1H30M, not "${text}"`)
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ]
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000)
}

/** `flights` is all partitions of it, `flights:0,2` two of them. */
export function parseTopicOption(text: string): { topic: string; partitions: readonly number[] | undefined } {
  const match = /^([a-zA-Z0-9._-]+)(?::(\d+(?:,\d+)*))?$/.exec(text)
  if (!match) throw new UsageError(`--topic takes a topic, or topic:partition,partition, not "${text}"`)
  return { topic: match[1]!, partitions: match[2]?.split(',').map(Number) }
}

export async function partitionsNamed(
  admin: Admin,
  options: ResetOptions,
  committed: TopicPartitionMap<unknown>,
): Promise<TopicPartition[]> {
  const { topic = [], allTopics } = options
  if (allTopics) return [...committed.keys()]
  if (topic.length === 0) throw new UsageError('say of which topics: --topic or --all-topics')
  const wanted = topic.map(parseTopicOption)
  const described = (await admin.describeTopics([...new Set(wanted.map((one) => one.topic))])).orThrow()
  return wanted.flatMap(({ topic, partitions }) => {
    const known = described.get(topic)!.partitions.map(({ partition }) => partition)
    const missing = partitions?.find((partition) => !known.includes(partition))
    if (missing !== undefined)
      throw new CommandError(`topic ${topic} has ${known.length} partitions, and no partition ${missing}`)
    return (partitions ?? known).map((partition) => ({ topic, partition }))
  })
}

/** The new offsets, brought into each log. */
export async function resetOffsets(
  admin: Admin,
  partitions: readonly TopicPartition[],
  committed: TopicPartitionMap<{ readonly offset: number }>,
  options: ResetOptions,
): Promise<TopicPartitionMap<number>> {
  const placed = await placeOffsets(admin, partitions, committed, targetOf(options, systemClock.now()))
  return new TopicPartitionMap([...placed].map(([one, { offset }]) => [one, offset]))
}
