/** One group: how it stands and why, over time, partition by partition, and who is in it. */
import type { GroupDetail } from '../../lag/api-types.ts'
import { groupKey } from '../live-state.ts'
import { linkTo, usePage } from '../page.ts'
import { Changes } from '../parts/changes.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { Events } from '../parts/events.tsx'
import { Facts } from '../parts/facts.tsx'
import { GroupCharts } from '../parts/group-charts.tsx'
import { HeatStrip } from '../parts/heat-strip.tsx'
import { Members } from '../parts/members.tsx'
import { useOverTime } from '../parts/over-time.tsx'
import { PartitionTable } from '../parts/partition-table.tsx'
import { TimeRangeChoice } from '../parts/time-range.tsx'
import { Verdict } from '../parts/verdict.tsx'
import '../views.css'

export function Group() {
  const page = usePage()
  const { address, live, t } = page
  const cluster = address.cluster!
  const group = address.group!
  const { watched, series, history } = useOverTime(cluster, group)
  const isThere = live.groups.has(groupKey(cluster, group))
  return (
    <>
      <Crumbs
        steps={[
          [t('page.home'), { view: 'overview' }],
          [cluster, { view: 'overview', cluster }],
        ]}
      />
      <h1>{t('group.title', { group })}</h1>
      {live.connection === 'loading' && <p class="quiet">{t('page.loading')}</p>}
      {live.connection === 'live' && !isThere && <p class="notice warning">{t('group.gone', { cluster, group })}</p>}
      {watched && isThere && <Standing detail={watched.detail} />}
      <section class="panel" aria-label={t('group.history')}>
        <TimeRangeChoice title={t('group.history')} />
        {page.settings?.hasHistory === false && <p class="quiet">{t('group.noHistory')}</p>}
        {history.state === 'failed' && <p role="alert">{history.message}</p>}
        <GroupCharts series={series} />
      </section>
      {series.rows.length > 0 && <HeatStrip series={series} cluster={cluster} group={group} />}
      <Events marks={series.marks} />
      {watched && isThere && (
        <>
          <Members detail={watched.detail} />
          {page.settings?.allowsChanges === true && <Changes detail={watched.detail} />}
          <PartitionTable detail={watched.detail} />
        </>
      )}
    </>
  )
}

function Standing({ detail }: { detail: GroupDetail }) {
  const page = usePage()
  const { t, formats } = page
  const { cluster, group, totalLag, forecastSeconds } = detail
  const forecast =
    totalLag === 0
      ? t('group.noLag')
      : forecastSeconds === null
        ? t('group.noForecast')
        : formats.duration(forecastSeconds)
  return (
    <Verdict status={detail.status} rule={detail.rule} evidence={detail.sentences} since={detail.since}>
      <Facts
        facts={[
          [t('column.lag'), formats.number(totalLag)],
          [t('column.timeLag'), formats.duration(detail.lagSeconds)],
          [t('group.forecast'), forecast],
          [t('group.readRate'), formats.rate(detail.readPerSecond)],
          [t('group.writtenRate'), formats.rate(detail.writtenPerSecond)],
          [t('column.members'), formats.number(detail.members)],
          [t('group.state'), <span lang="en">{detail.state ?? '–'}</span>],
          [t('group.type'), <span lang="en">{detail.type ?? '–'}</span>],
          [t('group.assignor'), <span lang="en">{detail.assignor ?? '–'}</span>],
          [t('group.coordinator'), detail.coordinator ?? '–'],
          ...(detail.allowedLag > 0 ? [[t('group.allowed'), formats.number(detail.allowedLag)] as const] : []),
        ]}
      />
      <p>
        <a {...linkTo(page, { view: 'compare', cluster, group })}>{t('group.compare')}</a>
      </p>
    </Verdict>
  )
}
