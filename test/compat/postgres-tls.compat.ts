/** The postgres sink over TLS, to a server whose certificate comes from an authority of the test's own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { SinkOptionsError, SinkRefusedError } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, storeAll } from '../sinks/fixtures.ts'
import { makeSink } from './postgres-sink-child.ts'
import { query, startPostgres } from './postgres.ts'

test('postgres: TLS with and without a look at the certificate', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-postgres-'))
  const [key, certificate] = [join(directory, 'server.key'), join(directory, 'server.crt')]
  const about = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...about],
    { stdio: 'ignore' },
  )
  const [uid, gid] = ['-u', '-g'].map((which) => Number(execFileSync('id', [which, 'postgres']).toString()))
  chownSync(key, uid!, gid!)
  chmodSync(key, 0o600)
  const settings = { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key }
  const server = await startPostgres(t, { directory, settings })
  const sink = (options: object) =>
    makeSink(JSON.stringify({ type: 'postgres', ...server.options(), table: 'flights', aheadBytes: 1e9, ...options }))
  const refused = (options: object, message: RegExp) =>
    assert.rejects(sink(options).open(contextOf()), (error) => {
      assert.ok(error instanceof SinkRefusedError, String(error))
      assert.match(error.message, message)
      return true
    })
  const state = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'sluice %'"
  const secure = [{ ssl: 'require' }, { ssl: 'verify-full', 'ssl.ca': certificate, host: 'localhost' }]
  for (const [first, options] of secure.entries()) {
    const one = sink(options)
    t.after(() => one.close())
    await one.open(contextOf())
    assert.deepEqual(await query(server.url(), state), [{ ssl: true }])
    await one.close()
    await storeAll(sink(options), contextOf(), batchOf(['1'], { first }))
  }
  assert.equal((await query(server.url(), 'SELECT 1 FROM flights')).length, 2)
  await refused({ ssl: 'verify-full', host: 'localhost' }, /self-signed certificate/)
  await refused({ ssl: 'verify-full', 'ssl.ca': certificate }, /does not match|altnames/)
  await assert.rejects(
    sink({ ssl: 'verify-full', 'ssl.ca': join(directory, 'nowhere') }).open(contextOf()),
    (error) => {
      assert.ok(error instanceof SinkOptionsError, String(error))
      assert.match(error.message, /sink\.ssl\.ca names .*nowhere, which cannot be read/)
      return true
    },
  )
  const plain = await startPostgres(t)
  await refused({ ...plain.options(), ssl: 'require' }, /does not support SSL/)
})
