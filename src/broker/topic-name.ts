/** What a topic may be called, and Kafka's words for a name that is not allowed. */
const ALLOWED = /^[a-zA-Z0-9._-]+$/
const LONGEST = 249

/** The reason, or undefined when the name is fine. */
export function invalidTopicName(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > LONGEST) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${LONGEST}`
  }
  if (ALLOWED.test(name)) return undefined
  return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
}
