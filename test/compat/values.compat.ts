/**
 * Avro, Protobuf and JSON Schema from end to end with other people's parts: Confluent's Python serializers, Apicurio Registry, Apache Kafka, and `sluice run` as a
 * process that writes what it read to files.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { exactJson } from '../../src/protocol/records/exact-json.ts'
import { SluiceProcess } from '../e2e/sluice-process.ts'
import { expectedValue } from '../formats/vectors.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { until } from '../support/until.ts'
import { confluentPython, startApicurio } from './apicurio.ts'
import { runProgram, startKafka } from './kafka.ts'

const script = join(import.meta.dirname, '..', 'formats', 'vectors', 'confluent_python.py')

/** As it stands in a line of JSON: bytes are base64. */
function jsonOf(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, jsonOf(one)]))
}

test('values: what Confluent’s Python serializers produce to Apache Kafka reaches a store as it should', async (t) => {
  const [registry, python, kafka] = await Promise.all([startApicurio(t), confluentPython(), startKafka()])
  t.after(() => kafka.stop())
  const produced = await runProgram(python, [
    script,
    '--registry',
    registry,
    '--bootstrap-servers',
    kafka.bootstrapServers,
  ])
  assert.equal(produced.code, 0, produced.stderr)
  const cases = produced.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { topic: string; expected: unknown })
  assert.equal(cases.length, 9)

  const directory = await temporaryDirectory(t)
  const application = (value: string, prefix: string) => ({
    topic: cases.map(({ topic }) => topic).filter((topic) => topic.startsWith(prefix)),
    'group.id': `${value}-files`,
    'bootstrap.servers': kafka.bootstrapServers,
    value,
    'schema.registry.url': registry,
    sink: { type: 'file', directory: join(directory, value), format: 'jsonl', columns: ['$topic', '$value'] },
  })
  const conf = join(directory, 'consumer.conf')
  const applications = [
    application('avro', 'avro-'),
    application('protobuf', 'protobuf-'),
    application('json-schema', 'json-'),
  ]
  await writeFile(conf, JSON.stringify(applications))
  const sluice = new SluiceProcess(t, ['run', conf])
  const found = async () => {
    const lines = new Map<string, unknown>()
    for (const { value } of applications) {
      const folder = join(directory, value)
      const files = await readdir(folder, { recursive: true }).catch(() => [])
      for (const file of files.filter((name) => name.endsWith('.jsonl'))) {
        for (const line of (await readFile(join(folder, file), 'utf8')).split('\n').filter(Boolean)) {
          const { topic, value: read } = exactJson(Buffer.from(line)) as { topic: string; value: unknown }
          lines.set(topic, read)
        }
      }
    }
    return lines
  }
  await until(async () => sluice.isOver || (await found()).size === cases.length, {
    withinMs: 60_000,
    what: `${cases.length} records; said:\n${sluice.stdout}\n${sluice.stderr}`,
  })
  const lines = await found()
  for (const { topic, expected } of cases) assert.deepEqual(lines.get(topic), jsonOf(expectedValue(expected)), topic)
  sluice.kill('SIGTERM')
  assert.equal((await sluice.ended).code, 0, sluice.stderr)
})
