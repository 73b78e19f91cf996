/** The mysql sink over TLS, to a MariaDB whose certificate comes from an authority of the test's own. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { SinkRefusedError } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, storeAll } from '../sinks/fixtures.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'
import { makeSink } from './mysql-sink-child.ts'
import { mariadb, startMysql } from './mysql.ts'

test('mysql: TLS with and without a look at the certificate', async (t) => {
  const directory = await temporaryDirectory(t)
  const certified = (name: string) => {
    const [key, certificate] = [join(directory, `${name}.key`), join(directory, `${name}.crt`)]
    const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`, '-days', '2']
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...about]
    execFileSync('openssl', made, { stdio: 'ignore' })
    return { certificate, settings: { 'ssl-cert': certificate, 'ssl-key': key } }
  }
  const { certificate, settings } = certified('localhost')
  const server = await startMysql(t, mariadb, settings)
  const database = await server.database()
  const columns = [{ name: 'id', type: 'int' }]
  const sink = (options: object) =>
    makeSink(JSON.stringify({ type: 'mysql', ...server.options(database), table: 'flights', columns, ...options }))
  const refused = (options: object, message: RegExp) =>
    assert.rejects(sink(options).open(contextOf()), (error) => {
      assert.ok(error instanceof SinkRefusedError, String(error))
      assert.match(error.message, message)
      return true
    })
  // Who does not come by TLS does not come in.
  await server.query("GRANT ALL ON *.* TO 'sluice'@'%' IDENTIFIED BY 'x' REQUIRE SSL")
  const user = { user: 'sluice', password: 'x' }
  await refused(user, /Access denied for user 'sluice'/)
  const secure = [{ ssl: 'require' }, { ssl: 'verify-full', 'ssl.ca': certificate, host: 'localhost' }]
  for (const [first, options] of secure.entries())
    await storeAll(sink({ ...user, ...options }), contextOf(), batchOf([`{"id":${first}}`], { first }))
  assert.deepEqual(await server.query('SELECT id FROM flights ORDER BY id', { database }), [{ id: 0 }, { id: 1 }])
  await refused({ ...user, ssl: 'verify-full', host: 'localhost' }, /self-signed certificate/)
  const other = certified('other.example')
  const foreign = await startMysql(t, mariadb, other.settings)
  const toForeign = { ...foreign.options(await foreign.database()), host: 'localhost', 'ssl.ca': other.certificate }
  await refused({ ...toForeign, ssl: 'verify-full' }, /does not match|altnames/)
  const nowhere = sink({ ssl: 'verify-full', host: 'localhost', 'ssl.ca': join(directory, 'nowhere') })
  await assert.rejects(nowhere.open(contextOf()), /sink\.ssl\.ca names .*nowhere, which cannot be read/)
  const plain = await startMysql(t, mariadb, { 'skip-ssl': '1' })
  await refused(
    { ...plain.options(await plain.database()), ssl: 'require' },
    /does not support.*; set up TLS on the server, or "ssl": "disable"/i,
  )
})
