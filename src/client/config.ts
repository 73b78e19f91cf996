/**
 * Turns a user's properties (Java's names; values of their type or as strings, as in a .properties file) into a checked
 * configuration. Every problem is collected and said at once, in a `ConfigError`; an unknown name is an error that
 * names the nearest known one. The tables are in properties.ts.
 */
import { type SecurityConfig, securityOf } from './security/security.ts'
import { ConfigError } from './errors.ts'
import { adminProperties, consumerProperties, producerProperties } from './properties.ts'
import { type ConfigOf, type Properties, type Property } from './property.ts'

export type PropertyValue = string | number | boolean | null | undefined | readonly string[]
export type PropertyBag = Readonly<Record<string, PropertyValue>>

export type ConsumerConfig = ConfigOf<typeof consumerProperties>
export type ProducerConfig = ConfigOf<typeof producerProperties>
export type AdminConfig = ConfigOf<typeof adminProperties>
/** What connections and metadata need; each of the three configurations holds it. */
export type ClusterConfig = Pick<
  AdminConfig,
  | 'bootstrap.servers'
  | 'client.id'
  | 'connections.max.idle.ms'
  | 'metadata.max.age.ms'
  | 'metadata.recovery.rebootstrap.trigger.ms'
  | 'metadata.recovery.strategy'
  | 'reconnect.backoff.max.ms'
  | 'reconnect.backoff.ms'
  | 'request.timeout.ms'
  | 'retry.backoff.max.ms'
  | 'retry.backoff.ms'
  | 'socket.connection.setup.timeout.max.ms'
  | 'socket.connection.setup.timeout.ms'
  | keyof SecurityConfig
>

const kinds = { consumer: consumerProperties, producer: producerProperties, admin: adminProperties } as const
type Kind = keyof typeof kinds

const INT_MAX = 2147483647
const SHORT_MAX = 32767

export function parseConsumerConfig(properties: PropertyBag): ConsumerConfig {
  return parse('consumer', properties, (config, given, problems) => {
    if (config['group.id'] === null) {
      if (given('enable.auto.commit') && config['enable.auto.commit']) {
        problems.push('enable.auto.commit cannot be true without a group.id')
      }
      config['enable.auto.commit'] = false
    }
    if (config['group.id'] !== null && config['heartbeat.interval.ms'] >= config['session.timeout.ms']) {
      problems.push(
        `heartbeat.interval.ms (${config['heartbeat.interval.ms']}) must be lower than session.timeout.ms (${config['session.timeout.ms']})`,
      )
    }
    if (config['group.id'] === '') problems.push('group.id must not be empty')
  })
}

/** As Java's ProducerConfig: idempotence that was not asked for gives way to acks and retries that exclude it. */
export function parseProducerConfig(properties: PropertyBag): ProducerConfig {
  return parse('producer', properties, (config, given, problems) => {
    const asked = given('enable.idempotence')
    if (config['enable.idempotence']) {
      if (config['max.in.flight.requests.per.connection'] > 5) {
        problems.push('max.in.flight.requests.per.connection must be at most 5 with enable.idempotence')
      }
      if (asked && config['acks'] !== 'all') problems.push('acks must be all with enable.idempotence')
      if (asked && config['retries'] === 0) problems.push('retries must not be 0 with enable.idempotence')
      if (!asked && (config['acks'] !== 'all' || config['retries'] === 0)) config['enable.idempotence'] = false
    }
    if (config['transactional.id'] !== null && !config['enable.idempotence']) {
      problems.push('transactional.id needs enable.idempotence, acks=all and retries')
    }
    const atLeast = Math.min(INT_MAX, config['linger.ms'] + config['request.timeout.ms'])
    if (config['delivery.timeout.ms'] < atLeast) {
      if (given('delivery.timeout.ms')) {
        problems.push(
          `delivery.timeout.ms (${config['delivery.timeout.ms']}) must be at least linger.ms + request.timeout.ms (${atLeast})`,
        )
      }
      config['delivery.timeout.ms'] = atLeast
    }
  })
}

