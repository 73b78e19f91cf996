/** Notifiers against real servers of what they speak: HTTP, SMTP, UDP. What is told, how often, and what happens when nobody takes it. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import * as z from 'zod'
import { Monitor } from '../../src/lag/monitor.ts'
import { checkMonitorConf, MonitorConfError } from '../../src/lag/monitor-conf.ts'
import { AlertBook } from '../../src/lag/notify/alert-book.ts'
import { datagrams, influxLines, statsdLines } from '../../src/lag/notify/figures.ts'
import { Notifiers } from '../../src/lag/notify/notifiers.ts'
import { type NotifierConf, type NotifierType, shapeOf } from '../../src/lag/notify/notifier-conf.ts'
import { filled, unknownPlaces } from '../../src/lag/notify/template.ts'
import { Store, storeDefaults } from '../../src/lag/store.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { seededRandom } from '../../src/seams/random.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { SimulatedCluster, type Watched } from './simulated-cluster.ts'

function confOf(type: NotifierType, values: Record<string, unknown>): NotifierConf {
  return { name: `the ${type}`, type, settings: z.object(shapeOf(type)).parse(values) }
}

interface Told {
  readonly notifiers: Notifiers
  readonly watched: Watched
  readonly cluster: SimulatedCluster
  tick(count?: number): Promise<void>
  stop(): Promise<void>
}

/** A group that stands still, watched, with a notifier. */
async function tell(
  t: TestContext,
  conf: NotifierConf,
  { storePath = undefined as string | undefined, cluster = stuckCluster() } = {},
): Promise<Told> {
  const watched = cluster.watch()
  const store =
    storePath === undefined
      ? undefined
      : await Store.open({ path: storePath, ...storeDefaults }, { disk: systemDisk, logger: silentLogger })
  const monitor = new Monitor({
    clusters: [watched.monitor],
    version: '1',
    store,
    clock: cluster.clock,
    logger: silentLogger,
  })
  // What is sent and waited for takes real time; what is judged, the cluster's.
  const clock = { ...systemClock, now: () => cluster.clock.now() }
  const notifiers = new Notifiers([conf], monitor, { clock, logger: silentLogger, random: seededRandom(1) })
  let isOver = false
  const stop = async () => {
    if (isOver) return
    isOver = true
    await notifiers.close()
    await monitor.stop()
  }
  t.after(stop)
  return {
    notifiers,
    watched,
    cluster,
    stop,
    async tick(count = 1) {
      for (let index = 0; index < count; index++) watched.monitor.publish(await watched.tick())
    },
  }
}

function stuckCluster(): SimulatedCluster {
  const cluster = new SimulatedCluster()
  cluster.topic('orders', [500])
  cluster.group('shop "a"').leave().commit('orders', 0, 100)
  return cluster
}

function recover(cluster: SimulatedCluster): void {
  cluster.groups.get('shop "a"')!.commit('orders', 0, 500)
}

interface Received {
  readonly path: string
  readonly headers: Record<string, unknown>
  readonly body: string
}

async function httpSink(t: TestContext, answer: () => number | 'never' = () => 200) {
  const received: Received[] = []
  const server = createHttpServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      received.push({ path: request.url!, headers: request.headers, body })
      const code = answer()
      if (code !== 'never') response.writeHead(code).end(code === 200 ? '' : 'no, thanks')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { received, url: `http://127.0.0.1:${port}/hook` }
}

test('alert book: opens at the threshold, repeats at the interval, closes when all is well', () => {
  const settings = { threshold: 'WARNING', intervalMs: 100, sendOnce: false, sendClose: true } as const
  const cases: [over: object, steps: [now: number, status: any, told: string | undefined][]][] = [
    [
      {},
      [
        [0, 'OK', undefined],
        [10, 'WARNING', 'open'],
        [60, 'ERROR', undefined],
        [110, 'ERROR', 'repeat'],
        [120, 'OK', 'close'],
        [130, 'OK', undefined],
        [140, 'ERROR', 'open'],
      ],
    ],
    [
      { threshold: 'ERROR' },
      [
        [0, 'WARNING', undefined],
        [10, 'ERROR', 'open'],
        [500, 'WARNING', undefined],
        [600, 'OK', 'close'],
      ],
    ],
    [
      { sendOnce: true },
      [
        [0, 'ERROR', 'open'],
        [1000, 'ERROR', undefined],
        [2000, 'OK', 'close'],
      ],
    ],
    [
      { sendClose: false },
      [
        [0, 'ERROR', 'open'],
        [10, 'OK', undefined],
        [20, 'ERROR', 'open'],
      ],
    ],
    [
      {},
      [
        [0, 'ERROR', 'open'],
        [10, 'UNKNOWN', undefined],
        [20, 'OK', 'close'],
      ],
    ],
  ]
  for (const [over, steps] of cases) {
    const book = new AlertBook({ ...settings, ...over })
    assert.deepEqual(
      steps.map(([now, status]) => book.consider(now, 'g', status, () => 'id')?.told),
      steps.map(([, , told]) => told),
    )
  }
})

