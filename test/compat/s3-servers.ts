/**
 * Real stores that speak S3: versitygw (Apache-2.0) and MinIO (AGPL-3.0, as a program of its own). Each is built with Go where it is missing, which takes some
 * minutes, and run in a temporary folder on a free loopback port.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { pauseProcess } from '../support/pause.ts'
import { until } from '../support/until.ts'
import { goProgram } from './go-program.ts'
import { freePort } from './kafka.ts'

export interface StoreServer {
  readonly endpoint: string
  readonly credentials: { readonly 'access.key.id': string; readonly 'secret.access.key': string }
  /** For the test's own requests. The bucket is `test`. */
  readonly client: S3Client
  /** SIGKILL. */
  kill(): Promise<void>
  /** After `kill`: the same port, the same data. */
  start(): Promise<void>
  /** Takes connections and answers nothing, until `resume`. */
  /** Resolves when it stands still. */
  pause(): Promise<void>
  resume(): void
  stop(): Promise<void>
}

interface Program {
  readonly name: string
  /** For `go install`. */
  readonly source: string
  readonly version: string
  command(place: { port: number; directory: string }): {
    readonly args: readonly string[]
    readonly env: Record<string, string>
  }
}

const ACCESS = 'labaccess'
const SECRET = 'lab-secret-7F'

const versityGateway: Program = {
  name: 'versitygw',
  source: 'github.com/versity/versitygw/cmd/versitygw',
  version: 'v1.8.0',
  command: ({ port, directory }) => ({
    args: ['--port', `127.0.0.1:${port}`, 'posix', directory],
    env: { ROOT_ACCESS_KEY: ACCESS, ROOT_SECRET_KEY: SECRET },
  }),
}

const minio: Program = {
  name: 'minio',
  source: 'github.com/minio/minio',
  version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
  command: ({ port, directory }) => ({
    args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, '--console-address', '127.0.0.1:0', directory],
    env: { MINIO_ROOT_USER: ACCESS, MINIO_ROOT_PASSWORD: SECRET, MINIO_BROWSER: 'off' },
  }),
}

export const startVersityGateway = (): Promise<StoreServer> => startStore(versityGateway)
export const startMinio = (): Promise<StoreServer> => startStore(minio)

async function startStore(program: Program): Promise<StoreServer> {
  const binary = await goProgram({ ...program, package: program.source })
  const directory = await mkdtemp(join(tmpdir(), `${program.name}-data-`))
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS, secretAccessKey: SECRET },
  })
  let child: ChildProcess | undefined
  const start = async () => {
    const { args, env } = program.command({ port, directory })
    const started = spawn(binary, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    let said = ''
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (text: Buffer) => (said += text.toString()))
    // Fails with what is wrong when it could not even be started.
    await once(started, 'spawn')
    // A signed request: MinIO may still answer it with 503 when its own page on its health says that it is ready.
    const isReady = () =>
      client.send(new HeadBucketCommand({ Bucket: 'not-there' })).then(
        () => true,
        (error: Error) => error.name === 'NotFound' || started.exitCode !== null,
      )
    await until(isReady, { everyMs: 50, withinMs: 60_000, what: program.name })
    if (started.exitCode !== null) throw new Error(`${program.name} ended with ${started.exitCode}:\n${said}`)
  }
  const kill = async () => {
    const killed = child
    child = undefined
    if (!killed || killed.exitCode !== null || killed.signalCode !== null) return
    const ended = once(killed, 'exit')
    killed.kill('SIGKILL')
    await ended
  }
  const stop = async () => {
    client.destroy()
    await kill()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await start()
    await client.send(new CreateBucketCommand({ Bucket: 'test' }))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    endpoint,
    credentials: { 'access.key.id': ACCESS, 'secret.access.key': SECRET },
    client,
    kill,
    start,
    pause: () => pauseProcess(child),
    resume: () => void child?.kill('SIGCONT'),
    stop,
  }
}
