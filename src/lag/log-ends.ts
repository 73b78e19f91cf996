/**
 * How the end of a log moved over time: long back but coarse, near and exact. What time lag is interpolated from. Pure.
 *
 * A point is kept where the end moved, and the last moment at which it still stood. When there is no room, every second point of the older half
 * goes: what an hour lies back needs no exact second.
 */
export interface EndPoint {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly end: number
}

const MOST_POINTS = 64

export class LogEnds {
  #points: EndPoint[] = []
  readonly #most: number

  constructor(points: readonly EndPoint[] = [], most = MOST_POINTS) {
    this.#most = most
    for (const { at, end } of points) this.push(at, end)
  }

  get length(): number {
    return this.#points.length
  }

  get last(): EndPoint | undefined {
    return this.#points.at(-1)
  }

  get oldest(): EndPoint | undefined {
    return this.#points[0]
  }

  /** A point that is older than the newest, or lower than it, is not taken: false. */
  push(at: number, end: number): boolean {
    const points = this.#points
    const last = points.at(-1)
    if (last && (at <= last.at || end < last.end)) return false
    if (last && points.at(-2)?.end === end && last.end === end) points[points.length - 1] = { at, end }
    else points.push({ at, end })
    if (points.length > this.#most) this.#thin()
    return true
  }

  /** Everything is forgotten: another log has the name now, or this one was cut back. */
  clear(): void {
    this.#points = []
  }

  /** Oldest first. */
  toArray(): readonly EndPoint[] {
    return this.#points
  }

  /**
   * When the record at `offset` was written, milliseconds since 1970: between the last moment at which the end was not beyond it and the first
   * at which it was, in proportion. undefined if that lies before the first point, or has not happened.
   */
  writtenAt(offset: number): number | undefined {
    const points = this.#points
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (points[middle]!.end > offset) high = middle
      else low = middle + 1
    }
    const before = points[low - 1]
    const after = points[low]
    if (!before || !after) return undefined
    return before.at + ((offset - before.end) / (after.end - before.end)) * (after.at - before.at)
  }

  /** Records written per second since `since`; undefined with less than two points. */
  ratePerSecond(since: number): number | undefined {
    const points = this.#points
    const last = points.at(-1)
    const from = points.findLast(({ at }) => at <= since) ?? points[0]
    if (!last || !from || last.at <= from.at) return undefined
    return ((last.end - from.end) * 1000) / (last.at - from.at)
  }

  #thin(): void {
    const half = this.#points.length >> 1
    this.#points = this.#points.filter((_, index) => index === 0 || index >= half || index % 2 === 0)
  }
}
