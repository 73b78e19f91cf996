/** The topics of every cluster, or of one: how large, how much is written, how many groups read them. */
import { useMemo } from 'preact/hooks'
import type { TopicSummary } from '../../lag/api-types.ts'
import { clusterPath } from '../api.ts'
import { linkTo, usePage, useAsk } from '../page.ts'
import { AskedProblem } from '../parts/asked-problem.tsx'
import { useMedia, VirtualRows } from '../parts/virtual-rows.tsx'
import '../views.css'

const REFRESH_MS = 10_000

export function Topics() {
  const page = usePage()
  const { address, live, t } = page
  const names = [...live.clusters.keys()].toSorted()
  const cluster = address.cluster ?? names[0]
  return (
    <>
      <h1>{t('page.topics')}</h1>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label={t('topics.search')}
          placeholder={t('topics.search')}
          value={address.search}
          onInput={({ currentTarget }) => page.go({ ...address, search: currentTarget.value }, { replace: true })}
        />
        <select
          aria-label={t('overview.cluster')}
          value={cluster}
          onChange={({ currentTarget }) => page.go({ ...address, cluster: currentTarget.value })}
        >
          {names.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </form>
      {cluster !== undefined && <TopicTable cluster={cluster} />}
    </>
  )
}

function TopicTable({ cluster }: { cluster: string }) {
  const { address, live, t, formats } = usePage()
  const asked = useAsk<TopicSummary[]>(`${clusterPath(cluster)}/topics`, Math.floor(live.now / REFRESH_MS))
  const isNarrow = useMedia('(max-width: 700px)')
  const topics = asked.state === 'had' ? asked.value : undefined
  const shown = useMemo(() => {
    const wanted = address.search.toLowerCase()
    return topics?.filter(({ topic }) => topic.toLowerCase().includes(wanted)) ?? []
  }, [topics, address.search])
  if (!topics) return <AskedProblem asked={asked} />
  return (
    <>
      <p class="quiet count" role="status">
        {t('topics.shown', { shown: formats.number(shown.length), total: formats.number(topics.length) })}
      </p>
      <div class="table topics" role="table" aria-label={t('page.topics')} aria-rowcount={shown.length + 1}>
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="row">
            <span role="columnheader">{t('column.topic')}</span>
            {(['partitions', 'size', 'written', 'readers'] as const).map((column) => (
              <span key={column} role="columnheader" class="number">
                {t(`column.${column}`)}
              </span>
            ))}
          </div>
        </div>
        <VirtualRows items={shown} rowHeight={isNarrow ? 84 : 40} keyOf={(one) => one.topic}>
          {(one) => <TopicCells topic={one} />}
        </VirtualRows>
      </div>
    </>
  )
}

function TopicCells({ topic: one }: { topic: TopicSummary }) {
  const page = usePage()
  const { t, formats } = page
  const number = (column: 'partitions' | 'size' | 'written' | 'readers', text: string) => (
    <span role="cell" class="number">
      <span class="label" aria-hidden="true">
        {t(`column.${column}`)}{' '}
      </span>
      {text}
    </span>
  )
  return (
    <>
      <span role="cell" class="name">
        <a {...linkTo(page, { view: 'topic', cluster: one.cluster, topic: one.topic })} title={one.topic}>
          {one.topic}
        </a>
      </span>
      {number('partitions', formats.number(one.partitions))}
      {number('size', formats.number(one.size))}
      {number('written', formats.rate(one.writtenPerSecond))}
      {number('readers', formats.number(one.groups))}
    </>
  )
}
