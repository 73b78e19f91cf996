/** The `s3` sink over real stores: the conformance suite, and what the chain of objects takes for granted of them. */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { systemDisk } from '../../src/seams/disk.ts'
import { openS3Store } from '../../src/sinks/s3-store.ts'
import { sinkConformance } from '../../src/testing/sink-conformance.ts'
import { makeSink } from './s3-sink-child.ts'
import { rowsBelow } from './s3-reading.ts'
import { startMinio, startVersityGateway, type StoreServer } from './s3-servers.ts'

const { signal } = new AbortController()
const inMemory = 'test/sinks/object-conformance.test.ts, in memory'

for (const [name, start] of [
  ['versitygw', startVersityGateway],
  ['MinIO', startMinio],
] as const) {
  describe(name, () => {
    // One server for all cases, as each takes a prefix of its own.
    let server: StoreServer
    let prefixes = 0
    before(async () => {
      server = await start()
    })
    after(() => server?.stop())

    sinkConformance({
      name: `s3 over ${name}`,
      guarantee: 'create-once',
      poison: '[1]',
      rounds: 3,
      skip: {
        'the disk is full at any step, and is not lost on it': inMemory,
        'the disk stays full until the owner gives up': inMemory,
        'a flush that is aborted at any step can be repeated': inMemory,
      },
      async makeStore() {
        const { endpoint, credentials, client } = server
        const prefix = `conformance-${++prefixes}`
        const argument = JSON.stringify({ endpoint, prefix, ...credentials, 'request.timeout.ms': 1000 })
        return {
          create: () => makeSink(argument),
          readBack: async ({ topic, partition }) =>
            (await rowsBelow(client, `${prefix}/${topic}/${partition}/`)).map(([id]) => Number(id)),
          async takeDown() {
            await server.pause()
            return { restore: async () => server.resume() }
          },
          child: { module: new URL('./s3-sink-child.ts', import.meta.url), argument },
        }
      },
    })

    const storeOf = async (t: TestContext, changes: object = {}) => {
      const { endpoint, credentials } = server
      const options = { bucket: 'test', endpoint, ...credentials, 'request.timeout.ms': 5000, ...changes }
      const store = await openS3Store(options, { disk: systemDisk, signal })
      t.after(() => store.close())
      return store
    }

    test(`s3 over ${name}: a small object is written only over the one that was read`, async (t) => {
      const store = await storeOf(t)
      const absent = { kind: 'absent' } as const
      const first = await store.put('small/head', 'one', absent, signal)
      assert.equal(await store.put('small/head', 'two', absent, signal), undefined)
      const second = await store.put('small/head', 'two', { kind: 'unchanged', etag: first! }, signal)
      assert.notEqual(second, first)
      assert.equal(await store.put('small/head', 'three', { kind: 'unchanged', etag: first! }, signal), undefined)
      assert.deepEqual(await store.read('small/head', signal), { text: 'two', etag: second })
      await store.remove('small/head', signal)
      assert.equal(await store.read('small/head', signal), undefined)
      assert.equal(await store.put('small/head', 'four', { kind: 'unchanged', etag: second! }, signal), undefined)
      const racing = Array.from({ length: 12 }, (_, index) => store.put('small/race', String(index), absent, signal))
      const won = (await Promise.all(racing)).filter((etag) => etag !== undefined)
      assert.equal(won.length, 1, 'one of twelve')
    })

    test(`s3 over ${name}: an upload is seen when it is completed, once, and never over another object`, async (t) => {
      const store = await storeOf(t)
      const upload = await store.begin('upload/a.csv', { 'sluice-claim': 'token' }, signal)
      const large = Buffer.alloc(5 * 1024 * 1024, 'x')
      const parts = []
      for (const [index, bytes] of [large, Buffer.from('the end\n')].entries()) {
        const part = await store.uploadPart(upload, index + 1, bytes, signal)
        assert.ok(part !== 'gone')
        parts.push(part)
      }
      assert.equal(await store.metadata('upload/a.csv', signal), undefined)
      assert.equal(await store.complete(upload, parts, signal), 'done')
      assert.equal((await store.metadata('upload/a.csv', signal))?.['sluice-claim'], 'token')
      const found = await store.read('upload/a.csv', signal)
      assert.equal(found?.text.length, large.length + 8)
      // Again: gone, or the same answer as the first time, as the store likes; never another object.
      const again = await store.complete(upload, parts, signal)
      assert.ok(['gone', 'done', 'taken'].includes(again), again)
      assert.equal((await store.read('upload/a.csv', signal))?.etag, found?.etag)
      const other = await store.begin('upload/a.csv', { 'sluice-claim': 'other' }, signal)
      const part = await store.uploadPart(other, 1, Buffer.from('other\n'), signal)
      assert.ok(part !== 'gone')
      assert.equal(await store.complete(other, [part], signal), 'taken')
      assert.equal((await store.read('upload/a.csv', signal))?.etag, found?.etag)
      t.diagnostic(`s3 over ${name}: a second CompleteMultipartUpload is ${again}`)
    })

    test(`s3 over ${name}: an upload that was aborted is gone, and is told so`, async (t) => {
      const store = await storeOf(t)
      const upload = await store.begin('aborted/0/00000000000000000000.csv', {}, signal)
      const part = await store.uploadPart(upload, 1, Buffer.from('x\n'), signal)
      assert.ok(part !== 'gone')
      const listed = await store.uploads('aborted/0/', signal)
      t.diagnostic(`s3 over ${name}: ListMultipartUploads with a folder as prefix finds ${listed.length} of 1`)
      await store.abort(upload, signal)
      await store.abort(upload, signal)
      assert.equal(await store.uploadPart(upload, 1, Buffer.from('x\n'), signal), 'gone')
      assert.equal(await store.complete(upload, [part], signal), 'gone')
      assert.deepEqual(await store.uploads('aborted/0/', signal), [])
    })

    test(`s3 over ${name}: keys are listed in the order of bytes, from where one says`, async (t) => {
      const store = await storeOf(t)
      for (const key of ['.sluice/head.json', '00000000000000000000.csv', '00000000000000000500.csv']) {
        await store.put(`listed/0/${key}`, 'x', { kind: 'any' }, signal)
      }
      const first = (after: string) => store.firstKey('listed/0/', `listed/0/${after}`, signal)
      assert.equal(await first('00000000000000000000'), 'listed/0/00000000000000000000.csv')
      assert.equal(await first('00000000000000000001'), 'listed/0/00000000000000000500.csv')
      assert.equal(await first('00000000000000000501'), undefined)
    })

    test(`s3 over ${name}: what is wrong is said`, async (t) => {
      const { endpoint } = server
      await assert.rejects(storeOf(t, { bucket: 'nobodys' }), {
        code: 'SLUICE_SINK_REFUSED',
        message: /create the bucket, or correct "bucket" \(NoSuchBucket/,
      })
      await assert.rejects(storeOf(t, { 'secret.access.key': 'wrong-secret-7F' }), (error: Error) => {
        assert.match(error.message, /"secret.access.key" is not the one/)
        assert.doesNotMatch(error.message, /wrong-secret-7F/)
        return true
      })
      await assert.rejects(storeOf(t, { 'access.key.id': 'nobody' }), {
        code: 'SLUICE_SINK_REFUSED',
        message: /the store does not know "access.key.id"/,
      })
      await assert.rejects(storeOf(t, { endpoint: endpoint.replace(/\d+$/, '1') }), {
        code: 'SLUICE_SINK_UNAVAILABLE',
        message: /is the store running, and does it listen there\? \(ECONNREFUSED\)/,
      })
    })
  })
}
