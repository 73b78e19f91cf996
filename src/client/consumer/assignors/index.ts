/** The assignors by name, and the choice that `partition.assignment.strategy` makes. Java's class names are understood too. */
import { type Assignor, type RebalanceProtocol } from './assignor.ts'
import { cooperativeStickyAssignor } from './cooperative-sticky.ts'
import { rangeAssignor } from './range.ts'
import { roundRobinAssignor } from './round-robin.ts'
import { stickyAssignor } from './sticky.ts'

export { type Assignor, type LastAssignment, type MemberSubscription, type RebalanceProtocol } from './assignor.ts'

const JAVA_PACKAGE = 'org.apache.kafka.clients.consumer.'

const byName = new Map<string, Assignor>([
  ['range', rangeAssignor],
  ['roundrobin', roundRobinAssignor],
  ['round-robin', roundRobinAssignor],
  ['sticky', stickyAssignor],
  ['cooperative-sticky', cooperativeStickyAssignor],
  [`${JAVA_PACKAGE}RangeAssignor`, rangeAssignor],
  [`${JAVA_PACKAGE}RoundRobinAssignor`, roundRobinAssignor],
  [`${JAVA_PACKAGE}StickyAssignor`, stickyAssignor],
  [`${JAVA_PACKAGE}CooperativeStickyAssignor`, cooperativeStickyAssignor],
])

/** The assignor of this name, or undefined if there is none. */
export function assignorOf(name: string): Assignor | undefined {
  return byName.get(name.replace(/^class /, '').trim())
}

/**
 * The protocol that a member with these assignors follows: cooperative only if every one of them can, because the coordinator may choose any.
 * With Java's default [range, cooperative-sticky] that is eager, until range is removed from the list.
 */
export function protocolOf(assignors: readonly Assignor[]): RebalanceProtocol {
  return assignors.length > 0 && assignors.every(({ protocols }) => protocols.includes('cooperative'))
    ? 'cooperative'
    : 'eager'
}
