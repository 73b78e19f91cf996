/**
 * Runs the tests against Apache Kafka and foreign clients: everything named `*.compat.ts`, one file after the other, as each starts
 * brokers of its own. What is missing is fetched first: Apache Kafka with Maven, kcat with apt-get.
 *
 *     npm run test:compat                 all of them
 *     npm run test:compat -- consumer     those whose path contains the word
 */
import { spawn, spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './debian.ts'
import { kafkaClassPath } from './kafka.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const words = process.argv.slice(2)

ensureInstalled({
  name: 'kcat',
  packages: ['kcat'],
  isThere: () => spawnSync('kcat', ['-V']).status === 0,
  isShown: true,
})
await kafkaClassPath()
const files = globSync('test/**/*.compat.ts', { cwd: root })
  .sort()
  .filter((file) => words.every((word) => file.includes(word)))
if (files.length === 0) throw new Error(`no *.compat.ts matches ${words.join(' ')}`)
const child = spawn(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-timeout=600000', ...files.map((file) => join(root, file))],
  { cwd: root, stdio: 'inherit' },
)
child.once('exit', (code) => (process.exitCode = code ?? 1))
