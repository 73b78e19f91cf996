/** The tables of properties against Java's own: names, types, defaults, ranges, and the rules between properties. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseProducerConfig } from '../../src/client/config.ts'
import { ConfigError } from '../../src/client/errors.ts'
import {
  adminProperties,
  assignorClasses,
  consumerProperties,
  producerProperties,
} from '../../src/client/properties.ts'
import { type Property } from '../../src/client/property.ts'
import { kafkaClassPath, runProgram } from './kafka.ts'

const tables: Readonly<Record<string, Readonly<Record<string, Property>>>> = {
  consumer: consumerProperties,
  producer: producerProperties,
  admin: adminProperties,
}

async function runJava(name: string, args: readonly string[] = []): Promise<string[]> {
  const source = join(import.meta.dirname, 'java', `${name}.java`)
  const { code, stdout, stderr } = await runProgram('java', ['-cp', await kafkaClassPath(), source, ...args])
  assert.equal(code, 0, stderr)
  return stdout.trimEnd().split('\n')
}

/** A default as Java prints it. */
function shown(property: Property, name: string): string {
  const { default: value } = property
  if (Array.isArray(value)) {
    const names = name === 'partition.assignment.strategy' ? value.map((one) => assignorClasses[one as 'range']) : value
    return names.join(',')
  }
  return String(value)
}

test('properties: names, types, defaults and ranges are those of Java', async () => {
  const lines = await runJava('ConfigDefinitions')
  const names: Record<string, string[]> = { consumer: [], producer: [], admin: [] }
  for (const line of lines) {
    const [client, name, type, value, validator] = line.split('\t') as [string, string, string, string, string]
    names[client]!.push(name)
    const property = tables[client]![name]
    assert.ok(property, `${client}: ${name} is missing`)
    assert.equal(property.type, type.toLowerCase(), `type of ${client} ${name}`)
    // Java needs (de)serializers, and lets an admin client do without bootstrap.servers for bootstrap.controllers.
    const isOurs = name === 'bootstrap.servers' || name.endsWith('serializer')
    if (!isOurs) assert.equal(shown(property, name), value, `default of ${client} ${name}`)
    const range = /^\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]$/.exec(validator)
    if (range && property.support !== 'default-only') {
      assert.equal(property.min, Number(range[1]), `least ${client} ${name}`)
      const most = range[2] === undefined ? undefined : Number(range[2])
      assert.equal(property.max, most, `most ${client} ${name}`)
    }
  }
  for (const [client, table] of Object.entries(tables)) {
    assert.deepEqual(Object.keys(table).sort(), names[client]!.sort(), `properties of the ${client}`)
  }
})

test('producer config: accepts and refuses what Java does, and decides on idempotence alike', async () => {
  const cases = [
    '',
    'acks=1',
    'acks=0;enable.idempotence=false',
    'acks=1;enable.idempotence=true',
    'retries=0',
    'retries=0;enable.idempotence=true',
    'max.in.flight.requests.per.connection=6',
    'max.in.flight.requests.per.connection=6;enable.idempotence=false',
    'max.in.flight.requests.per.connection=6;enable.idempotence=true',
    'max.in.flight.requests.per.connection=6;acks=1',
    'transactional.id=t',
    'transactional.id=t;acks=1',
    'transactional.id=t;enable.idempotence=false',
    'transactional.id=',
    'acks=2',
    'compression.type=brotli',
    'compression.gzip.level=0',
    'compression.gzip.level=9',
    'batch.size=-1',
    'linger.ms=1.5',
    'max.block.ms=-1',
  ]
  const java = await runJava('ProducerRules', cases)
  for (const [index, given] of cases.entries()) {
    const pairs = given.split(';').filter((pair) => pair !== '')
    const properties = Object.fromEntries(pairs.map((pair) => pair.split('=') as [string, string]))
    let ours: string
    try {
      const config = parseProducerConfig({ 'bootstrap.servers': '127.0.0.1:9092', ...properties })
      ours = `ok ${config['enable.idempotence']}`
    } catch (error) {
      assert.ok(error instanceof ConfigError)
      ours = 'refused'
    }
    assert.equal(ours, java[index], given)
  }
})
