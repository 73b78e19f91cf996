/**
 * A schema registry with Confluent's HTTP interface, as far as a reader needs it: schemas by their id, and the schemas that those refer to.
 *
 *     asked for ─▶ under way ──▶ known (for ever: an id never changes its schema)
 *                     │  └─────▶ unknown to the registry (for a while: it may be registered yet)
 *                     └────────▶ unavailable: tried again with growing waits, then said; nothing is remembered
 *
 * Several that ask for one id at the same time share a request. What is remembered is bounded by what the registry holds.
 */
import type { Clock } from '../seams/clock.ts'
import type { Http, HttpAnswer, HttpTls } from '../seams/http.ts'
import type { Random } from '../seams/random.ts'
import { MalformedDataError, SchemaRegistryRefusedError, SchemaRegistryUnavailableError } from './errors.ts'

export type SchemaType = 'AVRO' | 'PROTOBUF' | 'JSON'

/** A schema and, in the order in which they must be known before it, those that it refers to. */
export interface RegisteredSchema {
  readonly id: number
  readonly type: SchemaType
  readonly text: string
  readonly references: readonly ReferencedSchema[]
}

export interface ReferencedSchema {
  /** What the referring schema calls it: a full name (Avro), an import's path (Protobuf), a $ref (JSON Schema). */
  readonly name: string
  readonly text: string
}

export interface SchemaRegistryOptions {
  /** Base URLs of one registry's nodes: the next is asked when one cannot be reached. */
  readonly urls: readonly URL[]
  /** `user:password`. Without it, what the URL holds. */
  readonly userInfo?: string | undefined
  readonly tls?: HttpTls | undefined
}

export interface SchemaRegistrySeams {
  readonly http: Http
  readonly clock: Clock
  readonly random: Random
}

interface Reference {
  readonly name: string
  readonly subject: string
  readonly version: number
}

interface SchemaAnswer {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly Reference[] | null
}

const REQUEST_MS = 10_000
const MOST_ANSWER_BYTES = 16 * 1024 * 1024
/** How often a request is made before the registry counts as unavailable. Whoever asks waits and asks again. */
const ATTEMPTS = 3
const FIRST_WAIT_MS = 200
/** How long an id that the registry does not know is not asked for again. */
const UNKNOWN_MS = 10_000
const MOST_UNKNOWN = 1000
const MOST_REFERENCES = 200
/** Confluent's: no such schema, subject, version. A 404 without one of them comes from something that is no registry. */
const NOT_FOUND_CODES = [40401, 40402, 40403]

export class SchemaRegistry {
  readonly #options: SchemaRegistryOptions
  readonly #seams: SchemaRegistrySeams
  readonly #known = new Map<number, Promise<RegisteredSchema>>()
  readonly #unknown = new Map<number, { readonly error: MalformedDataError; readonly untilMs: number }>()
  readonly #closing = new AbortController()
  #node = 0

  constructor(options: SchemaRegistryOptions, seams: SchemaRegistrySeams) {
    this.#options = options
    this.#seams = seams
  }

  /**
   * @throws MalformedDataError for an id that the registry does not know; SchemaRegistryUnavailableError (retriable);
   *   SchemaRegistryRefusedError for credentials that are not accepted, and for a server that is no registry
   */
  schema(id: number): Promise<RegisteredSchema> {
    const unknown = this.#unknown.get(id)
    if (unknown) {
      if (this.#seams.clock.monotonic() < unknown.untilMs) return Promise.reject(unknown.error)
      this.#unknown.delete(id)
    }
    let schema = this.#known.get(id)
    if (!schema) {
      schema = this.#fetchSchema(id)
      this.#known.set(id, schema)
      schema.catch((error: unknown) => {
        this.#known.delete(id)
        if (error instanceof MalformedDataError) this.#rememberUnknown(id, error)
      })
    }
    return schema
  }

  /** Ends every request and wait. */
  close(): void {
    this.#closing.abort()
  }

  #rememberUnknown(id: number, error: MalformedDataError): void {
    if (this.#unknown.size >= MOST_UNKNOWN) this.#unknown.delete(this.#unknown.keys().next().value!)
    this.#unknown.set(id, { error, untilMs: this.#seams.clock.monotonic() + UNKNOWN_MS })
  }

  async #fetchSchema(id: number): Promise<RegisteredSchema> {
    const path = `schemas/ids/${id}`
    const answer = await this.#ask(path)
    if (!answer) throw new MalformedDataError(`the schema registry knows no schema with the id ${id}`)
    const type = answer.schemaType ?? 'AVRO'
    if (type !== 'AVRO' && type !== 'PROTOBUF' && type !== 'JSON') {
      throw new MalformedDataError(`the schema ${id} is of the type ${type}, which is not known`)
    }
    const references = new Map<string, ReferencedSchema>()
    await this.#fetchReferences(answer, references)
    return { id, type, text: answer.schema, references: [...references.values()] }
  }

