import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { ProducerIds } from '../../../src/broker/transactions/producer-ids.ts'
import { systemDisk } from '../../../src/seams/disk.ts'
import { temporaryDirectory } from '../../support/temporary-directory.ts'

it('no id is handed out twice, however often the broker crashes', async (t) => {
  const directory = await temporaryDirectory(t)
  const seen = new Set<number>()
  for (let life = 0; life < 5; life++) {
    const ids = new ProducerIds({ disk: systemDisk, directory })
    await ids.load(-1)
    const given = await Promise.all(Array.from({ length: 700 }, () => ids.next()))
    for (const id of given) {
      assert.equal(seen.has(id), false, `${id} is given twice`)
      seen.add(id)
    }
  }
  assert.equal(seen.size, 3500)
})

it('a lost file repeats no id that stands in a log', async (t) => {
  const ids = new ProducerIds({ disk: systemDisk, directory: await temporaryDirectory(t) })
  await ids.load(4321)
  assert.equal(await ids.next(), 4322)
})

it('a block that cannot be reserved is tried again by the next one who asks', async (t) => {
  const directory = await temporaryDirectory(t)
  let full = true
  const disk = {
    ...systemDisk,
    rename: (from: string, to: string) => (full ? Promise.reject(new Error('ENOSPC')) : systemDisk.rename(from, to)),
  }
  const ids = new ProducerIds({ disk, directory })
  await ids.load(-1)
  await assert.rejects(ids.next(), /ENOSPC/)
  full = false
  assert.equal(await ids.next(), 0)
})

it('a file that says something else is an error that names it', async (t) => {
  const directory = await temporaryDirectory(t)
  await writeFile(join(directory, 'producer-ids.json'), 'what')
  const ids = new ProducerIds({ disk: systemDisk, directory })
  await assert.rejects(ids.load(-1), { code: 'SLUICE_PRODUCER_IDS', message: /producer-ids\.json/ })
})
