/** What is secret in a conf, and that it stays so in texts that were cut, escaped or made by others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  isSecretName,
  redactError,
  redactingLogger,
  redactor,
  secretsIn,
  withoutSecrets,
} from '../../src/app/secrets.ts'
import { consumerProperties } from '../../src/client/properties.ts'
import type { Logger } from '../../src/seams/logger.ts'

await test('secrets: every password of the client’s is one by its name, and what only sounds like it is none', () => {
  for (const [name, { type }] of Object.entries(consumerProperties)) {
    if (type === 'password' && !/certificate/.test(name)) assert.ok(isSecretName(name), name)
  }
  for (const name of ['password', 'pasword', 'aws.secret.access.key', 'token', 'api.key', 'apiKey', 'db_pwd']) {
    assert.ok(isSecretName(name), name)
  }
  for (const name of [
    'key.columns',
    'group.id',
    'sasl.oauthbearer.token.endpoint.url',
    'ssl.truststore.location',
    'table',
  ]) {
    assert.ok(!isSecretName(name), name)
  }
})

await test('secrets: found in names, URLs, JAAS lines and connection strings', () => {
  const found = secretsIn({
    sink: { url: 'postgres://me:p%40ss%2Fword@db:5432/x', nested: { password: ['first-one', 'second-one'] } },
    'sasl.jaas.config': 'org.apache.PlainLoginModule required username="me" password="in-the-jaas";',
    dsn: "host=db user=me password='with spaces' sslmode=require",
    other: 'Server=db;Pwd=semicolons;Timeout=5',
    token: 12345678,
  })
  for (const secret of [
    'p@ss/word',
    'p%40ss%2Fword',
    'first-one',
    'second-one',
    'in-the-jaas',
    'with spaces',
    'semicolons',
    '12345678',
  ]) {
    assert.ok(found.has(secret), `${secret} in ${[...found].join(' | ')}`)
  }
  assert.ok(!found.has('me'))
})

await test('secrets: hidden where they were cut, escaped or repeated; short ones where they stand in quotes', () => {
  const redact = redactor(secretsIn({ password: 'a "long" secret that goes on', token: 'abc' }))
  assert.equal(
    redact('value "a "long" secret that goes on" twice: a "long" secret that goes on'),
    'value "(hidden)" twice: (hidden)',
  )
  assert.equal(redact('is {"password":"a \\"long\\" secret that…'), 'is {"password":"(hidden)…')
  assert.equal(redact('abc and "abc"'), 'abc and (hidden)')
  assert.equal(redactor([])('as it is'), 'as it is')
})

await test('secrets: a URL’s password is hidden however short it is, known or not, and nothing else of it', () => {
  const redact = redactor([])
  assert.equal(
    redact('cannot reach postgres://me:pw@db:5432/x?a=1'),
    'cannot reach postgres://me:(hidden)@db:5432/x?a=1',
  )
  assert.equal(redact('https://h/x?user=me&sslpassword=pw&y=1'), 'https://h/x?user=me&sslpassword=(hidden)&y=1')
  for (const text of ['http://localhost:8081/a@b', 'http://me@db/x', 'https://[::1]:80/', 'password: is missing'])
    assert.equal(redact(text), text)
})

await test('secrets: a JAAS line hides its values, not the class names that it shares with others', () => {
  const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="in-the-jaas";'
  const redact = redactor(secretsIn({ producer: { 'sasl.jaas.config': jaas } }))
  assert.equal(redact('org.apache.kafka.common.metrics.JmxReporter'), 'org.apache.kafka.common.metrics.JmxReporter')
  assert.doesNotMatch(redact(`cannot use ${jaas}`), /in-the-jaas/)
  assert.doesNotMatch(redact(`cannot use ${jaas.slice(0, -7)}`), /in-the/)
})

await test('secrets: no way out through a logger’s fields, an error, its stack or its cause', () => {
  const redact = redactor(['hunter22'])
  const said: unknown[] = []
  const say = (fields: object, message: string) => void said.push(fields, message)
  const logger: Logger = redactingLogger({ debug: say, info: say, warn: say, error: say }, redact)
  logger.error({ deep: [{ text: 'hunter22' }], error: new Error('hunter22'), password: 'x' }, 'said hunter22')
  const error = new Error('with hunter22', { cause: new Error('because of hunter22') })
  redactError(error, redact)
  said.push(error.message, error.stack, (error.cause as Error).message, withoutSecrets({ a: 'hunter22' }, redact))
  assert.doesNotMatch(JSON.stringify(said), /hunter22/)
  assert.match(JSON.stringify(said), /because of \(hidden\)/)
})
