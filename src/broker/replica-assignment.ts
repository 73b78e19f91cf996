/** Whether a partition's replicas can stand on the brokers that a client named, of which there is one here. */

/** Kafka's words for what is wrong with it, or undefined. */
export function assignmentProblem(brokerIds: readonly number[], nodeId: number): string | undefined {
  if (brokerIds.length === 0) return 'The manual partition assignment includes an empty replica list.'
  const sorted = brokerIds.toSorted((left, right) => left - right)
  for (const [index, brokerId] of sorted.entries()) {
    if (index > 0 && sorted[index - 1] === brokerId) {
      return `The manual partition assignment includes the broker ${brokerId} more than once.`
    }
    if (brokerId !== nodeId) {
      return `The manual partition assignment includes broker ${brokerId}, but no such broker is registered.`
    }
  }
  return undefined
}
