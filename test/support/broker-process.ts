/**
 * The embedded broker in a process of its own, for tests that really kill -9 it. Run as a program, this file is that process: it takes its
 * options as JSON in its first argument and prints one line of JSON when it is ready.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type BrokerProperties } from '../../src/broker/broker-config.ts'
import { startBroker, type StartBrokerOptions } from '../../src/testing/index.ts'
import { temporaryDirectory } from './temporary-directory.ts'

export interface BrokerProcess {
  readonly bootstrapServers: string
  readonly port: number
  readonly directory: string
  readonly pid: number
  /** SIGKILL, and the process is gone when this resolves. */
  kill(): Promise<void>
  /** SIGTERM: a clean shutdown. */
  stop(): Promise<void>
  /** Starts again, on the same port and folder. */
  restart(): Promise<void>
}

export interface BrokerProcessOptions {
  readonly properties?: BrokerProperties
  readonly topics?: StartBrokerOptions['topics']
}

/** Starts one in a temporary folder; killed and removed when the test ends. */
export async function startBrokerProcess(
  t: TestContext,
  { properties = {}, topics = {} }: BrokerProcessOptions = {},
): Promise<BrokerProcess> {
  const directory = await temporaryDirectory(t)
  let running = await launch({ directory, properties, topics })
  const { port } = running
  const end = async (signal: NodeJS.Signals) => {
    const { child } = running
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }
  t.after(() => end('SIGKILL'))
  return {
    bootstrapServers: `127.0.0.1:${port}`,
    port,
    directory,
    get pid() {
      return running.child.pid!
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    async restart() {
      await end('SIGTERM')
      running = await launch({ directory, port, properties })
    },
  }
}

async function launch(options: StartBrokerOptions): Promise<{ child: ChildProcess; port: number }> {
  const file = fileURLToPath(import.meta.url)
  const child = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const orphan = () => child.kill('SIGKILL')
  process.once('exit', orphan)
  child.once('exit', () => process.off('exit', orphan))
  const lines = createInterface({ input: child.stdout })
  const [line] = (await Promise.race([
    once(lines, 'line'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`the broker's process exited with ${code}`))),
  ])) as [string]
  const { port } = JSON.parse(line) as { port: number }
  return { child, port }
}

if (import.meta.main) {
  const broker = await startBroker(JSON.parse(process.argv[2]!) as StartBrokerOptions)
  process.once('SIGTERM', () => void broker.stop())
  process.stdout.write(`${JSON.stringify({ port: broker.port })}\n`)
}
