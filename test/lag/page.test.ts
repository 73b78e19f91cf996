/** How the monitor serves its page: built from the sources when it is asked for, small, cached by name, under a strict policy. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import { fastify } from 'fastify'
import { addPage, contentSecurityPolicy } from '../../src/lag/http/page.ts'
import { sendError } from '../../src/lag/http/rest-api.ts'
import { systemDisk } from '../../src/seams/disk.ts'
import { silentLogger } from '../../src/seams/logger.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

/** First contentful view, gzipped. */
const MOST_BYTES = 100_000

function served(t: TestContext, folder?: string) {
  const server = fastify()
  t.after(() => server.close())
  server.setErrorHandler((error, _request, reply) => sendError(reply, error))
  addPage(server, { disk: systemDisk, logger: silentLogger, folder })
  return server
}

test('page: built from its sources; what the first view loads is far under 100 kB', async (t) => {
  const server = served(t)
  const html = await server.inject('/')
  assert.equal(html.statusCode, 200)
  const names = [...html.body.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]!)
  assert.ok(names.some((name) => name.endsWith('.js')) && names.some((name) => name.endsWith('.css')), names.join())
  const files = await Promise.all(names.map((name) => server.inject(`/${name}`)))
  for (const { statusCode, headers } of files) {
    assert.equal(statusCode, 200)
    assert.match(String(headers['cache-control']), /immutable/)
  }
  const bytes = [html, ...files].reduce((sum, { rawPayload }) => sum + gzipSync(rawPayload).length, 0)
  assert.ok(bytes < MOST_BYTES, `the first view takes ${bytes} bytes`)
  t.diagnostic(`first view: ${bytes} bytes gzipped`)
})

test('page: may load and reach nothing but its server, and runs nothing that stands in the page', async (t) => {
  const { body, headers } = await served(t).inject('/')
  assert.equal(headers['content-security-policy'], contentSecurityPolicy)
  assert.match(contentSecurityPolicy, /^default-src 'none'; /)
  assert.doesNotMatch(contentSecurityPolicy, /unsafe|\*|https?:|data:/)
  assert.doesNotMatch(body, /<style|<script(?![^>]*\ssrc="\.\/)|\son\w+=|\sstyle=|https?:/)
  assert.equal(headers['x-content-type-options'], 'nosniff')
})

test('page: is not sent again to whoever has it, and compressed to whoever takes that', async (t) => {
  const server = served(t)
  const whole = await server.inject('/')
  const { etag } = whole.headers
  const again = await server.inject({ url: '/', headers: { 'if-none-match': String(etag) } })
  assert.deepEqual([again.statusCode, again.body], [304, ''])
  const compressed = await server.inject({ url: '/', headers: { 'accept-encoding': 'br, gzip' } })
  assert.equal(compressed.headers['content-encoding'], 'gzip')
  assert.equal(compressed.headers['vary'], 'accept-encoding')
  assert.ok(compressed.rawPayload.length < whole.rawPayload.length)
})

test('page: what is not among its files is not there, whatever the name says', async (t) => {
  const server = served(t)
  for (const name of ['nothing.js', '..%2findex.html', '%2e%2e%2f%2e%2e%2fetc%2fpasswd'])
    assert.equal((await server.inject(`/assets/${name}`)).statusCode, 404, name)
})

test('page: one that cannot be built is said, and tried again by the next visitor', async (t) => {
  const folder = await temporaryDirectory(t)
  const server = served(t, folder)
  const failed = await server.inject('/')
  assert.equal(failed.statusCode, 503)
  await systemDisk.makeDirectory(join(folder, 'assets'))
  const file = await systemDisk.open(join(folder, 'index.html'), 'create')
  await file.write([Buffer.from('<!doctype html>')])
  await file.close()
  assert.equal((await server.inject('/')).statusCode, 200)
})
