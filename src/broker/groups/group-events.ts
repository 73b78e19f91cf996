/**
 * What goes into the state machine of a classic group and what comes out of it: plain data, so that a simulation can
 * send it in any order, lose it or send it twice. Nothing here knows of connections, clocks or files.
 *
 * A request carries the number of the answer that it waits for (`replyTo`); each number is answered exactly once, now
 * or by a later event. A timer is named; setting it again replaces it, so a name never stands for two timers.
 */
import { type ErrorName } from '../../protocol/error-codes.ts'

export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface JoinRequest {
  /** Empty for a member that has no id yet. */
  readonly memberId: string
  /** The id that a member without one gets; made by the caller, as chance is not the machine's business. */
  readonly newMemberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly MemberProtocol[]
  readonly reason: string | null
  /** Version 4 on: a dynamic member is first told its id and has to come again with it (KIP-394). */
  readonly requiresKnownMemberId: boolean
  /** Version 9 on: a static leader that comes back may be told not to assign (KIP-814). */
  readonly supportsSkippingAssignment: boolean
}

export interface SyncRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

export interface HeartbeatRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
}

export interface LeavingMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly reason?: string | null
}

export type TimerName = 'join' | 'sync' | `session:${string}`

export type GroupEvent =
  | { readonly type: 'join'; readonly replyTo: number; readonly request: JoinRequest }
  | { readonly type: 'sync'; readonly replyTo: number; readonly request: SyncRequest }
  | { readonly type: 'heartbeat'; readonly replyTo: number; readonly request: HeartbeatRequest }
  | { readonly type: 'leave'; readonly replyTo: number; readonly members: readonly LeavingMember[] }
  /** A member has shown by a commit that it lives. */
  | { readonly type: 'alive'; readonly memberId: string }
  | { readonly type: 'timer'; readonly name: TimerName }
  /** What a `store` action asked for is on disk, or could not be written. */
  | { readonly type: 'stored'; readonly storeId: number; readonly error: ErrorName | null }
  /** The group was read back from the log: its members get one session timeout to be heard of. */
  | { readonly type: 'loaded' }
  /** The group's records are tombstones now. */
  | { readonly type: 'deleted' }

export interface JoinReply {
  readonly error: ErrorName
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly metadata: Buffer
  }[]
}

export interface SyncReply {
  readonly error: ErrorName
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export interface LeaveReply {
  readonly error: ErrorName
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly error: ErrorName
  }[]
}

/** The group as its metadata record holds it. */
export interface GroupSnapshot {
  readonly protocolType: string | null
  readonly generationId: number
  readonly protocolName: string | null
  readonly leader: string | null
  /** Milliseconds since 1970; -1 if unknown. */
  readonly stateTimestamp: number
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly rebalanceTimeoutMs: number
    readonly sessionTimeoutMs: number
    readonly subscription: Buffer
    readonly assignment: Buffer
  }[]
}

export type GroupAction =
  | { readonly type: 'joined'; readonly replyTo: number; readonly reply: JoinReply }
  | { readonly type: 'synced'; readonly replyTo: number; readonly reply: SyncReply }
  | { readonly type: 'beaten'; readonly replyTo: number; readonly error: ErrorName }
  | { readonly type: 'left'; readonly replyTo: number; readonly reply: LeaveReply }
  | { readonly type: 'set-timer'; readonly name: TimerName; readonly delayMs: number }
  | { readonly type: 'cancel-timer'; readonly name: TimerName }
  /** Write the snapshot, then send `stored` with this id. Snapshots must reach the log in the order of the actions. */
  | { readonly type: 'store'; readonly storeId: number; readonly snapshot: GroupSnapshot }
  /** For the log file: what happened and why. */
  | { readonly type: 'note'; readonly what: string; readonly fields: object }

export const NO_ASSIGNMENT: Buffer = Buffer.alloc(0)

export function joinError(error: ErrorName, memberId: string): JoinReply {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}

export function syncError(error: ErrorName): SyncReply {
  return { error, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT }
}
