/** Puts together what decodes an application's records: formats by name, the schema registry, the user's own module. */
import { pathToFileURL } from 'node:url'
import type { DeserializerName } from '../client/serialization/deserializers.ts'
import { deserializers } from '../client/serialization/deserializers.ts'
import { FormatUnavailableError } from '../formats/errors.ts'
import { RegistryReader } from '../formats/registry-reader.ts'
import { registryOptions } from '../formats/registry-options.ts'
import { SchemaRegistry, type SchemaRegistrySeams } from '../formats/schema-registry.ts'
import { isModule, isRegistryFormat, type ValuesConf } from './conf-values.ts'
import { type PartDecoder, recordDecoder, type RecordDecoder } from './decode.ts'

export interface LoadedDecoder {
  readonly decoder: RecordDecoder
  /** Lets go of the schema registry; what is under way fails. */
  close(): void
}

/**
 * @throws FormatUnavailableError when a package or the user's module cannot be loaded. Asks the registry for nothing yet: it may be down, and then
 *   records wait.
 */
export async function loadDecoder(conf: ValuesConf, seams: SchemaRegistrySeams): Promise<LoadedDecoder> {
  let registry: SchemaRegistry | undefined
  const partDecoder = async (name: string): Promise<PartDecoder> => {
    if (isModule(name)) return loadModule(name)
    if (!isRegistryFormat(name)) return deserializers[name as DeserializerName]
    registry ??= new SchemaRegistry(registryOptions(conf.registry), seams)
    const reader = await RegistryReader.load(name, registry)
    return (data) => reader.read(data)
  }
  const isPlain = !isModule(conf.value) && !isRegistryFormat(conf.value)
  const decoder = recordDecoder({
    key: conf.key === undefined ? undefined : await partDecoder(conf.key),
    value: isPlain ? (conf.value as DeserializerName) : await partDecoder(conf.value),
  })
  return { decoder, close: () => registry?.close() }
}

/** The user's own function: the default export of a module. */
async function loadModule(path: string): Promise<PartDecoder> {
  let loaded: { readonly default?: unknown }
  try {
    loaded = (await import(pathToFileURL(path).href)) as { readonly default?: unknown }
  } catch (error) {
    throw new FormatUnavailableError(`the module ${path} cannot be loaded: ${(error as Error).message}`, error)
  }
  const { default: decode } = loaded
  if (typeof decode !== 'function') {
    throw new FormatUnavailableError(
      `the module ${path} has no function as its default export: export default (data, record, part) => …`,
    )
  }
  return decode as PartDecoder
}
