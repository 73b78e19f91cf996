/**
 * Keeps memberships alive for consumers that live elsewhere: heartbeats on time, and a farewell when `max.poll.interval.ms` has run out. Runs in the
 * heartbeat thread, and knows nothing of threads itself.
 *
 * - Consumers of the same cluster with the same connection settings share one `Cluster`, so one connection to each coordinator. It is closed with the
 *   last of them.
 * - The coordinator is looked up here: it may move while the consumer is too busy to hear of it.
 * - A fatal answer ends the heartbeats of its generation. What it means is the consumer's to decide.
 */
import { errorOf } from '../../protocol/error-codes.ts'
import { heartbeat, leaveGroup } from '../../protocol/messages/index.ts'
import { type Timer } from '../../seams/clock.ts'
import { Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { adminProperties } from '../properties.ts'
import { type ClientSeams } from '../seams.ts'
import { type KeptGeneration, type KeptMembership, type ToConsumer, type ToKeeper } from './heartbeat-messages.ts'
import { HeartbeatSender, type HeartbeatTarget } from './heartbeat-sender.ts'
import { pollLeftMs } from './poll-watch.ts'

/** Clusters in use, by the settings that make their connections differ. */
export class SharedClusters {
  readonly #seams: ClientSeams
  readonly #open = new Map<string, { cluster: Cluster; users: number }>()

  constructor(seams: ClientSeams) {
    this.#seams = seams
  }

  get size(): number {
    return this.#open.size
  }

  acquire(settings: ConsumerConfig): { cluster: Cluster; release: () => void } {
    const key = JSON.stringify(
      Object.keys(adminProperties).map((name) =>
        name === 'client.id' ? null : (settings as Readonly<Record<string, unknown>>)[name],
      ),
    )
    let shared = this.#open.get(key)
    if (!shared) {
      shared = { cluster: new Cluster({ ...settings, 'client.id': 'sluice-heartbeats' }, this.#seams), users: 0 }
      this.#open.set(key, shared)
    }
    const used = shared
    used.users++
    const release = () => {
      if (--used.users > 0) return
      this.#open.delete(key)
      void used.cluster.close()
    }
    return { cluster: used.cluster, release }
  }
}

/** The memberships of one thread's consumers. */
export class HeartbeatKeeper {
  readonly #seams: ClientSeams
  readonly #clusters: SharedClusters
  readonly #post: (message: ToConsumer) => void
  readonly #kept = new Map<number, KeptMember>()

  constructor(seams: ClientSeams, clusters: SharedClusters, post: (message: ToConsumer) => void) {
    this.#seams = seams
    this.#clusters = clusters
    this.#post = post
  }

  receive(message: ToKeeper): void {
    switch (message.type) {
      case 'attach': {
        const { id, membership } = message
        const { cluster, release } = this.#clusters.acquire(membership.settings)
        this.#kept.set(id, new KeptMember({ id, membership, cluster, release, seams: this.#seams, post: this.#post }))
        return
      }
      case 'start':
        return this.#kept.get(message.id)?.start(message.generation)
      case 'stop':
        return this.#kept.get(message.id)?.stop()
      case 'detach':
        this.#kept.get(message.id)?.close()
        this.#kept.delete(message.id)
        return
      default:
        return message satisfies never
    }
  }

  /** The consumers' thread is gone: nobody is kept in a group for it any longer. */
  close(): void {
    for (const member of this.#kept.values()) member.close()
    this.#kept.clear()
  }
}

interface KeptMemberParts {
  readonly id: number
  readonly membership: KeptMembership
  readonly cluster: Cluster
  readonly release: () => void
  readonly seams: ClientSeams
  readonly post: (message: ToConsumer) => void
}

class KeptMember {
  readonly #parts: KeptMemberParts
  readonly #sender: HeartbeatSender
  readonly #abort = new AbortController()
  #pollTimer: Timer | undefined
  /** The consumer's monotonic time is this much behind ours; a message that travelled long only makes us patient. */
  #behindMs = Number.POSITIVE_INFINITY

  constructor(parts: KeptMemberParts) {
    const { id, membership, seams, post } = parts
    this.#parts = parts
    this.#sender = new HeartbeatSender({
      clock: seams.clock,
      intervalMs: membership.intervalMs,
      sessionTimeoutMs: membership.sessionTimeoutMs,
      retryBackoffMs: membership.settings['retry.backoff.ms'],
      send: (target) => this.#send(target),
      onAnswer: (target, errorCode, latencyMs) => {
        if (isFatal(errorCode)) this.stop()
        post({ type: 'answered', id, target, errorCode, latencyMs })
      },
      onFailure: (target, error) => {
        parts.cluster.forgetCoordinator('group', membership.groupId)
        post({ type: 'failed', id, target, error: (error as Error).message })
      },
    })
  }

  start({ target, brokers, nowMs }: KeptGeneration): void {
    const { cluster, seams } = this.#parts
    this.#pollTimer?.cancel()
    this.#behindMs = Math.min(this.#behindMs, seams.clock.monotonic() - nowMs)
    for (const broker of brokers) {
      if (!cluster.metadata.brokers.has(broker.nodeId)) cluster.metadata.brokers.set(broker.nodeId, broker)
    }
    this.#sender.start(target)
    this.#watchPolls(target)
  }

  stop(): void {
    this.#pollTimer?.cancel()
    this.#pollTimer = undefined
    this.#sender.stop()
  }

  close(): void {
    this.stop()
    this.#abort.abort()
    this.#parts.release()
  }

  #watchPolls(target: HeartbeatTarget): void {
    const { membership, seams } = this.#parts
    const nowMs = seams.clock.monotonic() - this.#behindMs
    const leftMs = pollLeftMs(membership.polls, membership.maxPollIntervalMs, nowMs)
    if (leftMs > 0) {
      this.#pollTimer = seams.clock.setTimer(leftMs, () => this.#watchPolls(target), { background: true })
    } else {
      this.#expire(target)
    }
  }

  /** A static member says nothing and stops its heartbeats: its place is kept until the session times out (KIP-345). */
  #expire(target: HeartbeatTarget): void {
    const { id, membership, post } = this.#parts
    this.stop()
    if (membership.groupInstanceId === null) void this.#leave(target)
    post({ type: 'poll-interval-expired', id, target })
  }

  async #send({ generationId, memberId }: HeartbeatTarget): Promise<number> {
    const { cluster, membership } = this.#parts
    const { groupId, groupInstanceId } = membership
    const { signal } = this.#abort
    const nodeId = await cluster.coordinatorOnce('group', groupId, signal)
    const { errorCode } = await cluster.send(
      heartbeat,
      nodeId,
      (version) => ({ groupId, generationId, memberId, ...(version >= 3 ? { groupInstanceId } : {}) }),
      { signal },
    )
    const { name } = errorOf(errorCode)
    if (name === 'NOT_COORDINATOR' || name === 'COORDINATOR_NOT_AVAILABLE') cluster.forgetCoordinator('group', groupId)
    return errorCode
  }

  /** Best effort, as the consumer's own farewell: without it the session times out. */
  async #leave({ memberId }: HeartbeatTarget): Promise<void> {
    const { cluster, membership, seams } = this.#parts
    const { groupId } = membership
    const reason = 'consumer poll timeout has expired.'
    try {
      const nodeId = await cluster.coordinatorOnce('group', groupId, this.#abort.signal)
      await cluster.send(
        leaveGroup,
        nodeId,
        (version) => (version >= 3 ? { groupId, members: [{ memberId, reason }] } : { groupId, memberId }),
        { signal: this.#abort.signal },
      )
    } catch (error) {
      seams.logger.debug({ groupId, error: (error as Error).message }, 'the group could not be left in order')
    }
  }
}

/** The generation is over, or nothing can be done about it here. */
function isFatal(errorCode: number): boolean {
  if (errorCode === 0) return false
  const { name, retriable } = errorOf(errorCode)
  return !retriable && name !== 'REBALANCE_IN_PROGRESS'
}
