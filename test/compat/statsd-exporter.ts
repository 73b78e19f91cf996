/**
 * A StatsD server that people run: Prometheus' own statsd_exporter, which takes plain StatsD and DogStatsD's tags by UDP and shows what it understood. Built with Go where
 * it is missing, kept in the cache folder.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { until } from '../support/until.ts'
import { freePort } from './kafka.ts'

const VERSION = 'v0.28.0'

export interface StatsdServer {
  readonly port: number
  /** What it understood, as Prometheus reads it. */
  metrics(): Promise<string>
}

function ensureStatsdExporter(): string {
  const folder = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'sluice',
    `statsd_exporter-${VERSION}`,
  )
  const program = join(folder, 'statsd_exporter')
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  // Go's own installer puts it where no path of a service looks.
  const go = ['go', '/usr/local/go/bin/go'].find((one) => spawnSync(one, ['version']).status === 0) ?? 'go'
  const { status, stderr, error } = spawnSync(go, ['install', `github.com/prometheus/statsd_exporter@${VERSION}`], {
    env: { ...process.env, GOBIN: folder },
    encoding: 'utf8',
  })
  if (status !== 0) {
    throw new Error(`statsd_exporter could not be built with Go (is it installed?): ${error?.message ?? stderr}`)
  }
  return program
}

export async function startStatsd(t: TestContext): Promise<StatsdServer> {
  const program = ensureStatsdExporter()
  const [port, web] = [await freePort(), await freePort()]
  const child = spawn(program, [
    `--statsd.listen-udp=127.0.0.1:${port}`,
    '--statsd.listen-tcp=',
    `--web.listen-address=127.0.0.1:${web}`,
  ])
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const metrics = async () => (await fetch(`http://127.0.0.1:${web}/metrics`)).text()
  const isReady = () =>
    metrics().then(
      () => true,
      () => false,
    )
  await until(isReady, { everyMs: 100, withinMs: 60_000, what: 'statsd_exporter' }).catch((error: Error) => {
    throw new Error(`${error.message}\n${said}`)
  })
  return { port, metrics }
}
