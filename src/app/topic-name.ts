/** Kafka's own rule: what a topic may be called. */
const allowed = /^[a-zA-Z0-9._-]{1,249}$/

export const topicNameRule = 'a topic\'s name: letters, digits, ".", "_" and "-", at most 249'

export function isTopicName(name: unknown): name is string {
  return typeof name === 'string' && allowed.test(name) && name !== '.' && name !== '..'
}
