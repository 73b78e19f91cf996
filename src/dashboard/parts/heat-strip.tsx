/**
 * Every partition over time: a row each, stronger in colour where there is more lag (by its logarithm), stripes where it fell behind, crosses where it stopped, stalled or
 * went back. Only the rows in sight are drawn, so that ten thousand partitions are as quick as ten. The arrow keys move a cell; what it is stands below in words.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { linkTo, usePage } from '../page.ts'
import type { Row, Series } from '../series.ts'
import { colour, useTheme } from './chart.tsx'
import { lookOf } from './status-mark.tsx'

type PartitionStatus = Parameters<typeof lookOf>[0]

const MOST_HEIGHT = 340
/** Taller while there are few. */
const rowHeightFor = (rows: number) => (rows <= 12 ? 22 : rows <= 40 ? 14 : 9)

interface Cell {
  readonly row: number
  readonly column: number
}

export function HeatStrip({ series, cluster, group }: { series: Series; cluster: string; group: string }) {
  const page = usePage()
  const { t, formats } = page
  const { rows, points } = series
  const canvas = useRef<HTMLCanvasElement>(null)
  const frame = useRef<HTMLDivElement>(null)
  const [cell, setCell] = useState<Cell>()
  const [width, setWidth] = useState(0)
  const [scroll, setScroll] = useState(0)
  const theme = useTheme()
  const rowHeight = rowHeightFor(rows.length)
  const height = Math.min(MOST_HEIGHT, rows.length * rowHeight)
  const most = mostLag(rows)
  useLayoutEffect(() => {
    const sizes = new ResizeObserver(() => setWidth(frame.current!.clientWidth))
    sizes.observe(frame.current!)
    return () => sizes.disconnect()
  }, [])
  useEffect(() => {
    if (canvas.current && width > 0) draw(canvas.current, series, { width, height, rowHeight, scroll, most, cell })
  }, [series, width, height, scroll, cell, theme])
  const at = ({ offsetX, offsetY }: MouseEvent): Cell | undefined => {
    const row = Math.floor((offsetY + (frame.current?.scrollTop ?? 0)) / rowHeight)
    return row < rows.length && points.length > 0 ? { row, column: columnAt(series, offsetX / width) } : undefined
  }
  const linkOf = ({ row }: Cell) =>
    linkTo(page, { view: 'partition', cluster, group, topic: rows[row]!.topic, partition: rows[row]!.partition })
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && cell && rows[cell.row]) return linkOf(cell).onClick(asClick(event))
    const next = steppedTo(event.key, cell, series)
    if (!next) return
    event.preventDefault()
    bringIntoSight(frame.current!, next.row * rowHeight, rowHeight)
    setCell(next)
  }
  const shown = cell && rows[cell.row] && points[cell.column] ? cell : undefined
  return (
    <section class="panel heat" aria-label={t('heat.title')}>
      <h2>{t('heat.title')}</h2>
      <div
        ref={frame}
        class="window"
        tabIndex={0}
        role="application"
        aria-label={`${t('heat.title')}. ${t('heat.help')}`}
        style={{ height: `${height + 2}px` }}
        onKeyDown={onKey}
        onScroll={({ currentTarget }) => setScroll(currentTarget.scrollTop)}
      >
        <div style={{ height: `${rows.length * rowHeight}px` }}>
          <canvas
            ref={canvas}
            aria-hidden="true"
            onMouseMove={(event) => setCell(at(event))}
            onMouseLeave={() => setCell(undefined)}
            onClick={(event) => {
              const one = at(event)
              if (one) linkOf(one).onClick(event)
            }}
          />
        </div>
      </div>
      <p class="readout" role="status">
        {shown && t('heat.cell', cellWords(series, shown, t, formats))}
      </p>
      <Scale most={most} />
    </section>
  )
}

function Scale({ most }: { most: number }) {
  const { t, formats } = usePage()
  return (
    <>
      <div class="scale">
        {t('heat.none')}
        <i />
        {t('heat.most', { lag: formats.number(most) })}
      </div>
      <p class="quiet">
        <small>{t('heat.help')}</small>
      </p>
    </>
  )
}

const steps: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-20, 0],
  PageDown: [20, 0],
  Home: [0, -1e9],
  End: [0, 1e9],
}

/** From the newest point of the first row, if nothing was chosen. */
function steppedTo(key: string, cell: Cell | undefined, { rows, points }: Series): Cell | undefined {
  const step = steps[key]
  if (!step || points.length === 0) return undefined
  const from = cell ?? { row: 0, column: points.length }
  return {
    row: Math.min(rows.length - 1, Math.max(0, from.row + step[0])),
    column: Math.min(points.length - 1, Math.max(0, from.column + step[1])),
  }
}

function bringIntoSight(frame: HTMLElement, top: number, height: number): void {
  if (top < frame.scrollTop) frame.scrollTop = top
  if (top + height > frame.scrollTop + frame.clientHeight) frame.scrollTop = top + height - frame.clientHeight
}

