/**
 * HTTP for whoever watches a process: `/metrics`, `/healthz`, `/readyz`, `/status`. It answers from what the monitor has, and has no way to change
 * anything. Listens before anything is joined, so that a port that is taken is said at once.
 */
import { fastify } from 'fastify'
import { SluiceError } from '../error.ts'
import type { Monitor, Verdict } from './monitor.ts'
import { contentType } from './prometheus.ts'

/** The address cannot be listened on. */
export class HttpAddressError extends SluiceError {
  constructor(address: string, cause: NodeJS.ErrnoException) {
    const reason = reasons[cause.code ?? ''] ?? cause.message
    super('SLUICE_HTTP', `--http ${address}: ${reason}. Nothing was started`, { cause })
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use by another process: choose another one, or 0 for one that is free',
  EACCES: 'permission denied: ports below 1024 take a privilege',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'unknown host name',
}

export interface StatusServer {
  /** `http://127.0.0.1:9400` */
  readonly url: string
  /** Ends connections that are open too. */
  close(): Promise<void>
}

/** A scraper that neither asks nor reads for so long is cut off. */
const IDLE_MS = 30_000
const paths = ['/metrics', '/healthz', '/readyz', '/status']

export async function startStatusServer(
  { host, port }: { readonly host: string; readonly port: number },
  monitor: Monitor,
): Promise<StatusServer> {
  const server = fastify({
    forceCloseConnections: true,
    connectionTimeout: IDLE_MS,
    requestTimeout: IDLE_MS,
    bodyLimit: 1024,
  })
  server.get('/metrics', async (_request, reply) => reply.type(contentType).send(await monitor.metrics()))
  server.get('/status', async (_request, reply) => reply.type('application/json').send(await monitor.status()))
  const probe = (path: string, verdict: () => Verdict) =>
    server.get(path, (_request, reply) => {
      const { ok, problems } = verdict()
      return reply.code(ok ? 200 : 503).send({ status: ok ? 'ok' : 'failed', problems })
    })
  probe('/healthz', () => monitor.alive)
  probe('/readyz', () => monitor.ready)
  server.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found', paths }))
  try {
    const url = await server.listen({ host, port })
    return { url, close: () => server.close() }
  } catch (error) {
    await server.close()
    throw new HttpAddressError(`${host.includes(':') ? `[${host}]` : host}:${port}`, error as NodeJS.ErrnoException)
  }
}
