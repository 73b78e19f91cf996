/**
 * Beside the real Burrow 1.2.1, on Apache Kafka 2.8.2, which is the newest that Burrow understands: the same groups, the same traffic, and the answers of
 * both APIs compared field by field. Sluice reads `__consumer_offsets`, as Burrow does, and judges by its rules.
 *
 * Not compared: the lag that a commit is frozen with, as each takes it from the log end that it polled last, and `observedAt`, which came later.
 */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startMonitorServer } from '../../src/lag/http/server.ts'
import { Monitor } from '../../src/lag/monitor.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { type Bench, benchOf } from '../lag/embedded.ts'
import { until } from '../support/until.ts'
import { startBurrow } from './burrow.ts'
import { startZookeeperKafka } from './zookeeper-kafka.ts'

const COMMIT_EVERY_MS = 2000
const TURNS = 11

/** Where each group stands after so many turns; undefined: it does not commit in that turn. 100 records are written in each. */
const groups: Readonly<Record<string, { at: (turn: number) => number | undefined; becomes: string }>> = {
  keeps: { at: (turn) => 100 * turn, becomes: 'OK' },
  falls: { at: (turn) => 10 * turn, becomes: 'WARN' },
  stands: { at: () => 5, becomes: 'STALL' },
  rewinds: { at: (turn) => (turn < 6 ? 50 * turn : 10 * (turn - 5)), becomes: 'REWIND' },
  stops: { at: (turn) => (turn < 3 ? 20 * turn : undefined), becomes: 'STOP' },
}

interface Answer {
  readonly error: boolean
  readonly message: string
  readonly status: Record<string, any>
  readonly request: object
}

async function answerOf(url: string, path: string): Promise<{ status: number; body: Answer }> {
  const response = await fetch(`${url}${path}`)
  return { status: response.status, body: (await response.json()) as Answer }
}

/** What must be the same. */
function compared({ status, body }: { status: number; body: Answer }) {
  const offset = (one: { offset: number; timestamp: number } | null) =>
    one && { offset: one.offset, timestamp: one.timestamp }
  const partition = (one: any) => one && { ...one, start: offset(one.start), end: offset(one.end) }
  const { partitions, maxlag, ...rest } = body.status
  return {
    httpStatus: status,
    error: body.error,
    message: body.message,
    ...rest,
    partitions: partitions.map(partition).sort((left: any, right: any) => left.partition - right.partition),
    maxlag: partition(maxlag),
  }
}

/** Who has to notice that a consumer has stopped while records are written on. */
const DETECT = 'detected'

/**
 * One consumer that committed every two seconds stops. How many log ends are polled, and samples taken, until each says so: ours by Burrow's rules, and ours by its own,
 * which look at samples and not at commits. Both poll log ends each second.
 */
async function detection(t: TestContext, bench: Bench, theirs: string, ours: string): Promise<void> {
  const own = bench.monitor({ collectBy: 'admin', sampleIntervalMs: 1000, peek: false })
  let offset = 0
  const commit = () => bench.admin.alterGroupOffsets(DETECT, [[{ topic: 'clicks', partition: 1 }, { offset }]])
  await commit()
  own.start()
  for (let turn = 1; turn <= TURNS; turn++) {
    const next = performance.now() + COMMIT_EVERY_MS
    await bench.produce('clicks', 1, 20)
    offset += 20
    await until(() => performance.now() > next, { everyMs: 50 })
    await commit()
  }
  const stoppedAt = performance.now()
  const before = own.samples
  const found = new Map<string, { seconds: number; samples: number; status: string }>()
  const statusAt = async (url: string) =>
    ((await answerOf(url, `/v3/kafka/local/consumer/${DETECT}/lag`)).body.status['partitions'] as any[]).find(
      ({ partition }) => partition === 1,
    ).status as string
  const look: Record<string, () => Promise<string>> = {
    Burrow: () => statusAt(theirs),
    'Sluice with the rules of Burrow': () => statusAt(ours),
    'Sluice with its own rules': () =>
      Promise.resolve(own.state.groups.get(DETECT)?.pair('clicks', 1)?.judgement?.status ?? 'OK'),
  }
  await until(
    async () => {
      // Producers go on, a record now and then.
      await bench.produce('clicks', 1, 1)
      for (const [who, statusOf] of Object.entries(look)) {
        if (found.has(who)) continue
        const status = await statusOf()
        const seconds = (performance.now() - stoppedAt) / 1000
        if (status !== 'OK') found.set(who, { seconds, samples: own.samples - before, status })
      }
      return found.size === Object.keys(look).length
    },
    { withinMs: 120_000, everyMs: 100, what: 'all have noticed' },
  )
  for (const [who, { seconds, samples, status }] of found)
    t.diagnostic(`a stopped consumer: ${who} says ${status} after ${samples} samples, ${seconds.toFixed(1)} s`)
  // Burrow's rules take as long again as the commits of the window took: ten commits, two seconds apart.
  const [burrow, byItsRules, byOurs] = Object.keys(look).map((who) => found.get(who)!)
  assert.deepEqual([burrow!.status, byItsRules!.status, byOurs!.status], ['STOP', 'STOP', 'STOP'])
  assert.ok(Math.abs(burrow!.samples - byItsRules!.samples) <= 3, 'by the same rules at the same time')
  assert.ok(byOurs!.samples < burrow!.samples, 'by its own rules earlier')
}

