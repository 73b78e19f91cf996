/**
 * Apache Kafka itself, for the tests that compare against the real thing: fetched with Maven where it is missing, started in a
 * temporary folder on free loopback ports, stopped by the one who started it. Also runs Kafka's own command-line classes.
 *
 * One node carries broker and controller; three nodes share the controller of the first.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, connect } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../support/until.ts'

const VERSION = '4.3.1'
const run = promisify(execFile)

const pomOf = (
  version: string,
) => `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sluice.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
${version.startsWith('2.') ? '' : `<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${version}</version></dependency>`}
</dependencies></project>
`

/** The class path of Apache Kafka, fetched first where it is missing. */
export async function kafkaClassPath(version: string = VERSION): Promise<string> {
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice', `kafka-${version}`)
  const libs = join(cache, 'libs')
  if (!existsSync(join(libs, `kafka_2.13-${version}.jar`))) {
    await mkdir(cache, { recursive: true })
    await writeFile(join(cache, 'pom.xml'), pomOf(version))
    const copy = ['dependency:copy-dependencies', `-DoutputDirectory=${libs}`, '-DincludeScope=runtime']
    await run('mvn', ['-q', '-B', ...copy], { cwd: cache })
  }
  return join(libs, '*')
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export interface KafkaNode {
  readonly id: number
  readonly port: number
  /** SIGKILL: nothing is flushed. */
  kill(): Promise<void>
  /** SIGTERM: a controlled shutdown. */
  stop(): Promise<void>
  start(): Promise<void>
}

export interface KafkaCluster {
  readonly bootstrapServers: string
  readonly nodes: readonly KafkaNode[]
  /** Stops every node and removes the folder. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface KafkaOptions {
  nodes?: 1 | 3
  /** From 3.3 on; `zookeeper-kafka.ts` starts older ones. Default: 4.3.1. */
  version?: string
  /** Listeners beside the plain-text one, for a cluster of one node: name, security.protocol and port. */
  listeners?: readonly { readonly name: string; readonly protocol: string; readonly port: number }[]
  /** Broker properties beside those that a small test cluster needs; `null` leaves one of those to Kafka's default. */
  properties?: Readonly<Record<string, string | number | boolean | null>>
}

export async function startKafka({
  nodes: count = 1,
  version,
  listeners = [],
  properties = {},
}: KafkaOptions = {}): Promise<KafkaCluster> {
  const classPath = await kafkaClassPath(version)
  const directory = await mkdtemp(join(tmpdir(), 'sluice-kafka-'))
  const controllerPort = await freePort()
  const replication = Math.min(count, 3)
  const nodes: KafkaNode[] = []
  for (let id = 1; id <= count; id++) {
    const folder = join(directory, String(id))
    await mkdir(folder)
    const port = await freePort()
    await writeFile(
      join(folder, 'server.properties'),
      propertiesOf({ id, port, controllerPort, folder, replication, listeners, properties }),
    )
    await run('java', [
      '-cp',
      classPath,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      'AAAAAAAAQACAAAAAAAAAAA',
      '-c',
      join(folder, 'server.properties'),
    ])
    const server = {
      name: `Apache Kafka node ${id}`,
      classPath,
      mainClass: 'kafka.Kafka',
      config: join(folder, 'server.properties'),
      port,
    }
    nodes.push({ id, port, ...javaServer(server) })
  }
  const stop = async () => {
    // The controller goes last, or the others wait for it in their controlled shutdown.
    for (const node of nodes.toReversed()) await node.stop()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    bootstrapServers: nodes.map((node) => `127.0.0.1:${node.port}`).join(','),
    nodes,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface NodeSettings {
  id: number
  port: number
  controllerPort: number
  folder: string
  replication: number
  listeners: NonNullable<KafkaOptions['listeners']>
  properties: Readonly<Record<string, string | number | boolean | null>>
}

function propertiesOf({ id, port, controllerPort, folder, replication, listeners, properties }: NodeSettings): string {
  const others = listeners.map((one) => `,${one.name}://127.0.0.1:${one.port}`).join('')
  const protocols = listeners.map((one) => `,${one.name}:${one.protocol}`).join('')
  const controller = id === 1
  const settings = {
    'process.roles': controller ? 'broker,controller' : 'broker',
    'node.id': id,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port}${controller ? `,CONTROLLER://127.0.0.1:${controllerPort}` : ''}${others}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}${others}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols}`,
    'log.dirs': join(folder, 'log'),
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // Records with timestamps of long ago, as many tests make them, would be deleted half a minute after the start.
    'log.retention.ms': -1,
    ...properties,
  }
  return Object.entries(settings)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

interface JavaServer {
  readonly name: string
  readonly classPath: string
  readonly mainClass: string
  /** The configuration file that the class is started with; its output goes into the folder of it. */
  readonly config: string
  /** Where it accepts connections when it is up. */
  readonly port: number
}

/** A server of Java's, started and ended as often as the test likes, and never left behind. */
export function javaServer({ name, classPath, mainClass, config, port }: JavaServer): Omit<KafkaNode, 'id' | 'port'> {
  const log = join(dirname(config), 'output.log')
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals) => {
    const running = child
    if (!running || running.exitCode !== null || running.signalCode !== null) return
    running.kill(signal)
    const forced = setTimeout(() => running.kill('SIGKILL'), 20_000)
    await once(running, 'exit')
    clearTimeout(forced)
  }
  return {
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async start() {
      const output = createWriteStream(log, { flags: 'a' })
      const memory = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
      const started = spawn('java', [...memory, '-cp', classPath, mainClass, config])
      child = started
      started.stdout.pipe(output)
      started.stderr.pipe(output)
      const orphan = () => started.kill('SIGKILL')
      process.once('exit', orphan)
      started.once('exit', () => process.off('exit', orphan))
      await until(
        async () => {
          if (started.exitCode === null) return accepts(port)
          throw new Error(`${name} exited with ${started.exitCode}:\n${(await readFile(log, 'utf8')).slice(-4000)}`)
        },
        { withinMs: 90_000, everyMs: 100, what: `${name} accepts connections` },
      )
    },
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}

export interface ToolResult {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program to its end and never throws for an exit code: the test looks at it. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { input?: string | Buffer; timeoutMs?: number } = {},
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: options.timeoutMs ?? 120_000 })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdin.on('error', () => {})
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.end(options.input ?? '')
  })
}

/** Runs one of Kafka's own command-line classes, for example `org.apache.kafka.tools.TopicCommand`. */
export async function kafkaTool(
  className: string,
  args: readonly string[],
  options: { input?: string | Buffer; timeoutMs?: number } = {},
): Promise<ToolResult> {
  const java = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', await kafkaClassPath(), className]
  return runProgram('java', [...java, ...args], options)
}
