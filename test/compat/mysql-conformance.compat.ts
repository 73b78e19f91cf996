/** The conformance suite over a real MariaDB and a real MySQL: append and upsert, many statements a flush and one, killed processes included. */
import { after, describe } from 'node:test'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { makeSink } from './mysql-sink-child.ts'
import { distributions, startMysql } from './mysql.ts'

const columns = [{ name: 'id', type: 'bigint' }, { name: 'text', type: 'varchar(100)' }, '$partition']

for (const distribution of distributions) {
  const server = await startMysql({ after }, distribution)
  describe(distribution.name, () => {
    for (const [name, options] of [
      ['append', {}],
      ['append, a statement a row', { statementCharacters: 1 }],
      ['upsert', { mode: 'upsert', 'key.columns': ['partition', 'id'] }],
    ] as const) {
      sinkConformance({
        name: `mysql ${name}`,
        guarantee: 'transactional',
        poison: '{"text":"no id"}',
        rounds: 8,
        async makeStore(t) {
          const database = await server.database()
          t.after(() =>
            server.query(`DROP DATABASE ${database}`).then(
              () => {},
              () => {},
            ),
          )
          // The place of a row in the table is not its order: what a killed transaction had written is free for the next one.
          const key = 'mode' in options ? 'UNIQUE (`partition`, id)' : 'KEY (`partition`)'
          await server.query(
            `CREATE TABLE records (id bigint, text varchar(100), \`partition\` int, sequence bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, ${key}) ENGINE = InnoDB`,
            { database },
          )
          const sink = {
            type: 'mysql',
            ...server.options(database),
            table: 'records',
            columns,
            'lock.timeout.ms': 1000,
          }
          const argument = JSON.stringify({ ...sink, ...options })
          return {
            create: () => makeSink(argument),
            async readBack({ partition }) {
              const sql = `SELECT id FROM records WHERE \`partition\` = ${partition} ORDER BY sequence`
              return (await server.query(sql, { database })).map(({ id }) => Number(id))
            },
            async takeDown() {
              const other = await server.connection(database)
              await other.query('LOCK TABLES sluice_offsets WRITE')
              return { restore: () => other.end() }
            },
            child: { module: new URL('./mysql-sink-child.ts', import.meta.url), argument },
          }
        },
      })
    }
  })
}
