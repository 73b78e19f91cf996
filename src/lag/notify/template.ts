/**
 * Texts with places to fill in: `{{group}}` is replaced as it is, `{{json group}}` as a JSON value. An unknown place is an error when the text is
 * checked, not when somebody should be told something.
 */
import type { GroupSummary } from '../api-types.ts'
import { duration } from '../judgement.ts'
import type { Alert, Told } from './alert-book.ts'

/** What can be filled in. */
export const placeNames = {
  event: '`open`, `repeat` or `close`.',
  cluster: 'Name of the cluster.',
  group: 'Name of the group.',
  status: '`OK`, `WARNING` or `ERROR`.',
  evidence: 'Why, in words.',
  rule: 'Which rule spoke.',
  totalLag: 'Records.',
  maxLag: 'Records of the partition with the most.',
  lagSeconds: 'Of the partition furthest behind; empty if not known.',
  timeLag: 'The same in words.',
  members: 'How many there are.',
  badPartitions: 'How many partitions are not OK.',
  id: 'Of the alert: the same from its opening to its close.',
  start: 'When the alert began, as 2026-11-26T10:00:00.000Z.',
} as const

export type Places = Readonly<Record<keyof typeof placeNames, string | number | null>>

const place = /\{\{\s*(?:(json)\s+)?([A-Za-z]+)\s*\}\}/g

/** Names in a text that are none. */
export function unknownPlaces(text: string): string[] {
  return [...text.matchAll(place)].map((match) => match[2]!).filter((name) => !Object.hasOwn(placeNames, name))
}

export function filled(text: string, places: Places): string {
  return text.replaceAll(place, (_, json: string | undefined, name: keyof Places) => {
    const value = places[name]
    return json ? JSON.stringify(value) : value === null ? '' : String(value)
  })
}

export function placesOf(told: Told, alert: Alert, group: GroupSummary): Places {
  const { cluster, status, evidence, rule, totalLag, maxLag, lagSeconds, members, badPartitions } = group
  return {
    event: told,
    cluster,
    group: group.group,
    status,
    evidence: evidence ?? '',
    rule: rule ?? '',
    totalLag,
    maxLag,
    lagSeconds,
    timeLag: lagSeconds === null ? '' : duration(lagSeconds * 1000),
    members,
    badPartitions,
    id: alert.id,
    start: new Date(alert.start).toISOString(),
  }
}
