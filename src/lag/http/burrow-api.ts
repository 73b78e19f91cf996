/**
 * Burrow's HTTP API, version 3, on Burrow's paths with Burrow's JSON (linkedin/Burrow, core/internal/httpserver at ced55ba), so that scripts and
 * panels written for it go on working. What Burrow leaves open to anybody, deleting, takes a token here.
 */
import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hostname } from 'node:os'
import type { ClusterMonitor } from '../cluster-monitor.ts'
import type { GroupState } from '../group-state.ts'
import type { Monitor } from '../monitor.ts'
import type { PairState } from '../pair-state.ts'
import { burrowGroups } from '../status.ts'
import type { Commit } from '../window.ts'

export interface BurrowApiSettings {
  /** Who shows it may delete; undefined: nobody may. */
  readonly token: string | undefined
  /** `Access-Control-Allow-Origin`, if any. */
  readonly allowOrigin?: string | undefined
  /** The log level that `/v3/admin/loglevel` reads and sets. */
  readonly logLevel?: { get(): string; set(level: string): void } | undefined
}

interface Params {
  readonly cluster: string
  readonly topic: string
  readonly consumer: string
  readonly name: string
}

type Handler = (params: Params, request: FastifyRequest) => { status?: number; body: object }

export function addBurrowApi(server: FastifyInstance, monitor: Monitor, settings: BurrowApiSettings): void {
  const answering = (handler: Handler) => (request: FastifyRequest, reply: FastifyReply) => {
    const { status = 200, body } = handler(request.params as Params, request)
    const url = request.url.split('?')[0]!
    const whole = { ...body, request: { url: decodeURI(url), host: hostname() } }
    return allowing(reply.code(status).type('application/json'), settings).send(JSON.stringify(whole))
  }
  const get = (path: string, handler: Handler) => server.get(path, answering(handler))
  server.get('/burrow/admin', (_request, reply) => allowing(reply, settings).send('GOOD'))
  server.get('/burrow/admin/ready', (_request, reply) =>
    monitor.isReady ? allowing(reply, settings).send('READY') : allowing(reply.code(503), settings).send('STARTING'),
  )
  addReading(get, monitor)
  addConfig(get, monitor)
  server.delete('/v3/kafka/:cluster/consumer/:consumer', answering(deleting(monitor, settings)))
  server.delete('/v3/kafka/:cluster/consumer/:consumer/topic/:topic', answering(deleting(monitor, settings)))
  get('/v3/admin/loglevel', () => ok('log level returned', { level: settings.logLevel?.get() ?? 'info' }))
  server.post('/v3/admin/loglevel', answering(settingLogLevel(settings)))
}

function allowing(reply: FastifyReply, { allowOrigin }: BurrowApiSettings): FastifyReply {
  return allowOrigin === undefined ? reply : reply.header('access-control-allow-origin', allowOrigin)
}

function ok(message: string, rest: object): { body: object } {
  return { body: { error: false, message, ...rest } }
}

function failed(status: number, message: string): { status: number; body: { error: true; message: string } } {
  return { status, body: { error: true, message } }
}

type Get = (path: string, handler: Handler) => unknown

function addReading(get: Get, monitor: Monitor): void {
  const inCluster = (
    handler: (cluster: ClusterMonitor, params: Params) => { status?: number; body: object },
  ): Handler => {
    return (params) => {
      const cluster = monitor.clusters.get(params.cluster)
      return cluster ? handler(cluster, params) : failed(404, 'cluster not found')
    }
  }
  get('/v3/kafka', () => ok('cluster list returned', { clusters: [...monitor.clusters.keys()] }))
  get('/v3/kafka/:cluster', clusterModule(monitor))
  get(
    '/v3/kafka/:cluster/topic',
    inCluster(({ state }) => ok('topic list returned', { topics: [...state.topics.keys()] })),
  )
  get('/v3/kafka/:cluster/topic/:topic', ({ cluster, topic }) => {
    const found = monitor.clusters.get(cluster)?.state.topics.get(topic)
    if (!found) return failed(404, 'cluster or topic not found')
    return ok('topic offsets returned', { offsets: found.logs.flatMap(({ end }) => end ?? []) })
  })
  get(
    '/v3/kafka/:cluster/topic/:topic/consumers',
    inCluster(({ state }, { topic }) => {
      const consumers = [...state.groups.values()]
        .filter(({ topics }) => topics.has(topic))
        .map(({ groupId }) => groupId)
      return ok('consumers of topic returned', { consumers })
    }),
  )
  get(
    '/v3/kafka/:cluster/consumer',
    inCluster(({ state }) => ok('consumer list returned', { consumers: [...state.groups.keys()] })),
  )
  get('/v3/kafka/:cluster/consumer/:consumer', ({ cluster, consumer }) => {
    const found = monitor.clusters.get(cluster)
    const group = found?.state.groups.get(consumer)
    if (!found || !group) return failed(404, 'cluster or consumer not found')
    return ok('consumer detail returned', { topics: consumerTopics(found, group) })
  })
  const status = (path: string, showAll: boolean) =>
    get(path, ({ cluster, consumer }) => {
      const found = monitor.clusters.get(cluster)
      const group = found?.state.groups.get(consumer)
      const isFound = found && group && group.status !== 'UNKNOWN'
      const body = isFound ? groupStatus(found, group, showAll) : statusNotFound(cluster, consumer)
      return { status: isFound ? 200 : 404, ...ok('consumer status returned', { status: body }) }
    })
  status('/v3/kafka/:cluster/consumer/:consumer/status', false)
  status('/v3/kafka/:cluster/consumer/:consumer/lag', true)
}

