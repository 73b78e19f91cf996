/** The HTTP side: addresses that cannot be had, codes of probes, scrapers that do not read. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Monitor } from '../../src/app/monitor.ts'
import { HttpAddressError, startStatusServer } from '../../src/app/status-server.ts'

type Answers = Pick<Monitor, 'metrics' | 'status' | 'alive' | 'ready'>

async function serve(t: TestContext, answers: Partial<Answers> = {}, address = { host: '127.0.0.1', port: 0 }) {
  const good = { ok: true, problems: [] }
  const monitor = { metrics: async () => 'a 1\n', status: async () => '{}', alive: good, ready: good, ...answers }
  const server = await startStatusServer(address, monitor as unknown as Monitor)
  t.after(() => server.close())
  return server
}

test('status server: each path has its type; an unknown one names those that there are', async (t) => {
  const { url } = await serve(t)
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  const metrics = await fetch(`${url}/metrics`)
  assert.deepEqual(
    [metrics.status, metrics.headers.get('content-type'), await metrics.text()],
    [200, 'text/plain; version=0.0.4; charset=utf-8', 'a 1\n'],
  )
  const status = await fetch(`${url}/status`)
  assert.match(status.headers.get('content-type')!, /^application\/json/)
  assert.deepEqual(await status.json(), {})
  const other = await fetch(`${url}/`)
  assert.deepEqual(
    [other.status, await other.json()],
    [404, { error: 'not found', paths: ['/metrics', '/healthz', '/readyz', '/status'] }],
  )
  assert.equal((await fetch(`${url}/status`, { method: 'POST', body: '{}' })).status, 404)
})

test('status server: probes answer 503 with the reason', async (t) => {
  const { url } = await serve(t, { alive: { ok: false, problems: ['readers is stalled'] } })
  const healthz = await fetch(`${url}/healthz`)
  assert.deepEqual(
    [healthz.status, await healthz.json()],
    [503, { status: 'failed', problems: ['readers is stalled'] }],
  )
  const readyz = await fetch(`${url}/readyz`)
  assert.deepEqual([readyz.status, await readyz.json()], [200, { status: 'ok', problems: [] }])
})

test('status server: a port that is taken, and an address that is not this machine, are said', async (t) => {
  const { url } = await serve(t)
  const port = Number(new URL(url).port)
  await assert.rejects(serve(t, {}, { host: '127.0.0.1', port }), (error: HttpAddressError) => {
    assert.match(
      error.message,
      new RegExp(`^--http 127.0.0.1:${port}: the port is in use by another process: .*Nothing was started$`),
    )
    return error instanceof HttpAddressError
  })
  await assert.rejects(
    serve(t, {}, { host: '192.0.2.1', port: 0 }),
    /--http 192\.0\.2\.1:0: this machine has no such address/,
  )
})

test('status server: scrapers that ask and never read cost others nothing, and do not hold up the end', async (t) => {
  const large = `a 1\n${'# filler\n'.repeat(1_000_000)}`
  const server = await serve(t, { metrics: async () => large })
  const port = Number(new URL(server.url).port)
  const silent = Array.from({ length: 20 }, () => {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.pause()
    socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    t.after(() => socket.destroy())
    return new Promise((resolve) => socket.once('connect', resolve))
  })
  await Promise.all(silent)
  for (let round = 0; round < 50; round++) assert.equal((await fetch(`${server.url}/healthz`)).status, 200)
  assert.equal((await (await fetch(`${server.url}/metrics`)).text()).length, large.length)
  await server.close()
})