test('alert book: what did not get through is told again, with the same id and start', () => {
  const book = new AlertBook({ threshold: 'WARNING', intervalMs: 100, sendOnce: true, sendClose: true })
  const first = book.consider(5, 'g', 'ERROR', () => 'one')!
  book.undo('g', first.told, first.alert)
  const second = book.consider(10, 'g', 'ERROR', () => 'two')!
  assert.deepEqual([second.told, second.alert.id, second.alert.start], ['open', 'one', 5])
  const close = book.consider(20, 'g', 'OK', () => 'three')!
  book.undo('g', close.told, close.alert)
  assert.equal(book.consider(30, 'g', 'OK', () => 'four')!.told, 'close')
})

test('templates: places are filled in, as JSON where that is asked for, and unknown ones are named', () => {
  const places = { group: 'a "b"', lagSeconds: null } as any
  assert.equal(
    filled('{{group}} {{ json group }} [{{lagSeconds}}] {{json lagSeconds}}', places),
    'a "b" "a \\"b\\"" [] null',
  )
  assert.deepEqual(unknownPlaces('{{group}} {{grop}} {{json what}}'), ['grop', 'what'])
})

test('webhook: an alert is opened once, and closed, with the reason', async (t) => {
  const sink = await httpSink(t)
  const told = await tell(
    t,
    confOf('webhook', { url: `${sink.url}?g={{group}}`, headers: { authorization: 'Bearer x' } }),
  )
  await told.tick(20)
  await told.notifiers.idle()
  assert.equal(sink.received.length, 1)
  const [{ path, headers, body }] = sink.received as [Received]
  assert.equal(path, '/hook?g=shop%20%22a%22')
  assert.equal(headers['authorization'], 'Bearer x')
  const open = JSON.parse(body)
  assert.deepEqual(
    [open.event, open.cluster, open.group, open.status, open.totalLag, open.rule],
    ['open', 'local', 'shop "a"', 'ERROR', 400, 'stopped'],
  )
  assert.match(open.evidence, /400 records wait/)
  recover(told.cluster)
  await told.tick()
  await told.notifiers.idle()
  const close = JSON.parse(sink.received[1]!.body)
  assert.deepEqual([close.event, close.status, close.id], ['close', 'OK', open.id])
})

test('notifiers: a restart neither repeats an alert nor forgets to close it', async (t) => {
  const sink = await httpSink(t)
  const storePath = join(await temporaryDirectory(t), 'lag.db')
  const conf = confOf('webhook', { url: sink.url })
  const first = await tell(t, conf, { storePath })
  await first.tick(12)
  await first.notifiers.idle()
  await first.stop()
  assert.equal(sink.received.length, 1)
  const second = await tell(t, conf, { storePath, cluster: first.cluster })
  await second.tick(3)
  await second.notifiers.idle()
  assert.equal(sink.received.length, 1, 'it was told already')
  recover(second.cluster)
  await second.tick()
  await second.notifiers.idle()
  assert.equal(JSON.parse(sink.received[1]!.body).event, 'close')
})

test('notifiers: one that never answers delays nobody, and what it did not take is told after a restart', async (t) => {
  let answer: number | 'never' = 'never'
  const sink = await httpSink(t, () => answer)
  const storePath = join(await temporaryDirectory(t), 'lag.db')
  const conf = confOf('webhook', { url: sink.url, 'timeout.ms': 600_000 })
  const first = await tell(t, conf, { storePath })
  await first.tick(30)
  assert.equal(first.watched.monitor.samples, 30)
  await until(() => sink.received.length === 1)
  await first.stop()
  assert.deepEqual([first.notifiers.states[0]!.sent, first.notifiers.states[0]!.lost], [0, 1])
  answer = 200
  const second = await tell(t, conf, { storePath, cluster: first.cluster })
  await second.tick(2)
  await second.notifiers.idle()
  assert.equal(JSON.parse(sink.received[1]!.body).event, 'open')
})

