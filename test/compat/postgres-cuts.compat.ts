/**
 * The connection breaks at every single message between the postgres sink and a real PostgreSQL 15: before it is delivered, or after it, with
 * the answer lost. The same owner goes on, or another one does. Each record must be there once.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeLog } from '../../src/testing/sink-owner.ts'
import { oneCut } from './cut-scenario.ts'
import { MessageProxy, postgresProtocol } from './message-proxy.ts'
import { makeSink } from './postgres-sink-child.ts'
import { query, startPostgres } from './postgres.ts'

const server = await startPostgres({ after })
const columns = [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'text' }, '$partition']
const log = makeLog({ topic: 'conformance', partition: 0 }, 7)
const expected = log.records.map(({ offset }) => offset)

const modes = {
  append: {},
  'append, sent ahead': { aheadBytes: 1 },
  upsert: { mode: 'upsert', 'key.columns': ['partition', 'id'] },
  'upsert, sent ahead': { aheadBytes: 1, mode: 'upsert', 'key.columns': ['partition', 'id'] },
}

for (const [name, options] of Object.entries(modes)) {
  for (const from of ['client', 'server'] as const) {
    for (const who of ['the same owner', 'another owner'] as const) {
      const lost = from === 'client' ? 'a message is lost' : 'an answer is lost'
      test(`postgres ${name}: ${lost} at every step, and ${who} goes on`, async (t) => {
        const proxy = await MessageProxy.start(t, server.port, postgresProtocol)
        const database = await server.database()
        const config = { type: 'postgres', ...server.options(database), port: proxy.port, table: 'records', columns }
        const argument = JSON.stringify({ ...config, aheadBytes: 1e9, 'lock.timeout.ms': 2000, ...options })
        let steps = 0
        for (let step = 1; ; step++) {
          const cutMessage = await oneCut(proxy, log, { from, step, who, makeSink: () => makeSink(argument) })
          const sql = 'SELECT id FROM records ORDER BY id'
          const stored = (await query(server.url(database), sql)).map(({ id }) => Number(id))
          assert.deepEqual(stored, expected, `cut at ${from} message ${step}, ${cutMessage}`)
          const [offsets] = await query(server.url(database), 'SELECT next FROM sluice_offsets')
          assert.equal(Number(offsets!['next']), log.end)
          if (cutMessage === undefined) break
          steps = step
          await query(server.url(database), 'DROP TABLE records, sluice_offsets')
        }
        assert.ok(steps > 30, `${steps} steps`)
        t.diagnostic(`${steps} steps`)
      })
    }
  }
}
