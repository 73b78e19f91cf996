/** The OpenAPI description of the monitor's API, made of the table of endpoints and their schemas. Served at `/api/v1/openapi.json`. */
import * as z from 'zod'
import { endpoints } from './rest-api.ts'
import { changeEndpoints } from './changes-api.ts'
import { errorSchema, eventSchemas, groupChangeSchema } from './schemas.ts'

type Json = Readonly<Record<string, unknown>>

const schemaOf = (schema: z.ZodType): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}

const failures = {
  400: {
    description: 'A parameter is wrong.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  },
  404: {
    description: 'It is not there.',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  },
} as const

const refusals = Object.fromEntries(
  [
    [401, 'The token is missing or wrong.'],
    [403, 'Changes are off.'],
    [409, 'The group has members.'],
    [502, 'The brokers refused it or did not answer.'],
  ].map(([status, description]) => [status, { ...failures[400], description }]),
)

export function openApi(version: string): Json {
  const paths: Record<string, Json> = {}
  for (const { path, summary, params, query, response } of endpoints) {
    paths[path.replaceAll(/:(\w+)/g, '{$1}')] = {
      get: {
        summary,
        parameters: [...parameters(params, 'path'), ...parameters(query, 'query')],
        responses: {
          200: { description: summary, content: { 'application/json': { schema: schemaOf(response) } } },
          ...failures,
        },
      },
    }
  }
  for (const { method, path, summary, params, query, body } of changeEndpoints) {
    const name = path.replaceAll(/:(\w+)/g, '{$1}')
    const operation = {
      summary,
      security: [{ token: [] }],
      parameters: [...parameters(params, 'path'), ...parameters(query, 'query')],
      ...(body && { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body) } } } }),
      responses: {
        200: { description: summary, content: { 'application/json': { schema: schemaOf(groupChangeSchema) } } },
        ...failures,
        ...refusals,
      },
    }
    paths[name] = { ...paths[name], [method]: operation }
  }
  paths['/api/v1/events'] = {
    get: {
      summary: 'Server-sent events: an overview at once, then what changes with each sample.',
      parameters: ['cluster', 'group'].map((name) => ({
        name,
        in: 'query',
        required: false,
        schema: { type: 'string' },
      })),
      responses: {
        200: {
          description: 'The name of an event is its type.',
          content: { 'text/event-stream': { schema: { oneOf: Object.values(eventSchemas).map(schemaOf) } } },
        },
        ...failures,
      },
    },
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice lag monitor',
      version,
      description: 'Times are milliseconds since 1970. null means not known.',
    },
    paths,
    components: {
      schemas: { Error: schemaOf(errorSchema) },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function parameters(shape: z.ZodObject, where: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = schemaOf(shape) as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: where,
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }))
}
