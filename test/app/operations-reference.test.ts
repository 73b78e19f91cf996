/**
 * docs/operations.md: its table of metrics is made from the one that the code goes by (`UPDATE=1` makes it anew), and what it gives to copy is what there is.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { ownMetrics } from '../../src/app/own-metrics.ts'
import { runCommand } from '../../src/cli/commands/run.ts'

const file = join(import.meta.dirname, '..', '..', 'docs', 'operations.md')
const text = () => readFileSync(file, 'utf8')

test('operations: the metrics are those that are served', () => {
  const rows = ownMetrics.map(({ name, type, help, labels = [] }) => {
    const beside = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${beside} | ${help} |`
  })
  const table = `\n\n| name | type | also by | |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`
  const made = text().replace(
    /(<!-- metrics: .* -->)[\s\S]*(<!-- \/metrics -->)/,
    (_, from, to) => `${from}${table}${to}`,
  )
  if (process.env['UPDATE']) writeFileSync(file, made)
  assert.equal(text(), made, 'UPDATE=1 node --test test/app/operations-reference.test.ts makes it anew')
})

test('operations: no metric has two entries', () => {
  const names = ownMetrics.map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
})

test('operations: YAML can be read, and commands and metrics in it exist', () => {
  const blocks = [...text().matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind, block]) => [kind!, block!] as const)
  const yaml = blocks.filter(([kind]) => kind === 'yaml').map(([, block]) => parse(block) as Record<string, any>)
  const [deployment, alerts] = yaml
  const [container] = deployment!['spec'].template.spec.containers
  const [command, , ...args] = container.args as string[]
  assert.equal(command, 'run')
  const options = runCommand().options.map(({ long }) => long)
  const unit = /^ExecStart=\S+ run \S+ (.*)$/m.exec(blocks.find(([kind]) => kind === 'ini')![1])![1]!
  for (const arg of [...args, ...unit.split(' ')]) if (arg.startsWith('--')) assert.ok(options.includes(arg), arg)
  assert.equal(container.livenessProbe.httpGet.path, '/healthz')
  assert.equal(container.readinessProbe.httpGet.path, '/readyz')
  const names = new Set(ownMetrics.map(({ name }) => name))
  const expressions = (alerts!['groups'][0].rules as { expr: string }[]).map(({ expr }) => expr)
  for (const name of expressions.join(' ').match(/sluice_\w+/g)!) assert.ok(names.has(name), name)
})
