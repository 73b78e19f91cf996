/** The supervisor against workers that do what a test says: what it tells them, and what becomes of it when they fail. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConf } from '../../src/app/conf.ts'
import { ConsumerFailedError, Supervisor, type SupervisorOptions } from '../../src/app/supervisor.ts'
import type { WorkerHost } from '../../src/app/worker-host.ts'
import { noCounts, type WorkerCommand, type WorkerMessage, type WorkerSpec } from '../../src/app/worker.ts'
import { UnreachableError } from '../../src/app/reach.ts'
import { systemClock, type Clock } from '../../src/seams/clock.ts'
import type { Logger } from '../../src/seams/logger.ts'
import type { Transport } from '../../src/seams/transport.ts'
import { sinks } from '../../src/sinks/index.ts'
import { until } from '../support/until.ts'

const counts = { ...noCounts, polled: 5, stored: 4, committed: 3 }

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
    failure: { code: 'SLUICE_X', message: 'the disk is gone', stack: undefined, isRetriable: false },
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
    failure: { code: 'X', message, stack: undefined, isRetriable: false },
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
  host.workers[0]!.say({ type: 'report', counts: { ...noCounts, polled: 9, stored: 8, committed: 7 } })
  await until(() => seen.includes(8))
  supervisor.stop()
  await ended
})

await test('supervisor: one that fails while it is launched keeps the others from being launched', async () => {
  const host: WorkerHost & { launched: number } = {
    launched: 0,
    launch(_, say) {
      this.launched++
      say({ type: 'failed', counts, failure: { code: 'X', message: 'at once', stack: undefined, isRetriable: false } })
      return { post() {} }
    },
  }
  await assert.rejects(supervise({ host }).ended, /at once/)
  assert.equal(host.launched, 1)
})

const crash = (message: string) => ({
  type: 'crashed' as const,
  failure: { code: undefined, message, stack: undefined, isRetriable: true },
})

/** Backoffs end as soon as the loop turns; how long they were to be is kept. */
function hasty(): { clock: Clock; waits: number[] } {
  const waits: number[] = []
  const setTimer: Clock['setTimer'] = (delayMs, callback, options) => {
    waits.push(delayMs)
    return systemClock.setTimer(0, callback, options)
  }
  return { clock: { ...systemClock, setTimer }, waits }
}

await test('supervisor: one that crashes is started again alone, after waits that double; its counts go on', async () => {
  const { clock, waits } = hasty()
  const { host, supervisor, ended } = supervise({ clock, random: { next: () => 0.5, uuid: () => '' } })
  await until(() => host.workers.length === 3)
  waits.length = 0
  host.workers[0]!.say({ type: 'report', counts })
  host.workers[0]!.say(crash('a bug'))
  assert.equal(supervisor.consumers[0]!.state, 'restarting')
  await until(() => host.workers.length === 4)
  assert.deepEqual(host.workers[3]!.spec, host.workers[0]!.spec)
  host.workers[3]!.say({ type: 'report', counts })
  host.workers[3]!.say(crash('a bug'))
  await until(() => host.workers.length === 5)
  assert.deepEqual(waits, [500, 1000])
  const { state, restarts, lastError, counts: sums } = supervisor.consumers[0]!
  assert.deepEqual({ state, restarts, lastError }, { state: 'running', restarts: 2, lastError: 'a bug' })
  assert.deepEqual(sums, { ...noCounts, polled: 10, stored: 8, committed: 6 })
  assert.deepEqual(host.workers[1]!.commands, [])
  supervisor.stop()
  await ended
})

await test('supervisor: a failure that can pass by itself is a crash; too many of them end all', async () => {
  const { clock } = hasty()
  const { host, supervisor, ended } = supervise({ clock })
  const failed: WorkerMessage = { ...crash('too late'), type: 'failed', counts }
  await until(() => host.workers.length === 3)
  for (let restart = 0; restart < 10; restart++) {
    host.workers.at(restart === 0 ? 2 : -1)!.say(failed)
    await until(() => host.workers.length === 4 + restart)
  }
  host.workers.at(-1)!.say(failed)
  await assert.rejects(
    ended,
    /^ConsumerFailedError: one consumer-thread-0: too late \(restarted 10 times within 600 s\)$/,
  )
  assert.deepEqual(
    supervisor.consumers.map(({ state }) => state),
    ['stopped', 'stopped', 'failed'],
  )
})

await test('supervisor: one that waits for its restart is stopped at once; a crash while stopping is a failure', async () => {
  const waiting = supervise()
  await until(() => waiting.host.workers.length === 3)
  waiting.host.workers[0]!.say(crash('a bug'))
  waiting.supervisor.stop()
  await waiting.ended
  assert.equal(waiting.host.workers.length, 3)

  const stopping = supervise()
  await until(() => stopping.host.workers.length === 3)
  stopping.host.stopsAtOnce = false
  stopping.supervisor.stop()
  for (const { say } of stopping.host.workers) say(crash('a bug'))
  await assert.rejects(stopping.ended, /many consumer-thread-0: a bug$/)
})
