/** Two groups side by side over the same time: figures in a table, lags and rates in one chart each. */
import { useMemo } from 'preact/hooks'
import type { GroupDetail, HistoryPoint } from '../../lag/api-types.ts'
import type { Address } from '../address.ts'
import { groupKey } from '../live-state.ts'
import { linkTo, usePage } from '../page.ts'
import { Chart } from '../parts/chart.tsx'
import { type OverTime, useOverTime } from '../parts/over-time.tsx'
import { PlainTable } from '../parts/plain-table.tsx'
import { StatusMark } from '../parts/status-mark.tsx'
import { TimeRangeChoice } from '../parts/time-range.tsx'
import '../views.css'

export function Compare() {
  const { address, t } = usePage()
  const { cluster, group, otherCluster, otherGroup } = address
  const isWhole = [cluster, group, otherCluster, otherGroup].every((one) => one !== undefined)
  return (
    <>
      <h1>{t('compare.title')}</h1>
      <div class="filters">
        <GroupChoice
          label={t('compare.first')}
          chosen={[cluster, group]}
          to={(cluster, group) => ({ cluster, group })}
        />
        <GroupChoice
          label={t('compare.second')}
          chosen={[otherCluster, otherGroup]}
          to={(otherCluster, otherGroup) => ({ otherCluster, otherGroup })}
        />
      </div>
      {isWhole ? <Both /> : <p class="empty">{t('compare.choose')}</p>}
    </>
  )
}

interface GroupChoiceProps {
  readonly label: string
  readonly chosen: readonly [cluster: string | undefined, group: string | undefined]
  readonly to: (cluster: string, group: string) => Partial<Address>
}

/** A text field that suggests: two thousand groups are too many for a menu. */
function GroupChoice({ label, chosen: [cluster, group], to }: GroupChoiceProps) {
  const page = usePage()
  const { live, address } = page
  const names = useMemo(() => [...live.groups.values()].map((one) => nameOf(one.cluster, one.group)), [live.groups])
  const value = cluster === undefined || group === undefined ? '' : nameOf(cluster, group)
  const id = `groups-${label}`
  return (
    <label class="choice">
      {label}
      <input
        type="search"
        list={id}
        defaultValue={value}
        key={value}
        onChange={({ currentTarget }) => {
          const found = [...live.groups.values()].find((one) => nameOf(one.cluster, one.group) === currentTarget.value)
          if (found) page.go({ ...address, ...to(found.cluster, found.group) })
        }}
      />
      <datalist id={id}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </label>
  )
}

function nameOf(cluster: string, group: string): string {
  return `${cluster}: ${group}`
}

function Both() {
  const { address, t } = usePage()
  const left = useOverTime(address.cluster!, address.group!)
  const right = useOverTime(address.otherCluster!, address.otherGroup!)
  return (
    <>
      <Figures sides={[left, right]} />
      <section class="panel" aria-label={t('group.history')}>
        <TimeRangeChoice title={t('group.history')} />
        <Charts left={left} right={right} />
      </section>
    </>
  )
}

function Figures({ sides }: { sides: readonly OverTime[] }) {
  const page = usePage()
  const { t, formats } = page
  // What is known of a group that has gone is not how it stands.
  const details = sides
    .flatMap(({ watched }) => watched?.detail ?? [])
    .filter(({ cluster, group }) => page.live.groups.has(groupKey(cluster, group)))
  const number = (name: string, text: (detail: GroupDetail) => string) => ({ name, isNumber: true, cell: text })
  return (
    <section class="panel" aria-label={t('compare.figures')}>
      <PlainTable
        label={t('compare.figures')}
        rows={details}
        keyOf={({ cluster, group }) => groupKey(cluster, group)}
        columns={[
          {
            name: t('column.group'),
            cell: ({ cluster, group }) => (
              <a {...linkTo(page, { view: 'group', cluster, group })}>{nameOf(cluster, group)}</a>
            ),
          },
          { name: t('column.status'), cell: ({ status }) => <StatusMark status={status} /> },
          number(t('column.lag'), ({ totalLag }) => formats.number(totalLag)),
          number(t('column.timeLag'), ({ lagSeconds }) => formats.duration(lagSeconds)),
          number(t('column.read'), ({ readPerSecond }) => formats.rate(readPerSecond)),
          number(t('column.written'), ({ writtenPerSecond }) => formats.rate(writtenPerSecond)),
          number(t('column.partitions'), ({ partitions }) => formats.number(partitions)),
          number(t('column.members'), ({ members }) => formats.number(members)),
        ]}
      />
    </section>
  )
}

function Charts({ left, right }: { left: OverTime; right: OverTime }) {
  const { address, t, formats } = usePage()
  const labels = [nameOf(address.cluster!, address.group!), nameOf(address.otherCluster!, address.otherGroup!)] as const
  const merged = useMemo(() => onOneAxis(left.series.points, right.series.points), [left.series, right.series])
  const lines = (value: (point: HistoryPoint) => number | null) => [
    { label: labels[0], values: merged.left.map((point) => (point ? value(point) : null)) },
    { label: labels[1], values: merged.right.map((point) => (point ? value(point) : null)), isDashed: true },
  ]
  const common = { at: merged.at, span: left.series, syncKey: 'compare' }
  return (
    <div class="charts">
      <Chart {...common} title={t('chart.lag')} lines={lines(({ totalLag }) => totalLag)} format={formats.compact} />
      <Chart
        {...common}
        title={t('chart.timeLag')}
        lines={lines(({ lagSeconds }) => lagSeconds)}
        format={formats.duration}
      />
      <Chart
        {...common}
        title={t('chart.readRate')}
        lines={lines(({ readPerSecond }) => readPerSecond)}
        format={formats.rate}
      />
    </div>
  )
}

type Side = readonly (HistoryPoint | undefined)[]

/** Every moment of either; between its own points a side has its last one, before and after them nothing. */
export function onOneAxis(left: readonly HistoryPoint[], right: readonly HistoryPoint[]) {
  const at = [...new Set([...left, ...right].map((point) => point.at))].toSorted((one, other) => one - other)
  const held = (points: readonly HistoryPoint[]): Side => {
    let next = 0
    return at.map((moment) => {
      while (next < points.length && points[next]!.at <= moment) next++
      return moment > (points.at(-1)?.at ?? 0) ? undefined : points[next - 1]
    })
  }
  return { at, left: held(left), right: held(right) }
}
