/** Points in time and decimals as exact texts, from whole numbers of any size. */

const DAY_SECONDS = 86_400n

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value % by < 0n ? quotient - 1n : quotient
}

/** Days since 1970-01-01 as `YYYY-MM-DD`; a year beyond four digits has a sign, as ISO 8601 demands. */
export function isoDate(days: bigint): string {
  // Howard Hinnant's civil_from_days: eras of 400 years that begin on a first of March.
  const shifted = days + 719_468n
  const era = floorDivide(shifted, 146_097n)
  const dayOfEra = shifted - era * 146_097n
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n)
  const shiftedMonth = (5n * dayOfYear + 2n) / 153n
  const day = dayOfYear - (153n * shiftedMonth + 2n) / 5n + 1n
  const month = shiftedMonth < 10n ? shiftedMonth + 3n : shiftedMonth - 9n
  const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n)
  return `${yearText(year)}-${padded(month, 2)}-${padded(day, 2)}`
}

function yearText(year: bigint): string {
  if (year >= 0n && year <= 9999n) return padded(year, 4)
  return `${year < 0n ? '-' : '+'}${padded(year < 0n ? -year : year, 6)}`
}

const padded = (value: bigint, digits: number) => String(value).padStart(digits, '0')

/** Units of 10^-`digits` seconds since midnight as `HH:MM:SS.…`. */
export function isoTime(units: bigint, digits: number): string {
  const perSecond = 10n ** BigInt(digits)
  const seconds = floorDivide(units, perSecond)
  const fraction = units - seconds * perSecond
  return `${padded(seconds / 3600n, 2)}:${padded((seconds / 60n) % 60n, 2)}:${padded(seconds % 60n, 2)}.${padded(fraction, digits)}`
}

/** Units of 10^-`digits` seconds since 1970 as `YYYY-MM-DDTHH:MM:SS.…` and `zone`. */
export function isoTimestamp(units: bigint, digits: number, zone: string): string {
  const perDay = DAY_SECONDS * 10n ** BigInt(digits)
  const days = floorDivide(units, perDay)
  return `${isoDate(days)}T${isoTime(units - days * perDay, digits)}${zone}`
}

/** `unscaled` times 10^-`scale`, with every digit. */
export function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? '-' : ''
  const digits = padded(unscaled < 0n ? -unscaled : unscaled, scale + 1)
  if (scale === 0) return sign + digits
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}
