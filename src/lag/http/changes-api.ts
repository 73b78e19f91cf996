/**
 * What changes a cluster: resetting a group's offsets, and deleting a group. Off unless the monitor was started with `--allow-changes` and a token, which every
 * request shows, dry runs too: they are the only requests of a visitor that reach a broker. Each says what it would do unless it is told to do it.
 */
import * as z from 'zod'
import type { FastifyInstance } from 'fastify'
import type { Logger } from '../../seams/logger.ts'
import type { GroupChange, OffsetChange, ResetRequest } from '../api-types.ts'
import type { ClusterMonitor } from '../cluster-monitor.ts'
import { type GroupChanges, GroupChangeError } from '../group-changes.ts'
import type { Monitor } from '../monitor.ts'
import { refusal } from './burrow-api.ts'
import { clusterNamed, groupNamed, read, RequestError } from './rest-api.ts'
import { resetRequestSchema } from './schemas.ts'

export interface ChangeEndpoint {
  readonly method: 'post' | 'delete'
  readonly path: string
  readonly summary: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body?: z.ZodType
  readonly change: (changes: GroupChanges, group: string, query: any, body: any) => Promise<OffsetChange[]>
  readonly isDry: (query: any, body: any) => boolean
  /** Brings in line what the monitor remembers, where the next sample would see something that nobody's consumer did. */
  readonly changed: (cluster: ClusterMonitor, group: string, at: number, partitions: readonly OffsetChange[]) => void
}

const params = z.strictObject({ cluster: z.string(), group: z.string() })

export const changeEndpoints: readonly ChangeEndpoint[] = [
  {
    method: 'post',
    path: '/api/v1/clusters/:cluster/groups/:group/reset',
    summary: 'Sets the offsets of a group without members, or says what that would do.',
    params,
    query: z.strictObject({}),
    body: resetRequestSchema,
    change: (changes, group, _query, body: ResetRequest) => changes.reset(group, body),
    isDry: (_query, { dryRun = true }: ResetRequest) => dryRun,
    changed({ state }, groupId, at, partitions) {
      const group = state.groups.get(groupId)
      for (const { topic, partition } of partitions) group?.pair(topic, partition)?.forgetPast()
      group?.mark(at, 'offsets-reset', { name: 'mark.offsets-set', values: { partitions: partitions.length } })
    },
  },
  {
    method: 'delete',
    path: '/api/v1/clusters/:cluster/groups/:group',
    summary: 'Deletes a group without members and its offsets, or says what that would do.',
    params,
    query: z.strictObject({
      dryRun: z.enum(['true', 'false']).default('true').describe('Nothing is changed unless it is false.'),
    }),
    change: (changes, group, { dryRun }: { dryRun: string }) => changes.delete(group, { dryRun: dryRun !== 'false' }),
    isDry: ({ dryRun }: { dryRun: string }) => dryRun !== 'false',
    // The next sample finds it gone, and tells everybody who listens.
    changed() {},
  },
]

export interface ChangesApiSettings {
  /** undefined: nobody may change anything. */
  readonly token: string | undefined
  readonly logger: Logger
}

export function addChangesApi(server: FastifyInstance, monitor: Monitor, settings: ChangesApiSettings): void {
  for (const { method, path, params, query, body, change, isDry, changed } of changeEndpoints) {
    server[method](path, async (request, reply) => {
      const refused = refusal(request, settings)
      if (refused) throw new RequestError(refused.status, 'SLUICE_NOT_ALLOWED', refused.body.message)
      const where = read(params, request.params, 'path') as { cluster: string; group: string }
      const asked = read(query, request.query, 'query')
      const wanted = body && read(body, request.body ?? {}, 'body')
      const cluster = clusterNamed(monitor, where.cluster)
      groupNamed(cluster, where.group)
      if (!cluster.changes) throw new GroupChangeError(409, `groups of ${where.cluster} cannot be changed from here`)
      const partitions = await change(cluster.changes, where.group, asked, wanted)
      const dryRun = isDry(asked, wanted)
      if (!dryRun) {
        settings.logger.warn(
          { ...where, from: request.ip, partitions },
          `${method} ${request.url}: a group was changed`,
        )
        changed(cluster, where.group, monitor.clock.now(), partitions)
      }
      const answer: GroupChange = { ...where, dryRun, partitions }
      return reply.header('cache-control', 'no-store').send(answer)
    })
  }
}
