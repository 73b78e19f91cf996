/** The notifiers that pass figures on, sample by sample: StatsD or DogStatsD by UDP, InfluxDB by its line protocol. */
import { createSocket, type Socket } from 'node:dgram'
import type { ClusterMonitor } from '../cluster-monitor.ts'
import type { GroupState } from '../group-state.ts'

/** What of a cluster the figures are made of. */
export type Watched = Pick<ClusterMonitor, 'name'> & {
  readonly state: Pick<ClusterMonitor['state'], 'groups' | 'topics'>
}

/** Bytes of one UDP datagram that passes an Ethernet undivided. */
const DATAGRAM_BYTES = 1400

/** Gauges as Datadog names them, tags in DogStatsD's form; for plain StatsD the tags are part of the name. */
export function statsdLines(cluster: Watched, { prefix, dogStatsd }: { prefix: string; dogStatsd: boolean }): string[] {
  const lines: string[] = []
  const gauge = (
    name: string,
    value: number | null | undefined,
    tags: readonly (readonly [string, string | number])[],
  ) => {
    if (value === null || value === undefined) return
    if (dogStatsd)
      lines.push(`${prefix}${name}:${value}|g|#${tags.map(([tag, text]) => `${tag}:${tagText(text)}`).join(',')}`)
    else lines.push(`${prefix}${name}.${tags.map(([, text]) => nameText(text)).join('.')}:${value}|g`)
  }
  for (const group of cluster.state.groups.values()) {
    const ofGroup = [
      ['kafka_cluster', cluster.name],
      ['consumer_group', group.groupId],
    ] as const
    gauge('kafka.consumer_group.members', group.description?.members.length, ofGroup)
    for (const pair of group.pairs()) {
      const tags = [...ofGroup, ['topic', pair.topic], ['partition', pair.partition]] as const
      gauge('kafka.consumer_offset', pair.committed, tags)
      gauge('kafka.consumer_lag', pair.lag, tags)
      gauge('kafka.estimated_consumer_lag', pair.lagSeconds, tags)
    }
  }
  for (const topic of cluster.state.topics.values()) {
    for (const [partition, { end }] of topic.logs.entries()) {
      gauge('kafka.broker_offset', end, [
        ['kafka_cluster', cluster.name],
        ['topic', topic.topic],
        ['partition', partition],
      ])
    }
  }
  return lines
}

function tagText(text: string | number): string {
  return String(text).replaceAll(/[\s,|#:]/g, '_')
}

function nameText(text: string | number): string {
  return String(text).replaceAll(/[^\p{L}\p{N}_-]/gu, '_')
}

/** As few datagrams as hold the lines. */
export function datagrams(lines: readonly string[]): Buffer[] {
  const found: Buffer[] = []
  let waiting = ''
  for (const line of lines) {
    if (waiting !== '' && Buffer.byteLength(waiting) + Buffer.byteLength(line) + 1 > DATAGRAM_BYTES) {
      found.push(Buffer.from(waiting))
      waiting = ''
    }
    waiting += waiting === '' ? line : `\n${line}`
  }
  if (waiting !== '') found.push(Buffer.from(waiting))
  return found
}

export class StatsdSocket {
  readonly #host: string
  readonly #port: number
  readonly #socket: Socket

  constructor(host: string, port: number) {
    this.#host = host
    this.#port = port
    this.#socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    // Nobody listens: UDP has no more to say about it.
    this.#socket.on('error', () => {})
    this.#socket.unref()
  }

  /** Resolves when the system has taken all of it. */
  async send(lines: readonly string[]): Promise<void> {
    for (const datagram of datagrams(lines)) {
      await new Promise<void>((resolve, reject) =>
        this.#socket.send(datagram, this.#port, this.#host, (error) => (error ? reject(error) : resolve())),
      )
    }
  }

  close(): void {
    this.#socket.close()
  }
}

/** InfluxDB's line protocol, times in milliseconds. */
export function influxLines(cluster: Watched, at: number): string[] {
  const lines: string[] = []
  for (const group of cluster.state.groups.values()) {
    const tags = `cluster=${influxText(cluster.name)},group=${influxText(group.groupId)}`
    const fields = influxFields(groupFields(group))
    if (fields !== '') lines.push(`kafka_consumer_group,${tags} ${fields} ${at}`)
    for (const pair of group.pairs()) {
      const values = {
        committed: pair.committed ?? null,
        lag: pair.lag,
        lag_seconds: pair.lagSeconds,
        status: pair.judgement?.status ?? null,
      }
      const said = influxFields(values)
      if (said !== '')
        lines.push(
          `kafka_consumer_partition,${tags},topic=${influxText(pair.topic)},partition=${pair.partition} ${said} ${at}`,
        )
    }
  }
  return lines
}

function groupFields(group: GroupState) {
  return {
    total_lag: group.totalLag,
    max_lag: group.maxLag,
    lag_seconds: group.lagSeconds,
    members: group.description?.members.length ?? null,
    status: group.status,
  }
}

/** Lags and offsets as whole numbers (`i`), ages as floats: a field keeps the type it was first written with. */
function influxFields(values: Readonly<Record<string, number | string | null>>): string {
  return Object.entries(values)
    .flatMap(([name, value]) => {
      if (value === null) return []
      if (typeof value === 'string') return [`${name}="${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`]
      return [name.endsWith('_seconds') ? `${name}=${value}` : `${name}=${Math.round(value)}i`]
    })
    .join(',')
}

/** A backslash at the end would take what separates it from the next tag, and no escape helps: something has to stand behind it. */
function influxText(text: string): string {
  const escaped = text.replaceAll(/[,= ]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`)
  return text.endsWith('\\') ? `${escaped}_` : escaped
}

export interface InfluxSettings {
  /** With database or bucket, for example `http://127.0.0.1:8086/write?db=kafka`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

const MOST_LINES = 5000

export async function sendToInflux(
  { url, headers }: InfluxSettings,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const address = new URL(url)
  address.searchParams.set('precision', 'ms')
  for (let from = 0; from < lines.length; from += MOST_LINES) {
    const body = lines.slice(from, from + MOST_LINES).join('\n')
    const response = await fetch(address, {
      method: 'POST',
      body,
      signal,
      headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`it answered ${response.status}${text === '' ? '' : `: ${text.slice(0, 200)}`}`)
  }
}
