/** Partitions of a group, worst first as the monitor sends them; drawn as they are scrolled to. */
import { useMemo, useState } from 'preact/hooks'
import type { GroupDetail, PartitionSummary } from '../../lag/api-types.ts'
import { partitionKey } from '../live-state.ts'
import { linkTo, usePage } from '../page.ts'
import { StatusMark } from './status-mark.tsx'
import { useMedia, VirtualRows } from './virtual-rows.tsx'

const columns = ['status', 'topic', 'partition', 'lag', 'timeLag', 'committed', 'end', 'owner'] as const
const numbers: ReadonlySet<string> = new Set(['partition', 'lag', 'timeLag', 'committed', 'end'])

export function PartitionTable({ detail }: { detail: GroupDetail }) {
  const { t, formats } = usePage()
  const [search, setSearch] = useState('')
  const isNarrow = useMedia('(max-width: 700px)')
  const shown = useMemo(() => {
    const wanted = search.toLowerCase()
    return detail.partitionList.filter(({ topic }) => topic.toLowerCase().includes(wanted))
  }, [detail, search])
  return (
    <section aria-label={t('group.partitions')}>
      <div class="partitions-head">
        <h2>{t('group.partitions')}</h2>
        <span class="quiet">
          {t('group.bad', { bad: formats.number(detail.badPartitions), all: formats.number(detail.partitions) })}
        </span>
        <input
          type="search"
          aria-label={t('group.filterTopic')}
          placeholder={t('group.filterTopic')}
          value={search}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
      </div>
      <div class="table partitions" role="table" aria-label={t('group.partitions')} aria-rowcount={shown.length + 1}>
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="row">
            {columns.map((column) => (
              <span key={column} role="columnheader" class={numbers.has(column) ? 'number' : undefined}>
                {t(`column.${column}`)}
              </span>
            ))}
          </div>
        </div>
        <VirtualRows
          items={shown}
          rowHeight={isNarrow ? 84 : 38}
          keyOf={(one) => partitionKey(one.topic, one.partition)}
        >
          {(one) => <Cells one={one} detail={detail} />}
        </VirtualRows>
      </div>
    </section>
  )
}

function Cells({ one, detail }: { one: PartitionSummary; detail: GroupDetail }) {
  const page = usePage()
  const { t, formats } = page
  const { cluster, group } = detail
  const { topic, partition } = one
  const named = (key: 'lag' | 'timeLag' | 'partition') => (
    <span class="label" aria-hidden="true">
      {t(`column.${key}`)}{' '}
    </span>
  )
  return (
    <>
      <span role="cell">
        <StatusMark status={one.status} />
      </span>
      <span role="cell">
        <a {...linkTo(page, { view: 'partition', cluster, group, topic, partition })} title={`${topic} ${partition}`}>
          {topic}
          <span class="unseen"> {partition}</span>
        </a>
      </span>
      <span role="cell" class="number">
        {named('partition')}
        {partition}
      </span>
      <span role="cell" class="number">
        {named('lag')}
        {formats.number(one.lag)}
      </span>
      <span role="cell" class="number">
        {named('timeLag')}
        {formats.duration(one.lagSeconds)}
      </span>
      <span role="cell" class="number secondary">
        {formats.number(one.committed)}
      </span>
      <span role="cell" class="number secondary">
        {formats.number(one.end)}
      </span>
      <span role="cell" class="secondary" title={one.owner ? `${one.owner.memberId} ${one.owner.host}` : undefined}>
        {one.owner?.clientId ?? '–'}
      </span>
    </>
  )
}
