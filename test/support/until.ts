/** Waits for a condition, looking again and again. Fails with `what` when it has not come true within `withinMs`. */
import { AssertionError } from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'

export async function until(
  condition: () => boolean | Promise<boolean>,
  {
    withinMs = 30_000,
    everyMs = 10,
    what = condition.toString(),
  }: { withinMs?: number; everyMs?: number; what?: string } = {},
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new AssertionError({ message: `not within ${withinMs} ms: ${what}` })
    await sleep(everyMs)
  }
}
