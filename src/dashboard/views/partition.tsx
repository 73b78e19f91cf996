/** One partition as a group reads it: the offsets over the window, and exactly the samples and commits that the rule saw. */
import { useMemo } from 'preact/hooks'
import type { PartitionDetail } from '../../lag/api-types.ts'
import { groupPath } from '../api.ts'
import { groupKey, partitionKey } from '../live-state.ts'
import { linkTo, usePage, useAsk } from '../page.ts'
import { AskedProblem } from '../parts/asked-problem.tsx'
import { Chart } from '../parts/chart.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { Facts } from '../parts/facts.tsx'
import { useOverTime } from '../parts/over-time.tsx'
import { PlainTable } from '../parts/plain-table.tsx'
import { TimeRangeChoice } from '../parts/time-range.tsx'
import { Verdict } from '../parts/verdict.tsx'
import '../views.css'

export function Partition() {
  const { address, live, t } = usePage()
  const [cluster, group, topic, partition] = [address.cluster!, address.group!, address.topic!, address.partition!]
  const sampledAt = live.groups.get(groupKey(cluster, group))?.sampledAt
  const newest = live.watched.get(groupKey(cluster, group))?.detail.sampledAt ?? sampledAt
  const path = `${groupPath(cluster, group)}/topics/${encodeURIComponent(topic)}/partitions/${partition}`
  const asked = useAsk<PartitionDetail>(path, newest)
  return (
    <>
      <Crumbs
        steps={[
          [t('page.home'), { view: 'overview' }],
          [cluster, { view: 'overview', cluster }],
          [group, { view: 'group', cluster, group }],
        ]}
      />
      <h1>{t('partition.title', { topic, partition })}</h1>
      {asked.state === 'had' ? <Detail detail={asked.value} /> : <AskedProblem asked={asked} />}
      <OverTime />
    </>
  )
}

function Detail({ detail }: { detail: PartitionDetail }) {
  const page = usePage()
  const { t, formats } = page
  const { cluster, topic, evidence, owner } = detail
  return (
    <>
      <Verdict status={detail.status} rule={evidence.rule} evidence={evidence.sentences}>
        <Facts
          facts={[
            [t('column.lag'), formats.number(detail.lag)],
            [t('column.timeLag'), formats.duration(detail.lagSeconds)],
            [t('column.committed'), formats.number(detail.committed)],
            [t('column.end'), formats.number(detail.end)],
            [t('column.start'), formats.number(detail.logStart)],
            [t('column.lastStable'), formats.number(detail.lastStable)],
            [t('column.read'), formats.rate(detail.readPerSecond)],
            [t('column.written'), formats.rate(detail.writtenPerSecond)],
            [t('column.owner'), owner === null ? '–' : `${owner.clientId} ${owner.host}`],
            [t('column.topic'), <a {...linkTo(page, { view: 'topic', cluster, topic })}>{topic}</a>],
          ]}
        />
      </Verdict>
      <Window detail={detail} />
    </>
  )
}

function Window({ detail }: { detail: PartitionDetail }) {
  const { t, formats } = usePage()
  const { samples, commits, evidence } = detail
  const lines = useMemo(
    () => [
      { label: t('chart.committed'), values: samples.map(({ committed }) => committed) },
      { label: t('chart.end'), values: samples.map(({ end }) => end), isDashed: true },
    ],
    [samples, t],
  )
  const at = useMemo(() => samples.map((one) => one.at), [samples])
  const span = { from: at[0] ?? 0, to: Math.max((at[0] ?? 0) + 1, at.at(-1) ?? 1) }
  const wasSeen = (moment: number) =>
    evidence.from !== null && evidence.to !== null && moment >= evidence.from && moment <= evidence.to
  const time = (moment: number) => formats.time(moment, span.to)
  return (
    <section class="panel" aria-label={t('partition.window')}>
      <h2>{t('partition.window')}</h2>
      <p class="quiet">{t('partition.seen', { samples: formats.number(evidence.samples) })}</p>
      <Chart
        title={t('chart.offsets')}
        at={at}
        lines={lines}
        span={span}
        format={formats.number}
        syncKey="window"
        fromZero={false}
      />
      <PlainTable
        label={t('partition.samples')}
        rows={samples.toReversed()}
        keyOf={(one) => String(one.at)}
        columns={[
          { name: t('column.time'), cell: (one) => time(one.at) },
          { name: t('column.committed'), isNumber: true, cell: ({ committed }) => formats.number(committed) },
          { name: t('column.end'), isNumber: true, cell: ({ end }) => formats.number(end) },
          { name: t('column.lag'), isNumber: true, cell: ({ lag }) => formats.number(lag) },
          { name: t('partition.bySight'), cell: (one) => (wasSeen(one.at) ? t('partition.yes') : '–') },
        ]}
      />
      <h3>{t('partition.commits')}</h3>
      <PlainTable
        label={t('partition.commits')}
        rows={commits.toReversed()}
        keyOf={({ timestamp, offset }) => `${timestamp} ${offset}`}
        columns={[
          { name: t('column.time'), cell: ({ timestamp }) => time(timestamp) },
          { name: t('column.committed'), isNumber: true, cell: ({ offset }) => formats.number(offset) },
          { name: t('column.lag'), isNumber: true, cell: ({ lag }) => formats.number(lag) },
        ]}
      />
    </section>
  )
}

/** The partition's lag for longer than the window is: out of the group's history. */
function OverTime() {
  const { address, t, formats } = usePage()
  const { series } = useOverTime(address.cluster!, address.group!)
  const key = partitionKey(address.topic!, address.partition!)
  const row = series.rows.find(({ topic, partition }) => partitionKey(topic, partition) === key)
  const at = useMemo(() => series.points.map((one) => one.at), [series])
  const lines = useMemo(() => [{ label: t('chart.lagLine'), values: row?.lag ?? [] }], [row, t])
  return (
    <section class="panel" aria-label={t('group.history')}>
      <TimeRangeChoice title={t('group.history')} />
      <Chart
        title={t('chart.lag')}
        at={row ? at : []}
        lines={lines}
        span={series}
        marks={series.marks}
        format={formats.compact}
        syncKey="partition"
      />
    </section>
  )
}
