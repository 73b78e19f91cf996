/** Requests to a store that speaks HTTP: to one of its nodes, and to the next one when that does not answer. */
import { promisify } from 'node:util'
import { constants, gzip as gzipOf } from 'node:zlib'
import type { HttpAnswer, HttpSender, HttpTls } from '../seams/http.ts'
import { SinkUnavailableError } from './sink.ts'

const compress = promisify(gzipOf)
/** An answer names each operation that failed, and why. */
const MOST_ANSWER_BYTES = 64 * 1024 * 1024

export interface NodesOptions {
  readonly nodes: readonly string[]
  /** The header `authorization`. */
  readonly authorization: string | undefined
  readonly tls: HttpTls
  readonly timeoutMs: number
  readonly gzip: boolean
}

export interface NodeRequest {
  readonly method: 'HEAD' | 'GET' | 'PUT' | 'POST'
  /** With its query. */
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  /** Default: as the options say. */
  readonly gzip?: boolean
}

export class HttpNodes {
  /** For messages. */
  readonly place: string
  readonly #http: HttpSender
  readonly #options: NodesOptions
  #next = 0

  constructor(http: HttpSender, options: NodesOptions) {
    this.#http = http
    this.#options = options
    this.place = options.nodes.join(', ')
  }

  /** @throws SinkUnavailableError when no node has answered */
  async request(request: NodeRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { nodes } = this.#options
    const failures: string[] = []
    const gzip = request.gzip ?? this.#options.gzip
    const body = request.body === undefined ? undefined : await encoded(request.body, gzip)
    for (let attempt = 0; attempt < nodes.length; attempt++) {
      const node = nodes[this.#next % nodes.length]!
      try {
        return await this.#send(node, { ...request, gzip }, body, signal)
      } catch (error) {
        failures.push(`${node} ${messageOf(error)}`)
        this.#next++
        if (signal.aborted) break
      }
    }
    throw new SinkUnavailableError(`no node has answered: ${failures.join('; ')}`)
  }

  #send(
    node: string,
    { method, path, contentType = 'application/json', gzip }: NodeRequest,
    body: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { authorization, tls, timeoutMs } = this.#options
    const base = node.endsWith('/') ? node.slice(0, -1) : node
    const headers = {
      accept: 'application/json',
      ...(authorization !== undefined && { authorization }),
      ...(body && { 'content-type': contentType, 'content-length': String(body.length) }),
      ...(body && gzip && { 'content-encoding': 'gzip' }),
    }
    const url = new URL(`${base}${path}`)
    return this.#http.send({ method, url, headers, body, tls, timeoutMs, signal, mostBytes: MOST_ANSWER_BYTES })
  }
}

async function encoded(text: string, isCompressed: boolean): Promise<Buffer> {
  const bytes = Buffer.from(text)
  return isCompressed ? compress(bytes, { level: constants.Z_BEST_SPEED }) : bytes
}

function messageOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ECONNREFUSED') return 'refuses connections (ECONNREFUSED): is it running, and does it listen there?'
  if (code === 'ENOTFOUND') return 'is not known by that name (ENOTFOUND)'
  if (code !== undefined && /CERT|SIGNED/.test(code)) {
    return `has a certificate that is not trusted here (${code}): name its authority in "ssl.ca"`
  }
  return code === undefined ? message : `${message} (${code})`
}
