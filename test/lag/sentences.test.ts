/** The monitor's sentences: every language says everything, with the same numbers, written as the reader writes them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { duration, inEnglish, rate } from '../../src/lag/judgement.ts'
import { inWords, type Sentence, sentences, type SentenceFormats } from '../../src/lag/sentences.ts'

const placesOf = (text: string) => [...text.matchAll(/\{[^}]*\}/g)].map(([place]) => place).toSorted()

const german: SentenceFormats = {
  number: (value) => value.toLocaleString('de-DE'),
  duration,
  rate,
  status: (status) => `<${status}>`,
}

test('sentences: each stands in English and in Korean, with the same places', () => {
  for (const [name, [english, korean]] of Object.entries(sentences)) {
    assert.deepEqual(placesOf(korean), placesOf(english), name)
    assert.match(english, /^[A-Z{].*\.$/, name)
    assert.match(korean, /[가-힣].*\.$/, name)
    assert.doesNotMatch(english, /[가-힣]/, name)
    for (const place of placesOf(english))
      assert.match(place, /^\{\w+(:(number|records|behind|duration|rate|status))?\}$/, name)
  }
})

test('sentences: numbers are written as the reader writes them, one record is not two', () => {
  const waits = (lag: number, lagSeconds: number | null): Sentence => ({
    name: 'lag-stays',
    values: { lag, lagSeconds },
  })
  assert.equal(inEnglish([waits(1, null)]), '1 record wait, and the lag does not grow.')
  assert.equal(inEnglish([waits(12_000, 65)]), '12,000 records (1 min 5 s) wait, and the lag does not grow.')
  assert.equal(inWords(waits(12_000, 65), 'en', german), '12.000 records (1 min 5 s) wait, and the lag does not grow.')
  assert.equal(inWords(waits(12_000, 65), 'ko', german), '레코드 12.000개(1 min 5 s)가 기다리며, 지연은 늘지 않습니다.')
  const change: Sentence = { name: 'mark.status', values: { before: 'OK', status: 'ERROR' } }
  assert.equal(inWords(change, 'en', german), '<OK> to <ERROR>.')
  assert.equal(inEnglish([change, { name: 'no-members', values: {} }]), 'OK to ERROR. The group has no members.')
})

test('sentences: one of a newer monitor is its name, and a number that is missing can be seen', () => {
  assert.equal(inWords({ name: 'to-come' as Sentence['name'], values: {} }, 'ko', german), 'to-come')
  assert.equal(inEnglish([{ name: 'forecast', values: {} }]), 'At this pace it has caught up in {left:duration}.')
})
