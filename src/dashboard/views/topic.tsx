/** One topic: its partitions with sizes and rates, and who reads it. */
import type { TopicDetail } from '../../lag/api-types.ts'
import { clusterPath } from '../api.ts'
import { linkTo, usePage, useAsk } from '../page.ts'
import { AskedProblem } from '../parts/asked-problem.tsx'
import { Crumbs } from '../parts/crumbs.tsx'
import { Facts } from '../parts/facts.tsx'
import { PlainTable } from '../parts/plain-table.tsx'
import { StatusMark } from '../parts/status-mark.tsx'
import { useMedia, VirtualRows } from '../parts/virtual-rows.tsx'
import '../views.css'

export function Topic() {
  const { address, live, t } = usePage()
  const cluster = address.cluster!
  const topic = address.topic!
  const sampledAt = live.clusters.get(cluster)?.sampledAt
  const asked = useAsk<TopicDetail>(`${clusterPath(cluster)}/topics/${encodeURIComponent(topic)}`, sampledAt)
  return (
    <>
      <Crumbs
        steps={[
          [t('page.topics'), { view: 'topics' }],
          [cluster, { view: 'topics', cluster }],
        ]}
      />
      <h1>{t('topic.title', { topic })}</h1>
      {asked.state === 'had' ? <Detail detail={asked.value} /> : <AskedProblem asked={asked} />}
    </>
  )
}

function Detail({ detail }: { detail: TopicDetail }) {
  const page = usePage()
  const { t, formats } = page
  const { cluster, readers } = detail
  return (
    <>
      <section class="panel" aria-label={detail.topic}>
        <Facts
          facts={[
            [t('column.partitions'), formats.number(detail.partitions)],
            [t('column.size'), formats.number(detail.size)],
            [t('column.written'), formats.rate(detail.writtenPerSecond)],
            [t('column.readers'), formats.number(readers.length)],
            [t('topic.id'), <small>{detail.topicId ?? '–'}</small>],
          ]}
        />
      </section>
      <section class="panel" aria-label={t('topic.readers')}>
        <h2>{t('topic.readers')}</h2>
        {readers.length === 0 ? (
          <p class="quiet">{t('topic.noReaders')}</p>
        ) : (
          <PlainTable
            label={t('topic.readers')}
            rows={readers}
            keyOf={({ group }) => group}
            columns={[
              { name: t('column.status'), cell: ({ status }) => <StatusMark status={status} /> },
              {
                name: t('column.group'),
                cell: ({ group }) => <a {...linkTo(page, { view: 'group', cluster, group })}>{group}</a>,
              },
              { name: t('column.lag'), isNumber: true, cell: ({ lag }) => formats.number(lag) },
              { name: t('column.timeLag'), isNumber: true, cell: ({ lagSeconds }) => formats.duration(lagSeconds) },
            ]}
          />
        )}
      </section>
      <h2>{t('group.partitions')}</h2>
      <TopicPartitions detail={detail} />
    </>
  )
}

const columns = ['partition', 'leader', 'start', 'lastStable', 'end', 'written'] as const

function TopicPartitions({ detail }: { detail: TopicDetail }) {
  const { t, formats } = usePage()
  const isNarrow = useMedia('(max-width: 700px)')
  const { partitionList } = detail
  return (
    <div
      class="table topic-partitions"
      role="table"
      aria-label={t('group.partitions')}
      aria-rowcount={partitionList.length + 1}
    >
      <div role="rowgroup" class="head">
        <div role="row" aria-rowindex={1} class="row">
          {columns.map((column) => (
            <span key={column} role="columnheader" class="number">
              {t(`column.${column}`)}
            </span>
          ))}
        </div>
      </div>
      <VirtualRows items={partitionList} rowHeight={isNarrow ? 84 : 38} keyOf={({ partition }) => String(partition)}>
        {(one) => {
          const texts: Record<(typeof columns)[number], string> = {
            partition: String(one.partition),
            leader: one.leader === null ? t('topic.noLeader') : String(one.leader),
            start: formats.number(one.logStart),
            lastStable: formats.number(one.lastStable),
            end: formats.number(one.end),
            written: formats.rate(one.writtenPerSecond),
          }
          return columns.map((column) => (
            <span key={column} role="cell" class="number">
              <span class="label" aria-hidden="true">
                {t(`column.${column}`)}{' '}
              </span>
              {texts[column]}
            </span>
          ))
        }}
      </VirtualRows>
    </div>
  )
}
