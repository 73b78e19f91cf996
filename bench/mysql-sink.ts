/**
 * How fast the mysql sink stores rows, beside LOAD DATA of the same rows into the same kind of table, in the same run:
 *
 *     load        the `mariadb` client sends a file that is ready: one LOAD DATA LOCAL, one transaction, no offsets
 *     sink        JSON values that are decoded already, as the runner hands them: encoded, sent, and committed with the offset by `flush.records`
 *     upsert      the sink again, with ON DUPLICATE KEY UPDATE, into an empty table with a primary key
 *
 *     node bench/mysql-sink.ts [--rows 1000000] [--rounds 5] [--flush-records 50000] [--server mariadb|mysql56]
 *
 * It starts a server of its own, which writes its log to the disk at each commit. Machines are noisy: the ratio of the same round is the figure that can be compared; the
 * order of the two alternates. Reading from Kafka and parsing JSON are not measured here.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../src/seams/clock.ts'
import { sinks } from '../src/sinks/index.ts'
import { mariadb, mysql56, type MysqlServer, PASSWORD, startMysql } from '../test/compat/mysql.ts'
import { type Polled, polls, rowOf, storeAll } from './flights.ts'

export interface BenchOptions {
  readonly rows: number
  readonly rounds: number
  readonly flushRecords: number
  readonly server: 'mariadb' | 'mysql56'
  readonly print: (line: string) => void
}

/** Rows a second. */
export interface Figures {
  readonly load: number
  readonly sink: number
  readonly upsert: number
}

const DDL = 'id bigint, at datetime(3), origin varchar(20), delay int, distance double, note varchar(100)'
const columns = ['id', 'at', 'origin', 'delay', 'distance', 'note']

export async function benchMysqlSink({
  rows,
  rounds,
  flushRecords,
  server: which,
  print,
}: BenchOptions): Promise<Figures[]> {
  const releases: (() => void | Promise<void>)[] = []
  const figures: Figures[] = []
  try {
    const settings = {
      'innodb-flush-log-at-trx-commit': 1,
      'innodb-buffer-pool-size': '256M',
      'local-infile': 1,
      'max-allowed-packet': '16M',
    }
    const teardown = { after: (release: () => void | Promise<void>) => void releases.unshift(release) }
    const server = await startMysql(teardown, which === 'mysql56' ? mysql56 : mariadb, settings)
    const directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'))
    releases.push(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'rows.tsv')
    await writeRows(file, rows)
    const polled = polls(rows)
    for (let round = 1; round <= rounds; round++) {
      const load = () => runLoad(server, file, rows)
      const sink = () => runSink(server, polled, { mode: 'append', flushRecords, rows })
      const first = round % 2 === 1 ? await load() : await sink()
      const second = round % 2 === 1 ? await sink() : await load()
      const upsert = await runSink(server, polled, { mode: 'upsert', flushRecords, rows })
      const one = round % 2 === 1 ? { load: first, sink: second, upsert } : { load: second, sink: first, upsert }
      figures.push(one)
      const shown = (perSecond: number) => `${Math.round(perSecond / 1000)} k rows/s`.padStart(14)
      print(
        `round ${round}  load ${shown(one.load)}  sink ${shown(one.sink)}, ratio ${(one.sink / one.load).toFixed(2)}` +
          `  upsert ${shown(one.upsert)}, ratio ${(one.upsert / one.load).toFixed(2)}`,
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
    const time = new Date(at).toISOString().replace('T', ' ').slice(0, 23)
    if (!out.write(`${[id, time, origin, delay, distance, note.replaceAll('\t', '\\t')].join('\t')}\n`))
      await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
}

async function runLoad(server: MysqlServer, file: string, rows: number): Promise<number> {
  const database = await emptyTable(server)
  const { host, port, user } = server.options(database)
  const began = systemClock.monotonic()
  const sql = `LOAD DATA LOCAL INFILE '${file}' INTO TABLE flights CHARACTER SET utf8mb4`
  const args = ['--no-defaults', '--local-infile=1', `--host=${host}`, `--port=${port}`, `--user=${user}`]
  execFileSync('mariadb', [...args, database, '-e', sql], { env: { ...process.env, MYSQL_PWD: PASSWORD } })
  return finish(server, database, rows, began)
}

async function runSink(
  server: MysqlServer,
  polled: readonly Polled[],
  { mode, flushRecords, rows }: { mode: 'append' | 'upsert'; flushRecords: number; rows: number },
): Promise<number> {
  const database = await emptyTable(server, mode === 'upsert')
  const config = {
    type: 'mysql',
    ...server.options(database),
    table: 'flights',
    mode,
    'flush.records': flushRecords,
    columns,
    ...(mode === 'upsert' ? { 'key.columns': ['id'] } : {}),
  }
  const sink = sinks.configure(config).create()
  const began = systemClock.monotonic()
  await storeAll(sink, polled)
  return finish(server, database, rows, began)
}

async function emptyTable(server: MysqlServer, hasKey = false): Promise<string> {
  const database = await server.database()
  await server.query(`CREATE TABLE flights (${DDL}${hasKey ? ', PRIMARY KEY (id)' : ''}) ENGINE = InnoDB`, { database })
  return database
}

/** Rows a second; the table must hold them all. */
async function finish(server: MysqlServer, database: string, rows: number, began: number): Promise<number> {
  const perSecond = rows / ((systemClock.monotonic() - began) / 1000)
  const [found] = await server.query('SELECT count(*) AS count, count(DISTINCT id) AS ids FROM flights', { database })
  if (Number(found!['count']) !== rows || Number(found!['ids']) !== rows)
    throw new Error(`the table holds ${JSON.stringify(found)}`)
  await server.query(`DROP DATABASE ${database}`)
  return perSecond
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000' },
      rounds: { type: 'string', default: '5' },
      'flush-records': { type: 'string', default: '50000' },
      server: { type: 'string', default: 'mariadb' },
    },
  })
  const print = (line: string) => console.log(line)
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim()
  print(`${cpus().length} × ${cpus()[0]!.model}, Node ${process.version}, ${values.server}, commit ${commit}`)
  const figures = await benchMysqlSink({
    rows: Number(values.rows),
    rounds: Number(values.rounds),
    flushRecords: Number(values['flush-records']),
    server: values.server === 'mysql56' ? 'mysql56' : 'mariadb',
    print,
  })
  const ratios = figures.map(({ load, sink }) => sink / load).sort((a, b) => a - b)
  print(`median ratio of the sink to LOAD DATA: ${ratios[Math.floor(ratios.length / 2)]!.toFixed(2)}`)
}
