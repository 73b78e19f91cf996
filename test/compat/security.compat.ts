/** TLS, mutual TLS and each SASL mechanism against Apache Kafka, with an authority, users and tokens of the test's own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Admin, AuthenticationError, Consumer, Producer, type PropertyBag } from '../../src/index.ts'
import { runSluice } from '../e2e/sluice-process.ts'
import { freePort, kafkaTool, type KafkaCluster, startKafka } from './kafka.ts'

const PASSWORD = 'p4ss=w rd!'

/** An authority, and what it signed: PEM files with the key and its certificate in one. */
function certificates(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=ca',
    '-days',
    '2',
  )
  for (const name of ['server', 'client']) {
    writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1')
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.csr`),
      '-subj',
      `/CN=${name}`,
    )
    openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      '-CA',
      at('ca.pem'),
      '-CAkey',
      at('ca.key'),
      '-CAcreateserial',
      '-out',
      at(`${name}.crt`),
      '-days',
      '2',
      '-extfile',
      at('ext'),
    )
    writeFileSync(at(`${name}.pem`), Buffer.concat([readFileSync(at(`${name}.key`)), readFileSync(at(`${name}.crt`))]))
  }
  openssl('pkcs12', '-export', '-in', at('client.pem'), '-out', at('client.p12'), '-passout', 'pass:changeit')
  return { ca: at('ca.pem'), server: at('server.pem'), client: at('client.pem'), clientP12: at('client.p12') }
}

/** Everything that an application does goes over it: produce, a group that consumes, commits. */
async function roundTrip(properties: PropertyBag, topic: string): Promise<void> {
  const admin = new Admin(properties)
  await admin.createTopics([{ name: topic, partitions: 2 }])
  await admin.close()
  const producer = new Producer(properties)
  await producer.sendBatch(Array.from({ length: 1000 }, (_, index) => ({ topic, value: String(index) })))
  await producer.close()
  const consumer = new Consumer({ ...properties, 'group.id': topic, 'auto.offset.reset': 'earliest' })
  consumer.subscribe([topic])
  let count = 0
  while (count < 1000) count += (await consumer.poll(1000)).count
  await consumer.commitSync()
  await consumer.close()
  assert.equal(count, 1000)
}

const jaas = (module: string, options: string) => `org.apache.kafka.common.security.${module} required ${options};`
const user = `username="alice" password="${PASSWORD}"`

test('Apache Kafka with TLS and SASL', async (t) => {
  const pem = certificates(t)
  const [ssl, sasl, plain] = [await freePort(), await freePort(), await freePort()]
  const brokerPem = {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': pem.server,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': pem.ca,
  }
  const kafka = await startKafka({
    listeners: [
      { name: 'MUTUAL', protocol: 'SSL', port: ssl },
      { name: 'LOGIN', protocol: 'SASL_SSL', port: sasl },
      { name: 'OPEN', protocol: 'SASL_PLAINTEXT', port: plain },
    ],
    properties: {
      ...brokerPem,
      'listener.name.mutual.ssl.client.auth': 'required',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'listener.name.login.plain.sasl.jaas.config': jaas('plain.PlainLoginModule', `user_alice="${PASSWORD}"`),
      'listener.name.login.scram-sha-256.sasl.jaas.config': jaas('scram.ScramLoginModule', ''),
      'listener.name.login.scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule', ''),
      'listener.name.login.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.open.sasl.enabled.mechanisms': 'OAUTHBEARER,PLAIN',
      'listener.name.open.plain.sasl.jaas.config': jaas('plain.PlainLoginModule', `user_alice="${PASSWORD}"`),
      'listener.name.open.oauthbearer.sasl.jaas.config': jaas(
        'oauthbearer.OAuthBearerLoginModule',
        'unsecuredLoginStringClaim_sub="broker"',
      ),
      'listener.name.open.plain.connections.max.reauth.ms': 4000,
    },
  })
  t.after(() => kafka.stop())
  await addUsers(kafka)
  const tls = { 'security.protocol': 'SSL', 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': pem.ca }
  const mutual = {
    'bootstrap.servers': `127.0.0.1:${ssl}`,
    ...tls,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': pem.client,
  }
  const login = { ...tls, 'bootstrap.servers': `127.0.0.1:${sasl}`, 'security.protocol': 'SASL_SSL' }

  await t.test('mutual TLS: files in PEM', () => roundTrip(mutual, 'mutual-pem'))

  await t.test('mutual TLS: texts in PEM', () => {
    const [key, chain] = [/-----BEGIN PRIVATE KEY-----[^]*-----END PRIVATE KEY-----/, /-----BEGIN CERT[^]*/].map(
      (pattern) => pattern.exec(readFileSync(pem.client, 'utf8'))![0],
    )
    const texts = {
      'security.protocol': 'SSL',
      'bootstrap.servers': mutual['bootstrap.servers'],
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.certificates': readFileSync(pem.ca, 'utf8'),
      'ssl.keystore.key': key!,
      'ssl.keystore.certificate.chain': chain!,
    }
    return roundTrip(texts, 'mutual-texts')
  })

  await t.test('mutual TLS: PKCS12', () =>
    roundTrip(
      {
        ...mutual,
        'ssl.keystore.type': 'PKCS12',
        'ssl.keystore.location': pem.clientP12,
        'ssl.keystore.password': 'changeit',
      },
      'mutual-p12',
    ),
  )

  for (const [mechanism, module] of [
    ['PLAIN', 'plain.PlainLoginModule'],
    ['SCRAM-SHA-256', 'scram.ScramLoginModule'],
    ['SCRAM-SHA-512', 'scram.ScramLoginModule'],
  ] as const) {
    const properties = { ...login, 'sasl.mechanism': mechanism }
    await t.test(`SASL_SSL, ${mechanism}`, () =>
      roundTrip({ ...properties, 'sasl.jaas.config': jaas(module, user) }, `sasl-${mechanism}`),
    )
    await t.test(`SASL_SSL, ${mechanism}: a wrong password is said at once, and is not in what is said`, async () => {
      const wrong = { ...properties, 'sasl.jaas.config': jaas(module, 'username="alice" password="hunter2"') }
      const consumer = new Consumer({ ...wrong, 'group.id': 'g' })
      consumer.subscribe(['any'])
      await assert.rejects(consumer.poll(30_000), (error: Error) => {
        assert.ok(error instanceof AuthenticationError, String(error))
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${sasl} did not let us in with SASL ${mechanism}`))
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      })
      await consumer.close()
      const producer = new Producer(wrong)
      await assert.rejects(producer.send({ topic: 'any', value: 'x' }), AuthenticationError)
      await producer.close()
    })
  }

  await t.test('SASL_PLAINTEXT, OAUTHBEARER', () =>
    roundTrip(
      {
        'bootstrap.servers': `127.0.0.1:${plain}`,
        'security.protocol': 'SASL_PLAINTEXT',
        'sasl.mechanism': 'OAUTHBEARER',
        'sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule', 'unsecuredLoginStringClaim_sub="alice"'),
      },
      'oauthbearer',
    ),
  )

  await t.test('a mechanism that the broker does not take: it says which it does', async () => {
    const admin = new Admin({
      ...login,
      'sasl.mechanism': 'OAUTHBEARER',
      'sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule', 'unsecuredLoginStringClaim_sub="alice"'),
    })
    await assert.rejects(admin.listTopics(), /it takes .*SCRAM-SHA-256.* \(sasl\.mechanism\)/)
    await admin.close()
  })

  await t.test('SASL_PLAINTEXT: a session is renewed while requests are under way', async () => {
    const properties = {
      'bootstrap.servers': `127.0.0.1:${plain}`,
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'PLAIN',
      'sasl.jaas.config': jaas('plain.PlainLoginModule', user),
    }
    const disconnects: string[] = []
    const logger = {
      debug: (_fields: object, message: string) => void (message === 'disconnected' && disconnects.push(message)),
      info() {},
      warn() {},
      error() {},
    }
    const admin = new Admin(properties)
    await admin.createTopics([{ name: 'renewed', partitions: 1 }])
    await admin.close()
    const producer = new Producer(properties, { logger })
    const consumer = new Consumer({ ...properties, 'group.id': 'renewed', 'auto.offset.reset': 'earliest' }, { logger })
    consumer.subscribe(['renewed'])
    const endMs = performance.now() + 15_000
    let [sent, seen] = [0, 0]
    while (performance.now() < endMs) {
      await producer.send({ topic: 'renewed', value: String(sent++) })
      seen += (await consumer.poll(20)).count
    }
    while (seen < sent) seen += (await consumer.poll(1000)).count
    await consumer.commitSync()
    await consumer.close()
    await producer.close()
    assert.equal(seen, sent)
    assert.deepEqual(disconnects, [], 'the broker ends a session that is not renewed')
  })

  await t.test('TLS: what is not trusted is not spoken to', async () => {
    const rejects = async (properties: PropertyBag, message: RegExp, kind: new (...args: never[]) => Error) => {
      const admin = new Admin({ ...properties, 'default.api.timeout.ms': 5000, 'request.timeout.ms': 3000 })
      await assert.rejects(admin.listTopics(), (error: Error) => {
        assert.ok(error instanceof kind, String(error))
        assert.match(error.message, message)
        return true
      })
      await admin.close()
    }
    const { 'ssl.truststore.location': _, 'ssl.truststore.type': __, ...unknown } = mutual
    await rejects(unknown, /not trusted .*ssl\.truststore\.location/, AuthenticationError)
    await rejects(
      { ...mutual, 'bootstrap.servers': `localhost:${ssl}` },
      /certificate for another name/,
      AuthenticationError,
    )
    await rejects(
      { ...mutual, 'ssl.truststore.location': '/nowhere.pem' },
      /\/nowhere\.pem cannot be read/,
      AuthenticationError,
    )
    await rejects(
      { ...mutual, 'bootstrap.servers': kafka.bootstrapServers },
      /Is security\.protocol what its listener wants/,
      Error,
    )
  })

  await t.test('sluice: --command-config, as Kafka’s own tools', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'client.properties')
    const lines = {
      ...login,
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config': jaas('scram.ScramLoginModule', user),
    }
    writeFileSync(
      file,
      Object.entries(lines)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
    const listed = await runSluice(t, [
      'topics',
      'list',
      '--bootstrap-server',
      `127.0.0.1:${sasl}`,
      '--command-config',
      file,
    ])
    assert.equal(listed.code, 0, listed.stderr)
    assert.match(listed.stdout, /^mutual-pem$/m)
  })
})

async function addUsers(kafka: KafkaCluster): Promise<void> {
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    const config = `${mechanism}=[password=${PASSWORD}]`
    const added = await kafkaTool('kafka.admin.ConfigCommand', [
      '--bootstrap-server',
      kafka.bootstrapServers,
      '--alter',
      '--entity-type',
      'users',
      '--entity-name',
      'alice',
      '--add-config',
      config,
    ])
    assert.equal(added.code, 0, added.stdout + added.stderr)
  }
}
