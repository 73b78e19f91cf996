/** How `sluice lag` shows what it found: a line a group, and under those that do not do well which partitions, and why. */
import type { GroupDetail, GroupSummary, PartitionSummary } from '../lag/api-types.ts'
import { duration, rate } from '../lag/judgement.ts'
import { formatTable, grouped } from './output.ts'

export interface ReportOptions {
  readonly isColoured: boolean
  /** Every partition of every group, not only those that do not do well. */
  readonly partitions: boolean
  /** Not all samples are taken yet: nobody is called OK before. */
  readonly isPending: (group: GroupSummary) => boolean
}

const MOST_EVIDENCE = 5

const colours: Readonly<Record<string, string>> = {
  OK: '\u001b[32m',
  WARNING: '\u001b[33m',
  ERROR: '\u001b[31m',
  WARN: '\u001b[33m',
  STOP: '\u001b[31m',
  STALL: '\u001b[31m',
  REWIND: '\u001b[31m',
  'judging…': '\u001b[2m',
}
const PLAIN = '\u001b[0m'

export function lagReport(groups: readonly GroupDetail[], options: ReportOptions): string {
  const rows = groups.map((group) => [
    options.isPending(group) ? 'judging…' : group.status,
    group.group,
    group.state,
    group.members,
    whole(group.totalLag),
    seconds(group.lagSeconds),
    pace(group.readPerSecond),
    pace(group.writtenPerSecond),
    group.forecastSeconds === 0 ? '-' : seconds(group.forecastSeconds),
  ])
  const [head, ...lines] = formatTable(
    ['STATUS', 'GROUP', 'STATE', 'MEMBERS', 'LAG', 'TIME-LAG', 'READS', 'WRITTEN', 'CAUGHT-UP-IN'],
    rows,
  ).split('\n')
  const report = [head!]
  for (const [index, line] of lines.entries()) {
    report.push(coloured(line, options))
    report.push(...beneath(groups[index]!, options))
  }
  return report.join('\n')
}

function beneath(group: GroupDetail, options: ReportOptions): string[] {
  if (options.partitions) {
    const rows = group.partitionList.map((one) => [
      one.status,
      one.topic,
      one.partition,
      whole(one.committed),
      whole(one.end),
      whole(one.lag),
      seconds(one.lagSeconds),
      one.owner ? `${one.owner.clientId} on ${one.owner.host}` : null,
    ])
    const headings = ['STATUS', 'TOPIC', 'PARTITION', 'COMMITTED', 'LOG-END', 'LAG', 'TIME-LAG', 'MEMBER']
    const [head, ...lines] = formatTable(headings, rows).split('\n')
    const evidence = group.partitionList.filter(({ status }) => status !== 'OK').map((one) => because(one, options))
    return [`    ${head}`, ...lines.map((line) => `    ${coloured(line, options)}`), ...evidence]
  }
  if (options.isPending(group)) return []
  const bad = group.partitionList.filter(({ status }) => status !== 'OK')
  const shown = bad.slice(0, MOST_EVIDENCE).map((one) => because(one, options))
  if (bad.length > MOST_EVIDENCE)
    shown.push(`    and ${bad.length - MOST_EVIDENCE} partitions more: --partitions shows them`)
  return shown
}

function because({ status, topic, partition, evidence }: PartitionSummary, options: ReportOptions): string {
  return `    ${coloured(status, options)} ${topic}-${partition}: ${evidence.text}`
}

function coloured(line: string, { isColoured }: ReportOptions): string {
  if (!isColoured) return line
  return line.replace(
    /^(?:OK|WARNING|ERROR|WARN|STOP|STALL|REWIND|judging…)(?![^ ])/,
    (word) => `${colours[word]}${word}${PLAIN}`,
  )
}

function whole(value: number | null): string | null {
  return value === null ? null : grouped(value)
}

function seconds(value: number | null): string | null {
  return value === null ? null : duration(value * 1000)
}

function pace(value: number | null): string | null {
  return value === null ? null : rate(value)
}