export function parseAdminConfig(properties: PropertyBag): AdminConfig {
  return parse('admin', properties, () => {})
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function parse<K extends Kind>(
  kind: K,
  given: PropertyBag,
  crossCheck: (
    config: Mutable<ConfigOf<(typeof kinds)[K]>>,
    given: (name: string) => boolean,
    problems: string[],
  ) => void,
): ConfigOf<(typeof kinds)[K]> {
  const table: Properties = kinds[kind]
  const problems: string[] = []
  const config: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(table)) config[name] = property.default
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const property = Object.hasOwn(table, name) ? table[name] : undefined
    if (!property) problems.push(unknownName(kind, name))
    else readInto(config, name, property, value, problems)
  }
  const isGiven = (name: string) => given[name] !== undefined
  for (const [name, property] of Object.entries(table)) {
    const value = config[name]
    if (property.required && Array.isArray(value) && value.length === 0 && !problems.some((p) => p.startsWith(name))) {
      problems.push(`${name} is missing: say where the cluster is, for example ${name}=127.0.0.1:9092`)
    }
  }
  if (problems.length === 0) checkSecurity(config as unknown as SecurityConfig, problems)
  if (problems.length === 0) crossCheck(config as Mutable<ConfigOf<(typeof kinds)[K]>>, isGiven, problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return config as ConfigOf<(typeof kinds)[K]>
}

function checkSecurity(config: SecurityConfig, problems: string[]): void {
  try {
    securityOf(config)
  } catch (error) {
    problems.push((error as Error).message)
  }
}

function readInto(
  config: Record<string, unknown>,
  name: string,
  property: Property,
  raw: Exclude<PropertyValue, undefined>,
  problems: string[],
): void {
  try {
    const value = typed(property, raw)
    if (property.support === 'default-only' && !same(value, property.default)) {
      throw new Error(`is not supported yet: Sluice only knows ${show(property.default)}`)
    }
    config[name] = property.convert ? property.convert(value) : value
  } catch (error) {
    const shown = property.type === 'password' ? '' : ` ${show(raw)}`
    problems.push(`${name}${shown} ${(error as Error).message}`)
  }
}

function same(left: unknown, right: unknown): boolean {
  if (typeof left === 'string' && typeof right === 'string') return left.toLowerCase() === right.toLowerCase()
  return JSON.stringify(left) === JSON.stringify(right)
}

function show(value: unknown): string {
  return value === null ? 'null (not set)' : JSON.stringify(value)
}

function typed(property: Property, raw: Exclude<PropertyValue, undefined>): unknown {
  const value = typeof raw === 'string' ? raw.trim() : raw
  switch (property.type) {
    case 'boolean':
      if (typeof value === 'boolean') return value
      if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
      throw new Error('must be true or false')
    case 'int':
      return wholeNumber(property, value, -INT_MAX - 1, INT_MAX)
    case 'long':
      return wholeNumber(property, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    case 'short':
      return wholeNumber(property, value, -SHORT_MAX - 1, SHORT_MAX)
    case 'double': {
      const number = typeof value === 'string' && value !== '' ? Number(value) : value
      if (typeof number !== 'number' || Number.isNaN(number)) throw new Error('must be a number')
      return number
    }
    case 'list':
      if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
      if (typeof value === 'string') return value === '' ? [] : value.split(/\s*,\s*/)
      throw new Error('must be a list of strings, or one string with commas')
    case 'string':
    case 'class':
    case 'password':
      break
  }
  return oneString(property, value)
}

function wholeNumber(property: Property, value: unknown, least: number, most: number): number {
  const number = typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number)) throw new Error('must be a whole number')
  const min = property.min ?? least
  const max = property.max ?? most
  if (number < min) throw new Error(`must be at least ${min}`)
  if (number > max) throw new Error(`must be at most ${max}`)
  return number
}

function oneString(property: Property, value: unknown): string | null {
  if (value === null && property.default === null) return null
  const asText = typeof value === 'number' && property.oneOf ? String(value) : value
  if (typeof asText !== 'string') throw new Error('must be a string')
  if (!property.oneOf) return asText
  const found = property.oneOf.find(
    (one) => one === asText || (property.ignoreCase && one.toLowerCase() === asText.toLowerCase()),
  )
  if (found === undefined) throw new Error(`must be one of ${property.oneOf.join(', ')}`)
  return found
}

function unknownName(kind: Kind, name: string): string {
  const elsewhere = (Object.keys(kinds) as Kind[]).filter(
    (other) => other !== kind && Object.hasOwn(kinds[other], name),
  )
  if (elsewhere.length > 0) return `${name} is a property of the ${elsewhere.join(' and the ')}, not of the ${kind}`
  const nearest = nearestName(name, Object.keys(kinds[kind]))
  return `${name} is not a property of the ${kind}${nearest ? `: did you mean "${nearest}"?` : ''}`
}

/** The known name that differs least, if it is near enough to be what was meant. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const one of known) {
    const distance = editDistance(plain(name), plain(one))
    if (distance < bestDistance) [best, bestDistance] = [one, distance]
  }
  return bestDistance <= Math.max(2, Math.floor(name.length / 3)) ? best : undefined
}

/** Levenshtein's: how many letters must be put in, taken out or replaced. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const next = [i]
    for (let j = 1; j <= right.length; j++) {
      const replace = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1)
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[right.length]!
}
