/** The three charts of a group: lag in records, lag in time, rates. */
import { useMemo } from 'preact/hooks'
import { usePage } from '../page.ts'
import type { Series } from '../series.ts'
import { Chart } from './chart.tsx'

export function GroupCharts({ series }: { series: Series }) {
  const { t, formats } = usePage()
  const { points, marks } = series
  const lines = useMemo(
    () => ({
      at: points.map(({ at }) => at),
      lag: [
        { label: t('chart.total'), values: points.map(({ totalLag }) => totalLag) },
        { label: t('chart.max'), values: points.map(({ maxLag }) => maxLag), isDashed: true },
      ],
      time: [{ label: t('chart.oldest'), values: points.map(({ lagSeconds }) => lagSeconds) }],
      rates: [
        { label: t('chart.read'), values: points.map(({ readPerSecond }) => readPerSecond) },
        { label: t('chart.written'), values: points.map(({ writtenPerSecond }) => writtenPerSecond), isDashed: true },
      ],
    }),
    [points, t],
  )
  const common = { at: lines.at, span: series, marks, syncKey: 'group' }
  return (
    <div class="charts">
      <Chart {...common} title={t('chart.lag')} lines={lines.lag} format={formats.compact} />
      <Chart {...common} title={t('chart.timeLag')} lines={lines.time} format={formats.duration} />
      <Chart {...common} title={t('chart.rates')} lines={lines.rates} format={formats.rate} />
    </div>
  )
}
