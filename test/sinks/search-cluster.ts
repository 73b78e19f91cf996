/** As much of Elasticsearch as the sink asks for, in memory, as a sender of requests: several owners share one, each request is a step of their disks. */
import { gunzipSync } from 'node:zlib'
import type { Disk } from '../../src/seams/disk.ts'
import type { HttpAnswer, HttpMessage, HttpSender } from '../../src/seams/http.ts'

interface Stored {
  readonly source: unknown
  readonly version: number
}

interface Action {
  readonly _index: string
  readonly _id: string
  readonly version?: number
}

/** What outlives owners. */
export class Index {
  readonly documents = new Map<string, Stored>()
  /** Versions of documents that were deleted. */
  readonly deleted = new Map<string, number>()
  readonly requests: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }[] = []
  meta: unknown
  isDown = false
  /** An answer in place of the cluster's own. */
  answer: (method: string, path: string, body: string) => HttpAnswer | undefined = () => undefined
  /** The result of one operation in place of the index's own. */
  result: (operation: string, id: string, source: unknown) => object | undefined = () => undefined

  perform(operation: string, { _id: id, version }: Action, source: unknown): object {
    const given = this.result(operation, id, source)
    if (given) return given
    const known = this.documents.get(id)?.version ?? this.deleted.get(id)
    const conflict = { status: 409, error: { type: 'version_conflict_engine_exception', reason: 'a later one' } }
    if (operation === 'create') {
      if (this.documents.has(id)) return conflict
      this.documents.set(id, { source, version: 1 })
      return { status: 201 }
    }
    if (known !== undefined && version! <= known) return conflict
    if (operation === 'delete') {
      const was = this.documents.delete(id)
      this.deleted.set(id, version!)
      return { status: was ? 200 : 404 }
    }
    this.documents.set(id, { source, version: version! })
    return { status: known === undefined ? 201 : 200 }
  }
}

export class SearchSender implements HttpSender {
  readonly #index: Index
  readonly #disk: Disk | undefined

  constructor(index: Index, disk?: Disk) {
    this.#index = index
    this.#disk = disk
  }

  async send({ method, url, headers = {}, body }: HttpMessage): Promise<HttpAnswer> {
    const path = url.pathname + url.search
    await this.#disk?.stat(`before ${method} ${path}`)
    if (this.#index.isDown) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const bytes = body ?? Buffer.alloc(0)
    const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    this.#index.requests.push({ method, path, headers, body: text })
    const answer = this.#index.answer(method, path, text) ?? this.#answer(method, path, text)
    await this.#disk?.stat(`after ${method} ${path}`)
    return answer
  }

  #answer(method: string, path: string, body: string): HttpAnswer {
    if (path.startsWith('/_bulk')) return answerOf(200, this.#bulk(body))
    if (method === 'PUT') {
      const given = JSON.parse(body) as { _meta?: unknown; mappings?: { _meta?: unknown } }
      this.#index.meta = given._meta ?? given.mappings?._meta
      return answerOf(200, { acknowledged: true })
    }
    if (path.endsWith('/_mapping') && this.#index.meta !== undefined) {
      return answerOf(200, { flights: { mappings: { _meta: this.#index.meta } } })
    }
    return answerOf(404, { error: { type: 'index_not_found_exception', reason: 'no such index' } })
  }

  #bulk(body: string): object {
    const lines = body.split('\n')
    if (lines.pop() !== '') throw new Error('a bulk body ends with a line break')
    const items: object[] = []
    while (lines.length > 0) {
      const [operation, action] = Object.entries(JSON.parse(lines.shift()!) as Record<string, Action>)[0]!
      const source: unknown = operation === 'delete' ? undefined : JSON.parse(lines.shift()!)
      items.push({ [operation]: this.#index.perform(operation, action, source) })
    }
    const errors = items.some((item) => (Object.values(item)[0] as { status: number }).status >= 300)
    return { errors, items }
  }
}

export function answerOf(status: number, body: object): HttpAnswer {
  return { status, body: JSON.stringify(body) }
}
