/** Groups reset and deleted through the monitor's API, over the embedded broker: shown first, only with the token, only while nobody is in the group. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { GroupChange } from '../../src/lag/api-types.ts'
import { groupChangeSchema } from '../../src/lag/http/schemas.ts'
import { CLUSTER, TOKEN, watchBroker, type WatchedBroker } from '../dashboard/watched-broker.ts'
import { until } from '../support/until.ts'

interface Answer {
  readonly status: number
  readonly body: any
}

async function asking(t: TestContext, over: { allowChanges?: boolean } = {}) {
  const watched = await watchBroker(t, { topics: { orders: 2 }, allowChanges: true, store: 'none', ...over })
  for (const partition of [0, 1]) await watched.produce('orders', partition, 10)
  await watched.commit('idle', 'orders', [4, 6])
  await watched.seen('idle', ({ partitions }) => partitions === 2, 'the group is seen')
  const ask = async (method: string, path: string, body?: unknown, token: string | null = TOKEN): Promise<Answer> => {
    const response = await fetch(`${watched.url}/api/v1/clusters/${CLUSTER}/groups/${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }
  return { watched, ask }
}

async function committed({ admin }: WatchedBroker, group = 'idle'): Promise<number[]> {
  const offsets = await admin.listGroupOffsets(group)
  return [0, 1].map((partition) => offsets.get({ topic: 'orders', partition })?.offset ?? -1)
}

const afters = ({ partitions }: GroupChange) =>
  partitions.map(({ before, after, lagAfter }) => [before, after, lagAfter])

test('changes: off without --allow-changes, and without the token, a dry run too; nothing is changed', async (t) => {
  const { watched, ask } = await asking(t)
  for (const token of [null, 'wrong', `${TOKEN}x`]) {
    const answer = await ask('POST', 'idle/reset', { to: { kind: 'earliest' } }, token)
    assert.equal(answer.status, 401)
    assert.equal((await ask('DELETE', 'idle?dryRun=false', undefined, token)).status, 401)
  }
  assert.deepEqual(await committed(watched), [4, 6])
  const settings = (await (await fetch(`${watched.url}/api/v1/settings`)).json()) as object
  assert.deepEqual(settings, { version: '1.2.3', hasHistory: false, allowsChanges: true })
  const { ask: askOther } = await asking(t, { allowChanges: false })
  const off = await askOther('POST', 'idle/reset', { to: { kind: 'earliest' } })
  assert.equal(off.status, 403)
  assert.match(off.body.error.message, /--allow-changes/)
})

test('changes: a dry run says before and after, and what it said is what is done', async (t) => {
  const { watched, ask } = await asking(t)
  const dry = await ask('POST', 'idle/reset', { to: { kind: 'shift', by: -5 } })
  assert.equal(dry.status, 200)
  assert.deepEqual(groupChangeSchema.parse(dry.body), dry.body)
  assert.equal(dry.body.dryRun, true)
  assert.deepEqual(afters(dry.body), [
    [4, 0, 10],
    [6, 1, 9],
  ])
  assert.deepEqual(await committed(watched), [4, 6], 'a dry run changes nothing')
  const offsets = (dry.body as GroupChange).partitions.map(({ topic, partition, after }) => ({
    topic,
    partition,
    offset: after,
  }))
  const done = await ask('POST', 'idle/reset', { dryRun: false, to: { kind: 'offsets', offsets } })
  assert.deepEqual([done.status, done.body.dryRun], [200, false])
  assert.deepEqual(await committed(watched), [0, 1])
  await watched.seen('idle', ({ totalLag }) => totalLag === 19, 'the new lag')
  const { marks, status } = await watched.group('idle')
  assert.ok(marks.some(({ kind }) => kind === 'offsets-reset'))
  assert.ok(!marks.some(({ text }) => /REWIND/.test(text)) && status !== 'WARNING', 'a reset is no rewind')
})

test('changes: every target; what lies outside of a log becomes its start or end', async (t) => {
  const { ask } = await asking(t)
  for (const [to, expected] of [
    [{ kind: 'earliest' }, [0, 0]],
    [{ kind: 'latest' }, [10, 10]],
    [{ kind: 'offset', offset: 7 }, [7, 7]],
    [{ kind: 'offset', offset: 99 }, [10, 10]],
    [{ kind: 'shift', by: 5 }, [9, 10]],
    [{ kind: 'time', at: 0 }, [0, 0]],
    [{ kind: 'time', at: 32_503_680_000_000 }, [10, 10]],
  ] as const) {
    const { body } = await ask('POST', 'idle/reset', { to })
    assert.deepEqual(
      (body as GroupChange).partitions.map(({ after }) => after),
      expected,
      JSON.stringify(to),
    )
  }
  const none = await ask('POST', 'idle/reset', { to: { kind: 'earliest' }, topic: 'elsewhere' })
  assert.equal(none.status, 400)
  assert.match(none.body.error.message, /committed nothing on elsewhere/)
  const beyond = { kind: 'offsets', offsets: [{ topic: 'orders', partition: 0, offset: 11 }] }
  const moved = await ask('POST', 'idle/reset', { dryRun: false, to: beyond })
  assert.equal(moved.status, 409)
  assert.match(moved.body.error.message, /outside of the log of orders-0, which goes from 0 to 10/)
  const gone = { kind: 'offsets', offsets: [{ topic: 'elsewhere', partition: 0, offset: 1 }] }
  assert.equal((await ask('POST', 'idle/reset', { dryRun: false, to: gone })).status, 502)
})

test('changes: a group with members is left alone', async (t) => {
  const { watched, ask } = await asking(t)
  const consumer = watched.consumer('busy')
  consumer.subscribe(['orders'])
  await until(async () => (await consumer.poll(200)).count > 0, { what: 'the consumer reads' })
  await consumer.commitSync()
  await watched.seen('busy', ({ members }) => members === 1, 'the member is seen')
  const before = await committed(watched, 'busy')
  const reset = await ask('POST', 'busy/reset', { dryRun: false, to: { kind: 'earliest' } })
  assert.equal(reset.status, 409)
  assert.match(reset.body.error.message, /the group busy is Stable and has 1 member: stop them first/)
  assert.equal((await ask('DELETE', 'busy?dryRun=false')).status, 409)
  assert.equal((await ask('POST', 'busy/reset', { to: { kind: 'earliest' } })).status, 409, 'a dry run says so, too')
  assert.deepEqual(await committed(watched, 'busy'), before)
})

test('changes: a group is deleted, after a dry run that says what goes with it', async (t) => {
  const { watched, ask } = await asking(t)
  const dry = await ask('DELETE', 'idle')
  assert.deepEqual(afters(dry.body), [
    [4, null, null],
    [6, null, null],
  ])
  assert.deepEqual(await committed(watched), [4, 6])
  assert.equal((await ask('DELETE', 'idle?dryRun=false')).status, 200)
  assert.deepEqual(await committed(watched), [-1, -1])
  await until(async () => !(await watched.overview()).groups.some(({ group }) => group === 'idle'), {
    what: 'the group leaves the overview',
  })
})

test('changes: what is asked for wrongly is said', async (t) => {
  const { ask } = await asking(t)
  for (const body of [
    {},
    { to: { kind: 'up' } },
    { to: { kind: 'offset', offset: -1 } },
    { to: { kind: 'earliest' }, really: 1 },
  ]) {
    const answer = await ask('POST', 'idle/reset', body)
    assert.deepEqual([answer.status, answer.body.error.code], [400, 'SLUICE_BAD_REQUEST'], JSON.stringify(body))
  }
  assert.equal((await ask('DELETE', 'idle?dryRun=perhaps')).status, 400)
  assert.equal((await ask('DELETE', 'nobody?dryRun=false')).status, 404)
})
