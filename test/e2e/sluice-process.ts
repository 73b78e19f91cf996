/** The command line as a process of its own, as a user starts it. Ended, by force if need be, when the test ends. */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext } from 'node:test'
import { until } from '../support/until.ts'

export const root = join(import.meta.dirname, '..', '..')
export const main = join(root, 'src', 'cli', 'main.ts')

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface SpawnOptions {
  readonly cwd?: string
  /** Written to standard input, which is then closed. */
  readonly input?: string
  /** The program in place of Node with src/cli/main.ts. */
  readonly command?: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
}

export class SluiceProcess {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  isOver = false

  constructor(t: TestContext, args: readonly string[], { cwd, input, command, env }: SpawnOptions = {}) {
    const [program, ...before] = command ?? [process.execPath, main]
    this.child = spawn(program, [...before, ...args], { cwd, env: { ...process.env, ...env } })
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        this.isOver = true
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
    this.child.stdin!.on('error', () => {})
    this.child.stdin!.end(input ?? '')
    t.after(async () => {
      this.kill('SIGCONT')
      this.kill('SIGKILL')
      await this.ended
    })
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.isOver) this.child.kill(signal)
  }

  /** Waits until standard output (or `stderr`) matches. Fails with what was said when the process ends before. */
  async says(pattern: RegExp, from: 'stdout' | 'stderr' = 'stdout', withinMs = 60_000): Promise<RegExpMatchArray> {
    await until(() => pattern.test(this[from]) || this.isOver, {
      withinMs,
      what: `${pattern} on ${from}, which says:\n${this[from]}`,
    })
    const match = pattern.exec(this[from])
    if (!match) throw new Error(`ended without ${pattern} on ${from}:\n${this.stdout}\n${this.stderr}`)
    return match
  }
}

/** Runs a command to its end. */
export function runSluice(t: TestContext, args: readonly string[], options?: SpawnOptions): Promise<Ended> {
  return new SluiceProcess(t, args, options).ended
}

/** An embedded broker in a process of its own. */
export async function spawnBroker(
  t: TestContext,
  data: string,
  { port = 0, properties = {} }: { port?: number; properties?: Readonly<Record<string, string | number>> } = {},
): Promise<{ readonly process: SluiceProcess; readonly port: number; readonly bootstrapServers: string }> {
  const settings = Object.entries(properties).flatMap(([name, value]) => ['--property', `${name}=${value}`])
  const broker = new SluiceProcess(t, ['broker', '--port', String(port), '--data', data, ...settings])
  const [, address] = await broker.says(/ready at (\S+)/)
  return { process: broker, port: Number(address!.split(':').at(-1)), bootstrapServers: address! }
}
