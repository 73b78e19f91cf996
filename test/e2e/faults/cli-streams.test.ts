/** A reader that goes away (`| head`), and a file with a line that is too large to be a record. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { main, runSluice, SluiceProcess } from '../sluice-process.ts'
import { confFile, createTopic, numbered, produce, sceneOf } from './fixtures.ts'

/** `sluice … | head -3`, with the exit code of both. */
function intoHead(args: readonly string[]): readonly [string, ...string[]] {
  const words = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ')
  return ['bash', '-c', `${words} | head -3; echo "codes \${PIPESTATUS[@]}"`]
}

await test('consume | head -3 ends with 0 and without a word about the pipe', async (t) => {
  const { bootstrapServers } = await sceneOf(t)
  await createTopic(t, bootstrapServers)
  await produce(bootstrapServers, numbered(0, 5000, 200))
  const args = ['consume', 'numbers', '--from-beginning', '--bootstrap-server', bootstrapServers]
  const { stdout, stderr } = await new SluiceProcess(t, [], { command: intoHead(args) }).ended
  assert.deepEqual(stdout.trimEnd().split('\n'), [...numbered(0, 3, 200), 'codes 0 0'], stderr)
  assert.doesNotMatch(stderr, /EPIPE|error/i)
})

await test('run | head -3, without a sink, ends with 0', async (t) => {
  const scene = await sceneOf(t)
  await createTopic(t, scene.bootstrapServers)
  await produce(scene.bootstrapServers, numbered(0, 5000, 200))
  const conf = await confFile(scene, { 'auto.offset.reset': 'earliest', value: 'string' })
  const { stdout, stderr } = await new SluiceProcess(t, [], { command: intoHead(['run', conf]) }).ended
  assert.deepEqual(stdout.trimEnd().split('\n'), [...numbered(0, 3, 200), 'codes 0 0'], stderr)
  assert.doesNotMatch(stderr, /EPIPE/)
})

await test('produce --file: a line too large in the middle is named, the others are produced, exit code 1', async (t) => {
  const { directory, bootstrapServers } = await sceneOf(t)
  await createTopic(t, bootstrapServers)
  const lines = numbered(0, 30_000)
  const at = 12_345
  const file = join(directory, 'lines')
  await writeFile(file, [...lines.slice(0, at), 'x'.repeat(2_000_000), ...lines.slice(at)].join('\n'))
  const server = ['--bootstrap-server', bootstrapServers]
  const { code, stderr } = await runSluice(t, ['produce', 'numbers', '--file', file, '--partition', '0', ...server])
  assert.equal(code, 1, stderr)
  assert.match(stderr, new RegExp(`line ${at + 1}\\b`))
  assert.match(stderr, /max\.request\.size/)
  assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace')
  const count = String(lines.length)
  const read = await runSluice(t, [
    'consume',
    'numbers',
    '--from-beginning',
    '--timeout-ms',
    '5000',
    '--max-messages',
    count,
    ...server,
  ])
  assert.deepEqual(read.stdout.trimEnd().split('\n'), lines)
})
