/** `sluice run --print-config` and `--check` as a user meets them; and a secret planted in every place of a conf, looked for in all that is printed. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort } from '../compat/kafka.ts'
import { runSluice, SluiceProcess } from '../e2e/sluice-process.ts'
import { startBroker } from '../../src/testing/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

const secret = 'hunter2-correct-horse-battery'

await test('run --print-config: every setting that holds, references resolved, secrets hidden; read back it says the same', async (t) => {
  const directory = await temporaryDirectory(t)
  const conf = join(directory, 'consumer.conf')
  const password = join(directory, 'password')
  await writeFile(password, `${secret}\n`)
  const sink = {
    type: 'postgres',
    url: `postgres://me:${secret}@db/x`,
    table: 'rows',
    password: `\${file:${password}}`,
  }
  await writeFile(conf, JSON.stringify({ topic: 'a', 'group.id': '${GROUP}', 'max.poll.records': '77', sink }))
  const env = { GROUP: 'readers' }
  const { code, stdout, stderr } = await runSluice(t, ['run', conf, '--print-config'], { env })
  assert.equal(code, 0, stderr)
  assert.doesNotMatch(stdout, new RegExp(secret))
  const [application] = JSON.parse(stdout) as Record<string, unknown>[]
  assert.equal(application!['group.id'], 'readers')
  assert.equal(application!['max.poll.records'], 77)
  assert.equal(application!['session.timeout.ms'], 45_000)
  assert.equal(application!['auto.offset.reset'], 'earliest')
  assert.equal(application!['restart.max'], 10)
  assert.equal((application!['sink'] as { password: string }).password, '(hidden)')
  assert.equal((application!['sink'] as { url: string }).url, 'postgres://me:(hidden)@db/x')
  const printed = join(directory, 'printed.conf')
  await writeFile(printed, stdout)
  const again = await runSluice(t, ['run', printed, '--print-config'])
  assert.equal(again.stdout, stdout, again.stderr)
})

const sink = { type: 'postgres', table: 'rows', user: 'me', host: '127.0.0.1', database: 'x' }
const places: Readonly<Record<string, object>> = {
  'a password of the client': { 'ssl.key.password': secret },
  'a setting that is refused': { 'sasl.jaas.config': `x required username="me" password="${secret}";` },
  'a value of the wrong type': { 'ssl.keystore.password': [secret] },
  'a misspelt name': { 'ssl.key.pasword': secret },
  'a misspelt option of a sink': { sink: { ...sink, pasword: secret } },
  'an option of the wrong type': { sink: { ...sink, password: { is: secret } } },
  'a URL': { sink: { type: 'postgres', table: 'rows', url: `postgres://me:${secret}@127.0.0.1:1/x` } },
  'a URL with a mistake in it': {
    sink: { type: 'postgres', table: 'rows', url: `postgre://me:${secret}@127.0.0.1:1/x` },
  },
  'where a name was meant': { topic: `postgres://me:${secret}@db/x` },
  'a password of the producer’s': { producer: { 'ssl.key.password': secret } },
  'a JAAS line of the producer’s': {
    producer: {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="${secret}";`,
    },
  },
  'a misspelt name of the producer’s': { producer: { 'ssl.key.pasword': secret } },
  'a parameter of a URL': {
    sink: { type: 'postgres', table: 'rows', url: `postgres://me@127.0.0.1:1/x?password=${secret}` },
  },
  'the URL of the schema registry': { value: 'avro', 'schema.registry.url': `http://me:${secret}@127.0.0.1:1` },
  'a value that is too long': { sink: `host=db user=me application_name=sluice-reader password=${secret}` },
}

for (const [place, values] of Object.entries(places)) {
  await test(`secrets: ${place} is in nothing that --check and --print-config print`, async (t) => {
    const conf = join(await temporaryDirectory(t), 'consumer.conf')
    await writeFile(conf, JSON.stringify([{ topic: 'a', 'group.id': 'g', ...values }]))
    const first = await runSluice(t, ['run', conf, '--check', '--json'])
    // What is refused is refused in the same words however it is asked.
    const outputs = first.code === 2 ? [first] : [first, await runSluice(t, ['run', conf, '--print-config'])]
    for (const { stdout, stderr } of outputs) {
      assert.ok(stdout.length + stderr.length > 0)
      assert.ok(!`${stdout}${stderr}`.includes(secret.slice(0, 10)), `${stdout}${stderr}`)
    }
  })
}

await test('secrets: a YAML file that cannot be read does not show what stands in it', async (t) => {
  const conf = join(await temporaryDirectory(t), 'consumer.yaml')
  for (const text of [`password: *${secret}\n`, `a: |${secret}\n  x\n`, `a: "${secret}\nb: 1\n`, `{"a": ${secret}`]) {
    await writeFile(conf, text)
    const { code, stderr } = await runSluice(t, ['run', conf, '--check'])
    assert.equal(code, 2, stderr)
    assert.doesNotMatch(stderr, new RegExp(secret))
  }
})

await test('secrets: none in the log of a run, in words or in JSON, when the store cannot be reached', async (t) => {
  const broker = await startBroker({ topics: ['a'] })
  t.after(() => broker.stop())
  const conf = join(await temporaryDirectory(t), 'consumer.conf')
  const url = `postgres://me:${secret}@127.0.0.1:${await freePort()}/x`
  const sink = { type: 'postgres', table: 'rows', url, 'open.timeout.ms': 1500, 'connect.timeout.ms': 500 }
  const application = {
    topic: 'a',
    'group.id': 'g',
    'bootstrap.servers': broker.bootstrapServers,
    'restart.max': 1,
    sink,
  }
  await writeFile(conf, JSON.stringify(application))
  const runs = ['text', 'json'].map(
    (format) => new SluiceProcess(t, ['run', conf, '--log-level', 'debug', '--log-format', format]).ended,
  )
  for (const { code, stdout, stderr } of await Promise.all(runs)) {
    assert.equal(code, 1, stderr)
    assert.match(stderr, /ECONNREFUSED|refused/)
    assert.ok(!`${stdout}${stderr}`.includes(secret), stderr)
  }
})
