/**
 * How many records a second key-ordered handlers get through that wait for 5 ms each, from one partition:
 *
 *     ceiling     nothing but timers: `concurrency` loops that wait 5 ms each, over and over
 *     raw drain   Consumer.poll of the same topic, every record a view
 *     handlers    `sluice run` with `order` key: from the first record to the last that was done, told by the handler itself
 *
 *     node bench/handlers.ts [--records 100000] [--concurrency 100] [--rounds 3]
 *
 * The embedded broker runs in this process, the application in one of its own. A timer of 5 ms takes more than that: the ratio to the ceiling is what the
 * way through Sluice costs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Consumer } from '../src/client/consumer/consumer.ts'
import { Producer } from '../src/client/producer/producer.ts'
import { systemClock } from '../src/seams/clock.ts'
import { startBroker } from '../src/testing/index.ts'

const WORK_MS = 5
const KEYS = 5000
const TOPIC = 'clicks'

const handlerOf = (records: number, result: string) => `
import { writeFileSync } from 'node:fs'
let count = 0
let began
export default async function () {
  began ??= performance.now()
  await new Promise((done) => setTimeout(done, ${WORK_MS}))
  if (++count === ${records}) writeFileSync(${JSON.stringify(result)}, String((1000 * count) / (performance.now() - began)))
}
`

async function fill(servers: string, records: number): Promise<void> {
  const producer = new Producer({ 'bootstrap.servers': servers, 'linger.ms': 5 })
  const value = Buffer.alloc(100, 'x')
  for (let sent = 0; sent < records; sent += 10_000) {
    const count = Math.min(10_000, records - sent)
    await producer.sendBatch(
      Array.from({ length: count }, (_, index) => ({ topic: TOPIC, key: `key-${(sent + index) % KEYS}`, value })),
    )
  }
  await producer.close()
}

async function ceiling(records: number, concurrency: number): Promise<number> {
  const began = systemClock.monotonic()
  let left = records
  const loop = async () => {
    while (left-- > 0) await new Promise((done) => setTimeout(done, WORK_MS))
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  return (1000 * records) / (systemClock.monotonic() - began)
}

async function drain(servers: string, records: number): Promise<number> {
  const consumer = new Consumer({ 'bootstrap.servers': servers })
  consumer.assign([{ topic: TOPIC, partition: 0 }])
  consumer.seekToBeginning()
  const began = systemClock.monotonic()
  for (let count = 0; count < records;) count += (await consumer.poll(1000)).count
  const rate = (1000 * records) / (systemClock.monotonic() - began)
  await consumer.close()
  return rate
}

async function handlers(servers: string, records: number, concurrency: number, round: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-handlers-'))
  const result = join(folder, 'result')
  writeFileSync(join(folder, 'work.mjs'), handlerOf(records, result))
  const conf = { topic: TOPIC, 'group.id': `bench-${round}`, 'bootstrap.servers': servers, handler: './work.mjs' }
  writeFileSync(join(folder, 'consumer.conf'), JSON.stringify({ ...conf, order: 'key', concurrency }))
  const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
  const child = spawn(process.execPath, [main, 'run', join(folder, 'consumer.conf'), '--log-level', 'warn'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    while (!existsSync(result) || readFileSync(result, 'utf8') === '') {
      if (child.exitCode !== null) throw new Error(`sluice run ended with ${child.exitCode}`)
      await sleep(50)
    }
    return Number(readFileSync(result, 'utf8'))
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true })
  }
}

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '100000' },
    concurrency: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
  },
})
const [records, concurrency, rounds] = [values.records, values.concurrency, values.rounds].map(Number)
console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]!.toFixed(1)}`)
const broker = await startBroker({ topics: { [TOPIC]: 1 } })
try {
  await fill(broker.bootstrapServers, records!)
  for (let round = 1; round <= rounds!; round++) {
    const most = await ceiling(Math.min(records!, 50_000), concurrency!)
    const raw = await drain(broker.bootstrapServers, records!)
    const rate = await handlers(broker.bootstrapServers, records!, concurrency!, round)
    console.log(
      `round ${round}  ceiling ${most.toFixed(0)}  raw drain ${raw.toFixed(0)}  handlers ${rate.toFixed(0)} records/s, ` +
        `${((100 * rate) / most).toFixed(0)} % of the ceiling`,
    )
  }
} finally {
  await broker.stop()
}
