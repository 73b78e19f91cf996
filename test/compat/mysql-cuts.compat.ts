/**
 * The connection breaks at every single packet between the mysql sink and a real MariaDB, and a real MySQL: before it is delivered, or after it, with
 * the answer lost. The same owner goes on, or another one does. Each record must be there once.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeLog } from '../../src/testing/sink-owner.ts'
import { oneCut } from './cut-scenario.ts'
import { MessageProxy, mysqlProtocol } from './message-proxy.ts'
import { makeSink } from './mysql-sink-child.ts'
import { distributions, mariadb, startMysql } from './mysql.ts'

const columns = [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'varchar(100)' }, '$partition']
const log = makeLog({ topic: 'conformance', partition: 0 }, 7)
const expected = log.records.map(({ offset }) => offset)

const modes = [
  ['append', {}],
  ['upsert', { mode: 'upsert', 'key.columns': ['partition', 'id'] }],
] as const

for (const distribution of distributions) {
  const server = await startMysql({ after }, distribution)
  for (const [name, options] of modes.slice(0, distribution === mariadb ? 2 : 1)) {
    for (const from of ['client', 'server'] as const) {
      for (const who of ['the same owner', 'another owner'] as const) {
        const lost = from === 'client' ? 'a packet is lost' : 'an answer is lost'
        test(`mysql ${name}, ${distribution.name}: ${lost} at every step, and ${who} goes on`, async (t) => {
          const proxy = await MessageProxy.start(t, server.port, mysqlProtocol)
          const database = await server.database()
          const config = { type: 'mysql', ...server.options(database), port: proxy.port, table: 'records', columns }
          const argument = JSON.stringify({ ...config, 'lock.timeout.ms': 2000, ...options })
          let steps = 0
          for (let step = 1; ; step++) {
            const cut = await oneCut(proxy, log, { from, step, who, makeSink: () => makeSink(argument) })
            const stored = await server.query('SELECT id FROM records ORDER BY id', { database })
            const at = `cut at ${from} packet ${step}, ${cut}`
            assert.deepEqual(
              stored.map(({ id }) => Number(id)),
              expected,
              at,
            )
            assert.deepEqual(
              await server.query('SELECT next FROM sluice_offsets', { database }),
              [{ next: log.end }],
              at,
            )
            if (cut === undefined) break
            steps = step
            await server.query(['DROP TABLE records', 'DROP TABLE sluice_offsets'], { database })
          }
          assert.ok(steps > 25, `${steps} steps`)
          t.diagnostic(`${steps} steps`)
        })
      }
    }
  }
}
