/** InfluxDB 1.x itself, from Debian: fetched with apt-get where it is missing, run in a temporary folder on free loopback ports. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pauseProcess } from '../support/pause.ts'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'
import { freePort } from './kafka.ts'

export interface Series {
  readonly tags: Readonly<Record<string, string>>
  readonly rows: readonly Readonly<Record<string, unknown>>[]
}

export interface InfluxDb {
  readonly url: string
  /**
   * Rows of each series that a statement gives: tags, and the values by column.
   * @param epoch the unit of times. Default: milliseconds
   */
  query(database: string, statement: string, epoch?: 'ns' | 'ms'): Promise<readonly Series[]>
  /** SIGKILL. */
  kill(): Promise<void>
  /** After `kill`: the same port, the same data. */
  start(): Promise<void>
  /** Resolves when it stands still. */
  pause(): Promise<void>
  resume(): void
}

/** What can be torn down: a test's context, or an array of them. */
interface Teardown {
  after(release: () => void | Promise<void>): void
}

function ensureInfluxDb(): void {
  const isThere = () => spawnSync('influxd', ['version']).status === 0
  ensureInstalled({ name: 'influxd', packages: ['influxdb'], isThere })
}

export async function startInfluxDb(
  t: Teardown,
  { http: options = {} }: { readonly http?: Readonly<Record<string, string | number | boolean>> } = {},
): Promise<InfluxDb> {
  ensureInfluxDb()
  const directory = await mkdtemp(join(tmpdir(), 'sluice-influxdb-'))
  const [http, rpc] = [await freePort(), await freePort()]
  const config = join(directory, 'influxdb.conf')
  const more = Object.entries(options).map(([name, value]) => `  ${name} = ${JSON.stringify(value)}\n`)
  await writeFile(
    config,
    `reporting-disabled = true
bind-address = "127.0.0.1:${rpc}"
[meta]
  dir = "${directory}/meta"
[data]
  dir = "${directory}/data"
  wal-dir = "${directory}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${http}"
${more.join('')}`,
  )
  const url = `http://127.0.0.1:${http}`
  let child: ChildProcess | undefined
  const kill = async () => {
    const killed = child
    child = undefined
    if (!killed || killed.exitCode !== null || killed.signalCode !== null) return
    const ended = once(killed, 'exit')
    killed.kill('SIGKILL')
    await ended
  }
  const start = async () => {
    const started = spawn('influxd', ['run', '-config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    let said = ''
    started.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const isReady = () =>
      fetch(`${url}/ping`).then(
        ({ status }) => status === 204,
        () => false,
      )
    await until(isReady, { everyMs: 100, withinMs: 60_000, what: 'InfluxDB' }).catch((error: Error) => {
      throw new Error(`${error.message}\n${said}`)
    })
  }
  t.after(async () => {
    await kill()
    await rm(directory, { recursive: true, force: true })
  })
  await start()
  return {
    url,
    kill,
    start,
    pause: () => pauseProcess(child),
    resume: () => void child?.kill('SIGCONT'),
    async query(database, statement, epoch = 'ms') {
      const body = new URLSearchParams({ db: database, q: statement, epoch })
      const answer = await fetch(`${url}/query`, { method: 'POST', body })
      const { results, error } = (await answer.json()) as {
        error?: string
        results?: {
          error?: string
          series?: { tags?: Record<string, string>; columns: string[]; values: unknown[][] }[]
        }[]
      }
      const why = error ?? results?.[0]?.error
      if (why !== undefined) throw new Error(`${statement}: ${why}`)
      return (results?.[0]?.series ?? []).map(({ tags = {}, columns, values }) => ({
        tags,
        rows: values.map((row) => Object.fromEntries(row.map((value, index) => [columns[index]!, value]))),
      }))
    },
  }
}
