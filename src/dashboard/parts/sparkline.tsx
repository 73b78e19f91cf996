/** A line of the last lags, without axes. */
import { usePage } from '../page.ts'

const WIDTH = 120
const HEIGHT = 28

export function sparklinePath(values: readonly number[], width = WIDTH, height = HEIGHT): string {
  const top = Math.max(1, ...values)
  const step = values.length > 1 ? width / (values.length - 1) : 0
  return values
    .map((value, index) => {
      const y = height - 2 - (value / top) * (height - 4)
      return `${index === 0 ? 'M' : 'L'}${(index * step).toFixed(1)} ${y.toFixed(1)}`
    })
    .join('')
}

export function Sparkline({ values }: { values: readonly number[] }) {
  const { t, formats } = usePage()
  if (values.length < 2) return <span class="quiet">–</span>
  const label = t('trend.text', { first: formats.number(values[0]!), last: formats.number(values.at(-1)!) })
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} preserveAspectRatio="none">
      <path d={sparklinePath(values)} />
    </svg>
  )
}
