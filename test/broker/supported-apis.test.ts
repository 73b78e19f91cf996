import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { handlersByKey } from '../../src/broker/dispatcher.ts'
import { handlers } from '../../src/broker/handlers/index.ts'
import { supportedApisPage } from '../../src/broker/supported-apis.ts'

test('docs/supported-apis.md: is what the table of handlers says', async () => {
  const file = new URL('../../docs/supported-apis.md', import.meta.url)
  assert.equal(await readFile(file, 'utf8'), supportedApisPage(), 'run node scripts/supported-apis.ts')
})

test('handlers: two for one key throw at start', () => {
  assert.throws(() => handlersByKey([...handlers, handlers[0]!]), /API key 0 has two handlers: Produce and Produce/)
})

test('handlers: Produce 0 to 2 are advertised and not served, so that librdkafka compresses (KAFKA-18659)', () => {
  const produce = handlersByKey(handlers).get(0)!
  assert.deepEqual([produce.advertisedOldest, ...produce.versions], [0, 3, 13])
})
