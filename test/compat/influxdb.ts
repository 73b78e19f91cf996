/** InfluxDB 1.x itself, from Debian: fetched with apt-get where it is missing, run in a temporary folder on free loopback ports. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'
import { freePort } from './kafka.ts'

export interface InfluxDb {
  readonly url: string
  /** Rows of each series that a statement gives: tags, and the values by column. */
  query(
    database: string,
    statement: string,
  ): Promise<
    readonly {
      readonly tags: Readonly<Record<string, string>>
      readonly rows: readonly Readonly<Record<string, unknown>>[]
    }[]
  >
}

function ensureInfluxDb(): void {
  const isThere = () => spawnSync('influxd', ['version']).status === 0
  ensureInstalled({ name: 'influxd', packages: ['influxdb'], isThere })
}

export async function startInfluxDb(t: TestContext): Promise<InfluxDb> {
  ensureInfluxDb()
  const directory = await temporaryDirectory(t)
  const [http, rpc] = [await freePort(), await freePort()]
  const config = join(directory, 'influxdb.conf')
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
`,
  )
  const child = spawn('influxd', ['run', '-config', config])
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const url = `http://127.0.0.1:${http}`
  const isReady = () =>
    fetch(`${url}/ping`).then(
      ({ status }) => status === 204,
      () => false,
    )
  await until(isReady, { everyMs: 100, withinMs: 60_000, what: 'InfluxDB' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${said}`)
  })
  return {
    url,
    async query(database, statement) {
      const body = new URLSearchParams({ db: database, q: statement, epoch: 'ms' })
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
