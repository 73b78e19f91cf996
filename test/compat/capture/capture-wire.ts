/**
 * Writes test/protocol/vectors/wire/{kcat,kafka-python,kafka-java}.json: requests as other clients send them and what Apache Kafka answers,
 * the first of each API, version and direction, taken by a proxy between the two.
 *
 *     PYTHON=… node test/compat/capture/capture-wire.ts
 *
 * Wants kcat and a Python with `kafka-python`. Not a test: it is run when vectors are made anew.
 */
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type Socket, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { FrameSplitter } from '../../../src/protocol/frame.ts'
import { apiByKey } from '../../../src/protocol/messages/index.ts'
import { freePort, kafkaClassPath, startKafka } from '../kafka.ts'

const run = promisify(execFile)
const folder = new URL('../../protocol/vectors/wire/', import.meta.url)
const LARGEST = 4000
let seen = new Map<string, string>()

function keep(key: number, version: number, direction: string, frame: Buffer): void {
  const name = `${key} ${version} ${direction}`
  const api = apiByKey.get(key)
  if (seen.has(name) || !api || version < api.versions[0] || version > api.versions[1] || frame.length > LARGEST) return
  seen.set(name, JSON.stringify({ key, version, direction, hex: frame.toString('hex') }))
}

/** Hands bytes through in both directions and keeps the frames. */
function watch(client: Socket, broker: Socket): void {
  const asked = new Map<number, [key: number, version: number]>()
  const requests = new FrameSplitter()
  const responses = new FrameSplitter()
  client.on('data', (chunk: Buffer) => {
    requests.push(chunk, (frame) => {
      const [key, version] = [frame.readInt16BE(0), frame.readInt16BE(2)]
      asked.set(frame.readInt32BE(4), [key, version])
      keep(key, version, 'request', frame)
    })
    broker.write(chunk)
  })
  broker.on('data', (chunk: Buffer) => {
    responses.push(chunk, (frame) => {
      const [key, version] = asked.get(frame.readInt32BE(0))!
      // The answer to a version that the broker does not know is in version 0.
      if (key === 18 && frame.readInt16BE(4) !== 0) return
      keep(key, version, 'response', frame)
    })
    client.write(chunk)
  })
  for (const [one, other] of [
    [client, broker],
    [broker, client],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}

function write(file: string, client: string): void {
  const origin = `${client} and Apache Kafka 4.3.1, as seen between them by test/compat/capture/capture-wire.ts`
  writeFileSync(
    new URL(file, folder),
    `{\n"origin": "${origin}",\n"cases": [\n${[...seen.values()].join(',\n')}\n]\n}\n`,
  )
  seen = new Map()
}

const proxyPort = await freePort()
const kafka = await startKafka({ properties: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxyPort}` } })
const proxy = createServer((client) => watch(client, connect(kafka.nodes[0]!.port, '127.0.0.1')))
proxy.listen(proxyPort, '127.0.0.1')
await once(proxy, 'listening')
mkdirSync(folder, { recursive: true })
const server = `127.0.0.1:${proxyPort}`
try {
  // The broker speaks to itself through the proxy too.
  seen = new Map()
  const lines = join(import.meta.dirname, 'exercise.py')
  await run('kcat', ['-P', '-b', server, '-t', 'kcat', '-p', '0', '-X', 'client.id=vectors', '-l', lines])
  await run('kcat', ['-C', '-b', server, '-t', 'kcat', '-e', '-q', '-X', 'client.id=vectors'])
  await run('kcat', ['-Q', '-b', server, '-t', 'kcat:0:1', '-X', 'client.id=vectors'])
  await run('kcat', [
    '-b',
    server,
    '-X',
    'client.id=vectors',
    '-X',
    'auto.offset.reset=earliest',
    '-c',
    '3',
    '-q',
    '-G',
    'group',
    'kcat',
  ])
  const kcat = execFileSync('kcat', ['-V'])
    .toString()
    .match(/librdkafka ([\d.]+)/)![1]!
  write('kcat.json', `librdkafka ${kcat} (kcat)`)

  const python = await run(process.env['PYTHON'] ?? 'python3', [join(import.meta.dirname, 'exercise.py'), server])
  process.stderr.write(python.stderr)
  write('kafka-python.json', `kafka-python ${python.stdout.trim()}`)

  const java = async (name: string, ...options: string[]) =>
    run('java', ['-Xmx256m', '-cp', await kafkaClassPath(), name, '--bootstrap-server', server, ...options])
  const tools = 'org.apache.kafka.tools'
  await java(`${tools}.TopicCommand`, '--create', '--topic', 'java', '--partitions', '2')
  await java(`${tools}.TopicCommand`, '--describe', '--topic', 'java')
  await java(`${tools}.VerifiableProducer`, '--topic', 'java', '--max-messages', '20')
  await java(
    `${tools}.consumer.ConsoleConsumer`,
    '--topic',
    'java',
    '--group',
    'java',
    '--from-beginning',
    '--max-messages',
    '20',
  )
  await java(`${tools}.consumer.group.ConsumerGroupCommand`, '--describe', '--group', 'java')
  await java(`${tools}.consumer.group.ConsumerGroupCommand`, '--delete', '--group', 'java')
  await java(`${tools}.TopicCommand`, '--delete', '--topic', 'java')
  write('kafka-java.json', 'Kafka 4.3.1 command-line tools')
} finally {
  proxy.close()
  await kafka.stop()
}
