/** docs/consumer-cases.md says which of Kafka's cases exist: compared with the titles of the suites. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const page = readFileSync(new URL('../../../docs/consumer-cases.md', import.meta.url), 'utf8')
const suites = globSync('suite/*-suite.ts', { cwd: import.meta.dirname })
const namesIn = (text: string) => new Set(text.match(/\btest[A-Z]\w+/g))

/** Names in titles; a title that is made for each callback, end or metric stands for all of them. */
function namesOfTitles(): Set<string> {
  const source = suites.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8')).join('\n')
  const names = new Set<string>()
  for (const [, list] of source.matchAll(/\(((?:test[\w${}]+(?:, )?)+)\)['`]/g)) {
    for (const name of list!.split(', ')) {
      for (const one of spelledOut(name)) names.add(one)
    }
  }
  return names
}

const VARIABLES: Record<string, readonly string[]> = {
  '${When}': ['OnPartitionsAssigned', 'OnPartitionsRevoked'],
  '${name}': ['Lag', 'Lead'],
}

function spelledOut(name: string): string[] {
  for (const [variable, values] of Object.entries(VARIABLES)) {
    if (!name.includes(variable)) continue
    const ends = name.startsWith('testMultiConsumerSessionTimeout') ? ['OnClose', 'OnStopPolling'] : values
    return ends.map((value) => name.replace(variable, value))
  }
  return [name]
}

test('the page lists exactly the cases of Kafka that tests are named after', () => {
  const here = page.slice(page.indexOf('## Here'), page.indexOf('## Under other names'))
  const titles = namesOfTitles()
  assert.ok(titles.size > 60, 'the titles are seen')
  assert.deepEqual([...namesIn(here)].sort(), [...titles].sort())
})

test('no case is both here and elsewhere on the page', () => {
  const [here, elsewhere] = page.split('## Under other names')
  const both = [...namesIn(here!)].filter((name) => namesIn(elsewhere!).has(name))
  assert.deepEqual(both, [])
})
