/**
 * Reads back what the demo's groups stored, with nothing of the sinks that stored it, and compares it with what was produced:
 * files as text, the database with a query of its own.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadSqlite } from '../../seams/sqlite.ts'
import type { DemoRecords } from './records.ts'

export interface Comparison {
  readonly stored: number
  /** Produced and not found. */
  readonly lost: number
  /** Found more often than produced. */
  readonly repeated: number
  /** Found without having been produced at all. */
  readonly foreign: number
  /** Only for files: a partition's lines are not in the order of its offsets. */
  readonly isOutOfOrder: boolean
}

export function isRight({ lost, repeated, foreign, isOutOfOrder }: Comparison): boolean {
  return lost === 0 && repeated === 0 && foreign === 0 && !isOutOfOrder
}

/** Compares as bags: how often each line was produced, and how often it was found. */
export function compare(produced: Iterable<string>, found: Iterable<string>, isOutOfOrder = false): Comparison {
  const balance = new Map<string, number>()
  for (const line of produced) balance.set(line, (balance.get(line) ?? 0) + 1)
  let stored = 0
  let foreign = 0
  for (const line of found) {
    stored++
    const rest = balance.get(line)
    if (rest === undefined) foreign++
    else balance.set(line, rest - 1)
  }
  let lost = 0
  let repeated = 0
  for (const rest of balance.values()) {
    if (rest > 0) lost += rest
    else repeated -= rest
  }
  return { stored, lost, repeated, foreign, isOutOfOrder }
}

/** The line that a record is in a CSV file of the demo; none of its values needs quotes. */
function lineOf(value: string, columns: readonly string[]): string {
  const fields = JSON.parse(value) as Record<string, unknown>
  return columns.map((column) => String(fields[column])).join(',')
}

/** Where record `index` goes. */
export function partitionOf(index: number, partitions: number): number {
  return index % partitions
}

export async function compareFiles(
  directory: string,
  { topic, columns, values }: DemoRecords,
  partitions: number,
): Promise<Comparison> {
  const produced: string[][] = Array.from({ length: partitions }, () => [])
  for (const [index, value] of values.entries()) produced[partitionOf(index, partitions)]!.push(lineOf(value, columns))
  const found: string[] = []
  let isOutOfOrder = false
  for (const [partition, expected] of produced.entries()) {
    const lines = await linesOf(join(directory, topic, String(partition)))
    if (lines.length === expected.length && lines.some((line, index) => line !== expected[index])) isOutOfOrder = true
    for (const line of lines) found.push(line)
  }
  return compare(produced.flat(), found, isOutOfOrder)
}

async function linesOf(directory: string): Promise<string[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.csv')).sort()
  const lines: string[] = []
  for (const name of names) {
    for (const line of (await readFile(join(directory, name), 'utf8')).split('\n')) if (line !== '') lines.push(line)
  }
  return lines
}

export function compareTable(database: string, table: string, { columns, values }: DemoRecords): Comparison {
  const { DatabaseSync } = loadSqlite()
  const connection = new DatabaseSync(database, { readOnly: true })
  try {
    const rows = connection.prepare(`SELECT ${columns.map((name) => `"${name}"`).join(', ')} FROM "${table}"`).all()
    return compare(
      values.map((value) => lineOf(value, columns)),
      rows.map((row) => columns.map((column) => String(row[column])).join(',')),
    )
  } finally {
    connection.close()
  }
}