test('burrow: the same statuses and the same JSON as Burrow 1.2.1, for groups that keep up, fall behind, stand still, go back and stop', async (t) => {
  const kafka = await startZookeeperKafka('2.8.2')
  t.after(() => kafka.stop())
  const bench = benchOf(t, kafka.bootstrapServers)
  await bench.admin.createTopics([{ name: 'clicks', partitions: 2, replicationFactor: 1 }])
  // Burrow reads __consumer_offsets only if it is there when it starts.
  await bench.admin.alterGroupOffsets('first', [[{ topic: 'clicks', partition: 0 }, { offset: 0 }]])
  const burrow = await startBurrow(kafka)
  bench.stop(() => burrow.stop())
  const cluster = bench.monitor({
    ruleSet: 'burrow',
    collectBy: 'offsets-topic',
    sampleIntervalMs: 1000,
    peek: false,
    topicsEveryMs: 1000,
  })
  const monitor = new Monitor({
    clusters: [cluster],
    version: '0',
    store: undefined,
    clock: systemClock,
    logger: silentLogger,
  })
  const server = await startMonitorServer(monitor, {
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger,
    token: undefined,
  })
  bench.stop(() => server.close())
  cluster.start()
  await until(
    async () => ((await answerOf(burrow.url, '/v3/kafka/local/topic/clicks')).body as any).offsets?.length === 2,
    { withinMs: 60_000 },
  )
  await until(() => cluster.condition === 'ok' && cluster.state.groups.has('first'))
  for (let turn = 1; turn <= TURNS; turn++) {
    const next = performance.now() + COMMIT_EVERY_MS
    await bench.produce('clicks', 0, 100)
    // The new end is polled by both before anybody commits.
    await until(() => performance.now() > next - 400, { everyMs: 50 })
    for (const [group, { at }] of Object.entries(groups)) {
      const offset = at(turn)
      if (offset !== undefined)
        await bench.admin.alterGroupOffsets(group, [[{ topic: 'clicks', partition: 0 }, { offset }]])
    }
    await until(() => performance.now() > next, { everyMs: 50 })
  }
  for (const [group, { becomes }] of Object.entries(groups)) {
    for (const path of [`/v3/kafka/local/consumer/${group}/lag`, `/v3/kafka/local/consumer/${group}/status`]) {
      let answers: ReturnType<typeof compared>[] = []
      const isSame = async () => {
        answers = (await Promise.all([answerOf(burrow.url, path), answerOf(server.url, path)])).map(compared)
        return JSON.stringify(answers[0]) === JSON.stringify(answers[1])
      }
      await until(isSame, { withinMs: 8000, everyMs: 250, what: `the same of ${path}` }).catch(() => {})
      assert.deepEqual(answers[1], answers[0], path)
      const status = answers[0]!.partitions[0]?.status ?? 'OK'
      assert.equal(status, becomes, `${group}: ${status}`)
      t.diagnostic(`${path}: ${status}, the same`)
    }
  }
  const lists = [
    '/v3/kafka',
    '/v3/kafka/local/topic/clicks',
    '/v3/kafka/local/consumer/nobody/lag',
    '/v3/kafka/nowhere/consumer',
    '/v3/nothing',
  ]
  for (const path of lists) {
    const [theirs, ours] = (await Promise.all([answerOf(burrow.url, path), answerOf(server.url, path)])) as any[]
    assert.deepEqual(
      [ours.status, { ...ours.body, request: theirs.body.request }],
      [theirs.status, { ...theirs.body, request: theirs.body.request }],
      path,
    )
  }
  const [theirs, ours] = (await Promise.all(
    [burrow.url, server.url].map((url) => answerOf(url, '/v3/kafka/local/consumer')),
  )) as any[]
  const wanted = (all: string[]) => all.filter((name) => Object.hasOwn(groups, name)).sort()
  assert.deepEqual(wanted(ours.body.consumers), wanted(theirs.body.consumers))
  await detection(t, bench, burrow.url, server.url)
})
