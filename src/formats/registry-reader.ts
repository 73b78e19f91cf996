/** Reads values whose schema is in a registry: finds the schema that a value names, makes its reader once, and reads. */
import { avroReaders, type PayloadReader } from './avro.ts'
import { MalformedDataError } from './errors.ts'
import { jsonSchemaReaders } from './json-schema.ts'
import type { LoadPackage } from './packages.ts'
import { protobufReaders } from './protobuf.ts'
import type { RegisteredSchema, SchemaRegistry, SchemaType } from './schema-registry.ts'
import { openEnvelope } from './wire-format.ts'

export const registryFormats = ['avro', 'protobuf', 'json-schema'] as const
export type RegistryFormat = (typeof registryFormats)[number]

type MakeReader = (schema: RegisteredSchema) => PayloadReader | Promise<PayloadReader>

const makers: Readonly<
  Record<RegistryFormat, { type: SchemaType; load: (load?: LoadPackage) => Promise<MakeReader> }>
> = {
  avro: { type: 'AVRO', load: avroReaders },
  protobuf: { type: 'PROTOBUF', load: protobufReaders },
  'json-schema': { type: 'JSON', load: jsonSchemaReaders },
}

/** A schema that cannot be used is found out once, not at every record. */
type Known = { readonly read: PayloadReader } | { readonly error: MalformedDataError }

export class RegistryReader {
  readonly #format: RegistryFormat
  readonly #registry: SchemaRegistry
  readonly #makeReader: MakeReader
  readonly #known = new Map<number, Known>()

  private constructor(format: RegistryFormat, registry: SchemaRegistry, makeReader: MakeReader) {
    this.#format = format
    this.#registry = registry
    this.#makeReader = makeReader
  }

  /** @throws FormatUnavailableError when the format's package is not installed */
  static async load(format: RegistryFormat, registry: SchemaRegistry, load?: LoadPackage): Promise<RegistryReader> {
    return new RegistryReader(format, registry, await makers[format].load(load))
  }

  /**
   * The value; a promise only while its schema is not known yet.
   *
   * @throws MalformedDataError for data that are no such value or name no usable schema; from the promise also SchemaRegistryUnavailableError
   *   (retriable) and SchemaRegistryRefusedError
   */
  read(data: Buffer): unknown {
    const { schemaId, payload } = openEnvelope(data)
    const known = this.#known.get(schemaId)
    return known ? readBy(known, payload) : this.#learn(schemaId).then((learned) => readBy(learned, payload))
  }

  async #learn(id: number): Promise<Known> {
    // An id that the registry does not know is the registry's to remember, for a while: it may be registered yet.
    const schema = await this.#registry.schema(id)
    const known = await this.#reader(schema).catch((error: unknown): Known => {
      if (error instanceof MalformedDataError) return { error }
      throw error
    })
    this.#known.set(id, known)
    return known
  }

  async #reader(schema: RegisteredSchema): Promise<Known> {
    const { type } = makers[this.#format]
    if (schema.type !== type) {
      throw new MalformedDataError(
        `the schema ${schema.id} is of the type ${schema.type}, and "${this.#format}" reads ${type}`,
      )
    }
    return { read: await this.#makeReader(schema) }
  }
}

function readBy(known: Known, payload: Buffer): unknown {
  if ('error' in known) throw known.error
  return known.read(payload)
}
