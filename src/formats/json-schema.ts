/**
 * JSON whose schema is in a registry: parsed, and validated by the ajv package. `format` says nothing about validity here, as JSON Schema has it since
 * 2019-09; whole numbers beyond 2^53 - 1 are bigints (exact-json.ts), and count as numbers for the schema.
 */
import type { Ajv, AnySchema, Options, ValidateFunction } from 'ajv'
import { MalformedDataError } from './errors.ts'
import { exactJson, jsonValues } from '../protocol/records/exact-json.ts'
import type { PayloadReader } from './avro.ts'
import { loadPackage, type LoadPackage } from './packages.ts'
import type { RegisteredSchema } from './schema-registry.ts'

type AjvClass = new (options: Options) => Ajv

/** Which of ajv's modules knows a schema's version of JSON Schema; the first is for schemas that do not say theirs. */
const dialects: readonly [pattern: RegExp, module: string][] = [
  [/draft-0[67]/, 'ajv'],
  [/2019-09/, 'ajv/dist/2019.js'],
  [/2020-12/, 'ajv/dist/2020.js'],
]

export async function jsonSchemaReaders(
  load?: LoadPackage,
): Promise<(schema: RegisteredSchema) => PayloadReader | Promise<PayloadReader>> {
  // So that a missing package is said before anything is read.
  await loadPackage('ajv', 'json-schema', load)
  return async ({ id, text, references }) => {
    const schema = parsedSchema(id, text)
    const Dialect = await loadPackage<AjvClass>(moduleOf(id, schema), 'json-schema', load)
    const ajv = new Dialect({ strict: false, validateFormats: false, allErrors: false, logger: false })
    let validate: ValidateFunction
    try {
      for (const reference of references) ajv.addSchema(parsedSchema(id, reference.text), reference.name)
      validate = ajv.compile(schema)
    } catch (error) {
      if (error instanceof MalformedDataError) throw error
      throw new MalformedDataError(`the schema ${id} is no JSON Schema: ${(error as Error).message}`, error)
    }
    return (payload) => {
      const value = parsedValue(payload)
      if (validate(jsonValues(value))) return value
      const [problem] = validate.errors ?? []
      const where = problem?.instancePath ? `${problem.instancePath} ` : ''
      throw new MalformedDataError(
        `it is not what the JSON Schema ${id} says: ${where}${problem?.message ?? 'invalid'}`,
      )
    }
  }
}

function parsedValue(payload: Buffer): unknown {
  try {
    return exactJson(payload)
  } catch (error) {
    throw new MalformedDataError((error as Error).message, error)
  }
}

function schemaVersion(schema: AnySchema): string {
  return typeof schema === 'object' && schema !== null && typeof schema['$schema'] === 'string'
    ? schema['$schema']
    : 'draft-07'
}

function moduleOf(id: number, schema: AnySchema): string {
  const version = schemaVersion(schema)
  const dialect = dialects.find(([pattern]) => pattern.test(version))
  if (dialect) return dialect[1]
  throw new MalformedDataError(
    `the schema ${id} is of ${JSON.stringify(version.slice(0, 80))}, which is not known: draft-06, draft-07, 2019-09 and 2020-12 are`,
  )
}

function parsedSchema(id: number, text: string): AnySchema {
  try {
    const schema = JSON.parse(text) as AnySchema
    if (!/draft-06/.test(schemaVersion(schema))) return schema
    // Draft 07 only added to it, and is what ajv brings.
    return { ...(schema as object), $schema: undefined }
  } catch (error) {
    throw new MalformedDataError(`the schema ${id} is no JSON: ${(error as Error).message}`, error)
  }
}
