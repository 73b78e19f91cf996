/** The page's words: both languages say everything, and the same things. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { languageFor, type MessageKey, messages, translator } from '../../src/dashboard/messages.ts'
import { groupStatuses, partitionStatuses } from '../../src/lag/status.ts'

const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!).toSorted()

test('messages: every message stands in English and in Korean, with the same places to fill', () => {
  for (const [key, texts] of Object.entries(messages)) {
    assert.equal(texts.length, 2, key)
    const [english, korean] = texts
    assert.ok(english.trim() !== '' && korean.trim() !== '', key)
    assert.deepEqual(placeholders(korean), placeholders(english), key)
    assert.doesNotMatch(english, /[가-힣]/, key)
    // Names and units are the same everywhere; sentences are not.
    if (english.split(' ').length > 3) assert.match(korean, /[가-힣]/, key)
  }
})

test('messages: every status and every rule of the monitor has words', () => {
  const keys = new Set<string>(Object.keys(messages))
  for (const status of [...groupStatuses, ...partitionStatuses]) assert.ok(keys.has(`status.${status}`), status)
})

test('messages: places are filled, and one that is not stays to be seen', () => {
  const t = translator('en')
  assert.equal(t('overview.shown', { shown: 3, total: '1,000' }), '3 of 1,000 groups')
  assert.equal(t('overview.shown', { shown: 3 }), '3 of {total} groups')
  assert.equal(translator('ko')('status.OK' satisfies MessageKey), '정상')
})

test('messages: the language is the first of the reader’s that there is', () => {
  assert.equal(languageFor(['de-DE', 'ko-KR', 'en']), 'ko')
  assert.equal(languageFor(['en-GB']), 'en')
  assert.equal(languageFor(['fr']), 'en')
  assert.equal(languageFor([]), 'en')
})
