/** HTTP requests to servers that are none of Kafka's, such as a schema registry. Only this file touches `node:http` and `node:https`. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/** PEM texts, each in place of the system's own. */
export interface HttpTls {
  /** Authorities that the server's certificate is checked against. */
  readonly ca?: string | undefined
  /** The client's own certificate and key. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export interface HttpRequest {
  readonly url: URL
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: HttpTls
  /** The request fails when the whole answer has not come by then. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** A longer answer is an error. */
  readonly mostBytes: number
}

export interface HttpMessage extends HttpRequest {
  readonly method: string
  readonly body?: Buffer | undefined
}

export interface HttpSender {
  /** As `get`, with a method and a body. */
  send(message: HttpMessage): Promise<HttpAnswer>
}

export interface Http {
  /** A GET. Rejects when no whole answer came: refused, unknown host, timed out, aborted, too long. Follows no redirect. */
  get(request: HttpRequest): Promise<HttpAnswer>
}

export const systemHttp: Http & HttpSender = {
  get: (request) => systemHttp.send({ ...request, method: 'GET' }),
  send({ method, body, url, headers, tls, timeoutMs, signal, mostBytes }) {
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>()
    const limit = AbortSignal.timeout(timeoutMs)
    const ends = signal ? AbortSignal.any([signal, limit]) : limit
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const outgoing = send(url, { method, headers, signal: ends, ...tls }, (incoming) => {
      const chunks: Buffer[] = []
      let bytes = 0
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > mostBytes) incoming.destroy(new Error(`the answer has more than ${mostBytes} bytes`))
        chunks.push(chunk)
      })
      incoming.on('error', reject)
      incoming.on('end', () => resolve({ status: incoming.statusCode!, body: Buffer.concat(chunks).toString('utf8') }))
    })
    outgoing.on('error', (error) => {
      reject(limit.aborted ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error)
    })
    outgoing.end(body)
    return promise
  },
}
