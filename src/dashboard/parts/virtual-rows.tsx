/**
 * Rows of one height, of which only those near the window are drawn: thousands of them scroll as ten do. The list scrolls with the page, not within it, so
 * that a phone has one thing to scroll.
 */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

/** Rows beyond the edge of the window, for the keyboard and for quick fingers. */
const SPARE = 8

export function VirtualRows<T>({
  items,
  rowHeight,
  keyOf,
  children,
}: {
  items: readonly T[]
  /** Pixels; each row is given it. */
  rowHeight: number
  keyOf: (item: T) => string
  children: (item: T, index: number) => ComponentChildren
}) {
  const place = useRef<HTMLDivElement>(null)
  const [[first, last], set] = useState<readonly [number, number]>([0, 40])
  useLayoutEffect(() => {
    const look = () => {
      if (!place.current) return
      const top = place.current.getBoundingClientRect().top
      // Some rows are there wherever one has scrolled to: the keyboard must come from both sides.
      const begin = Math.max(0, Math.min(items.length - SPARE, Math.floor(-top / rowHeight) - SPARE))
      const end = Math.max(SPARE, Math.ceil((innerHeight - top) / rowHeight) + SPARE)
      set(([wasFirst, wasLast]) => (wasFirst === begin && wasLast === end ? [wasFirst, wasLast] : [begin, end]))
    }
    look()
    // What stands above may grow and shrink.
    const sizes = new ResizeObserver(look)
    sizes.observe(document.body)
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    return () => {
      sizes.disconnect()
      removeEventListener('scroll', look)
      removeEventListener('resize', look)
    }
  }, [rowHeight, items.length])
  const from = Math.min(first, items.length)
  const shown = items.slice(from, Math.max(from, last))
  return (
    <div ref={place} class="rows" role="rowgroup" style={{ height: `${items.length * rowHeight}px` }}>
      {shown.map((item, index) => (
        <div
          key={keyOf(item)}
          class="row"
          role="row"
          // The heading is the first row.
          aria-rowindex={from + index + 2}
          style={{ top: `${(from + index) * rowHeight}px`, height: `${rowHeight}px` }}
        >
          {children(item, from + index)}
        </div>
      ))}
    </div>
  )
}

/** Whether a media query holds, also when that changes. */
export function useMedia(query: string): boolean {
  const [holds, set] = useState(() => matchMedia(query).matches)
  useLayoutEffect(() => {
    const media = matchMedia(query)
    const look = () => set(media.matches)
    look()
    media.addEventListener('change', look)
    return () => media.removeEventListener('change', look)
  }, [query])
  return holds
}
