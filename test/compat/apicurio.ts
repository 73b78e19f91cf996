/**
 * A real schema registry for a test: Apicurio Registry 3.0.9 with its interface that is compatible with Confluent's, in memory, on a free port of 127.0.0.1; fetched
 * with Maven where it is missing. And a Python with Confluent's serializers, made with pip.
 */
import { execFile } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { until } from '../support/until.ts'
import { freePort } from './kafka.ts'

const run = promisify(execFile)
const VERSION = '3.0.9'
const packages = ['confluent-kafka[avro,protobuf,json]==2.16.1', 'fastavro==1.13.1', 'grpcio-tools==1.85.1']

const cacheOf = (name: string) => join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice', name)

/** Made beside its place and moved there when it is whole: an interrupted one is not taken for it. */
async function made(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = cacheOf(name)
  if (existsSync(folder)) return folder
  const unfinished = `${folder}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true })
  await make(unfinished)
  await rename(unfinished, folder)
  return folder
}

/** Base URL of a registry that is stopped when the test ends. */
export async function startApicurio(t: TestContext): Promise<string> {
  const folder = await made(`apicurio-registry-${VERSION}`, async (into) => {
    const artifact = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
    await run('mvn', ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${into}`], {
      cwd: into,
    })
    await run('tar', ['xzf', join(into, `apicurio-registry-app-${VERSION}-all.tar.gz`), '-C', into])
  })
  const port = await freePort()
  const jar = join(folder, `apicurio-registry-app-${VERSION}-runner.jar`)
  const settings = ['-Dquarkus.http.host=127.0.0.1', `-Dquarkus.http.port=${port}`]
  const child = spawn('java', ['-Xmx512m', '-XX:TieredStopAtLevel=1', ...settings, '-jar', jar])
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`Apicurio Registry ended:\n${output.slice(-4000)}`)
    const answer = await fetch(`${url}/subjects`).catch(() => undefined)
    return answer?.status === 200
  }
  await until(isReady, { withinMs: 120_000, everyMs: 200, what: 'Apicurio Registry answers' })
  return url
}

/** The Python that has Confluent's serializers. */
export async function confluentPython(): Promise<string> {
  const folder = cacheOf('confluent-python-2.16.1')
  if (!existsSync(join(folder, 'complete'))) {
    await rm(folder, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', folder])
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', ...packages])
    await mkdir(join(folder, 'complete'))
  }
  return join(folder, 'bin', 'python')
}
