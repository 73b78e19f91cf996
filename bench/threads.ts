/**
 * What it takes to start many consumers in one process, in threads of their own and on one thread: 26 of them in three groups, as of one consumer.conf. Prints how long it takes from the start of the
 * process until the last of them has had its first record, and its memory then and ten seconds later.
 *
 *     npm run build && node bench/threads.ts [--source] [--rounds 3]
 *
 * The compiled program is measured, as it is installed; `--source` takes the TypeScript. Consumers report once a second, so times are good to a second.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Producer } from '../src/client/producer/producer.ts'
import { startBroker } from '../src/testing/index.ts'

const GROUPS = [20, 1, 5]
const PARTITIONS = 20

interface Shown {
  readonly residentBytes: number
  readonly consumers: readonly { counts: { polled: number } }[]
}

export interface Start {
  readonly seconds: number
  readonly megabytes: number
  readonly megabytesLater: number
}

/** @param idleMs after the first records of all, before memory is looked at again */
export async function measureStart(program: string, servers: string, threads: boolean, idleMs: number): Promise<Start> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-threads-'))
  const conf = join(folder, 'consumer.conf')
  const applications = GROUPS.map((count, index) => ({
    topic: 'clicks',
    'group.id': `group-${index}-${threads}-${performance.now()}`,
    'consumer.no': count,
    threads,
    'bootstrap.servers': servers,
    sink: { type: 'file', directory: join(folder, String(index)), format: 'log' },
  }))
  writeFileSync(conf, JSON.stringify(applications))
  const startMs = performance.now()
  const child = spawn(process.execPath, [program, 'run', conf, '--http', '127.0.0.1:0'])
  const ended = once(child, 'exit')
  try {
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const status = async (): Promise<Shown | undefined> => {
      const url = /(http:\/\/\S+) answers/.exec(said)?.[1]
      if (child.exitCode !== null) throw new Error(said)
      return url === undefined ? undefined : ((await (await fetch(`${url}/status`)).json()) as Shown)
    }
    const want = GROUPS.reduce((sum, count) => sum + count, 0)
    let shown: Shown | undefined
    do {
      await sleep(200)
      shown = await status()
    } while (!shown || shown.consumers.filter(({ counts }) => counts.polled > 0).length < want)
    const seconds = (performance.now() - startMs) / 1000
    await sleep(idleMs)
    const later = (await status())!
    return { seconds, megabytes: shown.residentBytes / 1e6, megabytesLater: later.residentBytes / 1e6 }
  } finally {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A record a partition ten times a second: whoever joins late finds something to read too. */
async function produce(servers: string, signal: AbortSignal): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': servers })
  for (let id = 0; !signal.aborted; id++) {
    await producer.sendBatch(
      Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 'clicks', partition, value: `record ${id}` })),
    )
    await sleep(100)
  }
  await producer.close()
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { source: { type: 'boolean', default: false }, rounds: { type: 'string', default: '3' } },
  })
  const program = join(import.meta.dirname, '..', values.source ? 'src/cli/main.ts' : 'dist/cli/main.js')
  const broker = await startBroker({ topics: { clicks: PARTITIONS } })
  const stop = new AbortController()
  const producing = produce(broker.bootstrapServers, stop.signal)
  try {
    console.log(`${GROUPS.join(' + ')} consumers, ${availableParallelism()} cores, Node ${process.versions.node}`)
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const threads of [true, false]) {
        const load = loadavg()[0]!.toFixed(1)
        const { seconds, megabytes, megabytesLater } = await measureStart(
          program,
          broker.bootstrapServers,
          threads,
          10_000,
        )
        console.log(
          `${threads ? 'threads   ' : 'one thread'}  ${seconds.toFixed(1)} s to the first record of all, ` +
            `${megabytes.toFixed(0)} MB then, ${megabytesLater.toFixed(0)} MB ten seconds later (load before: ${load})`,
        )
      }
    }
  } finally {
    stop.abort()
    await producing
    await broker.stop()
  }
}

if (import.meta.main) await main()
