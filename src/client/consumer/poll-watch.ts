/**
 * When the user polled last: two numbers in shared memory, so that the heartbeat thread sees them while the consumer's own thread is busy. A poll
 * writes them and does nothing else; who looks at them decides whether `max.poll.interval.ms` has run out.
 */
const POLLED_AT = 0
const IS_WAITING = 1

export type Polls = Float64Array<SharedArrayBuffer>

export function newPolls(): Polls {
  return new Float64Array(new SharedArrayBuffer(16))
}

/** A poll ran at this monotonic time. */
export function polledAt(polls: Polls, nowMs: number): void {
  polls[POLLED_AT] = nowMs
}

/** A poll that waits is a poll, for as long as it takes; one that is held up by the user's callback is not. */
export function pollWaits(polls: Polls, waits: boolean): void {
  polls[IS_WAITING] = waits ? 1 : 0
}

/** Milliseconds until `max.poll.interval.ms` runs out; 0 or less when it has. `nowMs` is in the poller's time. */
export function pollLeftMs(polls: Polls, limitMs: number, nowMs: number): number {
  return polls[IS_WAITING] === 1 ? limitMs : polls[POLLED_AT]! + limitMs - nowMs
}