  /** Depth first, so that each stands behind those that it refers to itself. */
  async #fetchReferences(
    { references }: SchemaAnswer,
    found: Map<string, ReferencedSchema>,
    path: readonly string[] = [],
  ): Promise<void> {
    for (const { name, subject, version } of references ?? []) {
      if (found.has(name) || path.includes(name)) continue
      if (found.size >= MOST_REFERENCES)
        throw new MalformedDataError(`the schema refers to over ${MOST_REFERENCES} others`)
      const answer = await this.#ask(`subjects/${encodeURIComponent(subject)}/versions/${version}`)
      if (!answer) {
        throw new MalformedDataError(
          `the schema refers to ${name}, version ${version} of the subject ${subject}, which the schema registry does not know`,
        )
      }
      await this.#fetchReferences(answer, found, [...path, name])
      found.set(name, { name, text: answer.schema })
    }
  }

  /** undefined when the registry says that there is no such thing. */
  async #ask(path: string): Promise<SchemaAnswer | undefined> {
    const { clock, random } = this.#seams
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#askOnce(path)
      } catch (error) {
        if (!(error instanceof SchemaRegistryUnavailableError) || this.#closing.signal.aborted) throw error
        this.#node = (this.#node + 1) % this.#options.urls.length
        if (attempt >= Math.max(ATTEMPTS, this.#options.urls.length)) throw error
        await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + random.next() / 2), this.#closing.signal)
      }
    }
  }

  async #askOnce(path: string): Promise<SchemaAnswer | undefined> {
    const { urls, userInfo, tls } = this.#options
    const base = urls[this.#node]!
    const url = new URL(`${base.pathname.replace(/\/*$/, '/')}${path}`, base)
    const user = userInfo ?? (base.username === '' ? undefined : `${decoded(base.username)}:${decoded(base.password)}`)
    const headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(user === undefined ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
    }
    let answer: HttpAnswer
    try {
      const { signal } = this.#closing
      const request = { url, headers, timeoutMs: REQUEST_MS, mostBytes: MOST_ANSWER_BYTES, signal }
      answer = await this.#seams.http.get(tls ? { ...request, tls } : request)
    } catch (error) {
      throw new SchemaRegistryUnavailableError(
        `the schema registry ${base.origin} cannot be reached: ${reasonOf(error)}`,
        error,
      )
    }
    return schemaOf(answer, `the schema registry ${base.origin}`, url.pathname)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** An AggregateError of all addresses of a host has no message of its own. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}

function schemaOf({ status, body }: HttpAnswer, registry: string, path: string): SchemaAnswer | undefined {
  const answer = parsed(body) as (Partial<SchemaAnswer> & { error_code?: number; message?: string }) | undefined
  if (status === 200) {
    if (typeof answer?.schema === 'string') return answer as SchemaAnswer
    throw new SchemaRegistryRefusedError(
      `${registry} answers ${path} with something that is no schema: is "schema.registry.url" the base URL of a registry?`,
    )
  }
  if (status === 404 && NOT_FOUND_CODES.includes(answer?.error_code ?? 0)) return undefined
  if (status === 401 || status === 403) {
    throw new SchemaRegistryRefusedError(
      `${registry} refuses ${path} with ${status}: set "basic.auth.user.info" to a user that may read schemas`,
    )
  }
  if (status >= 500 || status === 408 || status === 429) {
    throw new SchemaRegistryUnavailableError(`${registry} answers ${path} with ${status}${said(answer?.message)}`)
  }
  throw new SchemaRegistryRefusedError(
    `${registry} answers ${path} with ${status}${said(answer?.message)}: is "schema.registry.url" the base URL of a registry?`,
  )
}

function said(message: string | undefined): string {
  return typeof message === 'string' ? ` (${message.slice(0, 200)})` : ''
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
