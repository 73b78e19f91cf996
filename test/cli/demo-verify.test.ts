/** The demo's own judge: it must see what is lost, repeated, foreign and out of order, or its zeros mean nothing. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { demoRecords, type DemoRecords } from '../../src/cli/demo/records.ts'
import { compare, compareFiles, compareTable, isRight } from '../../src/cli/demo/verify.ts'
import { temporaryDirectory } from '../support/temporary-directory.ts'

await test('compare: counts how often each line is there too seldom and too often', () => {
  assert.deepEqual(compare(['a', 'b', 'b', 'c'], ['a', 'a', 'b', 'x']), {
    stored: 4,
    lost: 2,
    repeated: 1,
    foreign: 1,
    isOutOfOrder: false,
  })
  assert.ok(isRight(compare(['a', 'b', 'b'], ['b', 'a', 'b'])))
  assert.ok(!isRight(compare(['a'], ['a', 'a'])))
  assert.ok(!isRight(compare(['a'], [])))
  assert.ok(!isRight(compare(['a'], ['a', 'b'])))
})

const records: DemoRecords = {
  topic: 'clicks',
  columns: ['a', 'b'],
  values: [0, 1, 2, 3].map((a) => JSON.stringify({ a, b: 'x', c: 'left out' })),
  source: 'a test',
}

await test('compareFiles: reads a partition’s files in the order of their names', async (t) => {
  const directory = await temporaryDirectory(t)
  const write = async (path: string, text: string) => {
    await mkdir(join(directory, 'clicks', path.split('/')[0]!), { recursive: true })
    await writeFile(join(directory, 'clicks', path), text)
  }
  await write('0/00.csv', '0,x\n')
  await write('0/01.csv', '2,x\n')
  await write('0/.hidden', 'not this\n')
  await write('1/00.csv', '1,x\n3,x\n')
  assert.deepEqual(await compareFiles(directory, records, 2), {
    stored: 4,
    lost: 0,
    repeated: 0,
    foreign: 0,
    isOutOfOrder: false,
  })
  await write('1/00.csv', '3,x\n1,x\n')
  assert.ok(!isRight(await compareFiles(directory, records, 2)))
  await write('1/00.csv', '1,x\n')
  assert.equal((await compareFiles(directory, records, 2)).lost, 1)
})

await test('compareTable: reads the table with a query of its own', async (t) => {
  const path = join(await temporaryDirectory(t), 'x.db')
  const database = new DatabaseSync(path)
  t.after(() => database.close())
  database.exec(`CREATE TABLE clicks (a, b); INSERT INTO clicks VALUES (0, 'x'), (1, 'x'), (2, 'x'), (2, 'x')`)
  const { stored, lost, repeated } = compareTable(path, 'clicks', records)
  assert.deepEqual({ stored, lost, repeated }, { stored: 4, lost: 1, repeated: 1 })
})

await test('demo records: real flights, and a click log that a seed repeats', async () => {
  const flights = await demoRecords(undefined, undefined)
  assert.equal(flights.values.length, 231_083)
  assert.deepEqual(Object.keys(JSON.parse(flights.values[0]!) as object), flights.columns)
  const clicks = await demoRecords(100, 4)
  assert.deepEqual(await demoRecords(100, 4), clicks)
  assert.notDeepEqual((await demoRecords(100, 5)).values, clicks.values)
})
