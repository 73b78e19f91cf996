/**
 * A server for tests of the mongodb sink: SecantusDB, which speaks MongoDB's protocol over MongoDB's own storage engine (WiredTiger), has transactions, and says that it is a replica set of one.
 * MongoDB itself is in no package registry. Installed with pip where it is missing; run in a temporary folder on a free port of 127.0.0.1.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Db, MongoClient } from 'mongodb'
import { pauseProcess } from '../support/pause.ts'
import { until } from '../support/until.ts'
import { freePort } from './kafka.ts'

const run = promisify(execFile)
const PACKAGE = 'SecantusDB==0.7.0b3'

/** What can be torn down: a test's context, or an array of them. */
interface Teardown {
  after(release: () => void | Promise<void>): void
}

export interface MongodbServer {
  readonly port: number
  readonly url: string
  /** Over a connection of the test's own, which is there until the server is stopped. */
  db(name: string): Db
  /** SIGKILL. */
  kill(): Promise<void>
  /** After `kill`: the same port, the same data. */
  start(): Promise<void>
  /** Resolves when it stands still. */
  pause(): Promise<void>
  resume(): void
}

async function program(): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice')
  const folder = join(cache, PACKAGE.replace('==', '-').toLowerCase())
  const ready = join(folder, 'ready')
  if (!existsSync(ready)) {
    await mkdir(cache, { recursive: true })
    await rm(folder, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', folder])
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', PACKAGE])
    await writeFile(ready, '')
  }
  return join(folder, 'bin', 'python')
}

/** Its command, with transactions that are given up after two seconds: it does not have MongoDB's own setting for that (transactionLifetimeLimitSeconds, 60 by default). */
const LAUNCHER = `
import sys
from secantus import cli, server
for one in vars(server).values():
    defaults = getattr(getattr(one, '__init__', None), '__kwdefaults__', None) or {}
    if 'transaction_lifetime_seconds' in defaults:
        defaults['transaction_lifetime_seconds'] = 2.0
sys.exit(cli.main())
`

export async function startMongodb(t: Teardown, more: readonly string[] = []): Promise<MongodbServer> {
  const python = await program()
  const directory = await mkdtemp(join(tmpdir(), 'sluice-mongodb-'))
  const port = await freePort()
  const url = `mongodb://127.0.0.1:${port}/?directConnection=true`
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000 })
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
    const args = ['--host', '127.0.0.1', '--port', String(port), '--storage-path', join(directory, 'data')]
    const started = spawn(
      python,
      ['-c', LAUNCHER, ...args, '--enable-test-commands', '--log-level', 'WARNING', ...more],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    child = started
    let said = ''
    started.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const answers = async () => {
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`SecantusDB ends:\n${said}`)
      return client
        .db('admin')
        .command({ ping: 1 })
        .then(Boolean, () => false)
    }
    await until(answers, { withinMs: 60_000, everyMs: 100, what: 'SecantusDB answers' })
  }
  t.after(async () => {
    await client.close().catch(() => {})
    await kill()
    await rm(directory, { recursive: true, force: true })
  })
  await start()
  return {
    port,
    url,
    db: (name) => client.db(name),
    kill,
    start,
    pause: () => pauseProcess(child),
    resume: () => void child?.kill('SIGCONT'),
  }
}
