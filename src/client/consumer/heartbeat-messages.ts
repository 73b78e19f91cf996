/** What consumers and the heartbeat thread say to each other: plain data, and one piece of shared memory. */
import { type ConsumerConfig } from '../config.ts'
import { type BrokerAddress } from '../metadata.ts'
import { type HeartbeatTarget } from './heartbeat-sender.ts'

/** A consumer's membership, as far as it stays the same from generation to generation. */
export interface KeptMembership {
  readonly settings: ConsumerConfig
  readonly groupId: string
  readonly groupInstanceId: string | null
  readonly intervalMs: number
  readonly sessionTimeoutMs: number
  readonly maxPollIntervalMs: number
  readonly polls: Float64Array<SharedArrayBuffer>
}

export interface KeptGeneration {
  readonly target: HeartbeatTarget
  /** Brokers that the consumer knows: the bootstrap servers may be gone by now. */
  readonly brokers: readonly BrokerAddress[]
  /** The consumer's monotonic time; each thread counts from a start of its own. */
  readonly nowMs: number
}

export type ToKeeper =
  | { readonly type: 'attach'; readonly id: number; readonly membership: KeptMembership }
  | { readonly type: 'start'; readonly id: number; readonly generation: KeptGeneration }
  | { readonly type: 'stop'; readonly id: number }
  | { readonly type: 'detach'; readonly id: number }

export type ToConsumer =
  | {
      readonly type: 'answered'
      readonly id: number
      readonly target: HeartbeatTarget
      readonly errorCode: number
      readonly latencyMs: number
    }
  | { readonly type: 'failed'; readonly id: number; readonly target: HeartbeatTarget; readonly error: string }
  | { readonly type: 'poll-interval-expired'; readonly id: number; readonly target: HeartbeatTarget }
