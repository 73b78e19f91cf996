/**
 * Sluice's own API below `/api/v1`: one table of what there is, from which the routes, the OpenAPI description and the test are made. Everything
 * is answered from what the monitor has; no request of a visitor reaches a broker.
 */
import * as z from 'zod'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { SluiceError } from '../../error.ts'
import type { ClusterMonitor } from '../cluster-monitor.ts'
import type { GroupState } from '../group-state.ts'
import { groupHistory } from '../history.ts'
import type { Monitor } from '../monitor.ts'
import { groupStatuses } from '../status.ts'
import {
  byWorst,
  clusterSummary,
  groupDetail,
  groupSummaries,
  partitionDetail,
  topicDetail,
  topicSummaries,
} from '../views.ts'
import * as schemas from './schemas.ts'

/** What a visitor asked for is not there, or asked for wrongly. */
export class RequestError extends SluiceError {
  readonly httpStatus: number

  constructor(httpStatus: number, code: string, message: string) {
    super(code, message)
    this.httpStatus = httpStatus
  }
}

export function notFound(message: string): RequestError {
  return new RequestError(404, 'SLUICE_NOT_FOUND', message)
}

/** What the server was told that the monitor does not know. */
export interface Service {
  readonly allowsChanges: boolean
}

export interface Endpoint {
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly response: z.ZodType
  readonly answer: (monitor: Monitor, params: any, query: any, service: Service) => unknown
}

function endpoint<P extends z.ZodRawShape, Q extends z.ZodRawShape>(definition: {
  path: string
  summary: string
  params: P
  query: Q
  response: z.ZodType
  answer: (
    monitor: Monitor,
    params: z.output<z.ZodObject<P>>,
    query: z.output<z.ZodObject<Q>>,
    service: Service,
  ) => unknown
}): Endpoint {
  const { params, query, ...rest } = definition
  return { ...rest, params: z.strictObject(params), query: z.strictObject(query) } as unknown as Endpoint
}

const name = z.string()
const inCluster = { cluster: name }
const ofGroup = { ...inCluster, group: name }
const whole = (from: number, to: number) => z.coerce.number().int().min(from).max(to)
const moment = z.coerce.number().int().min(0).describe('Milliseconds since 1970.')

const HOUR_MS = 3_600_000

