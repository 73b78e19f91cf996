/** What tests of a sink's faults share: errors that are expected, what was heard, and that no password is in it. */
import assert from 'node:assert/strict'
import { type Sink, SinkFencedError, SinkUnavailableError } from '../../src/sinks/sink.ts'
import { batchOf, contextOf, flights } from '../sinks/fixtures.ts'

export const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

/** `{ id, text }` from this id on, at the offset of the same number. */
export const rows = (from: number, count: number) =>
  batchOf(
    upTo(count).map((index) => JSON.stringify({ id: from + index, text: `text ${from + index}` })),
    { first: from },
  )

function withErrors(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return { ...(value as object), message: value.message, stack: value.stack, cause: value.cause }
}

const heard: string[] = []
const say = (fields: object, message: string) => void heard.push(message, JSON.stringify(fields, withErrors))

/** Its log lines are heard. */
export const context = contextOf({ logger: { debug: say, info: say, warn: say, error: say } })
export const { signal } = context

/** For the end of the tests. */
export function assertNotHeard(password: string): void {
  assert.ok(heard.length > 0, 'errors were heard')
  for (const secret of [password, encodeURIComponent(password)]) {
    assert.deepEqual(
      heard.filter((text) => text.includes(secret)),
      [],
      'the password was shown',
    )
  }
}

/** The error of a call that must fail. */
export async function failure<T extends Error>(call: Promise<unknown>, type: new (...args: never[]) => T): Promise<T> {
  const error = await call.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  )
  heard.push(JSON.stringify(error, withErrors))
  assert.ok(error instanceof type, `${String(error)} is no ${type.name}`)
  if (type.name === SinkUnavailableError.name) assert.ok((error as unknown as SinkUnavailableError).retriable)
  return error
}

/** As the runner does: again while the store is unavailable; where the store stands, when fenced. */
export async function flushed(sink: Sink, next: number): Promise<number> {
  for (;;) {
    try {
      return (await sink.flush(flights, next, signal)).durable
    } catch (error) {
      heard.push(JSON.stringify(error, withErrors))
      if (error instanceof SinkFencedError) return (await assignedAgain(sink))!
      if (!(error instanceof SinkUnavailableError)) throw error
    }
  }
}

/** Where the store stands. */
export async function assignedAgain(sink: Sink): Promise<number | undefined> {
  const [position] = await sink.assigned([{ topicPartition: flights, committed: 0, generation: 1 }])
  return position!.next
}