function statusNotFound(cluster: string, group: string) {
  return {
    cluster,
    group,
    status: 'NOTFOUND',
    complete: 1,
    partitions: [],
    partition_count: 0,
    maxlag: null,
    totallag: 0,
  }
}

/** Every partition of every topic that the group has commits on, as Burrow has them: also those without a commit. */
function* partitionsOf(
  { state }: ClusterMonitor,
  group: GroupState,
): Generator<[topic: string, partition: number, pair: PairState | undefined]> {
  for (const [topic, pairs] of group.topics) {
    const count = state.topics.get(topic)?.logs.length ?? 0
    for (let partition = 0; partition < count; partition++) yield [topic, partition, pairs.get(partition)]
  }
}

const offsetOf = ({ offset, timestamp, observedAt, lag }: Commit) => ({ offset, timestamp, observedAt, lag })

function ownerOf(group: GroupState, topic: string, partition: number): { owner: string; client_id: string } {
  const owner = group.owner(topic, partition)
  return typeof owner === 'object' ? { owner: owner.host, client_id: owner.clientId } : { owner: '', client_id: '' }
}

function partitionStatus(group: GroupState, topic: string, partition: number, pair: PairState | undefined) {
  const commits = pair?.commits.toArray() ?? []
  return {
    topic,
    partition,
    ...ownerOf(group, topic, partition),
    status: pair?.judgement?.status ?? 'OK',
    start: commits[0] ? offsetOf(commits[0]) : null,
    end: commits.length > 0 ? offsetOf(commits.at(-1)!) : null,
    current_lag: pair?.lag ?? 0,
    complete: pair ? asFloat32(commits.length / pair.commits.intervals) : 0,
  }
}

/** Burrow's fractions are of 32 bits: seven digits say one. */
function asFloat32(fraction: number): number {
  return Number(fraction.toPrecision(7))
}

function groupStatus(cluster: ClusterMonitor, group: GroupState, showAll: boolean) {
  const all = [...partitionsOf(cluster, group)].map(([topic, partition, pair]) =>
    partitionStatus(group, topic, partition, pair),
  )
  const maxlag = all.reduce<(typeof all)[number] | null>(
    (most, one) => (most === null || one.current_lag > most.current_lag ? one : most),
    null,
  )
  const complete = all.filter((one) => one.complete === 1).length
  return {
    cluster: cluster.name,
    group: group.groupId,
    status: burrowGroups[group.status].word,
    complete: all.length === 0 ? 0 : asFloat32(complete / all.length),
    partitions: showAll ? all : all.filter(({ status }) => status !== 'OK'),
    partition_count: all.length,
    maxlag,
    totallag: all.reduce((sum, one) => sum + one.current_lag, 0),
  }
}

function consumerTopics(cluster: ClusterMonitor, group: GroupState) {
  const topics: Record<string, object[]> = {}
  for (const [topic, partition, pair] of partitionsOf(cluster, group)) {
    const commits = pair?.commits.toArray() ?? []
    const empty =
      pair && commits.length > 0 ? Array.from({ length: pair.commits.intervals - commits.length }, () => null) : []
    topics[topic] ??= []
    topics[topic].push({
      offsets: [...empty, ...commits.map(offsetOf)],
      ...ownerOf(group, topic, partition),
      'current-lag': pair?.lag ?? 0,
    })
  }
  return topics
}

