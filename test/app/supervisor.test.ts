/** The supervisor against workers that do what a test says: what it tells them, and what becomes of it when they fail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConf } from '../../src/app/conf.ts'
import { ConsumerFailedError, Supervisor, type SupervisorOptions } from '../../src/app/supervisor.ts'
import type { WorkerHost } from '../../src/app/worker-host.ts'
import type { WorkerCommand, WorkerMessage, WorkerSpec } from '../../src/app/worker.ts'
import { UnreachableError } from '../../src/app/reach.ts'
import { systemClock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import type { Transport } from '../../src/seams/transport.ts'
import { sinks } from '../../src/sinks/index.ts'
import { until } from '../support/until.ts'

const counts = { polled: 5, stored: 4, committed: 3 }

class ScriptedHost implements WorkerHost {
  readonly workers: { spec: WorkerSpec; commands: WorkerCommand[]; say: (message: WorkerMessage) => void }[] = []
  /** Workers stop when they are told to, unless a test wants them to be slow. */
  stopsAtOnce = true

  launch(spec: WorkerSpec, say: (message: WorkerMessage) => void) {
    const commands: WorkerCommand[] = []
    this.workers.push({ spec, commands, say })
    return {
      post: (command: WorkerCommand) => {
        commands.push(command)
        if (command.type === 'stop' && this.stopsAtOnce) say({ type: 'stopped', counts })
      },
    }
  }
}

const reachable: Transport = {
  connect: async () => ({
    remoteAddress: '',
    remotePort: 0,
    listen() {},
    write: () => true,
    pause() {},
    resume() {},
    end() {},
    destroy() {},
  }),
  listen: () => Promise.reject(new Error('not here')),
}

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9092'), { code: 'ECONNREFUSED' })
const unreachable: Transport = { ...reachable, connect: () => Promise.reject(refused) }

function supervise(overrides: Partial<SupervisorOptions> = {}) {
  const host = new ScriptedHost()
  const said: string[] = []
  const say = (_: object, message: string) => void said.push(message)
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const applications = parseConf(
    JSON.stringify([
      { topic: 'clicks', 'group.id': 'many', 'consumer.no': 2 },
      { topic: 'clicks', 'group.id': 'one' },
    ]),
    'consumer.conf',
    { sinks },
  )
  const options = { applications, host, transport: reachable, clock: systemClock, logger, ...overrides }
  const supervisor = new Supervisor(options)
  return { host, said, supervisor, ended: supervisor.run() }
}

await test('supervisor: a worker a consumer, named by its place in its group, told by plain data', async () => {
  const { host, supervisor, ended } = supervise()
  await until(() => host.workers.length === 3)
  assert.deepEqual(
    host.workers.map(({ spec }) => [spec.application.groupId, spec.consumer]),
    [
      ['many', 'consumer-thread-0'],
      ['many', 'consumer-thread-1'],
      ['one', 'consumer-thread-0'],
    ],
  )
  for (const { spec } of host.workers)
    assert.deepEqual(JSON.parse(JSON.stringify(structuredClone(spec))), JSON.parse(JSON.stringify(spec)))
  host.workers[1]!.say({ type: 'assigned', partitions: ['clicks-1'] })
  assert.deepEqual(supervisor.consumers[1]!.partitions, ['clicks-1'])
  supervisor.stop()
  await ended
  assert.equal(supervisor.state, 'stopped')
  for (const { commands } of host.workers) assert.deepEqual(commands, [{ type: 'stop' }])
})

await test('supervisor: one that fails stops the others in good order, and then ends all with its cause', async () => {
  const { host, supervisor, ended, said } = supervise()
  await until(() => host.workers.length === 3)
  host.stopsAtOnce = false
  host.workers[0]!.say({
    type: 'failed',
    counts,
    failure: { code: 'SLUICE_X', message: 'the disk is gone', stack: undefined },
  })
  let isOver = false
  ended.catch(() => (isOver = true))
  assert.deepEqual(host.workers[1]!.commands, [{ type: 'stop' }])
  host.workers[1]!.say({ type: 'stopped', counts })
  await systemClock.yield()
  assert.equal(isOver, false, 'one is still at work')
  host.workers[2]!.say({ type: 'stopped', counts })
  await assert.rejects(ended, (error: ConsumerFailedError) => {
    assert.equal(error.code, 'SLUICE_X')
    assert.equal(error.message, 'many consumer-thread-0: the disk is gone')
    return error.isForeseen
  })
  assert.equal(supervisor.state, 'failed')
  assert.ok(said.some((message) => message === 'many consumer-thread-0: the disk is gone. Stopping the others'))
})

await test('supervisor: a second failure is said and does not hide the first', async () => {
  const { host, ended, said } = supervise()
  await until(() => host.workers.length === 3)
  host.stopsAtOnce = false
  const failure = (message: string) => ({
    type: 'failed' as const,
    counts,
    failure: { code: 'X', message, stack: undefined },
  })
  for (const [index, { say }] of host.workers.entries()) say(failure(`failure ${index}`))
  await assert.rejects(ended, /failure 0$/)
  assert.ok(said.some((message) => message.endsWith('failure 2')))
})

await test('supervisor: a consumer that has nobody to print to any more ends all, without a failure', async () => {
  const { host, supervisor, ended } = supervise()
  await until(() => host.workers.length === 3)
  host.workers[2]!.say({ type: 'stopped', counts })
  await ended
  assert.equal(supervisor.state, 'stopped')
})

await test('supervisor: no broker is said with address and cause; it can be stopped while it tries', async () => {
  const { host, supervisor, ended, said } = supervise({ transport: unreachable })
  await until(() => said.length > 0)
  assert.equal(
    said[0],
    'no broker can be reached at 127.0.0.1:9092 (connection refused: nothing listens there, ECONNREFUSED). Trying again every 3 s',
  )
  supervisor.stop()
  await ended
  assert.equal(host.workers.length, 0)
})

await test('supervisor: no broker is a failure where that is asked for', async () => {
  await assert.rejects(supervise({ transport: unreachable, failFast: true }).ended, UnreachableError)
})

await test('supervisor: reports come as often as asked for', async () => {
  const seen: number[] = []
  const { host, supervisor, ended } = supervise({
    reportEveryMs: 5,
    onStatus: (consumers) => void seen.push(consumers[0]?.counts.stored ?? -1),
  })
  await until(() => host.workers[0]?.commands.some(({ type }) => type === 'report') === true)
  host.workers[0]!.say({ type: 'report', counts: { polled: 9, stored: 8, committed: 7 } })
  await until(() => seen.includes(8))
  supervisor.stop()
  await ended
})

await test('supervisor: one that fails while it is launched keeps the others from being launched', async () => {
  const host: WorkerHost & { launched: number } = {
    launched: 0,
    launch(_, say) {
      this.launched++
      say({ type: 'failed', counts, failure: { code: 'X', message: 'at once', stack: undefined } })
      return { post() {} }
    },
  }
  await assert.rejects(supervise({ host }).ended, /at once/)
  assert.equal(host.launched, 1)
})
