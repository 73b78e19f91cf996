/** The first view: every cluster and every group, worst first, with search and filters that stand in the address. */
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { ClusterSummary, GroupSummary } from '../../lag/api-types.ts'
import { overview, sortKeys, type SortKey, type Status, statuses } from '../address.ts'
import { countsOf, listed } from '../order.ts'
import { linkTo, usePage } from '../page.ts'
import { Sparkline } from '../parts/sparkline.tsx'
import { StatusMark, StatusShape } from '../parts/status-mark.tsx'
import { useMedia, VirtualRows } from '../parts/virtual-rows.tsx'

export function Overview() {
  const { address, live, t, formats } = usePage()
  const { search, statuses: wanted, cluster, sort, isReversed } = address
  const groups = useMemo(
    () => listed(live.groups.values(), address),
    [live.groups, search, wanted.join(), cluster, sort, isReversed],
  )
  if (live.connection === 'loading') return <p class="quiet">{t('page.loading')}</p>
  return (
    <>
      <h1>{t('overview.title')}</h1>
      <Clusters />
      <Filters />
      <p class="quiet count" role="status">
        {t('overview.shown', { shown: formats.number(groups.length), total: formats.number(live.groups.size) })}
      </p>
      {groups.length > 0 ? <GroupTable groups={groups} /> : <Nothing />}
    </>
  )
}

function Nothing() {
  const page = usePage()
  const isEmpty = page.live.groups.size === 0
  return (
    <div class="empty">
      <p>{page.t(isEmpty ? 'overview.none' : 'overview.noMatch')}</p>
      {!isEmpty && (
        <button type="button" onClick={() => page.go(overview)}>
          {page.t('overview.clear')}
        </button>
      )}
    </div>
  )
}

function Clusters() {
  const { live, t } = usePage()
  return (
    <ul class="clusters" aria-label={t('cluster.clusters')}>
      {[...live.clusters.values()].sort(worstCluster).map((one) => (
        // Another state is another card: Chromium 156 leaves the style of one that is moved and changed at once as it was.
        <ClusterCard key={`${one.cluster} ${one.state}`} cluster={one} />
      ))}
    </ul>
  )
}

function worstCluster(left: ClusterSummary, right: ClusterSummary): number {
  const badness = ({ state, counts }: ClusterSummary) =>
    (state === 'stale' ? 1e12 : 0) + counts.ERROR * 1e6 + counts.WARNING
  return badness(right) - badness(left) || (left.cluster < right.cluster ? -1 : 1)
}

const clusterStates = { ok: 'cluster.ok', stale: 'cluster.isStale', starting: 'cluster.isStarting' } as const

function ClusterCard({ cluster: one }: { cluster: ClusterSummary }) {
  const page = usePage()
  const { address, t, formats } = page
  const isChosen = address.cluster === one.cluster
  return (
    <li class={`cluster ${one.state}`}>
      <button
        type="button"
        aria-pressed={isChosen}
        onClick={() => page.go({ ...address, cluster: isChosen ? undefined : one.cluster })}
      >
        <strong>{one.cluster}</strong> <span class="state">{t(clusterStates[one.state])}</span>
        <span class="counts">
          {statuses
            .filter((status) => one.counts[status] > 0)
            .map((status) => (
              <span key={status} title={t(`status.${status}`)}>
                <StatusShape status={status} />
                <span class="unseen">{t(`status.${status}`)} </span>
                {formats.number(one.counts[status])}
              </span>
            ))}
        </span>
        <small>
          {t('cluster.facts', {
            brokers: formats.number(one.brokers),
            topics: formats.number(one.topics),
            partitions: formats.number(one.partitions),
          })}
        </small>
      </button>
    </li>
  )
}

