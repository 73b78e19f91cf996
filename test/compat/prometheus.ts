/** Prometheus itself, from Debian: fetched with apt-get where it is missing, run in a temporary folder on a free loopback port. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'
import { freePort } from './kafka.ts'

export function ensurePrometheus(): void {
  const isThere = () => spawnSync('promtool', ['--version']).status === 0
  ensureInstalled({ name: 'prometheus', packages: ['prometheus'], isThere })
}

/** What promtool says of a text: nothing for one that it likes. `isSound`: it could be parsed. */
export function promtool(text: string): { isSound: boolean; findings: readonly string[] } {
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  const findings = `${stdout}${stderr}`.split('\n').filter(Boolean)
  // 3: parsed, and found wanting in style.
  return { isSound: status === 0 || status === 3, findings }
}

/** What promtool says of alerting rules. */
export function checkRules(file: string): { isSound: boolean; said: string } {
  const { status, stderr, stdout } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
  return { isSound: status === 0, said: `${stdout}${stderr}` }
}

export interface Prometheus {
  /** The value of each series that the expression gives. */
  query(expression: string): Promise<readonly { readonly labels: Record<string, string>; readonly value: number }[]>
}

export async function startPrometheus(t: TestContext, target: string): Promise<Prometheus> {
  const directory = await temporaryDirectory(t)
  const config = join(directory, 'prometheus.yml')
  await writeFile(
    config,
    `global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: sluice\n  static_configs: [{targets: ['${target}']}]\n`,
  )
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn('prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
  ])
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const isReady = () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  await until(isReady, { everyMs: 100, withinMs: 60_000, what: 'Prometheus' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${said}`)
  })
  return {
    async query(expression) {
      const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const { data } = (await answer.json()) as {
        data: { result: { metric: Record<string, string>; value: [number, string] }[] }
      }
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
  }
}
