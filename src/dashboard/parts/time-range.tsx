/** Which time the charts show. It stands in the address: the last hours go on, a range from one moment to another stays. */
import { useState } from 'preact/hooks'
import { HOUR_MS, type TimeRange } from '../address.ts'
import { usePage } from '../page.ts'
import { spanOf } from '../series.ts'

const lasts = [15 * 60_000, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 28 * 24 * HOUR_MS]

export function TimeRangeChoice({ title }: { title: string }) {
  const page = usePage()
  const { address, t, formats, live } = page
  const { range } = address
  const [isOpen, open] = useState('from' in range)
  const set = (chosen: TimeRange) => page.go({ ...address, range: chosen })
  const span = spanOf(range, live.now)
  const move = (by: number) => {
    const width = span.to - span.from
    set({ from: Math.round(span.from + by * width), to: Math.round(span.to + by * width) })
  }
  return (
    <div class="ranges" role="group" aria-label={t('range.title')}>
      <h2>{title}</h2>
      <button type="button" aria-label={t('range.earlier')} onClick={() => move(-0.5)}>
        <span aria-hidden="true">←</span>
      </button>
      {lasts.map((lastMs) => (
        <button
          key={lastMs}
          type="button"
          aria-pressed={'lastMs' in range && range.lastMs === lastMs}
          onClick={() => {
            open(false)
            set({ lastMs })
          }}
        >
          {formats.duration(lastMs / 1000)}
        </button>
      ))}
      <button type="button" aria-label={t('range.later')} disabled={'lastMs' in range} onClick={() => move(0.5)}>
        <span aria-hidden="true">→</span>
      </button>
      <button type="button" aria-expanded={isOpen} aria-pressed={'from' in range} onClick={() => open(!isOpen)}>
        {t('range.other')}
      </button>
      {isOpen && <Moments key={`${span.from} ${'from' in range}`} from={span.from} to={span.to} onChange={set} />}
    </div>
  )
}

function Moments({ from, to, onChange }: { from: number; to: number; onChange: (range: TimeRange) => void }) {
  const { t } = usePage()
  const [begin, setBegin] = useState(local(from))
  const [end, setEnd] = useState(local(to))
  const range = { from: Date.parse(begin), to: Date.parse(end) }
  return (
    <form
      class="ranges"
      onSubmit={(event) => {
        event.preventDefault()
        onChange(range)
      }}
    >
      <label>
        {t('range.from')}
        <input type="datetime-local" value={begin} onInput={({ currentTarget }) => setBegin(currentTarget.value)} />
      </label>
      <label>
        {t('range.to')}
        <input type="datetime-local" value={end} onInput={({ currentTarget }) => setEnd(currentTarget.value)} />
      </label>
      <button type="submit" disabled={!(range.from < range.to)}>
        {t('range.apply')}
      </button>
    </form>
  )
}

/** As the field wants it: the visitor's own time, to the minute. */
function local(at: number): string {
  const date = new Date(at)
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
