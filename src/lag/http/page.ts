/**
 * Serves the monitor's web page: the few files that `src/dashboard` is built into, from memory, under a Content-Security-Policy that lets it load and reach
 * nothing but this server. The page itself knows the monitor by its API only.
 *
 * In the published package the built files lie beside the compiled sources. In a clone they are built when somebody first asks for them
 * (scripts/build-page.ts, docs/decisions/0013-the-monitors-page.md).
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SluiceError } from '../../error.ts'
import type { Disk } from '../../seams/disk.ts'
import type { Logger } from '../../seams/logger.ts'
import { notFound } from './rest-api.ts'

/** The page is not there and cannot be built. The monitor answers all the same. */
export class PageError extends SluiceError {
  readonly httpStatus = 503

  constructor(cause: Error) {
    super('SLUICE_PAGE_MISSING', `the page could not be built: run npm ci in the clone (${firstLine(cause)})`, {
      cause,
    })
  }
}

export interface PageSettings {
  readonly disk: Disk
  readonly logger: Logger
  /** Of the built page, for tests. Default: where this installation has it. */
  readonly folder?: string | undefined
}

interface PageFile {
  readonly type: string
  readonly bytes: Buffer
  readonly gzipped: Buffer
  readonly etag: string
}

export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const headers = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const compress = promisify(gzip)

export function addPage(server: FastifyInstance, { disk, logger, folder }: PageSettings): void {
  const ending = new AbortController()
  server.addHook('onClose', () => ending.abort())
  let loading: Promise<ReadonlyMap<string, PageFile>> | undefined
  const load = async () => {
    try {
      return await readPage(disk, folder ?? (await builtFolder(ending.signal)))
    } catch (error) {
      // The next visitor tries again.
      loading = undefined
      if (!ending.signal.aborted) logger.error({ error: (error as Error).message }, 'the page could not be built')
      throw new PageError(error as Error)
    }
  }
  const send = async (request: FastifyRequest, reply: FastifyReply, name: string, caching: string) => {
    const file = (await (loading ??= load())).get(name)
    if (!file) throw notFound(`there is nothing at ${request.url}`)
    reply.headers(headers).header('cache-control', caching).header('etag', file.etag).header('vary', 'accept-encoding')
    if (request.headers['if-none-match'] === file.etag) return reply.code(304).send()
    reply.type(file.type)
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(file.bytes)
    return reply.header('content-encoding', 'gzip').send(file.gzipped)
  }
  server.get('/', (request, reply) => send(request, reply, 'index.html', 'no-cache'))
  // Their names change with their contents.
  server.get('/assets/:name', (request, reply) =>
    send(request, reply, `assets/${(request.params as { name: string }).name}`, 'public, max-age=31536000, immutable'),
  )
}

async function readPage(disk: Disk, folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const assets = await disk.list(join(folder, 'assets'))
  const names = ['index.html', ...assets.map((name) => `assets/${name}`)]
  const files = await Promise.all(
    names.map(async (name): Promise<[string, PageFile]> => {
      const bytes = await disk.readFile(join(folder, name))
      const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`
      const type = types[extname(name)] ?? 'application/octet-stream'
      return [name, { type, bytes, gzipped: await compress(bytes, { level: 9 }), etag }]
    }),
  )
  return new Map(files)
}

/** `dist/dashboard` of the package; in a clone the cache that the sources are built into. */
async function builtFolder(signal: AbortSignal): Promise<string> {
  const here = fileURLToPath(import.meta.url)
  const layer = dirname(dirname(dirname(here)))
  if (here.endsWith('.js')) return join(layer, 'dashboard')
  const script = join(dirname(layer), 'scripts', 'build-page.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [script], { signal })
  return stdout.trim()
}

function firstLine({ message }: Error): string {
  return message.split('\n').find((line) => /error/i.test(line)) ?? message.split('\n')[0]!
}