function clusterModule(monitor: Monitor): Handler {
  return ({ cluster }) => {
    const found = monitor.clusters.get(cluster)
    if (!found) return failed(404, 'cluster module not found')
    const { sampleIntervalMs, servers } = found.settings
    return ok('cluster module detail returned', {
      module: {
        'class-name': 'kafka',
        servers: servers.split(','),
        'client-profile': clientProfile,
        'topic-refresh': 60,
        'offset-refresh': Math.round(sampleIntervalMs / 1000),
      },
    })
  }
}

const clientProfile = { name: 'sluice', 'client-id': 'sluice-monitor', 'kafka-version': '', tls: null, sasl: null }

/** `/v3/config`: there is a module of each kind for each cluster, named as it is. */
function addConfig(get: Get, monitor: Monitor): void {
  get('/v3/config', () =>
    ok('main config returned', {
      general: { pidfile: '', 'stdout-logfile': '', 'access-control-allow-origin': '' },
      logging: {
        filename: '',
        'max-size': 0,
        'max-backups': 0,
        'max-age': 0,
        'use-local-time': false,
        'use-compression': false,
        level: 'info',
      },
      zookeeper: { servers: [], timeout: 0, 'root-path': '' },
      httpserver: {},
    }),
  )
  const modules = (coordinator: string, names: () => readonly string[]) =>
    get(`/v3/config/${coordinator}`, () => ok('module list returned', { coordinator, modules: names() }))
  const clusters = () => [...monitor.clusters.keys()]
  modules('storage', () => ['default'])
  modules('evaluator', () => ['default'])
  modules('cluster', clusters)
  modules('consumer', clusters)
  modules('notifier', () => [])
  get('/v3/config/cluster/:cluster', clusterModule(monitor))
  get('/v3/config/consumer/:name', ({ name }) => {
    const found = monitor.clusters.get(name)
    if (!found) return failed(404, 'consumer module not found')
    return ok('consumer module detail returned', {
      module: {
        'class-name': 'kafka',
        cluster: name,
        servers: found.settings.servers.split(','),
        'group-allowlist': '',
        'zookeeper-path': '',
        'zookeeper-timeout': 0,
        'client-profile': clientProfile,
        'offsets-topic': '__consumer_offsets',
        'start-latest': false,
      },
    })
  })
  const [first] = monitor.clusters.values()
  get('/v3/config/storage/:name', ({ name }) => {
    if (name !== 'default') return failed(404, 'storage module not found')
    const { intervals = 10, minDistanceMs = 0 } = first?.settings ?? {}
    const module = {
      'class-name': 'inmemory',
      intervals,
      'min-distance': minDistanceMs / 1000,
      'group-allowlist': '',
      'expire-group': 604_800,
    }
    return ok('storage module detail returned', { module })
  })
  get('/v3/config/evaluator/:name', ({ name }) => {
    if (name !== 'default') return failed(404, 'evaluator module not found')
    return ok('evaluator module detail returned', { module: { 'class-name': 'caching', 'expire-cache': 10 } })
  })
  get('/v3/config/notifier/:name', () => failed(404, 'notifier module not found'))
}

function deleting(monitor: Monitor, settings: BurrowApiSettings): Handler {
  return ({ cluster, consumer, topic }, request) => {
    const refused = refusal(request, settings)
    if (refused) return refused
    const found = monitor.clusters.get(cluster)
    if (!found) return failed(404, 'cluster not found')
    found.state.forget(consumer, topic)
    return ok('consumer group removed', {})
  }
}

function settingLogLevel(settings: BurrowApiSettings): Handler {
  return (_params, request) => {
    const refused = refusal(request, settings)
    if (refused) return refused
    const { level } = (request.body ?? {}) as { level?: unknown }
    if (typeof level !== 'string') return failed(400, 'could not decode message body')
    const wanted =
      ({ trace: 'debug', warning: 'warn' } as Record<string, string>)[level.toLowerCase()] ?? level.toLowerCase()
    if (!['debug', 'info', 'warn', 'error', 'fatal'].includes(wanted)) return failed(404, 'unknown log level')
    settings.logLevel?.set(wanted)
    return ok('set log level', {})
  }
}

/** Why a request may change nothing; undefined if it may. */
export function refusal(
  request: FastifyRequest,
  { token }: { readonly token: string | undefined },
): { status: number; body: { readonly message: string } } | undefined {
  if (token === undefined) return failed(403, 'changes are off: start the monitor with --allow-changes and a token')
  const given = /^Bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const [left, right] = [Buffer.from(given), Buffer.from(token)]
  if (left.length === right.length && timingSafeEqual(left, right)) return undefined
  return failed(401, 'this takes the token: Authorization: Bearer …')
}
