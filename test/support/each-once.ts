/** That each of the numbers 0 to `count` - 1 is there once. Says which are not: a diff of long lists takes gigabytes where they differ much. */
import assert from 'node:assert/strict'

export function assertEachOnce(found: readonly number[], count: number, what = 'records'): void {
  const times = new Map<number, number>()
  for (const one of found) times.set(one, (times.get(one) ?? 0) + 1)
  const missing: number[] = []
  for (let one = 0; one < count; one++) if (!times.has(one)) missing.push(one)
  const repeated = [...times].filter(([, often]) => often > 1).map(([one]) => one)
  const foreign = [...times.keys()].filter((one) => !(Number.isInteger(one) && one >= 0 && one < count))
  const wrong = Object.entries({ missing, repeated, foreign }).filter(([, numbers]) => numbers.length > 0)
  const said = wrong.map(([name, numbers]) => `${numbers.length} ${name} (${numbers.slice(0, 20).join(', ')})`)
  assert.ok(wrong.length === 0, `${count} ${what}, ${found.length} found: ${said.join('; ')}`)
}

/** The same, in this order. */
export function assertInOrder(
  found: readonly number[],
  expected: (index: number) => number,
  count: number,
  what: string,
): void {
  const wrong = found.findIndex((one, index) => one !== expected(index))
  assert.ok(wrong < 0, `${what}: number ${wrong} is ${found[wrong]} and not ${expected(wrong)}`)
  assert.equal(found.length, count, what)
}
