/**
 * What one configuration property is: type, default, range, and how far Sluice supports it. `properties.ts` holds the
 * tables made of these; `config.ts` reads a user's values by them.
 *
 * support:
 * - `supported`: does what Java's does.
 * - `accepted`: read and checked, without effect, because having none harms nobody (metrics, socket buffer sizes).
 * - `default-only`: Java knows it and Sluice does not yet: any value other than the default is refused with a clear error.
 */
export type PropertyType = 'boolean' | 'string' | 'int' | 'long' | 'short' | 'double' | 'list' | 'class' | 'password'
export type Support = 'supported' | 'accepted' | 'default-only'

export interface Property<T = any> {
  readonly type: PropertyType
  readonly default: T
  /** A property that has no default in Java and must be given. */
  readonly required: boolean
  readonly support: Support
  readonly doc: string
  readonly min?: number
  readonly max?: number
  readonly oneOf?: readonly string[]
  readonly ignoreCase?: boolean
  /** Turns a value of the right type into the one that is used, or throws an Error with what is wrong ("must be …"). */
  readonly convert?: (value: any) => T
}

export type Properties = Readonly<Record<string, Property>>
export type ConfigOf<P extends Properties> = { readonly [K in keyof P]: P[K] extends Property<infer T> ? T : never }

interface Options {
  support?: Support
  min?: number
  max?: number
  oneOf?: readonly string[]
  ignoreCase?: boolean
  required?: boolean
  convert?: (value: any) => any
}

function property<T>(type: PropertyType, value: T, doc: string, options: Options = {}): Property<T> {
  return { type, default: value, required: false, support: 'supported', doc, ...options }
}

export const bool = (value: boolean, doc: string, options?: Options) => property('boolean', value, doc, options)
export const int = (value: number, doc: string, options?: Options) => property('int', value, doc, options)
export const long = (value: number, doc: string, options?: Options) => property('long', value, doc, options)
export const double = (value: number, doc: string, options?: Options) => property('double', value, doc, options)
export const text = <const T extends string | null>(value: T, doc: string, options?: Options) =>
  property<T extends null ? string | null : string>('string', value as never, doc, options)
export const choice = <const T extends string>(
  value: NoInfer<T>,
  oneOf: readonly T[],
  doc: string,
  options?: Options,
): Property<T> => property<T>('string', value, doc, { oneOf, ...options })
export const list = (value: readonly string[], doc: string, options?: Options) =>
  property<readonly string[]>('list', value, doc, options)

/** A property whose Java default is known and that must not be changed yet. */
export const later = <T>(type: PropertyType, value: T, doc: string): Property<T> =>
  property(type, value, doc, { support: 'default-only' })

/** A property that is read and has no effect, as none is needed. */
export const harmless = <T>(type: PropertyType, value: T, doc: string, options?: Options): Property<T> =>
  property(type, value, doc, { support: 'accepted', ...options })
