/** What a conformance suite runs against: a broker, whichever it is, that its caller starts and stops. */
import { test, type TestContext } from 'node:test'

export interface Target {
  readonly bootstrapServers: string
}

export type Case = (name: string, run: (t: TestContext, target: Target) => Promise<void>) => void

/** Registers cases that run against the broker of `start`, which all of them share. */
export function casesOf(start: () => Promise<Target>): Case {
  return (name, run) => void test(name, async (t) => run(t, await start()))
}
