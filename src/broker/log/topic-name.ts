/** What a topic may be called: Kafka's Topic.validate, with its words. */
import { refusal } from './refusal.ts'

const LONGEST = 249
const LEGAL = /^[a-zA-Z0-9._-]+$/

/** Throws INVALID_TOPIC_EXCEPTION. */
export function validateTopicName(name: string): void {
  const reason = illegality(name)
  if (reason !== undefined) throw refusal('INVALID_TOPIC_EXCEPTION', `creating the topic "${name}"`, reason)
}

function illegality(name: string): string | undefined {
  const invalid = 'Topic name is invalid: '
  if (name === '') return `${invalid}the empty string is not allowed`
  if (name === '.' || name === '..') return `${invalid}'.' or '..' is not allowed`
  if (name.length > LONGEST) return `${invalid}the length of '${name}' is longer than the max allowed length ${LONGEST}`
  if (!LEGAL.test(name)) {
    return `${invalid}'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return undefined
}

/** Names that differ only in `.` and `_` would be one in the names of metrics. Throws INVALID_TOPIC_EXCEPTION. */
export function validateNoCollision(name: string, existing: Iterable<string>): void {
  const unified = unify(name)
  for (const other of existing) {
    if (other === name || unify(other) !== unified) continue
    throw refusal(
      'INVALID_TOPIC_EXCEPTION',
      `creating the topic "${name}"`,
      `Topic '${name}' collides with existing topic: ${other}`,
    )
  }
}

function unify(name: string): string {
  return name.replaceAll('.', '_')
}
