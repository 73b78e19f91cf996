/**
 * `/api/v1/events`: server-sent events. An overview at once, then, with each sample, what changed. An event is put into text once, whoever
 * listens. A client that does not read is sent nothing more until it does, and then an overview in place of what it missed: the monitor
 * holds at most one buffer's worth for each.
 */
import type { ServerResponse } from 'node:http'
import type { Clock, Timer } from '../../seams/clock.ts'
import type { GroupSummary, MonitorEvent } from '../api-types.ts'
import type { ClusterMonitor, Sampled } from '../cluster-monitor.ts'
import type { Monitor } from '../monitor.ts'
import { clusterSummary, groupDetail, groupSummary } from '../views.ts'

interface Client {
  readonly response: ServerResponse
  readonly cluster: string | undefined
  readonly group: string | undefined
  /** It has not read what it was sent: events pass it by. */
  isBehind: boolean
}

const MOST_CLIENTS = 500
/** Bytes that wait for one client before it is passed by. */
const MOST_WAITING = 4 * 1024 * 1024
/** Proxies end connections on which nothing moves. */
const HEARTBEAT_MS = 15_000

export class EventStream {
  readonly #monitor: Monitor
  readonly #clock: Clock
  readonly #clients = new Set<Client>()
  /** What of each group was last sent, so that only what changed is. */
  readonly #sent = new Map<string, Map<string, string>>()
  readonly #ends: () => void
  #heartbeat: Timer | undefined

  constructor(monitor: Monitor) {
    this.#monitor = monitor
    this.#clock = monitor.clock
    this.#ends = monitor.onSample((cluster, sampled) => this.#sampled(cluster, sampled))
  }

  get clients(): number {
    return this.#clients.size
  }

  /** Whether there is room for one more. */
  get hasRoom(): boolean {
    return this.#clients.size < MOST_CLIENTS
  }

  /** Takes a response over: it is this stream's until either end closes it. */
  add(
    response: ServerResponse,
    { cluster, group }: { cluster?: string | undefined; group?: string | undefined },
  ): void {
    const client: Client = { response, cluster, group, isBehind: false }
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'keep-alive',
    })
    response.write('retry: 3000\n\n')
    this.#clients.add(client)
    const leave = () => this.#clients.delete(client)
    response.on('close', leave)
    response.on('error', leave)
    this.#sendWhole(client)
    this.#beat()
  }

  close(): void {
    this.#ends()
    this.#heartbeat?.cancel()
    for (const { response } of this.#clients) response.end()
    this.#clients.clear()
  }

  #sampled(cluster: ClusterMonitor, { at, gone, changes }: Sampled): void {
    if (this.#clients.size === 0) {
      this.#sent.clear()
      return
    }
    const texts: { text: string; group?: string }[] = changes.map((change) => ({
      text: eventText({ type: 'status', at, cluster: cluster.name, ...change }),
    }))
    const { groups, forgotten } = this.#changed(cluster)
    const left = [...new Set([...gone, ...forgotten])]
    texts.push({ text: eventText({ type: 'sample', at, cluster: clusterSummary(cluster), groups, gone: left }) })
    const details = new Map<string, string>()
    for (const client of this.#clients) {
      if (client.cluster !== undefined && client.cluster !== cluster.name) continue
      if (!this.#isReading(client)) continue
      if (client.isBehind) {
        client.isBehind = false
        this.#sendWhole(client)
        continue
      }
      for (const { text } of texts) client.response.write(text)
      const detail = this.#detail(cluster, client.group, at, details)
      if (detail !== undefined) client.response.write(detail)
    }
  }

  #isReading(client: Client): boolean {
    if (client.response.writableLength > MOST_WAITING) client.isBehind = true
    else if (!client.isBehind || client.response.writableLength === 0) return true
    return false
  }

  #sendWhole(client: Client): void {
    client.response.write(eventText({ type: 'overview', overview: this.#monitor.overview(client.cluster) }))
    const cluster = client.cluster === undefined ? undefined : this.#monitor.clusters.get(client.cluster)
    const detail = cluster && this.#detail(cluster, client.group, this.#clock.now(), new Map())
    if (detail !== undefined) client.response.write(detail)
  }

  #detail(
    cluster: ClusterMonitor,
    group: string | undefined,
    at: number,
    made: Map<string, string>,
  ): string | undefined {
    const found = group === undefined ? undefined : cluster.state.groups.get(group)
    if (!found) return undefined
    let text = made.get(found.groupId)
    if (text === undefined) {
      text = eventText({ type: 'group', at, detail: groupDetail(cluster, found) })
      made.set(found.groupId, text)
    }
    return text
  }

  /** Groups of which something is news, other than that they were looked at; and those that were sent and are not known any more. */
  #changed(cluster: ClusterMonitor): { groups: GroupSummary[]; forgotten: string[] } {
    const before = this.#sent.get(cluster.name)
    const now = new Map<string, string>()
    const changed: GroupSummary[] = []
    for (const group of cluster.state.groups.values()) {
      const summary = groupSummary(cluster, group)
      const { sampledAt: _, trend: __, evidence: ___, ...seen } = summary
      const signature = JSON.stringify(seen)
      now.set(group.groupId, signature)
      if (before?.get(group.groupId) !== signature) changed.push(summary)
    }
    this.#sent.set(cluster.name, now)
    return { groups: changed, forgotten: [...(before?.keys() ?? [])].filter((group) => !now.has(group)) }
  }

  #beat(): void {
    this.#heartbeat ??= this.#clock.setTimer(
      HEARTBEAT_MS,
      () => {
        this.#heartbeat = undefined
        for (const client of this.#clients)
          if (client.response.writableLength === 0) client.response.write(': still here\n\n')
        if (this.#clients.size > 0) this.#beat()
      },
      { background: true },
    )
  }
}

function eventText(event: MonitorEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
