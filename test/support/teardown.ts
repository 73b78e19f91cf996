/**
 * What a test has started, stopped in the opposite order: clients before the broker they talk to. `t.after` runs its callbacks in the
 * order in which they were given, which is the wrong way round for things that stand on each other.
 */
import { type TestContext } from 'node:test'

export type Teardown = (stop: () => unknown) => void

export function teardownOf(t: TestContext): Teardown {
  const stops: (() => unknown)[] = []
  t.after(async () => {
    for (const stop of stops.toReversed()) await stop()
  })
  return (stop) => void stops.push(stop)
}
