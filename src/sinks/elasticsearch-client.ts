/** Requests to a cluster of Elasticsearch or OpenSearch: one of its nodes, and the next one when that does not answer. */
import { promisify } from 'node:util'
import { constants, gzip } from 'node:zlib'
import type { HttpAnswer, HttpSender, HttpTls } from '../seams/http.ts'
import { SinkUnavailableError } from './sink.ts'

const compress = promisify(gzip)
/** An answer names each operation that failed, and why. */
const MOST_ANSWER_BYTES = 64 * 1024 * 1024

export interface ClusterOptions {
  readonly nodes: readonly string[]
  /** The header `authorization`. */
  readonly authorization: string | undefined
  readonly tls: HttpTls
  readonly timeoutMs: number
  readonly gzip: boolean
}

export interface ClusterRequest {
  readonly method: 'HEAD' | 'GET' | 'PUT' | 'POST'
  /** With its query. */
  readonly path: string
  readonly body?: string
  readonly contentType?: string
}

export class SearchCluster {
  /** For messages. */
  readonly place: string
  readonly #http: HttpSender
  readonly #options: ClusterOptions
  #next = 0

  constructor(http: HttpSender, options: ClusterOptions) {
    this.#http = http
    this.#options = options
    this.place = options.nodes.join(', ')
  }

  /** @throws SinkUnavailableError when no node has answered */
  async request(request: ClusterRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { nodes } = this.#options
    const failures: string[] = []
    const body = request.body === undefined ? undefined : await this.#encoded(request.body)
    for (let attempt = 0; attempt < nodes.length; attempt++) {
      const node = nodes[this.#next % nodes.length]!
      try {
        return await this.#send(node, request, body, signal)
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
    { method, path, contentType = 'application/json' }: ClusterRequest,
    body: Buffer | undefined,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { authorization, tls, timeoutMs } = this.#options
    const base = node.endsWith('/') ? node.slice(0, -1) : node
    const headers = {
      accept: 'application/json',
      ...(authorization !== undefined && { authorization }),
      ...(body && { 'content-type': contentType, 'content-length': String(body.length) }),
      ...(body && this.#options.gzip && { 'content-encoding': 'gzip' }),
    }
    const url = new URL(`${base}${path}`)
    return this.#http.send({ method, url, headers, body, tls, timeoutMs, signal, mostBytes: MOST_ANSWER_BYTES })
  }

  async #encoded(text: string): Promise<Buffer> {
    const bytes = Buffer.from(text)
    return this.#options.gzip ? compress(bytes, { level: constants.Z_BEST_SPEED }) : bytes
  }
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