test('notifiers: an attempt that fails is tried again, and why is known meanwhile', async (t) => {
  const answers = [500, 200]
  const sink = await httpSink(t, () => answers.shift() ?? 200)
  const told = await tell(t, confOf('webhook', { url: sink.url }))
  await told.tick(12)
  await until(() => told.notifiers.states[0]!.problem === 'it answered 500: no, thanks')
  await told.notifiers.idle()
  assert.equal(sink.received.length, 2)
  assert.deepEqual(told.notifiers.states, [{ name: 'the webhook', sent: 1, lost: 0, problem: undefined }])
})

test('slack: a text with a colour and fields', async (t) => {
  const sink = await httpSink(t)
  const told = await tell(t, confOf('slack', { url: sink.url, channel: '#lag' }))
  await told.tick(12)
  await told.notifiers.idle()
  const message = JSON.parse(sink.received[0]!.body)
  assert.equal(message.channel, '#lag')
  assert.match(message.text, /^ERROR shop "a" \(local\): The commit has stood at 100/)
  assert.equal(message.attachments[0].color, 'danger')
  assert.deepEqual(message.attachments[0].fields[0], { title: 'Lag', value: '400', short: true })
})

/** As much of an SMTP server as it takes to receive a message. */
interface Mail {
  readonly to: readonly string[]
  readonly text: string
  readonly user: string | undefined
  readonly isEncrypted: boolean
}

/** A mail server as there are many: STARTTLS with a certificate of its own making, and who may send. */
async function smtpServer(t: TestContext, options: SMTPServerOptions = {}) {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    ...options,
    onAuth({ username, password }, _session, done) {
      if (username === 'lag' && password === 'right') done(null, { user: username })
      else done(new Error('no such user, or another password'))
    },
    onData(stream, { envelope, user, secure }, done) {
      let text = ''
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      stream.on('end', () => {
        mails.push({ to: envelope.rcptTo.map(({ address }) => address), text, user, isEncrypted: secure })
        done()
      })
    },
  })
  // A client that hangs up over a certificate is no error of the test's.
  server.on('error', () => {})
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => new Promise<void>((resolve) => server.close(resolve)))
  return { mails, port: (listening.address() as { port: number }).port }
}

const plainText: SMTPServerOptions = { hideSTARTTLS: true, allowInsecureAuth: true }

test('e-mail: a message to everybody, by SMTP; a line break in a name is no header', async (t) => {
  const { mails, port } = await smtpServer(t, plainText)
  const conf = confOf('email', {
    host: '127.0.0.1',
    port,
    user: 'lag',
    password: 'right',
    from: 'lag@example.org',
    to: ['a@example.org', 'b@example.org'],
    subject: '{{status}}\r\nBcc: x@example.org {{group}}',
  })
  const told = await tell(t, conf)
  await told.tick(12)
  await told.notifiers.idle()
  recover(told.cluster)
  await told.tick(12)
  await told.notifiers.idle()
  assert.deepEqual(
    mails.map(({ to, user }) => [to, user]),
    [
      [['a@example.org', 'b@example.org'], 'lag'],
      [['a@example.org', 'b@example.org'], 'lag'],
    ],
    'opened and closed',
  )
  const { text } = mails[0]!
  assert.match(text, /^From: lag@example\.org\r$/m)
  assert.match(text, /^Subject: =\?UTF-8\?Q\?ERROR_Bcc=3A_x=40example=2Eorg_shop_/m)
  assert.doesNotMatch(text, /^Bcc:/m)
  assert.match(text.replaceAll(/=\r\n/g, ''), /ERROR shop "a" \(local\): The commit has stood at 100/)
})

test('e-mail: a wrong password, and a certificate that nobody vouches for, are known as the reason; nothing is sent in the clear', async (t) => {
  for (const [options, password, why] of [
    [plainText, 'wrong', /no such user, or another password/],
    [{}, 'right', /certificate/],
  ] as const) {
    const { mails, port } = await smtpServer(t, options)
    const address = { host: '127.0.0.1', port, from: 'lag@example.org', to: ['a@example.org'] }
    const told = await tell(t, confOf('email', { ...address, user: 'lag', password }))
    await told.tick(12)
    await until(() => told.notifiers.states[0]!.problem !== undefined)
    assert.match(told.notifiers.states[0]!.problem!, why)
    assert.deepEqual(mails, [])
  }
})

