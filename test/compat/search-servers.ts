/**
 * OpenSearch and Elasticsearch themselves, from their jars: fetched with Maven where they are missing, run in a temporary folder on a free loopback port. They are started by
 * a few lines of Java in place of their own scripts, with the modules that a bulk request needs.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { pauseProcess } from '../support/pause.ts'
import { until } from '../support/until.ts'
import { freePort } from './kafka.ts'

const run = promisify(execFile)

export interface SearchServer {
  readonly url: string
  /** The version that it says it is, and whose. */
  readonly version: string
  /** SIGKILL. */
  kill(): Promise<void>
  /** After `kill`: the same port, the same data. */
  start(): Promise<void>
  /** Resolves when it stands still. */
  pause(): Promise<void>
  resume(): void
  stop(): Promise<void>
}

interface Distribution {
  readonly name: string
  readonly version: string
  readonly artifacts: readonly string[]
  readonly main: string
  /** The Java that it needs, or a newer one. */
  readonly java: number
  /** Lays out what the server wants in its home. */
  readonly prepare: (home: string, jars: string) => Promise<void>
  /** Which jars are on the class path. */
  readonly isOnClassPath: (jar: string) => boolean
}

const openSearch: Distribution = {
  name: 'opensearch',
  version: '2.19.6',
  artifacts: [
    'org.opensearch:opensearch:2.19.6',
    'org.opensearch.plugin:transport-netty4-client:2.19.6',
    'org.opensearch.plugin:analysis-common:2.19.6',
    'org.apache.logging.log4j:log4j-core:2.25.4',
  ],
  main: 'OpenSearchServer.java',
  java: 17,
  prepare: async () => {},
  isOnClassPath: () => true,
}

const ofNetty = /^(?:transport-netty4|netty-|elasticsearch-ssl-config)/

const elasticsearch: Distribution = {
  name: 'elasticsearch',
  version: '9.2.0',
  artifacts: ['org.elasticsearch:elasticsearch:9.2.0', 'org.elasticsearch.plugin:transport-netty4:9.2.0'],
  main: 'ElasticsearchServer.java',
  java: 25,
  prepare: layOutModule,
  isOnClassPath: (jar) => !ofNetty.test(jar),
}

export const startOpenSearch = (settings?: readonly string[]): Promise<SearchServer> =>
  startServer(openSearch, settings)
export const startElasticsearch = (settings?: readonly string[]): Promise<SearchServer> =>
  startServer(elasticsearch, settings)

/** The transport is a module with a class loader of its own; its descriptor is in its jar. */
async function layOutModule(home: string, jars: string): Promise<void> {
  const folder = join(home, 'modules', 'transport-netty4')
  await mkdir(folder, { recursive: true })
  for (const jar of (await readdir(jars)).filter((name) => ofNetty.test(name))) {
    await copyFile(join(jars, jar), join(folder, jar))
  }
  const [jar] = globSync(join(folder, 'transport-netty4-*.jar'))
  const descriptor = 'plugin-descriptor.properties'
  const { stdout } = await run('unzip', ['-p', jar!, `META-INF/es-plugins/transport-netty4/${descriptor}`])
  await writeFile(join(folder, descriptor), stdout.replace(/^modulename=.*$/m, 'modulename='))
}

async function jarsOf({ name, version, artifacts }: Distribution): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice')
  const folder = join(cache, `${name}-${version}`)
  if (existsSync(folder)) return folder
  await mkdir(cache, { recursive: true })
  const making = await mkdtemp(join(cache, `${name}-`))
  try {
    const dependencies = artifacts.map((artifact) => {
      const [group, id, one] = artifact.split(':')
      return `<dependency><groupId>${group}</groupId><artifactId>${id}</artifactId><version>${one}</version></dependency>`
    })
    await writeFile(
      join(making, 'pom.xml'),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sluice.test</groupId><artifactId>${name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('')}</dependencies></project>
`,
    )
    const target = `-DoutputDirectory=${join(making, 'jars')}`
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', target, '-DincludeScope=runtime'], { cwd: making })
    await rename(join(making, 'jars'), folder)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return folder
}

/** @throws Error when no Java is new enough */
async function javaOf({ name, version, java }: Distribution): Promise<string> {
  const homes = globSync('/usr/lib/jvm/*/bin/java').sort()
  for (const candidate of ['java', ...homes]) {
    const { stderr } = await run(candidate, ['-version']).catch(() => ({ stderr: '' }))
    if (Number(/version "(\d+)/.exec(stderr)?.[1] ?? 0) >= java) return candidate
  }
  throw new Error(`${name} ${version} needs Java ${java} or newer: install a JDK, then run this again`)
}

async function startServer(distribution: Distribution, settings: readonly string[] = []): Promise<SearchServer> {
  const jars = await jarsOf(distribution)
  const java = await javaOf(distribution)
  const home = await mkdtemp(join(tmpdir(), `${distribution.name}-`))
  await distribution.prepare(home, jars)
  const onPath = (await readdir(jars)).filter(
    (jar) => jar.endsWith('.jar') && distribution.isOnClassPath(basename(jar)),
  )
  const classPath = onPath.map((jar) => join(jars, jar)).join(':')
  const main = join(import.meta.dirname, 'java', distribution.main)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async () => {
    const flags = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
    const started = spawn(java, [...flags, '-cp', classPath, main, home, String(port), ...settings], { cwd: home })
    child = started
    let said = ''
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (text: Buffer) => (said += text.toString()))
    const isReady = async () => {
      if (started.exitCode !== null) throw new Error(`${distribution.name} ended:\n${said.slice(-4000)}`)
      const answer = await fetch(`${url}/_cluster/health?wait_for_status=yellow&timeout=1s`).catch(() => undefined)
      return answer?.status === 200
    }
    await until(isReady, { withinMs: 120_000, everyMs: 100, what: `${distribution.name} answers` })
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
    await kill()
    await rm(home, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    url,
    version: `${distribution.name} ${distribution.version}`,
    kill,
    start,
    pause: () => pauseProcess(child),
    resume: () => void child?.kill('SIGCONT'),
    stop,
  }
}
