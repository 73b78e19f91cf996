/** What commands print: tables for people, JSON for programs, and progress on stderr when somebody watches. */
import { systemClock } from '../seams/clock.ts'

export type Cell = string | number | boolean | null | undefined

/** Rows under upper-case headings, aligned in columns; numbers to the right. */
export function formatTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = [
    headings,
    ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '-' : String(cell)))),
  ]
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => lengthOf(row[column] ?? ''))))
  const isNumeric = headings.map(
    (_, column) =>
      rows.length > 0 && rows.every((row) => row[column] == null || /^(?:-|-?[\d,.]+)$/.test(String(row[column]))),
  )
  return cells
    .map((row) =>
      row
        .map((cell, column) => {
          const space = ' '.repeat(widths[column]! - lengthOf(cell))
          return isNumeric[column] ? space + cell : cell + space
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** Characters, not UTF-16 units: names may be in any script. */
function lengthOf(text: string): number {
  return Array.from(text).length
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}

/** Objects as a table, or as the JSON array that they are. */
export function printRows<Row extends Readonly<Record<string, Cell>>>(
  rows: readonly Row[],
  columns: readonly (readonly [heading: string, name: keyof Row & string])[],
  { json, empty }: { json?: boolean; empty?: string },
): void {
  if (json) printJson(rows)
  else if (rows.length === 0 && empty) process.stderr.write(`${empty}\n`)
  else {
    print(
      formatTable(
        columns.map(([heading]) => heading),
        rows.map((row) => columns.map(([, name]) => row[name])),
      ),
    )
  }
}

/** `1234567` as `1,234,567`. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** One line on stderr that is written over, at most ten times a second; nothing unless stderr is a terminal. */
export class Progress {
  readonly #isShown: boolean
  #lastAt = 0

  constructor(isShown = process.stderr.isTTY) {
    this.#isShown = isShown
  }

  update(text: () => string): void {
    if (!this.#isShown) return
    const now = systemClock.monotonic()
    if (now - this.#lastAt < 100) return
    this.#lastAt = now
    process.stderr.write(`\r\u001b[2K${text()}`)
  }

  clear(): void {
    if (this.#isShown && this.#lastAt > 0) process.stderr.write('\r\u001b[2K')
    this.#lastAt = 0
  }
}
