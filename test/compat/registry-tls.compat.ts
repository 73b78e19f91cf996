/** The schema registry's client over TLS with an authority of the test's own, and with a certificate of the client's. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { openRegistryValues } from '../../src/index.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** PEM texts: an authority, and what it signed for a server on 127.0.0.1 and for a client. */
async function certificates(t: TestContext) {
  const folder = await temporaryDirectory(t)
  const at = (name: string) => join(folder, name)
  const openssl = (command: string) => execFileSync('openssl', command.split(' '), { cwd: folder, stdio: 'ignore' })
  openssl('req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2')
  writeFileSync(at('ext'), 'subjectAltName=IP:127.0.0.1')
  for (const name of ['server', 'client']) {
    openssl(`req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`)
    openssl(`x509 -req -in ${name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out ${name}.crt -days 2 -extfile ext`)
  }
  return (name: string) => readFileSync(at(name), 'utf8')
}

test('schema registry over TLS: its certificate is checked, and the client shows its own', async (t) => {
  const pem = await certificates(t)
  const server = createServer(
    { key: pem('server.key'), cert: pem('server.crt'), ca: pem('ca.crt'), requestCert: true, rejectUnauthorized: true },
    (_, response) => response.end('{"schema":"\\"string\\""}'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = { 'schema.registry.url': `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
  const data = Buffer.from('00000000010261', 'hex')
  const read = async (properties: Record<string, string>) => {
    const values = await openRegistryValues('avro', { ...url, ...properties })
    try {
      return await values.read(data)
    } finally {
      values.close()
    }
  }
  const trusting = { 'schema.registry.ssl.truststore.certificates': pem('ca.crt') }
  await assert.rejects(read({}), /cannot be reached: .*(?:self-signed|unable to)/)
  await assert.rejects(read(trusting), /cannot be reached/)
  const showing = {
    'schema.registry.ssl.keystore.certificate.chain': pem('client.crt'),
    'schema.registry.ssl.keystore.key': pem('client.key'),
  }
  assert.equal(await read({ ...trusting, ...showing }), 'a')
})
