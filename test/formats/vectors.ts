/** The checked-in values of another implementation's serializers (vectors/confluent_python.py), and their registry as a fake of the HTTP seam. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SchemaRegistry } from '../../src/formats/schema-registry.ts'
import type { Http, HttpAnswer } from '../../src/seams/http.ts'
import { systemClock } from '../../src/seams/clock.ts'
import { systemRandom } from '../../src/seams/random.ts'

export interface DescribedSchema {
  readonly schema: string
  readonly schemaType?: string
  readonly references?: readonly { name: string; subject: string; version: number }[]
}

export interface Vectors {
  readonly origin: string
  readonly subjects: Readonly<Record<string, Readonly<Record<string, DescribedSchema>>>>
  readonly schemas: Readonly<Record<string, DescribedSchema>>
  readonly protoTexts: Readonly<Record<string, string>>
  readonly values: readonly { readonly topic: string; readonly bytes: string; readonly expected: unknown }[]
}

export const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, 'vectors', 'confluent-python.json'), 'utf8'),
) as Vectors

/** `{"$long": …}` and `{"$bytes": …}` as what they stand for. */
export function expectedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expectedValue)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [name, text] = entries[0] ?? []
  if (name === '$long') return BigInt(text as string)
  if (name === '$bytes') return Buffer.from(text as string, 'hex')
  return Object.fromEntries(entries.map(([key, one]) => [key, expectedValue(one)]))
}

type Contents = Pick<Vectors, 'subjects' | 'schemas'>

/** What a registry with these contents answers. */
export function answerOf({ subjects, schemas }: Contents, path: string): HttpAnswer {
  const id = /^\/schemas\/ids\/(\d+)$/.exec(path)?.[1]
  if (id !== undefined) return found(schemas[id], 40403)
  const [, subject, version] = /^\/subjects\/([^/]+)\/versions\/(\d+)$/.exec(path) ?? []
  if (subject === undefined) return { status: 404, body: 'no such page' }
  return found(subjects[decodeURIComponent(subject)]?.[version!], 40402)
}

function found(schema: DescribedSchema | undefined, code: number): HttpAnswer {
  return schema
    ? { status: 200, body: JSON.stringify(schema) }
    : { status: 404, body: JSON.stringify({ error_code: code, message: 'not found' }) }
}

/** A registry's client over an HTTP seam that answers from these contents; `asked` holds the paths. */
export function registryOf(contents: Contents, asked: string[] = []): SchemaRegistry {
  const http: Http = {
    get: ({ url }) => {
      asked.push(url.pathname)
      return Promise.resolve(answerOf(contents, url.pathname))
    },
  }
  return new SchemaRegistry({ urls: [new URL('http://registry')] }, { http, clock: systemClock, random: systemRandom })
}
