/** Numbers, durations and times as the reader's locale writes them. A value that is not known is a dash. */

export interface Formats {
  /** `1,234,567` */
  readonly number: (value: number | null) => string
  /** `1.2M`, for axes and narrow places. */
  readonly compact: (value: number | null) => string
  /** `12.5/s` */
  readonly rate: (perSecond: number | null) => string
  /** `45s`, `2m 5s`, `3h 10m`, `2d 4h`; in the locale's own words. */
  readonly duration: (seconds: number | null) => string
  /** Hours, minutes, seconds; with the day if it is not that of `now`. */
  readonly time: (at: number | null, now?: number) => string
  readonly percent: (part: number) => string
}

export const DASH = '–'

const steps = [
  { unit: 'day', seconds: 86_400 },
  { unit: 'hour', seconds: 3600 },
  { unit: 'minute', seconds: 60 },
  { unit: 'second', seconds: 1 },
] as const

export function formatsFor(locales: string | readonly string[]): Formats {
  const locale = locales as string
  const plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const fine = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 })
  const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumSignificantDigits: 3 })
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const units = new Map(
    steps.map(({ unit }) => [unit, new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'narrow' })]),
  )
  const clock = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  })
  const dated = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const known = <T extends number>(value: T | null, text: (value: T) => string) => (value === null ? DASH : text(value))
  return {
    number: (value) => known(value, (one) => plain.format(one)),
    compact: (value) => known(value, (one) => compact.format(one)),
    rate: (value) => known(value, (one) => `${(one !== 0 && Math.abs(one) < 10 ? fine : plain).format(one)}/s`),
    duration: (value) =>
      known(value, (one) =>
        durationParts(one)
          .map(([count, unit]) => units.get(unit)!.format(count))
          .join(' '),
      ),
    time: (at, now) =>
      known(at, (one) => (now !== undefined && !isSameDay(one, now) ? dated.format(one) : clock.format(one))),
    percent: (part) => percent.format(part),
  }
}

type Unit = (typeof steps)[number]['unit']

/** The two largest units that say something. */
export function durationParts(seconds: number): [count: number, unit: Unit][] {
  const whole = Math.max(0, Math.round(seconds))
  const first = steps.findIndex((one) => whole >= one.seconds)
  if (first === -1) return [[0, 'second']]
  const [large, small] = [steps[first]!, steps[first + 1]]
  const count = Math.floor(whole / large.seconds)
  if (!small) return [[count, large.unit]]
  const rest = Math.floor((whole - count * large.seconds) / small.seconds)
  return rest === 0
    ? [[count, large.unit]]
    : [
        [count, large.unit],
        [rest, small.unit],
      ]
}

function isSameDay(left: number, right: number): boolean {
  return new Date(left).toDateString() === new Date(right).toDateString()
}
