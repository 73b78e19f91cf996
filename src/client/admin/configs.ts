/** Configurations of topics and brokers. */
import {
  describeConfigs as describeConfigsApi,
  incrementalAlterConfigs as alterApi,
} from '../../protocol/messages/index.ts'
import { InvalidArgumentError } from '../errors.ts'
import { type AdminCallOptions, type AdminContext, Gathering, type Results } from './gathering.ts'

const resourceTypes = { topic: 2, broker: 4 } as const
const sources = ['unknown', 'topic', 'dynamic-broker', 'dynamic-default-broker', 'static-broker', 'default'] as const
const operations = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export interface ConfigResource {
  readonly type: keyof typeof resourceTypes
  /** The topic, or the broker's node id; the empty name of a broker means the default of all brokers. */
  readonly name: string
}

export interface ConfigEntry {
  readonly name: string
  /** null if it has no value, or is secret. */
  readonly value: string | null
  readonly source: (typeof sources)[number] | `source-${number}`
  readonly isDefault: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
  readonly documentation: string | null
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: string }[]
}

export interface ConfigChange {
  readonly name: string
  /** Default `set`. `append` and `subtract` are for lists. */
  readonly operation?: keyof typeof operations | undefined
  readonly value?: string | null | undefined
}

export interface ResourceChanges extends ConfigResource {
  readonly changes: readonly ConfigChange[]
}

export interface DescribeConfigsOptions extends AdminCallOptions {
  /** Only these names. */
  readonly keys?: readonly string[] | undefined
  readonly includeSynonyms?: boolean | undefined
  readonly includeDocumentation?: boolean | undefined
}

/** The name under which a resource's outcome is found: `orders`, or `broker 1`. */
export function resourceName({ type, name }: ConfigResource): string {
  return type === 'topic' ? name : `broker ${name}`
}

function byName<T extends ConfigResource>(resources: readonly T[]): [string, T][] {
  return resources.map((resource) => [resourceName(resource), resource])
}

/** A broker's own configuration is asked of that broker; a topic's of any. */
async function nodeOf(context: AdminContext, { type, name }: ConfigResource): Promise<number> {
  if (type === 'broker' && name !== '') {
    const node = Number(name)
    if (!Number.isInteger(node)) throw new InvalidArgumentError(`A broker is named by its node id, not "${name}"`)
    return node
  }
  const [first] = context.cluster.metadata.brokers.keys()
  return first ?? -1
}

const typeNames = new Map(Object.entries(resourceTypes).map(([name, code]) => [code as number, name]))

function nameOfAnswer(type: number, name: string): string {
  return resourceName({ type: typeNames.get(type) as ConfigResource['type'], name })
}

function sourceOf(code: number): ConfigEntry['source'] {
  return sources[code] ?? `source-${code}`
}

export function describeConfigs(
  context: AdminContext,
  resources: readonly ConfigResource[],
  options: DescribeConfigsOptions,
): Promise<Results<ReadonlyMap<string, ConfigEntry>>> {
  const gathering = new Gathering<ConfigResource, ReadonlyMap<string, ConfigEntry>>(
    'Describing configurations',
    byName(resources),
  )
  const { keys = null, includeSynonyms = false, includeDocumentation = false } = options
  return gathering.run(context, options, async (signal) => {
    await context.cluster.connect(signal)
    await gathering.askByNode(
      (_name, resource) => nodeOf(context, resource),
      async (node, asked) => {
        const resources = [...asked.values()].map(({ type, name }) => ({
          resourceType: resourceTypes[type],
          resourceName: name,
          configurationKeys: keys,
        }))
        const request = { resources, includeSynonyms, includeDocumentation }
        const response = await context.cluster.send(describeConfigsApi, node, request, { signal })
        for (const result of response.results) {
          const name = nameOfAnswer(result.resourceType, result.resourceName)
          if (result.errorCode !== 0) gathering.failCode(name, result.errorCode, result.errorMessage)
          else gathering.succeed(name, new Map(result.configs.map((entry) => [entry.name, entryOf(entry)])))
        }
      },
    )
  })
}

function entryOf(entry: {
  name: string
  value: string | null
  readOnly: boolean
  configSource: number
  isSensitive: boolean
  documentation: string | null
  synonyms: { name: string; value: string | null; source: number }[]
}): ConfigEntry {
  const source = sourceOf(entry.configSource)
  return {
    name: entry.name,
    value: entry.value,
    source,
    isDefault: source === 'default',
    isReadOnly: entry.readOnly,
    isSensitive: entry.isSensitive,
    documentation: entry.documentation,
    synonyms: entry.synonyms.map(({ name, value, source }) => ({ name, value, source: sourceOf(source) })),
  }
}

export function incrementalAlterConfigs(
  context: AdminContext,
  resources: readonly ResourceChanges[],
  options: AdminCallOptions & { validateOnly?: boolean | undefined },
): Promise<Results<true>> {
  const gathering = new Gathering<ResourceChanges, true>('Altering configurations', byName(resources))
  return gathering.run(context, options, async (signal) => {
    await context.cluster.connect(signal)
    await gathering.askByNode(
      (_name, resource) => nodeOf(context, resource),
      async (node, asked) => {
        const request = {
          resources: [...asked.values()].map(({ type, name, changes }) => ({
            resourceType: resourceTypes[type],
            resourceName: name,
            configs: changes.map(({ name, operation = 'set', value = null }) => ({
              name,
              configOperation: operations[operation],
              value,
            })),
          })),
          validateOnly: options.validateOnly ?? false,
        }
        const response = await context.cluster.send(alterApi, node, request, { signal })
        for (const { resourceType, resourceName, errorCode, errorMessage } of response.responses) {
          const name = nameOfAnswer(resourceType, resourceName)
          if (errorCode === 0) gathering.succeed(name, true)
          else gathering.failCode(name, errorCode, errorMessage)
        }
      },
    )
  })
}