function Filters() {
  const page = usePage()
  const { address, live, t, formats } = page
  const box = useRef<HTMLInputElement>(null)
  const counts = useMemo(() => countsOf(live.groups.values()), [live.groups])
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.target instanceof HTMLInputElement) return
      event.preventDefault()
      box.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const toggle = (status: Status) => {
    const others = address.statuses.filter((one) => one !== status)
    page.go({ ...address, statuses: others.length < address.statuses.length ? others : [...others, status] })
  }
  return (
    <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <input
        ref={box}
        type="search"
        aria-label={t('overview.search')}
        placeholder={`${t('overview.search')}  /`}
        value={address.search}
        // Letters as they are typed are one visit, not many.
        onInput={({ currentTarget }) => page.go({ ...address, search: currentTarget.value }, { replace: true })}
      />
      <fieldset>
        <legend class="unseen">{t('overview.filter')}</legend>
        {statuses.map((status) => (
          <button
            key={status}
            type="button"
            class="chip"
            aria-pressed={address.statuses.includes(status)}
            onClick={() => toggle(status)}
          >
            <StatusMark status={status} /> <span class="number">{formats.number(counts[status])}</span>
          </button>
        ))}
      </fieldset>
      <Sorting />
    </form>
  )
}

function Sorting() {
  const page = usePage()
  const { address, t } = page
  return (
    <span class="sorting">
      <select
        aria-label={t('sort.by')}
        value={address.sort}
        onChange={({ currentTarget }) => page.go({ ...address, sort: currentTarget.value as SortKey })}
      >
        {sortKeys.map((key) => (
          <option key={key} value={key}>
            {t(`sort.${key}`)}
          </option>
        ))}
      </select>
      <button
        type="button"
        aria-label={t('sort.reverse')}
        aria-pressed={address.isReversed}
        onClick={() => page.go({ ...address, isReversed: !address.isReversed })}
      >
        <span aria-hidden="true">{address.isReversed ? '↑' : '↓'}</span>
      </button>
    </span>
  )
}

const columns = ['status', 'group', 'lag', 'timeLag', 'trend', 'members'] as const

function GroupTable({ groups }: { groups: readonly GroupSummary[] }) {
  const { t } = usePage()
  const isNarrow = useMedia('(max-width: 700px)')
  return (
    <div class="table groups" role="table" aria-label={t('overview.title')} aria-rowcount={groups.length + 1}>
      <div role="rowgroup" class="head">
        <div role="row" aria-rowindex={1} class="row">
          {columns.map((column) => (
            <span key={column} role="columnheader" class={`of-${column}`}>
              {t(`column.${column}`)}
            </span>
          ))}
        </div>
      </div>
      <VirtualRows items={groups} rowHeight={isNarrow ? 96 : 44} keyOf={(one) => `${one.cluster}\n${one.group}`}>
        {(one) => <GroupCells group={one} />}
      </VirtualRows>
    </div>
  )
}

function GroupCells({ group: one }: { group: GroupSummary }) {
  const page = usePage()
  const { t, formats, live } = page
  return (
    <>
      <span role="cell" class="status-cell">
        <StatusMark status={one.status} />
      </span>
      <span role="cell" class="group">
        <a {...linkTo(page, { view: 'group', cluster: one.cluster, group: one.group })} title={one.group}>
          {one.group}
        </a>
        {live.clusters.size > 1 && <small>{one.cluster}</small>}
      </span>
      <span role="cell" class="number lag">
        <span class="label" aria-hidden="true">
          {t('column.lag')}{' '}
        </span>
        {formats.number(one.totalLag)}
      </span>
      <span role="cell" class="number timeLag">
        <span class="label" aria-hidden="true">
          {t('column.timeLag')}{' '}
        </span>
        {formats.duration(one.lagSeconds)}
      </span>
      <span role="cell" class="trend">
        <Sparkline values={one.trend} />
      </span>
      <span role="cell" class="number members">
        <span class="label" aria-hidden="true">
          {t('column.members')}{' '}
        </span>
        {formats.number(one.members)}
      </span>
    </>
  )
}
