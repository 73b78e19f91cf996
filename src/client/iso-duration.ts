/** ISO 8601 durations as Java's `Duration.parse` reads them (days to seconds; no months or years, whose length depends on when). */

/** Milliseconds, or undefined for what is no duration, or is a negative one. */
export function durationMs(text: string): number | undefined {
  const match = /^P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d{1,9})?)S)?)?$/i.exec(text)
  if (!match || match.slice(1).every((part) => part === undefined)) return undefined
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number((part ?? '0').replace(',', '.')))
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000
}
