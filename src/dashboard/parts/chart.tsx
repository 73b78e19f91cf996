/**
 * A chart of lines over time, drawn by uPlot. Beside the picture stand the newest values as words, and for those who do not see it a summary.
 * Marks (rebalances, changes of status) are dashed upright lines with a letter at their head.
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Mark } from '../../lag/api-types.ts'
import { type Page, usePage } from '../page.ts'

export interface Line {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** Drawn with dashes, so that two lines differ by more than colour. */
  readonly isDashed?: boolean
}

interface ChartProps {
  readonly title: string
  /** Milliseconds since 1970, rising. */
  readonly at: readonly number[]
  readonly lines: readonly Line[]
  readonly span: { readonly from: number; readonly to: number }
  readonly marks?: readonly Mark[] | undefined
  readonly format: (value: number | null) => string
  /** Charts of one key show the same moment. */
  readonly syncKey: string
  /** The axis begins at zero, unless it is one of offsets. */
  readonly fromZero?: boolean
}

const HEIGHT = 200

export function Chart(props: ChartProps) {
  const { title, at, lines, span, format } = props
  const page = usePage()
  const { t, formats } = page
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const newest = useRef(props)
  newest.current = props
  const [index, setIndex] = useState<number | null>(null)
  const theme = useTheme()
  const labels = lines.map(({ label }) => label).join()
  useEffect(() => {
    const element = place.current!
    const made = new uPlot(optionsOf(page, newest, setIndex, element.clientWidth), dataOf(newest.current), element)
    plot.current = made
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }))
    sizes.observe(element)
    return () => {
      sizes.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [labels, theme, page.language])
  useEffect(() => plot.current?.setData(dataOf(newest.current)), [at, lines, span.from, span.to])
  const time = (moment: number) => formats.time(moment, span.to)
  const summary = useMemo(
    () =>
      t('chart.summary', {
        title,
        from: time(span.from),
        to: time(span.to),
        lines: lines
          .map(({ label, values }) =>
            t('chart.line', { label, last: format(values.at(-1) ?? null), max: format(mostOf(values)) }),
          )
          .join(' '),
      }),
    [lines, at, t],
  )
  return (
    <figure class="chart">
      <h3>{title}</h3>
      <ul class="legend" aria-hidden="true">
        {lines.map(({ label, values, isDashed }, place) => (
          <li key={label}>
            <svg width="22" height="6">
              <line
                x1="0"
                y1="3"
                x2="22"
                y2="3"
                stroke={`var(--series-${place + 1})`}
                stroke-dasharray={isDashed ? '5 3' : undefined}
              />
            </svg>
            {label} {format((index === null ? values.at(-1) : values[index]) ?? null)}
          </li>
        ))}
      </ul>
      <div class="plot" ref={place} role="img" aria-label={summary} />
      <p class="readout" aria-hidden="true">
        {at.length === 0 ? t('chart.empty') : index !== null && at[index] !== undefined && time(at[index])}
      </p>
    </figure>
  )
}

function mostOf(values: readonly (number | null)[]): number | null {
  let most: number | null = null
  for (const value of values) if (value !== null && (most === null || value > most)) most = value
  return most
}

function dataOf({ at, lines }: ChartProps): uPlot.AlignedData {
  return [at.map((one) => one / 1000), ...lines.map(({ values }) => values as (number | null)[])]
}

/** Colours are read anew when the page changes them. */
export function useTheme(): number {
  const [theme, set] = useState(0)
  useEffect(() => {
    const changed = () => set((before) => before + 1)
    const media = matchMedia('(prefers-color-scheme: dark)')
    media.addEventListener('change', changed)
    addEventListener('themechange', changed)
    return () => {
      media.removeEventListener('change', changed)
      removeEventListener('themechange', changed)
    }
  }, [])
  return theme
}

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

function optionsOf(
  page: Page,
  props: { readonly current: ChartProps },
  onIndex: (index: number | null) => void,
  width: number,
): uPlot.Options {
  const { formats } = page
  const axis = { stroke: colour('quiet'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } }
  const font = '12px system-ui, sans-serif'
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: props.current.syncKey }, y: false, drag: { setScale: false, x: false, y: false } },
    scales: {
      x: { time: true, range: () => [props.current.span.from / 1000, props.current.span.to / 1000] },
      y: { range: (_plot, low, high) => rangeOf(low, high, props.current.fromZero ?? true) },
    },
    axes: [
      {
        ...axis,
        font,
        space: 74,
        size: 30,
        values: (_plot, splits) => splits.map((one) => shortTime(formats.time(one * 1000, props.current.span.to))),
      },
      {
        ...axis,
        font,
        size: 64,
        values: (_plot, splits) => splits.map((one) => props.current.format(one)),
      },
    ],
    series: [
      {},
      ...props.current.lines.map(({ label, isDashed }, place) => ({
        label,
        stroke: colour(`series-${place + 1}`),
        width: 1.8,
        ...(isDashed ? { dash: [6, 4] } : {}),
        points: { show: props.current.at.length < 3, size: 5 },
        spanGaps: false,
      })),
    ],
    hooks: {
      setCursor: [({ cursor }) => onIndex(cursor.idx ?? null)],
      draw: [(plot) => drawMarks(plot, props.current.marks ?? [])],
    },
  }
}

/** Without seconds where they are zero. */
function shortTime(text: string): string {
  return text.replace(/:00$/, '').replace(/^(\d\d)$/, '$1:00')
}

function rangeOf(low: number | null, high: number | null, fromZero: boolean): [number, number] {
  if (low === null || high === null) return [0, 1]
  if (fromZero) return [0, high <= 0 ? 1 : high * 1.08]
  const room = Math.max(1, (high - low) * 0.08)
  return [Math.max(0, low - room), high + room]
}

const letters: Readonly<Record<Mark['kind'], string>> = {
  rebalance: 'R',
  status: 'S',
  'topic-recreated': 'T',
  'log-end-regressed': 'L',
  'offsets-reset': 'O',
}

function drawMarks(plot: uPlot, marks: readonly Mark[]): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.strokeStyle = colour('quiet')
  ctx.fillStyle = colour('quiet')
  ctx.lineWidth = devicePixelRatio
  ctx.font = `${10 * devicePixelRatio}px system-ui, sans-serif`
  for (const { at, kind } of marks) {
    const x = Math.round(plot.valToPos(at / 1000, 'x', true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    ctx.fillText(letters[kind], x + 2 * devicePixelRatio, bbox.top + 9 * devicePixelRatio)
  }
  ctx.restore()
}
