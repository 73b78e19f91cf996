/** docs/consumer-conf.md is made from the tables that the code goes by. `UPDATE=1 node --test test/app/conf-reference.test.ts` makes it anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { applicationNames, parseConf } from '../../src/app/conf.ts'
import { consumerProperties } from '../../src/client/properties.ts'
import { sinks } from '../../src/sinks/index.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'consumer-conf.md')

const example = `[ {"topic": "flights", "group.id": "file-consumers", "consumer.no": 3, "value": "json",
   "sink": {"type": "file", "directory": "out", "format": "csv", "columns": ["time", "delay", "distance"]}},
  {"topic": "flights", "group.id": "sqlite-consumers", "value": "json",
   "sink": {"type": "sqlite", "database": "flights.db", "table": "flights", "columns": ["time", "delay", "distance"]}},
  {"topic": "flights", "group.id": "console-consumers"} ]`

function reference(): string {
  const own = Object.entries(applicationNames).map(([name, text]) => `| \`${name}\` | ${text.replaceAll('|', '\\|')} |`)
  const kafka = Object.entries(consumerProperties)
    // What keys and values are, an application says with names of its own.
    .filter(([name, { support }]) => support === 'supported' && !name.endsWith('.deserializer'))
    .map(([name, property]) => `| \`${name}\` | ${shownDefault(name, property.default)} | ${property.doc} |`)
  const kinds = sinks.definitions.map(({ name, guarantee, summary }) => `| \`${name}\` | ${guarantee} | ${summary} |`)
  return `# consumer.conf

What \`sluice run <conf>\` reads: JSON or YAML, one application or a list of them. Paths in it are relative to the folder that the command is run
in, but for \`handler\`: a module is looked for from the folder of the file that names it. \`sluice run <conf> --check\` says everything that is wrong with a file, and what is meant otherwise.

\`\`\`json
${example}
\`\`\`

## An application

| name | |
| --- | --- |
${own.join('\n')}

Why these defaults: [decision 0005](decisions/0005-consumer-applications.md).

## Sinks

| \`type\` | strongest guarantee | |
| --- | --- | --- |
${kinds.join('\n')}

## Kafka's consumer

Any of these may stand beside the application's own names, as in Java.

| name | default | |
| --- | --- | --- |
${kafka.join('\n')}
`
}

function shownDefault(name: string, value: unknown): string {
  if (name === 'auto.offset.reset') return '`earliest` (Java: `latest`)'
  if (name === 'bootstrap.servers') return '`127.0.0.1:9092`'
  if (name === 'enable.auto.commit') return 'see `commit`'
  if (value === null || value === '') return ''
  return `\`${Array.isArray(value) ? value.join(',') : JSON.stringify(value).replaceAll('"', '')}\``
}

/** The formatter pads tables and breaks JSON as it likes. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, '').replaceAll(/-{3,}/g, '---')
}

await test('docs/consumer-conf.md: says what the code knows', () => {
  if (process.env['UPDATE']) writeFileSync(file, reference())
  assert.equal(plain(readFileSync(file, 'utf8')), plain(reference()))
})

await test('docs/consumer-conf.md: its example is a sound conf', () => {
  assert.equal(parseConf(example, 'consumer.conf', { sinks }).length, 3)
})
