/** Heartbeats on their own timer, in virtual time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeartbeatSender } from '../../../src/client/consumer/heartbeat-sender.ts'
import { type Clock } from '../../../src/seams/clock.ts'

/** A clock that moves when it is told to. */
class SteppedClock implements Clock {
  #nowMs = 0
  #timers: { atMs: number; callback: () => void }[] = []
  now = () => this.#nowMs
  monotonic = () => this.#nowMs
  setTimer(delayMs: number, callback: () => void) {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) }
  }
  sleep = () => Promise.resolve()
  yield = () => Promise.resolve()

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((left, right) => left.atMs - right.atMs)[0]
      if (!next) break
      this.#timers = this.#timers.filter((one) => one !== next)
      this.#nowMs = next.atMs
      next.callback()
      for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    }
    this.#nowMs = endMs
  }
}

function setUp(send: (clock: SteppedClock) => Promise<number>) {
  const clock = new SteppedClock()
  const sent: number[] = []
  const told: string[] = []
  const sender = new HeartbeatSender({
    clock,
    intervalMs: 100,
    sessionTimeoutMs: 250,
    retryBackoffMs: 30,
    send() {
      sent.push(clock.monotonic())
      return send(clock)
    },
    onAnswer: ({ generationId }, errorCode) => void told.push(`${generationId}:${errorCode}`),
    onFailure: (_target, _error, sessionExpired) => void told.push(sessionExpired ? 'silent' : 'failed'),
  })
  return { clock, sent, told, sender }
}

test('one heartbeat an interval, from the start of the generation on, until it is stopped', async () => {
  const { clock, sent, told, sender } = setUp(() => Promise.resolve(0))
  sender.start({ generationId: 4, memberId: 'm' })
  await clock.advance(350)
  assert.deepEqual(sent, [100, 200, 300])
  sender.stop()
  await clock.advance(1000)
  assert.deepEqual(told, ['4:0', '4:0', '4:0'])
  assert.equal(sender.isRunning, false)
})

test('without an answer it is tried again after the backoff, and said when the session is over', async () => {
  const { clock, sent, told, sender } = setUp(() => Promise.reject(new Error('unreachable')))
  sender.start({ generationId: 1, memberId: 'm' })
  await clock.advance(260)
  assert.deepEqual(sent, [100, 130, 160, 190, 220, 250])
  assert.deepEqual(told, ['failed', 'failed', 'failed', 'failed', 'failed', 'silent'])
})

test('an answer for a generation that is over is dropped', async () => {
  const answers: ((code: number) => void)[] = []
  const { clock, told, sender } = setUp(() => new Promise((resolve) => answers.push(resolve)))
  sender.start({ generationId: 1, memberId: 'm' })
  await clock.advance(100)
  sender.start({ generationId: 2, memberId: 'm' })
  answers[0]!(25)
  await clock.advance(100)
  answers[1]!(0)
  await clock.advance(100)
  assert.deepEqual(told, ['2:0'])
})
