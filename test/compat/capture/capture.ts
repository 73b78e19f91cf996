/**
 * Writes test/protocol/vectors/record-batches/{librdkafka,kafka-python,franz-go}.json: batches as other clients compress and send them, as
 * they lie in Apache Kafka's log, with the records as kcat reads them back.
 *
 *     PYTHON=… FRANZ=… node test/compat/capture/capture.ts
 *
 * Wants kcat, a Python with `kafka-python python-snappy lz4 zstandard`, and `produce.go` built with github.com/twmb/franz-go. Not a test:
 * it is run when vectors are made anew.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameSplitter, decodeResponse, encodeRequest } from '../../../src/protocol/frame.ts'
import { fetch } from '../../../src/protocol/messages/index.ts'
import { startKafka } from '../kafka.ts'

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const target = new URL('../../protocol/vectors/record-batches/', import.meta.url)

/** More than one block of snappy (32 KiB) and of LZ4 (64 KiB); the same at each run. */
const lines = Array.from({ length: 800 }, (_, index) => {
  const word = ((index * 7919) % 46_656).toString(36)
  return `key-${index % 40}\t{"id":${index},"name":"${word}","pad":"${'-'.repeat(index % 61)}${'abc'.repeat(index % 21)}"}\n`
})

/** Everything in partition 0, as it is stored. */
async function stored(port: number, topic: string): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10_000_000 }]
  const request = { maxWaitMs: 100, minBytes: 1, maxBytes: 10_000_000, topics: [{ topic, partitions }] }
  for (const piece of encodeRequest(fetch, 11, { correlationId: 1, clientId: 'capture' }, request)) socket.write(piece)
  const splitter = new FrameSplitter()
  const frame = await new Promise<Buffer>((resolve) => {
    socket.on('data', (chunk: Buffer) => splitter.push(chunk, resolve))
  })
  socket.destroy()
  return Buffer.from(decodeResponse(fetch, 11, frame).responses[0]!.partitions[0]!.records!)
}

function hex(text: string | null): string | null {
  return text === null ? null : Buffer.from(text).toString('hex')
}

function readByKcat(bootstrap: string, topic: string) {
  const output = execFileSync('kcat', [
    '-C',
    '-J',
    '-e',
    '-q',
    '-b',
    bootstrap,
    '-t',
    topic,
    '-p',
    '0',
    '-o',
    'beginning',
  ])
  return output
    .toString()
    .trim()
    .split('\n')
    .map((line) => {
      const { offset, ts, key, payload, headers = [] } = JSON.parse(line)
      const pairs = Array.from({ length: headers.length / 2 }, (_, index) => [
        headers[2 * index],
        hex(headers[2 * index + 1]),
      ])
      return { offset, timestamp: ts, key: hex(key), value: hex(payload), headers: pairs }
    })
}

async function write(file: string, origin: string, prefix: string, bootstrap: string): Promise<void> {
  const seen = new Map<string, string>()
  const cases: string[] = []
  for (const codec of codecs) {
    const topic = `${prefix}-${codec}`
    const records = readByKcat(bootstrap, topic)
    const timestamps = records.map(({ timestamp }) => timestamp)
    // Said once, as only the time of sending differs.
    const timeless = JSON.stringify(records.map((record) => ({ ...record, timestamp: 0 })))
    const first = seen.get(timeless)
    if (first === undefined) seen.set(timeless, topic)
    const base64 = (await stored(Number(bootstrap.split(':')[1]), topic)).toString('base64')
    const said = first === undefined ? timeless : JSON.stringify(first)
    const header = JSON.stringify({ compression: codec })
    cases.push(
      `{"name":"${topic}","base64":"${base64}","header":${header},"records":${said},"timestamps":${JSON.stringify(timestamps)}}`,
    )
  }
  const how =
    'produced to Apache Kafka 4.3.1, fetched as stored, records as kcat reads them; by test/compat/capture/capture.ts'
  writeFileSync(new URL(file, target), `{\n"origin": "${origin}, ${how}",\n"cases": [\n${cases.join(',\n')}\n]\n}\n`)
}

const kafka = await startKafka()
const directory = mkdtempSync(join(tmpdir(), 'sluice-capture-'))
try {
  const file = join(directory, 'lines')
  writeFileSync(file, lines.join(''))
  for (const codec of codecs) {
    const options = '-P -p 0 -K \t -H h=v -H ü= -X linger.ms=300 -X batch.num.messages=100000'.split(' ')
    options.push('-b', kafka.bootstrapServers, '-t', `librdkafka-${codec}`, '-z', codec, '-l', file)
    execFileSync('kcat', options)
  }
  const kcat = execFileSync('kcat', ['-V'])
    .toString()
    .match(/librdkafka ([\d.]+)/)![1]!
  const python = execFileSync(process.env['PYTHON'] ?? 'python3', [
    join(import.meta.dirname, 'produce.py'),
    kafka.bootstrapServers,
    file,
  ])
  const franz = execFileSync(process.env['FRANZ'] ?? 'produce', [kafka.bootstrapServers, file])
  await write('librdkafka.json', `librdkafka ${kcat} (kcat)`, 'librdkafka', kafka.bootstrapServers)
  await write('kafka-python.json', `kafka-python ${python.toString().trim()}`, 'python', kafka.bootstrapServers)
  await write('franz-go.json', `franz-go ${franz.toString().trim()}`, 'franz', kafka.bootstrapServers)
} finally {
  rmSync(directory, { recursive: true, force: true })
  await kafka.stop()
}
