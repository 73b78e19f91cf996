/** docs/monitor-yaml.md is made from the tables that the code goes by. `UPDATE=1 node --test test/lag/monitor-reference.test.ts` makes it anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as z from 'zod'
import { parse } from 'yaml'
import { notifierShapes, alertShape, everyNotifierShape, notifierTypes } from '../../src/lag/notify/notifier-conf.ts'
import { placeNames } from '../../src/lag/notify/template.ts'
import { checkMonitorConf, clusterShape, groupRuleShape, monitorShape } from '../../src/lag/monitor-conf.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'monitor-yaml.md')

const example = `listen: 127.0.0.1:8000
store: /var/lib/sluice/monitor.db
clusters:
  production:
    bootstrap.servers: kafka-1:9092,kafka-2:9092
    groups:
      - pattern: payments-.*
        isolation.level: read_committed
      - pattern: nightly-.*
        allowed.lag: 100000
  staging:
    bootstrap.servers: kafka-staging:9092
    sample.interval.ms: 30000
    groups.deny: console-consumer-.*
notifiers:
  on-call:
    type: slack
    url: https://hooks.example.org/T1/B2
    threshold: ERROR
    clusters: [production]
`

function rows(shape: z.ZodRawShape): string {
  const described = z.toJSONSchema(z.object(shape), { io: 'output', unrepresentable: 'any' }) as {
    properties: Record<
      string,
      { description: string; default?: string | number | boolean | unknown[]; enum?: string[] }
    >
  }
  return Object.entries(described.properties)
    .map(([name, { description, default: value, enum: choices }]) => {
      const text = choices ? `${choices.map((one) => `\`${one}\``).join(', ')}. ${description}` : description
      const shown = value === undefined || Array.isArray(value) ? '' : `\`${String(value)}\``
      return `| \`${name}\` | ${shown} | ${text} |`
    })
    .join('\n')
}

function reference(): string {
  return `# monitor.yaml

What \`sluice monitor monitor.yaml\` reads: YAML or JSON. \`\${NAME}\` and \`\${file:/path}\` are replaced by environment variables and files. \`--check\` says everything that is
wrong with a file. [The guide](lag.md) says what the settings are for.

\`\`\`yaml
${example}\`\`\`

## The monitor

| name | default | |
| --- | --- | --- |
${rows(monitorShape)}
| \`clusters\` | | The clusters to watch, each under the name that the API calls it. |
| \`notifiers\` | | Who is told, each under a name of its own: [below](#notifiers). |

## A cluster

Beside these, any property of Kafka’s admin client under Kafka’s own name: \`bootstrap.servers\`, \`security.protocol\`, \`sasl.jaas.config\`, \`ssl.truststore.location\`, \`request.timeout.ms\` …

| name | default | |
| --- | --- | --- |
${rows(clusterShape)}

## Rules for groups

Each entry of a cluster’s \`groups\`:

| name | default | |
| --- | --- | --- |
${rows(groupRuleShape)}

## Notifiers

\`notifiers\` names those who are told: each entry has a \`type\` and what that type takes. Webhook, Slack and e-mail tell of alerts; StatsD and InfluxDB are given the figures of every
sample. One that is down delays nobody; an alert that did not get through is told when it can be, also after a restart.

Every notifier takes:

| name | default | |
| --- | --- | --- |
${rows(everyNotifierShape)}

Those that tell of alerts also take:

| name | default | |
| --- | --- | --- |
${rows(alertShape)}

${notifierTypes.map((type) => `### ${type}\n\n| name | default | |\n| --- | --- | --- |\n${rows(notifierShapes[type])}`).join('\n\n')}

### Templates

In texts, \`{{group}}\` is replaced as it is and \`{{json group}}\` as a JSON value. There are:

| place | |
| --- | --- |
${Object.entries(placeNames)
  .map(([name, text]) => `| \`${name}\` | ${text} |`)
  .join('\n')}
`
}

test('docs/monitor-yaml.md is what the tables say', () => {
  if (process.env['UPDATE']) writeFileSync(file, reference())
  assert.equal(readFileSync(file, 'utf8'), reference())
})

test('the example of docs/monitor-yaml.md is sound', () => {
  const conf = checkMonitorConf(parse(example), 'monitor.yaml')
  assert.deepEqual(
    conf.clusters.map(({ name }) => name),
    ['production', 'staging'],
  )
})

test('every setting of monitor.yaml is described', () => {
  for (const shape of [monitorShape, clusterShape, groupRuleShape]) {
    for (const [name, { description }] of Object.entries(shape)) assert.ok(description, name)
  }
})
