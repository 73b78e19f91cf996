/** docs/sinks.md is made from what the sinks declare of themselves. `UPDATE=1 node --test test/sinks/sinks-page.test.ts` makes it anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { sinks } from '../../src/sinks/index.ts'
import type { SinkDefinition } from '../../src/sinks/sink.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'sinks.md')

interface OptionSchema {
  type?: string
  enum?: readonly unknown[]
  anyOf?: readonly OptionSchema[]
  items?: OptionSchema
  description?: string
  default?: unknown
}

function typeOf(schema: OptionSchema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'values'}`
  return schema.type ?? 'value'
}

function optionRows(definition: SinkDefinition): string[] {
  const schema = z.toJSONSchema(definition.options, { io: 'input' }) as unknown as {
    properties: Record<string, OptionSchema>
    required?: readonly string[]
  }
  return Object.entries(schema.properties).map(([name, option]) => {
    const fallback = schema.required?.includes(name)
      ? 'required'
      : 'default' in option
        ? `\`${JSON.stringify(option.default)}\``
        : ''
    const cells = [`\`${name}\``, typeOf(option), fallback, option.description ?? '']
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
}

function section(definition: SinkDefinition): string {
  return [
    `## ${definition.name}`,
    `${definition.summary} Strongest guarantee: ${definition.guarantee}.`,
    `\`\`\`json\n"sink": ${JSON.stringify(definition.example, undefined, 2)}\n\`\`\``,
    ['| option | type | default | |', '| --- | --- | --- | --- |', ...optionRows(definition)].join('\n'),
  ].join('\n\n')
}

function page(): string {
  const intro = `# Sinks

Where an application's records go: the \`sink\` of a [consumer.conf](consumer-conf.md). Made from what each sink declares.

- transactional: rows and the offset they reach in one transaction of the store's.
- create-once: an output whose name follows from its first offset exists once, whoever tries to make it.
- idempotent: the same record again changes nothing.
- at-least-once: written before it is committed; a crash in between repeats it.

Where the store owns the offsets (transactional, create-once), resetting the group's offsets in Kafka does not move the store: Kafka's commit is a
mirror for lag tools. How files come to hold each record once is in [decision 0003](decisions/0003-create-once.md), objects in
[0015](decisions/0015-object-stores.md), documents of an index in [0016](decisions/0016-search-indexes.md), rows of MySQL in
[0017](decisions/0017-mysql.md), points of InfluxDB in [0018](decisions/0018-points-of-influxdb.md), and documents of MongoDB in [0019](decisions/0019-mongodb.md).

A record that cannot be stored, and how an application gets past it, sink by sink: [poison records](poison-records.md).`
  return `${[intro, ...sinks.definitions.map(section)].join('\n\n')}\n`
}

/** The formatter aligns tables; the words are what counts. */
const words = (text: string) =>
  text
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/-{3,}/g, '---')
    .replaceAll(/\n+/g, '\n')

test('docs/sinks.md: says what the sinks declare', () => {
  if (process.env['UPDATE']) writeFileSync(file, page())
  assert.equal(
    words(readFileSync(file, 'utf8')),
    words(page()),
    'run UPDATE=1 node --test test/sinks/sinks-page.test.ts',
  )
})

test('sinks: every option has a description, and every example is sound', () => {
  for (const definition of sinks.definitions) {
    for (const row of optionRows(definition)) assert.doesNotMatch(row, /\|\s*\|$/, `${definition.name}: ${row}`)
    assert.doesNotThrow(() => sinks.configure(definition.example), definition.name)
  }
})
