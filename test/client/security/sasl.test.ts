import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { parseConsumerConfig } from '../../../src/client/config.ts'
import { parseJaas } from '../../../src/client/security/jaas.ts'
import { beginSasl, type SaslSettings } from '../../../src/client/security/sasl.ts'
import { scram } from '../../../src/client/security/scram.ts'
import { securityOf } from '../../../src/client/security/security.ts'

const text = (bytes: Buffer | void) => (bytes as Buffer).toString('utf8')
const moment = { nonce: 'nonce', nowMs: 1_700_000_000_000, signal: new AbortController().signal }

test('SCRAM-SHA-256: the exchange of RFC 7677, section 3', async () => {
  const exchange = scram('sha256', { username: 'user', password: 'pencil' }, 'rOprNGfwEbeRWgbNEkqO')
  assert.equal(text((await exchange.next()).value), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  const challenge = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
  assert.equal(
    text((await exchange.next(Buffer.from(challenge))).value),
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  const end = await exchange.next(Buffer.from('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))
  assert.equal(end.done, true)
})

async function answered(...answers: string[]): Promise<unknown> {
  const exchange = scram('sha256', { username: 'user', password: 'pencil' }, 'abc')
  await exchange.next()
  for (const answer of answers) await exchange.next(Buffer.from(answer))
  return undefined
}

test('SCRAM: a broker that is not the one it should be is not believed', async () => {
  await assert.rejects(answered('r=abcdef,s=AAAA,i=4096', 'v=AAAA'), /did not prove that it knows the password/)
  await assert.rejects(answered('r=abcdef,s=AAAA,i=4096', 'e=other-error'), /the broker says other-error/)
  await assert.rejects(answered('r=xyz,s=AAAA,i=4096'), /nonce that is not ours/)
  await assert.rejects(answered('r=abc,s=AAAA,i=4096'), /nonce that is not ours/)
  await assert.rejects(answered('r=abcdef,s=AAAA,i=1'), /asks for 1 iterations, and 4096 to/)
  await assert.rejects(answered('r=abcdef,s=AAAA,i=99999999999'), /iterations/)
  await assert.rejects(answered('r=abcdef,i=4096'), /no salt/)
})

test('SCRAM: names with commas and equal signs are escaped', async () => {
  const exchange = scram('sha512', { username: 'a=b,c', password: 'x', isToken: true }, 'n')
  assert.equal(text((await exchange.next()).value), 'n,,n=a=3Db=2Cc,r=n,tokenauth=true')
})

test('PLAIN: RFC 4616', async () => {
  const exchange = beginSasl({ mechanism: 'PLAIN', username: 'alice', password: 'secret' }, moment)
  assert.equal(text((await exchange.next()).value), '\0alice\0secret')
  assert.equal((await exchange.next(Buffer.alloc(0))).done, true)
})

test('sasl.jaas.config: Java’s forms', () => {
  const entry = parseJaas(
    `org.apache.kafka.common.security.scram.ScramLoginModule  REQUIRED\n username = "al\\"ice" password='it;is=' tokenauth=true ;`,
  )
  assert.equal(entry.module, 'ScramLoginModule')
  assert.deepEqual(Object.fromEntries(entry.options), { username: 'al"ice', password: 'it;is=', tokenauth: 'true' })
  for (const [wrong, why] of [
    ['', /is empty/],
    ['Module', /"required"/],
    ['Module required a=b', /semicolon/],
    ['Module required a b;', /name=value/],
    ['Module required a="b;', /quote that is not closed/],
  ] as const) {
    assert.throws(() => parseJaas(wrong), why)
  }
})

const base = { 'bootstrap.servers': 'a:9092', 'group.id': 'g' }
const problem = (properties: Record<string, string>) => {
  try {
    parseConsumerConfig({ ...base, ...properties })
    return ''
  } catch (error) {
    return (error as Error).message
  }
}

test('properties: what is wrong is said before anything is connected to, and never a password', () => {
  assert.match(problem({ 'security.protocol': 'SASL' }), /security\.protocol "SASL" must be one of PLAINTEXT, SSL/)
  assert.match(problem({ 'security.protocol': 'SASL_SSL' }), /GSSAPI.*must be one of PLAIN.*Kerberos/)
  const plain = { 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'PLAIN' }
  assert.match(problem(plain), /sasl\.jaas\.config is missing, and PLAIN needs it, for example: org\.apache/)
  const wrongs = [
    'ScramLoginModule required username="a" password="hunter2";',
    'PlainLoginModule required username="a" password="hunter2"',
    'PlainLoginModule required password="hunter2";',
    'PlainLoginModule required username="a" password="hunter2;',
  ]
  for (const jaas of wrongs) {
    const said = problem({ ...plain, 'sasl.jaas.config': jaas })
    assert.match(said, /sasl\.jaas\.config/)
    assert.doesNotMatch(said, /hunter2/)
  }
  assert.match(problem({ 'security.protocol': 'SSL', 'ssl.truststore.location': 'a.jks' }), /reads PEM.*keytool/)
  assert.match(
    problem({ 'security.protocol': 'SSL', 'ssl.keystore.location': 'a.jks' }),
    /ssl\.keystore\.type is JKS, and Sluice reads PEM and PKCS12/,
  )
  assert.match(problem({ 'security.protocol': 'SSL', 'ssl.keystore.key': 'x' }), /belong together/)
  assert.match(problem({ 'security.protocol': 'SSL', 'ssl.enabled.protocols': 'TLSv1.1' }), /TLSv1\.2 or TLSv1\.3/)
  assert.equal(problem({ 'security.protocol': 'ssl' }), '')
})

test('securityOf: an empty identification algorithm leaves host names unchecked', () => {
  const config = parseConsumerConfig({
    ...base,
    'security.protocol': 'SSL',
    'ssl.endpoint.identification.algorithm': '',
  })
  assert.equal(securityOf(config).tls?.checksHostName, false)
})

function oauth(jaas: string, endpoint?: string): SaslSettings {
  const config = parseConsumerConfig({
    ...base,
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.jaas.config': `OAuthBearerLoginModule required ${jaas};`,
    ...(endpoint === undefined ? {} : { 'sasl.oauthbearer.token.endpoint.url': endpoint }),
  })
  return securityOf(config).sasl!
}

test('OAUTHBEARER: an unsecured token as Java makes it', async () => {
  const exchange = beginSasl(oauth('unsecuredLoginStringClaim_sub="alice"'), moment)
  const [gs2, bearer, ...rest] = text((await exchange.next()).value).split('\x01')
  assert.deepEqual([gs2, bearer!.slice(0, 12), rest], ['n,,', 'auth=Bearer ', ['', '']])
  const [header, claims, signature] = bearer!.slice(12).split('.')
  assert.deepEqual(JSON.parse(Buffer.from(header!, 'base64url').toString()), { alg: 'none' })
  assert.deepEqual(JSON.parse(Buffer.from(claims!, 'base64url').toString()), {
    iat: 1_700_000_000,
    exp: 1_700_003_600,
    sub: 'alice',
  })
  assert.equal(signature, '')
  assert.equal((await exchange.next(Buffer.alloc(0))).done, true)
})

test('OAUTHBEARER: a refusal is answered as the RFC asks, and said', async () => {
  const exchange = beginSasl(oauth('unsecuredLoginStringClaim_sub="alice"'), moment)
  await exchange.next()
  const answer = await exchange.next(Buffer.from('{"status":"invalid_token"}'))
  assert.equal(text(answer.value), '\x01')
  await assert.rejects(exchange.next(Buffer.alloc(0)), /refused the token.*invalid_token/)
})

test('OAUTHBEARER: a token from the token endpoint', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      asked.push(`${request.headers.authorization} ${body}`)
      if (asked.length > 1) response.writeHead(401)
      response.end('{"access_token":"abc"}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const settings = oauth('clientId="app" clientSecret="secret" scope="kafka"', endpoint)
  assert.equal(text((await beginSasl(settings, moment).next()).value), 'n,,\x01auth=Bearer abc\x01\x01')
  assert.deepEqual(asked, ['Basic YXBwOnNlY3JldA== grant_type=client_credentials&scope=kafka'])
  await assert.rejects(beginSasl(settings, moment).next(), /answered 401/)
  assert.throws(() => oauth('clientId="app"', endpoint), /no clientSecret/)
  assert.throws(() => oauth('x="y"'), /token\.endpoint\.url is missing/)
})
