/**
 * How fast the postgres sink stores rows, beside `psql \copy` of the same rows into the same kind of table, in the same run:
 *
 *     \copy       psql reads a file that is ready in COPY's text format: one COPY, one transaction, no offsets
 *     sink        JSON values that are decoded already, as the runner hands them: encoded, sent, and committed with the offset by `flush.records`
 *     upsert      the sink again, through the temporary table and ON CONFLICT, into an empty table (not part of the goal)
 *
 *     node bench/postgres-sink.ts [--rows 1000000] [--rounds 5] [--flush-records 50000]
 *
 * It starts a PostgreSQL 15 of its own, with fsync on and Debian's defaults otherwise. Machines are noisy: the ratio of the same round is the figure
 * that can be compared; the order of the two alternates. Reading from Kafka and parsing JSON are not measured here.
 */
import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/seams/clock.ts'
import { sinks } from '../src/sinks/index.ts'
import { type Polled, polls, rowOf, storeAll } from './flights.ts'
import { PASSWORD, type PostgresServer, query, startPostgres } from '../test/compat/postgres.ts'

export interface BenchOptions {
  readonly rows: number
  readonly rounds: number
  readonly flushRecords: number
  readonly print: (line: string) => void
}

export interface Figures {
  readonly copy: number
  readonly sink: number
  readonly upsert: number
}

const DDL = 'id bigint, at timestamptz, origin text, delay integer, distance double precision, note text'

/** Rows a second of each, a round. */
export async function benchPostgresSink({ rows, rounds, flushRecords, print }: BenchOptions): Promise<Figures[]> {
  const releases: (() => void | Promise<void>)[] = []
  const figures: Figures[] = []
  try {
    const server = await startPostgres(
      { after: (release) => void releases.unshift(release) },
      { settings: { fsync: 'on', shared_buffers: '128MB', max_wal_size: '4GB' } },
    )
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
    releases.push(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'rows.copy')
    await writeRows(file, rows)
    const polled = polls(rows)
    for (let round = 1; round <= rounds; round++) {
      const runs = {
        copy: () => runCopy(server, file, rows),
        sink: () => runSink(server, polled, { mode: 'append', flushRecords }),
      }
      const first: Partial<Figures> = round % 2 ? { copy: await runs.copy() } : { sink: await runs.sink() }
      const both = { ...first, ...(round % 2 ? { sink: await runs.sink() } : { copy: await runs.copy() }) }
      const upsert = await runSink(server, polled, { mode: 'upsert', flushRecords })
      const one = { ...both, upsert } as Figures
      figures.push(one)
      const shown = (perSecond: number) => `${Math.round(perSecond / 1000)} k rows/s`.padStart(14)
      print(
        `round ${round}  \\copy ${shown(one.copy)}  sink ${shown(one.sink)}, ratio ${(one.sink / one.copy).toFixed(2)}` +
          `  upsert ${shown(one.upsert)}, ratio ${(one.upsert / one.copy).toFixed(2)}`,
      )
    }
  } finally {
    for (const release of releases) await release()
  }
  return figures
}

async function writeRows(file: string, rows: number): Promise<void> {
  const out = createWriteStream(file)
  for (let id = 0; id < rows; id++) {
    const { at, origin, delay, distance, note } = rowOf(id)
    const line = [id, new Date(at).toISOString(), origin, delay, distance, note.replaceAll('\t', '\\t')].join('\t')
    if (!out.write(`${line}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
}

async function runCopy(server: PostgresServer, file: string, rows: number): Promise<number> {
  const database = await emptyTable(server)
  const began = systemClock.monotonic()
  execFileSync(
    '/usr/lib/postgresql/15/bin/psql',
    ['-q', '-v', 'ON_ERROR_STOP=1', '-c', `\\copy flights from '${file}'`],
    {
      env: {
        PGHOST: '127.0.0.1',
        PGPORT: String(server.port),
        PGUSER: 'postgres',
        PGPASSWORD: PASSWORD,
        PGDATABASE: database,
      },
    },
  )
  return finish(server, database, rows, began)
}

async function runSink(
  server: PostgresServer,
  polled: readonly Polled[],
  { mode, flushRecords }: { mode: 'append' | 'upsert'; flushRecords: number },
): Promise<number> {
  const database = await emptyTable(server, mode === 'upsert')
  const config = {
    type: 'postgres',
    ...server.options(database),
    table: 'flights',
    mode,
    'flush.records': flushRecords,
    columns: ['id', 'at', 'origin', 'delay', 'distance', 'note'],
    ...(mode === 'upsert' ? { 'key.columns': ['id'] } : {}),
  }
  const sink = sinks.configure(config).create()
  const began = systemClock.monotonic()
  await storeAll(sink, polled)
  return finish(
    server,
    database,
    polled.reduce((sum, { records }) => sum + records.length, 0),
    began,
  )
}

async function emptyTable(server: PostgresServer, hasKey = false): Promise<string> {
  const database = await server.database()
  await query(server.url(database), `CREATE TABLE flights (${DDL}${hasKey ? ', PRIMARY KEY (id)' : ''})`)
  await query(server.url(), 'CHECKPOINT')
  return database
}

/** Rows a second; the table must hold them all. */
async function finish(server: PostgresServer, database: string, rows: number, began: number): Promise<number> {
  const perSecond = rows / ((systemClock.monotonic() - began) / 1000)
  const [found] = await query(server.url(database), 'SELECT count(*) AS count, count(DISTINCT id) AS ids FROM flights')
  if (Number(found!['count']) !== rows || Number(found!['ids']) !== rows)
    throw new Error(`the table holds ${JSON.stringify(found)}`)
  await query(server.url(), `DROP DATABASE ${database}`)
  return perSecond
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '5' },
      'flush-records': { type: 'string', default: '50000' },
    },
  })
  const print = (line: string) => console.log(line)
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
  print(`${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, PostgreSQL 15, commit ${commit}`)
  const figures = await benchPostgresSink({
    rows: Number(values.rows),
    rounds: Number(values.rounds),
    flushRecords: Number(values['flush-records']),
    print,
  })
  const ratios = figures.map(({ copy, sink }) => sink / copy).sort((a, b) => a - b)
  print(
    `median ratio of the sink to \\copy: ${ratios[Math.floor(ratios.length / 2)]!.toFixed(2)} (goal: at least 0.80)`,
  )
}
