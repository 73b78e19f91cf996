/**
 * A real PostgreSQL 15 for a test: Debian's package (installed with apt-get when it is missing), data in a temporary folder, a free port of
 * 127.0.0.1, a password. It can be killed with all its processes and started again.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'

const bin = '/usr/lib/postgresql/15/bin'
/** What a URL must escape, and nothing that may ever be seen in a message. */
export const PASSWORD = 'ge:h/e@i%m-7F'

export interface PostgresOptions {
  readonly settings?: Readonly<Record<string, string | number>>
  /** Where the data goes, instead of a temporary folder. */
  readonly directory?: string
}

/** What can be torn down: a test's context, or an array of them. */
interface Teardown {
  after(release: () => void | Promise<void>): void
}

export class PostgresServer {
  readonly port: number
  readonly #directory: string
  readonly #settings: readonly string[]
  #process: ChildProcess | undefined
  log = ''

  constructor(port: number, directory: string, settings: Readonly<Record<string, string | number>>) {
    this.port = port
    this.#directory = directory
    this.#settings = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  }

  /** Options of the sink for one of its databases. */
  options(database = 'postgres'): { host: string; port: number; user: string; password: string; database: string } {
    return { host: '127.0.0.1', port: this.port, user: 'postgres', password: PASSWORD, database }
  }

  url(database = 'postgres', port = this.port): string {
    return `postgres://postgres:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`
  }

  /** Starts the server; it may still be in recovery when this is over. */
  launch(more: readonly string[] = []): void {
    const args = [
      '-D',
      join(this.#directory, 'data'),
      '-h',
      '127.0.0.1',
      '-p',
      String(this.port),
      '-k',
      this.#directory,
    ]
    this.#process = asPostgres([join(bin, 'postgres'), ...args, ...this.#settings, ...more])
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.log += text))
  }

  async start(): Promise<void> {
    for (;;) {
      this.launch()
      const exited = once(this.#process!, 'exit')
      const state = await Promise.race([exited.then(() => 'exited'), this.#answers().then(() => 'ready')])
      if (state === 'ready') return
      // Processes of the one that was killed may live for a moment longer.
      if (!/pre-existing shared memory|lock file/.test(this.log.slice(-1000)))
        throw new Error(`PostgreSQL ends:\n${this.log}`)
    }
  }

  async #answers(): Promise<void> {
    const process = this.#process!
    await until(
      async () =>
        process.exitCode !== null ||
        process.signalCode !== null ||
        (await query(this.url(), 'SELECT 1').then(Boolean, () => false)),
      { withinMs: 60_000, everyMs: 50, what: 'PostgreSQL answers' },
    )
    if (process.exitCode !== null || process.signalCode !== null) await new Promise(() => {})
  }

  /** Every process of the server at once, as when the machine loses power (its disk apart). */
  async kill(): Promise<void> {
    const process = this.#process
    if (!process?.pid || process.exitCode !== null || process.signalCode !== null) return
    const exited = once(process, 'exit')
    const children = childrenOf(process.pid)
    process.kill('SIGKILL')
    for (const pid of children) killOne(pid)
    await exited
  }

  async stop(): Promise<void> {
    const process = this.#process
    if (!process || process.exitCode !== null || process.signalCode !== null) return
    const exited = once(process, 'exit')
    process.kill('SIGINT')
    await exited
  }

  pauseAll(signal: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this.#process!
    for (const one of [pid!, ...childrenOf(pid!)]) killOne(one, signal)
  }

  #databases = 0

  /** A new, empty database. */
  async database(): Promise<string> {
    const name = `test_${++this.#databases}`
    await query(this.url(), `CREATE DATABASE ${name}`)
    return name
  }
}

export async function startPostgres(
  t: Teardown,
  { settings = {}, directory }: PostgresOptions = {},
): Promise<PostgresServer> {
  ensurePostgres()
  const home = directory ?? mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
  mkdirSync(home, { recursive: true })
  const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, 'postgres']).toString()))
  chownSync(home, uid!, gid!)
  const passwordFile = join(home, 'password')
  writeFileSync(passwordFile, PASSWORD, { mode: 0o644 })
  const made = asPostgres([
    join(bin, 'initdb'),
    '-D',
    join(home, 'data'),
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    '--pwfile',
    passwordFile,
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C',
  ])
  const [code] = (await once(made, 'exit')) as [number]
  if (code !== 0) throw new Error(`initdb ends with ${code}`)
  const server = new PostgresServer(await freePort(), home, { fsync: 'off', shared_buffers: '32MB', ...settings })
  t.after(async () => {
    await server.stop()
    rmSync(home, { recursive: true, force: true })
  })
  await server.start()
  return server
}

/** Rows of one statement, over a connection of its own. */
export async function query(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql, values)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

function asPostgres([command, ...args]: string[]): ChildProcess {
  return spawn('setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', command!, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    cwd: '/',
  })
}

function ensurePostgres(): void {
  ensureInstalled({
    name: 'PostgreSQL',
    packages: ['postgresql-15'],
    isThere: () => existsSync(join(bin, 'postgres')),
    isShown: true,
    isService: true,
  })
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

function killOne(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