test('statsd: gauges by UDP, as Datadog names them', async (t) => {
  const socket = createSocket('udp4')
  let heard = ''
  socket.on('message', (message) => (heard += `${message.toString()}\n`))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => void socket.close())
  const told = await tell(t, confOf('statsd', { port: socket.address().port }))
  await told.tick()
  await until(() =>
    heard.includes('kafka.consumer_lag:400|g|#kafka_cluster:local,consumer_group:shop_"a",topic:orders,partition:0\n'),
  )
  await until(() => heard.includes('kafka.broker_offset:500|g|#kafka_cluster:local,topic:orders,partition:0\n'))
  assert.doesNotMatch(heard, /estimated_consumer_lag/, 'not known')
  assert.deepEqual(
    statsdLines(told.watched.monitor, { prefix: 'sluice.', dogStatsd: false })[2],
    'sluice.kafka.consumer_lag.local.shop__a_.orders.0:400|g',
  )
})

test('statsd: lines are packed into datagrams that pass undivided', () => {
  const lines = Array.from(
    { length: 200 },
    (_, index) => `kafka.consumer_lag:${index}|g|#consumer_group:${'주'.repeat(20)}`,
  )
  const packed = datagrams(lines)
  assert.ok(packed.every(({ length }) => length <= 1400))
  assert.deepEqual(
    packed.flatMap((one) => one.toString().split('\n')),
    lines,
  )
})

test('influxdb: lines with escaped names, whole numbers and times in milliseconds', async (t) => {
  const sink = await httpSink(t)
  const told = await tell(t, confOf('influxdb', { url: `${sink.url}?db=kafka`, 'groups.deny': 'unwanted' }))
  told.cluster.group('unwanted').commit('orders', 0, 1)
  told.cluster.group('a=b, c').commit('orders', 0, 500)
  await told.tick()
  await told.notifiers.idle()
  const [{ path, body }] = sink.received as [Received]
  assert.equal(path, '/hook?db=kafka&precision=ms')
  const at = told.watched.group('unwanted').sampledAt
  assert.ok(
    body.includes(
      String.raw`kafka_consumer_partition,cluster=local,group=a\=b\,\ c,topic=orders,partition=0 committed=500i,lag=0i,lag_seconds=0,status="OK" ${at}`,
    ),
    body,
  )
  assert.ok(
    body.includes(
      String.raw`kafka_consumer_group,cluster=local,group=shop\ "a" total_lag=400i,max_lag=400i,members=0i,status="OK" ${at}`,
    ),
    body,
  )
  assert.doesNotMatch(body, /unwanted/)
  assert.ok(influxLines(told.watched.monitor, 1).some((line) => line.includes('unwanted')))
})

test('monitor.yaml: notifiers are checked as all else', () => {
  const base = { clusters: { a: { 'bootstrap.servers': 'x:1' } } }
  const problemsOf = (notifiers: unknown): string[] => {
    try {
      checkMonitorConf({ ...base, notifiers }, 'monitor.yaml')
      return []
    } catch (error) {
      return (error as MonitorConfError).problems.map(({ path, message }) => `${path}: ${message}`)
    }
  }
  assert.deepEqual(
    problemsOf({ chat: { type: 'slack', url: 'https://hooks.example.org/x', threshold: 'ERROR', clusters: ['a'] } }),
    [],
  )
  const wrong: [notifiers: unknown, says: RegExp][] = [
    [
      { chat: { type: 'slak', url: 'https://x' } },
      /^notifiers\.chat\.type: is "slak", and must be one of .*; did you mean "slack"\?/,
    ],
    [{ chat: { type: 'slack' } }, /^notifiers\.chat\.url: is missing/],
    [
      { chat: { type: 'slack', url: 'ftp://x' } },
      /^notifiers\.chat\.url: is "ftp:\/\/x", and must be an http or https address/,
    ],
    [{ chat: { type: 'slack', url: 'https://x', template: '{{grop}}' } }, /places that nobody knows: grop/],
    [
      { chat: { type: 'slack', url: 'https://x', treshold: 'ERROR' } },
      /treshold: is not known here; did you mean "threshold"/,
    ],
    [{ chat: { type: 'slack', url: 'https://x', clusters: ['b'] } }, /names "b", which is none of a/],
  ]
  for (const [notifiers, says] of wrong) assert.match(problemsOf(notifiers).join('\n'), says)
})
