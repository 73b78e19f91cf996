/**
 * How a member's heartbeats are kept going. Two ways behind one interface:
 *
 *     system clock and transport   heartbeat-link.ts ── messages ──▶ heartbeat-thread.ts ── heartbeat-keeper.ts ──▶ coordinator
 *     handed-in clock or transport heartbeat-sender.ts, on this event loop
 *
 * The thread goes on while the user's code keeps the event loop busy, so that `max.poll.interval.ms` alone judges a stuck handler. Where no thread can be
 * started, heartbeats go on in the event loop, after one warning.
 */
import { heartbeat } from '../../protocol/messages/index.ts'
import { type Cluster } from '../cluster.ts'
import { type ConsumerConfig } from '../config.ts'
import { GROUP_CHANNEL } from './group-offsets.ts'
import { processLink } from './heartbeat-link.ts'
import { HeartbeatSender, type HeartbeatTarget } from './heartbeat-sender.ts'
import { type ToConsumer } from './heartbeat-messages.ts'

export interface Heartbeats {
  /** A generation will begin soon: time to start what takes a while. */
  prepare(): void
  start(target: HeartbeatTarget): void
  stop(): void
  close(): void
}

export interface HeartbeatsOptions {
  readonly cluster: Cluster
  readonly config: ConsumerConfig
  readonly groupId: string
  /** When the user polled last, see poll-watch.ts. Shared memory. */
  readonly polls: Float64Array<SharedArrayBuffer>
  readonly signal: AbortSignal
  /** Clock or transport were handed in. */
  readonly isOwnLoopUsed: boolean
  readonly onAnswer: (target: HeartbeatTarget, errorCode: number, latencyMs: number) => void
  readonly onFailure: (message: string) => void
  /** The keeper found `max.poll.interval.ms` run out, has told the coordinator, and has stopped. */
  readonly onPollIntervalExpired: (target: HeartbeatTarget) => void
}

export function openHeartbeats(options: HeartbeatsOptions): Heartbeats {
  return options.isOwnLoopUsed ? new LoopHeartbeats(options) : new ThreadHeartbeats(options)
}

/** On this event loop. */
export class LoopHeartbeats implements Heartbeats {
  readonly #options: HeartbeatsOptions
  readonly #sender: HeartbeatSender

  constructor(options: HeartbeatsOptions) {
    const { cluster, config, onAnswer, onFailure } = options
    this.#options = options
    this.#sender = new HeartbeatSender({
      clock: cluster.seams.clock,
      intervalMs: config['heartbeat.interval.ms'],
      sessionTimeoutMs: config['session.timeout.ms'],
      retryBackoffMs: config['retry.backoff.ms'],
      send: (target) => this.#send(target),
      onAnswer,
      onFailure: (_target, error) => onFailure((error as Error).message),
    })
  }

  prepare(): void {}

  start(target: HeartbeatTarget): void {
    this.#sender.start(target)
  }

  stop(): void {
    this.#sender.stop()
  }

  close(): void {
    this.#sender.stop()
  }

  async #send({ generationId, memberId }: HeartbeatTarget): Promise<number> {
    const { cluster, groupId, config, signal } = this.#options
    const nodeId = await cluster.coordinatorOnce('group', groupId, signal)
    const { errorCode } = await cluster.send(
      heartbeat,
      nodeId,
      (version) => ({
        groupId,
        generationId,
        memberId,
        ...(version >= 3 ? { groupInstanceId: config['group.instance.id'] } : {}),
      }),
      { channel: GROUP_CHANNEL, signal },
    )
    return errorCode
  }
}

/** In the background thread, and on this event loop once that is gone. */
export class ThreadHeartbeats implements Heartbeats {
  readonly #options: HeartbeatsOptions
  readonly #link: typeof processLink
  #loop: LoopHeartbeats | undefined
  #id: number | undefined
  #target: HeartbeatTarget | undefined

  constructor(options: HeartbeatsOptions, link = processLink) {
    this.#options = options
    this.#link = link
  }

  prepare(): void {
    if (this.#id !== undefined || this.#loop) return
    const { config, groupId, polls, cluster } = this.#options
    this.#id = this.#link.attach(
      {
        settings: config,
        groupId,
        groupInstanceId: config['group.instance.id'],
        intervalMs: config['heartbeat.interval.ms'],
        sessionTimeoutMs: config['session.timeout.ms'],
        maxPollIntervalMs: config['max.poll.interval.ms'],
        polls,
      },
      {
        logger: cluster.seams.logger,
        onMessage: (message) => this.#received(message),
        onUnavailable: () => this.#fallBack(),
      },
    )
  }

  start(target: HeartbeatTarget): void {
    this.prepare()
    this.#target = target
    if (this.#loop) return this.#loop.start(target)
    const { seams, metadata } = this.#options.cluster
    this.#link.start(this.#id!, { target, brokers: [...metadata.brokers.values()], nowMs: seams.clock.monotonic() })
  }

  stop(): void {
    if (!this.#target) return
    this.#target = undefined
    if (this.#loop) this.#loop.stop()
    else this.#link.stop(this.#id!)
  }

  close(): void {
    this.stop()
    this.#loop?.close()
    if (this.#id !== undefined) this.#link.detach(this.#id)
    this.#id = undefined
  }

  #received(message: ToConsumer): void {
    const { onAnswer, onFailure, onPollIntervalExpired } = this.#options
    // An answer to what was stopped meanwhile.
    if (this.#target?.generationId !== message.target.generationId || this.#target.memberId !== message.target.memberId)
      return
    switch (message.type) {
      case 'answered':
        return onAnswer(message.target, message.errorCode, message.latencyMs)
      case 'failed':
        return onFailure(message.error)
      case 'poll-interval-expired':
        return onPollIntervalExpired(message.target)
      default:
        return message satisfies never
    }
  }

  #fallBack(): void {
    this.#id = undefined
    this.#loop = new LoopHeartbeats(this.#options)
    if (this.#target) this.#loop.start(this.#target)
  }
}
