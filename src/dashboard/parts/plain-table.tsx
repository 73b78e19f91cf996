/** A short table. Long ones are virtual-rows.tsx. On a narrow screen it scrolls sideways, within itself. */
import type { ComponentChildren } from 'preact'

export interface Column<T> {
  readonly name: string
  readonly cell: (row: T) => ComponentChildren
  readonly isNumber?: boolean
}

interface PlainTableProps<T> {
  readonly label: string
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
}

export function PlainTable<T>({ label, columns, rows, keyOf }: PlainTableProps<T>) {
  return (
    // What scrolls must be within reach of the keyboard.
    <div class="scroller" tabIndex={0} role="group" aria-label={label}>
      <table class="plain" aria-label={label}>
        <thead>
          <tr>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" class={isNumber ? 'number' : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ name, cell, isNumber }) => (
                <td key={name} class={isNumber ? 'number' : undefined}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
