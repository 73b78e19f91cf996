/**
 * The monitor's HTTP server: Sluice's API, its event stream, Burrow's API, metrics, the page, and whether it lives. Bound to loopback unless it is told otherwise. What
 * it serves it has in memory: a thousand requests a second cost no broker anything.
 */
import { fastify, type FastifyInstance } from 'fastify'
import { SluiceError } from '../../error.ts'
import type { Disk } from '../../seams/disk.ts'
import type { Logger } from '../../seams/logger.ts'
import type { Monitor } from '../monitor.ts'
import type { MetricNames } from '../monitor-conf.ts'
import { addBurrowApi, type BurrowApiSettings } from './burrow-api.ts'
import { addChangesApi } from './changes-api.ts'
import { EventStream } from './event-stream.ts'
import { MonitorMetrics, metricsContentType } from './metrics.ts'
import { openApi } from './openapi.ts'
import { addPage } from './page.ts'
import { addRestApi, clusterNamed, notFound, RequestError, sendError } from './rest-api.ts'

/** The address cannot be listened on. */
export class MonitorAddressError extends SluiceError {
  constructor(address: string, cause: NodeJS.ErrnoException) {
    super(
      'SLUICE_MONITOR_ADDRESS',
      `the monitor cannot listen on ${address}: ${reasons[cause.code ?? ''] ?? cause.message}`,
      { cause },
    )
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use: choose another one, or 0 for one that is free',
  EACCES: 'permission denied: ports below 1024 take a privilege',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'unknown host name',
}

export interface MonitorServerSettings extends BurrowApiSettings {
  readonly host: string
  readonly port: number
  readonly logger: Logger
  /** Where the page is read from; without it there is none. */
  readonly disk?: Disk | undefined
  /** Whose names `/metrics` has. Default: Burrow's. */
  readonly metrics?: MetricNames | undefined
  /** Whoever serves more on the same address (metrics, the page), before it listens. */
  readonly extend?: ((server: FastifyInstance) => void | Promise<void>) | undefined
}

export interface MonitorServer {
  /** `http://127.0.0.1:8000` */
  readonly url: string
  /** Ends connections that are open too. */
  close(): Promise<void>
}

const IDLE_MS = 60_000

export async function startMonitorServer(monitor: Monitor, settings: MonitorServerSettings): Promise<MonitorServer> {
  const server = fastify({
    forceCloseConnections: true,
    requestTimeout: IDLE_MS,
    bodyLimit: 64 * 1024,
    routerOptions: { maxParamLength: 1000, ignoreTrailingSlash: true },
  })
  const events = new EventStream(monitor)
  server.setErrorHandler((error, request, reply) => {
    const { httpStatus, statusCode = 500 } = error as Partial<RequestError> & { statusCode?: number }
    if ((httpStatus ?? statusCode) >= 500)
      settings.logger.error({ url: request.url, error: (error as Error).stack }, 'a request failed')
    return sendError(reply, error)
  })
  server.setNotFoundHandler((request, reply) => {
    // As Burrow says it, below its paths.
    if (request.url.startsWith('/v3/'))
      return reply.code(404).send({ error: true, message: 'invalid request type', result: {} })
    return sendError(reply, notFound(`there is nothing at ${request.url}; /api/v1/openapi.json says what there is`))
  })
  addRestApi(server, monitor, { allowsChanges: settings.token !== undefined })
  addBurrowApi(server, monitor, settings)
  addChangesApi(server, monitor, settings)
  if (settings.disk) addPage(server, { disk: settings.disk, logger: settings.logger })
  const description = JSON.stringify(openApi(monitor.version))
  server.get('/api/v1/openapi.json', (_request, reply) => reply.type('application/json').send(description))
  server.get('/api/v1/events', (request, reply) => {
    const { cluster, group } = request.query as { cluster?: string; group?: string }
    if (cluster !== undefined) clusterNamed(monitor, cluster)
    if (group !== undefined && cluster === undefined)
      throw new RequestError(400, 'SLUICE_BAD_REQUEST', 'query.group: takes a cluster, too')
    if (!events.hasRoom) throw new RequestError(503, 'SLUICE_BUSY', 'too many clients listen already')
    reply.hijack()
    events.add(reply.raw, { cluster, group })
  })
  const metrics = new MonitorMetrics(monitor, settings.metrics ?? 'burrow')
  server.get('/metrics', async (_request, reply) => reply.type(metricsContentType).send(await metrics.text()))
  server.get('/healthz', (_request, reply) => reply.send({ status: 'ok', store: monitor.store?.problem ?? 'ok' }))
  server.get('/readyz', (_request, reply) =>
    reply.code(monitor.isReady ? 200 : 503).send({ status: monitor.isReady ? 'ok' : 'starting' }),
  )
  try {
    await settings.extend?.(server)
    const url = await server.listen({ host: settings.host, port: settings.port })
    return {
      url,
      async close() {
        events.close()
        await server.close()
      },
    }
  } catch (error) {
    events.close()
    await server.close()
    if (!(error as NodeJS.ErrnoException).code?.startsWith('E')) throw error
    throw new MonitorAddressError(`${settings.host}:${settings.port}`, error as NodeJS.ErrnoException)
  }
}
