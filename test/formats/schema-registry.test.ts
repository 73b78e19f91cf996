/** The registry's client over real HTTP, with a registry written for the tests: what it remembers, what it tries again, and what it says. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  MalformedDataError,
  SchemaRegistryRefusedError,
  SchemaRegistryUnavailableError,
} from '../../src/formats/errors.ts'
import { SchemaRegistry, type SchemaRegistryOptions } from '../../src/formats/schema-registry.ts'
import { systemClock, type Clock } from '../../src/seams/clock.ts'
import { systemHttp } from '../../src/seams/http.ts'
import { systemRandom } from '../../src/seams/random.ts'
import { openRegistryValues } from '../../src/index.ts'
import { TestSchemaRegistry } from '../support/schema-registry.ts'

const contents = {
  schemas: {
    1: { schema: '"string"' },
    2: { schema: '"long"', schemaType: 'AVRO', references: [{ name: 'a.A', subject: 'a', version: 2 }] },
    3: { schema: '"long"', references: [{ name: 'gone', subject: 'gone', version: 1 }] },
    4: { schema: '<xsd>', schemaType: 'XSD' },
  },
  subjects: {
    a: { 2: { schema: '"A"', references: [{ name: 'b.B', subject: 'b/with slash', version: 1 }] } },
    'b/with slash': { 1: { schema: '"B"', references: [{ name: 'a.A', subject: 'a', version: 2 }] } },
  },
}

/** Sleeps take no time, and are counted; time goes on when the test says so. */
class QuickClock {
  waits: number[] = []
  nowMs = 0
  readonly clock: Clock = {
    ...systemClock,
    monotonic: () => this.nowMs,
    sleep: (ms) => {
      this.waits.push(ms)
      return Promise.resolve()
    },
  }
}

async function setUp(t: TestContext, more: (url: string) => Partial<SchemaRegistryOptions> = () => ({})) {
  const server = await TestSchemaRegistry.start(t, contents)
  const quick = new QuickClock()
  const registry = new SchemaRegistry(
    { urls: [new URL(server.url)], ...more(server.url) },
    { http: systemHttp, clock: quick.clock, random: systemRandom },
  )
  t.after(() => registry.close())
  return { server, registry, quick }
}

test('schema: fetched once, however many ask, at the same time or later', async (t) => {
  const { server, registry } = await setUp(t)
  const [first, second] = await Promise.all([registry.schema(1), registry.schema(1)])
  assert.deepEqual(first, { id: 1, type: 'AVRO', text: '"string"', references: [] })
  assert.equal(second, first)
  assert.equal(await registry.schema(1), first)
  assert.deepEqual(server.asked, ['/schemas/ids/1'])
})

test('schema: references of references come first, and a circle of them ends', async (t) => {
  const { registry } = await setUp(t)
  const { references } = await registry.schema(2)
  assert.deepEqual(references, [
    { name: 'b.B', text: '"B"' },
    { name: 'a.A', text: '"A"' },
  ])
})

test('schema: what the registry does not know is the record’s fault, and is asked for again only after a while', async (t) => {
  const { server, registry, quick } = await setUp(t)
  for (let times = 0; times < 5; times++) {
    await assert.rejects(registry.schema(99), (error) => {
      assert.ok(error instanceof MalformedDataError)
      assert.equal(error.retriable, false)
      assert.match(error.message, /no schema with the id 99/)
      return true
    })
  }
  assert.equal(server.asked.length, 1)
  quick.nowMs = 60_000
  await assert.rejects(registry.schema(99), MalformedDataError)
  assert.equal(server.asked.length, 2)
  await assert.rejects(registry.schema(3), /refers to gone, version 1 of the subject gone/)
  await assert.rejects(registry.schema(4), /of the type XSD/)
})

test('schema: a registry that is down is tried three times with growing waits, then said, and nothing is remembered', async (t) => {
  const { server, registry, quick } = await setUp(t)
  server.behaves = 'unavailable'
  await assert.rejects(registry.schema(1), (error) => {
    assert.ok(error instanceof SchemaRegistryUnavailableError)
    assert.equal(error.retriable, true)
    assert.match(error.message, /answers \/schemas\/ids\/1 with 503 \(no leader\)/)
    return true
  })
  assert.equal(server.asked.length, 3)
  assert.equal(quick.waits.length, 2)
  assert.ok(quick.waits[0]! <= 200 && quick.waits[1]! <= 400 && quick.waits[1]! >= 200)
  await server.stop()
  await assert.rejects(registry.schema(1), /cannot be reached: .*ECONNREFUSED/)
  await server.listen()
  server.behaves = 'well'
  assert.equal((await registry.schema(1)).text, '"string"')
})

test('schema: the next URL is asked when one cannot be reached', async (t) => {
  const { registry } = await setUp(t, (url) => ({ urls: [new URL('http://127.0.0.1:1'), new URL(url)] }))
  assert.equal((await registry.schema(1)).text, '"string"')
})

test('schema: a path before the interface, as other registries have it', async (t) => {
  const { server, registry } = await setUp(t, (url) => ({ urls: [new URL(`${url}/base`)] }))
  await registry.schema(1)
  assert.deepEqual(server.asked, ['/base/schemas/ids/1'])
})

test('schema: credentials from the option or the URL, and a refusal that no record is at fault for', async (t) => {
  const { server, registry } = await setUp(t, () => ({ userInfo: 'me:secret:word' }))
  await registry.schema(1)
  assert.equal(server.authorizations[0], `Basic ${Buffer.from('me:secret:word').toString('base64')}`)
  const byUrl = await setUp(t, (url) => ({ urls: [new URL(url.replace('//', '//you:p%40ss@'))] }))
  await byUrl.registry.schema(1)
  assert.equal(byUrl.server.authorizations[0], `Basic ${Buffer.from('you:p@ss').toString('base64')}`)
  byUrl.server.behaves = 'forbids'
  await assert.rejects(byUrl.registry.schema(2), (error) => {
    assert.ok(error instanceof SchemaRegistryRefusedError)
    assert.match(error.message, /refuses .* with 401/)
    assert.doesNotMatch(error.message, /p@ss|p%40ss/)
    return true
  })
})

test('schema: a server that is no registry is a mistake in the configuration, not in a record', async (t) => {
  const wrongPath = await setUp(t, (url) => ({ urls: [new URL(`${url}/elsewhere`)] }))
  await assert.rejects(wrongPath.registry.schema(1), (error) => {
    assert.ok(error instanceof SchemaRegistryRefusedError)
    assert.match(error.message, /answers \/elsewhere\/schemas\/ids\/1 with 404.*base URL/)
    return true
  })
  const { server, registry } = await setUp(t)
  server.behaves = 'redirects'
  await assert.rejects(registry.schema(1), /with 302/)
})

test('close: ends what is under way', async (t) => {
  const { server, registry } = await setUp(t)
  server.behaves = 'hangs'
  const schema = registry.schema(1)
  registry.close()
  await assert.rejects(schema, SchemaRegistryUnavailableError)
})

test('openRegistryValues: the library’s way to the same', async (t) => {
  const server = await TestSchemaRegistry.start(t, contents)
  const values = await openRegistryValues('avro', { 'schema.registry.url': server.url })
  t.after(() => values.close())
  assert.equal(await values.read(Buffer.from('00000000010261', 'hex')), 'a')
  assert.equal(values.read(Buffer.from('00000000010262', 'hex')), 'b')
  await assert.rejects(openRegistryValues('avro', { 'schema.registry.url': 'registry' }), /must be a URL/)
})