/** A key that stands for a click opens in this tab. */
function asClick(event: KeyboardEvent): MouseEvent {
  event.preventDefault()
  return new MouseEvent('click')
}

function cellWords(
  { rows, points, to }: Series,
  { row, column }: Cell,
  t: ReturnType<typeof usePage>['t'],
  formats: ReturnType<typeof usePage>['formats'],
) {
  const { topic, partition, lag, status } = rows[row]!
  const word = status[column]
  return {
    topic,
    partition,
    time: formats.time(points[column]!.at, to),
    lag: formats.number(lag[column] ?? null),
    status: word ? t(`status.${word as PartitionStatus}`) : t('status.UNKNOWN'),
  }
}

function mostLag(rows: readonly Row[]): number {
  let most = 0
  for (const { lag } of rows) for (const value of lag) if (value !== null && value > most) most = value
  return most
}

/** Of the point that is drawn at this part of the width. */
function columnAt({ points, from, to }: Series, part: number): number {
  const moment = from + part * (to - from)
  let low = 0
  let high = points.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (points[middle]!.at <= moment) low = middle
    else high = middle - 1
  }
  return low
}

interface Drawing {
  readonly width: number
  readonly height: number
  readonly rowHeight: number
  readonly scroll: number
  readonly most: number
  readonly cell: Cell | undefined
}

/** A point holds until the next one, but not over a gap. */
function edges({ points, from, to }: Series, width: number): [left: number, right: number][] {
  const gaps = points.slice(1).map(({ at }, index) => at - points[index]!.at)
  const usual = gaps.length === 0 ? (to - from) / 60 : gaps.sort((left, right) => left - right)[gaps.length >> 1]!
  const x = (at: number) => ((at - from) / (to - from)) * width
  return points.map(({ at }, index) => {
    const next = Math.min(points[index + 1]?.at ?? at + usual, at + 3 * usual)
    return [Math.max(0, x(at)), Math.min(width, Math.max(x(next), x(at) + 1))]
  })
}

function draw(canvas: HTMLCanvasElement, series: Series, drawing: Drawing): void {
  const { width, height, rowHeight, scroll, most, cell } = drawing
  const scale = devicePixelRatio
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const ctx = canvas.getContext('2d')!
  ctx.scale(scale, scale)
  const columns = edges(series, width)
  const shades = shadesBetween(colour('heat-low'), colour('heat-high'))
  const stripes = hatch(ctx, colour('heat-mark'), 'stripes')
  const crosses = hatch(ctx, colour('heat-mark'), 'crosses')
  const first = Math.floor(scroll / rowHeight)
  const last = Math.min(series.rows.length, Math.ceil((scroll + height) / rowHeight))
  for (let index = first; index < last; index++) {
    const row = series.rows[index]!
    const y = index * rowHeight - scroll
    for (const [column, [left, right]] of columns.entries()) {
      const lag = row.lag[column]
      if (lag === null || lag === undefined) continue
      const part = most === 0 ? 0 : Math.log1p(lag) / Math.log1p(most)
      ctx.fillStyle = shades[Math.round(part * (shades.length - 1))]!
      ctx.fillRect(left, y, right - left + 0.5, rowHeight - 1)
      const look = lookOf((row.status[column] ?? 'OK') as PartitionStatus)
      if (look !== 'warning' && look !== 'error') continue
      ctx.fillStyle = look === 'warning' ? stripes : crosses
      ctx.fillRect(left, y, right - left + 0.5, rowHeight - 1)
    }
  }
  if (!cell || !columns[cell.column]) return
  const [left, right] = columns[cell.column]!
  ctx.strokeStyle = colour('words')
  ctx.lineWidth = 2
  ctx.strokeRect(left - 1, cell.row * rowHeight - scroll, Math.max(3, right - left + 2), rowHeight - 1)
}

function hatch(ctx: CanvasRenderingContext2D, ink: string, kind: 'stripes' | 'crosses'): CanvasPattern {
  const tile = new OffscreenCanvas(8, 8)
  const pen = tile.getContext('2d')!
  pen.strokeStyle = ink
  pen.lineWidth = 1.6
  pen.beginPath()
  for (const shift of [-8, 0, 8]) {
    pen.moveTo(shift, 8)
    pen.lineTo(shift + 8, 0)
    if (kind === 'crosses') {
      pen.moveTo(shift, 0)
      pen.lineTo(shift + 8, 8)
    }
  }
  pen.stroke()
  return ctx.createPattern(tile, 'repeat')!
}

/** Thirty-two steps from one `#rrggbb` to another. */
function shadesBetween(low: string, high: string): string[] {
  const parts = (hex: string) => [1, 3, 5].map((place) => Number.parseInt(hex.slice(place, place + 2), 16))
  const [from, to] = [parts(low), parts(high)]
  return Array.from({ length: 32 }, (_, step) => {
    const mixed = from.map((value, place) => Math.round(value + ((to[place]! - value) * step) / 31))
    return `rgb(${mixed.join()})`
  })
}
