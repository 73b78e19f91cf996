/**
 * A store that takes 1,000 records a second before a topic of ten million: memory stays flat, and nobody leaves the group. Two consumers read four
 * partitions with a handler that takes 400 ms for a batch of 100 of each; memory, the group's generation and what is done are sampled for as long as it is told.
 *
 *     npm run build && node bench/backpressure.ts [--records 10000000] [--seconds 90] [--threads]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Producer } from '../src/client/producer/producer.ts'
import { startBroker } from '../src/testing/index.ts'

const PARTITIONS = 4

const handler = `
export async function handleBatch(records) { await new Promise((done) => setTimeout(done, records.length * 4)) }
`

interface Shown {
  readonly residentBytes: number
  readonly consumers: readonly {
    readonly generation: number | null
    readonly lag: number | null
    readonly counts: { readonly polled: number; readonly stored: number }
    readonly rebalances: { readonly lost: { readonly calls: number } } | null
  }[]
}

async function fill(servers: string, records: number): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': servers, 'linger.ms': 5 })
  const value = Buffer.alloc(100, 'x')
  for (let sent = 0; sent < records; sent += 20_000) {
    const count = Math.min(20_000, records - sent)
    await producer.sendBatch(
      Array.from({ length: count }, (_, index) => ({ topic: 'clicks', partition: (sent + index) % PARTITIONS, value })),
    )
  }
  await producer.close()
}

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: '90' },
    threads: { type: 'boolean', default: false },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'sluice-backpressure-'))
const broker = await startBroker({ topics: { clicks: PARTITIONS } })
try {
  const records = Number(values.records)
  await fill(broker.bootstrapServers, records)
  writeFileSync(join(folder, 'slow.mjs'), handler)
  writeFileSync(
    join(folder, 'consumer.conf'),
    JSON.stringify({
      topic: 'clicks',
      'group.id': 'slow',
      'consumer.no': 2,
      threads: values.threads,
      handler: './slow.mjs',
      'batch.records': 100,
      'bootstrap.servers': broker.bootstrapServers,
      'max.poll.interval.ms': 30_000,
    }),
  )
  const program = join(import.meta.dirname, '..', 'dist', 'cli', 'main.js')
  const child = spawn(process.execPath, [program, 'run', join(folder, 'consumer.conf'), '--http', '127.0.0.1:0'])
  const ended = once(child, 'exit')
  try {
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    while (!/http:\/\/\S+ answers/.test(said)) await sleep(100)
    const url = /(http:\/\/\S+) answers/.exec(said)![1]!
    console.log(`${records} records; load ${loadavg()[0]!.toFixed(1)}; threads ${values.threads}`)
    for (let second = 0; second <= Number(values.seconds); second += 10) {
      const { residentBytes, consumers } = (await (await fetch(`${url}/status`)).json()) as Shown
      const sum = (of: (one: Shown['consumers'][number]) => number) => consumers.reduce((all, one) => all + of(one), 0)
      console.log(
        `${String(second).padStart(4)} s  ${(residentBytes / 1e6).toFixed(0)} MB  generations ${consumers.map(({ generation }) => generation).join(' ')}  ` +
          `polled ${sum(({ counts }) => counts.polled)}  done ${sum(({ counts }) => counts.stored)}  lag ${sum(({ lag }) => lag ?? 0)}  ` +
          `lost ${sum(({ rebalances }) => rebalances?.lost.calls ?? 0)}`,
      )
      await sleep(10_000)
    }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
} finally {
  await broker.stop()
  rmSync(folder, { recursive: true, force: true })
}