export const endpoints: readonly Endpoint[] = [
  endpoint({
    path: '/api/v1/settings',
    summary: 'What this monitor can be asked for.',
    params: {},
    query: {},
    response: schemas.settingsSchema,
    answer: ({ version, store }, _params, _query, { allowsChanges }) => ({
      version,
      hasHistory: store !== undefined,
      allowsChanges,
    }),
  }),
  endpoint({
    path: '/api/v1/overview',
    summary: 'All clusters and groups, worst first.',
    params: {},
    query: { cluster: name.optional() },
    response: schemas.overviewSchema,
    answer(monitor, _params, { cluster }) {
      if (cluster !== undefined) clusterNamed(monitor, cluster)
      return monitor.overview(cluster)
    },
  }),
  endpoint({
    path: '/api/v1/clusters',
    summary: 'The clusters that are watched.',
    params: {},
    query: {},
    response: schemas.clusterListSchema,
    answer: (monitor) => [...monitor.clusters.values()].map(clusterSummary),
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster',
    summary: 'One cluster.',
    params: inCluster,
    query: {},
    response: schemas.clusterSummarySchema,
    answer: (monitor, { cluster }) => clusterSummary(clusterNamed(monitor, cluster)),
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/groups',
    summary: 'Groups of a cluster, worst first.',
    params: inCluster,
    query: {
      search: name.optional().describe('Part of the group’s name, in any case.'),
      status: z.enum(groupStatuses as ['OK']).optional(),
      topic: name.optional().describe('Only groups that read this topic.'),
      limit: whole(1, 100_000).default(100_000),
      offset: whole(0, 1_000_000).default(0),
    },
    response: schemas.groupListSchema,
    answer(monitor, { cluster }, { search, status, topic, limit, offset }) {
      const found = clusterNamed(monitor, cluster)
      const wanted = search?.toLowerCase()
      const all = groupSummaries(found).filter(
        (one) =>
          (wanted === undefined || one.group.toLowerCase().includes(wanted)) &&
          (status === undefined || one.status === status) &&
          (topic === undefined || found.state.groups.get(one.group)!.topics.has(topic)),
      )
      return { total: all.length, groups: all.sort(byWorst).slice(offset, offset + limit) }
    },
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/groups/:group',
    summary: 'One group: its partitions, members and what happened to it.',
    params: ofGroup,
    query: {},
    response: schemas.groupDetailSchema,
    answer(monitor, { cluster, group }) {
      const found = clusterNamed(monitor, cluster)
      return groupDetail(found, groupNamed(found, group))
    },
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/groups/:group/topics/:topic/partitions/:partition',
    summary: 'One partition of a group: exactly the samples that the rules saw.',
    params: { ...ofGroup, topic: name, partition: whole(0, 0x7fffffff) },
    query: {},
    response: schemas.partitionDetailSchema,
    answer(monitor, { cluster, group, topic, partition }) {
      const found = clusterNamed(monitor, cluster)
      const one = groupNamed(found, group)
      const pair = one.pair(topic, partition)
      if (!pair) throw notFound(`the group ${group} has committed nothing on ${topic}-${partition}`)
      return partitionDetail(found, one, pair)
    },
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/groups/:group/history',
    summary: 'A group over time: the last hour unless it is said otherwise.',
    params: ofGroup,
    query: { from: moment.optional(), to: moment.optional() },
    response: schemas.groupHistorySchema,
    answer(monitor, { cluster, group }, { from, to }) {
      clusterNamed(monitor, cluster)
      if (!monitor.store) throw notFound('there is no history: the monitor runs without a store')
      const now = monitor.clock.now()
      const end = to ?? now
      const start = from ?? end - HOUR_MS
      if (start > end) throw new RequestError(400, 'SLUICE_BAD_REQUEST', `from (${start}) is after to (${end})`)
      return groupHistory(monitor.store, cluster, group, start, end, now)
    },
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/topics',
    summary: 'Topics of a cluster.',
    params: inCluster,
    query: {},
    response: schemas.topicListSchema,
    answer: (monitor, { cluster }) => topicSummaries(clusterNamed(monitor, cluster)),
  }),
  endpoint({
    path: '/api/v1/clusters/:cluster/topics/:topic',
    summary: 'One topic: its partitions, and who reads it.',
    params: { ...inCluster, topic: name },
    query: {},
    response: schemas.topicDetailSchema,
    answer(monitor, { cluster, topic }) {
      const found = clusterNamed(monitor, cluster)
      const one = found.state.topics.get(topic)
      if (!one) throw notFound(`the cluster ${cluster} has no topic ${topic}`)
      return topicDetail(found, one)
    },
  }),
]

export function addRestApi(server: FastifyInstance, monitor: Monitor, service: Service): void {
  for (const { path, params, query, answer } of endpoints) {
    server.get(path, (request, reply) => {
      const where = read(params, request.params, 'path')
      const what = read(query, request.query, 'query')
      return reply.header('cache-control', 'no-store').send(answer(monitor, where, what, service))
    })
  }
}

/** @throws RequestError that names what is wrong, what was seen, and what is allowed */
export function read<T extends z.ZodType>(schema: T, values: unknown, where: string): z.output<T> {
  const result = schema.safeParse(values)
  if (result.success) return result.data
  const said = result.error.issues.map(({ path, message }) => `${[where, ...path].join('.')}: ${message}`)
  throw new RequestError(400, 'SLUICE_BAD_REQUEST', said.join('; '))
}

export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const {
    httpStatus,
    statusCode,
    code = 'SLUICE_INTERNAL',
    message,
  } = error as Partial<RequestError> & { statusCode?: number; message: string }
  const status = httpStatus ?? statusCode ?? 500
  return reply.code(status).send({
    error: {
      code,
      message: status >= 500 && httpStatus === undefined ? 'an unexpected error, see the log' : message,
    },
  })
}

export function clusterNamed(monitor: Monitor, cluster: string): ClusterMonitor {
  const found = monitor.clusters.get(cluster)
  if (!found) throw notFound(`no cluster ${cluster} is watched; there are ${[...monitor.clusters.keys()].join(', ')}`)
  return found
}

export function groupNamed({ name, state }: ClusterMonitor, group: string): GroupState {
  const found = state.groups.get(group)
  if (!found) throw notFound(`the cluster ${name} has no group ${group}`)
  return found
}
