/**
 * The registry of stores, and the one place where a `sink` object of a configuration becomes validated options.
 *
 * Not a place that knows any store: definitions are handed in.
 */
import { z, type ZodRawShape } from 'zod'
import { type ConfiguredSink, type SinkDefinition, SinkOptionsError, type SinkRegistry } from './sink.ts'

/** Keeps a definition's options typed for its `create`. */
export function defineSink<Shape extends ZodRawShape>(definition: SinkDefinition<Shape>): SinkDefinition {
  return definition as unknown as SinkDefinition
}

/** A doubled name is a mistake of the programmer's and throws at once. */
export function createSinkRegistry(definitions: readonly SinkDefinition[]): SinkRegistry {
  const byName = new Map<string, SinkDefinition>()
  for (const definition of definitions) {
    if (byName.has(definition.name)) throw new Error(`two sinks are named "${definition.name}"`)
    byName.set(definition.name, definition)
  }
  return {
    definitions,
    find: (name) => byName.get(name),
    configure: (config, path = 'sink') => configure(byName, config, path),
  }
}

function configure(
  byName: ReadonlyMap<string, SinkDefinition>,
  config: Readonly<Record<string, unknown>>,
  path: string,
): ConfiguredSink {
  const { type, ...given } = config
  const definition = typeof type === 'string' ? byName.get(type) : undefined
  if (!definition) {
    const names = [...byName.keys()]
    const hint = typeof type === 'string' ? didYouMean(type, names) : ''
    throw new SinkOptionsError(
      `${path}.type is ${shown(type)}, which is no sink${hint}; sinks are ${names.map((name) => `"${name}"`).join(', ')}`,
    )
  }
  const parsed = definition.options.safeParse(given)
  if (!parsed.success) {
    const known = Object.keys(definition.options.shape)
    throw new SinkOptionsError(parsed.error.issues.map((issue) => describeIssue(issue, given, known, path)).join('\n'))
  }
  const options = parsed.data as Readonly<Record<string, unknown>>
  return { definition, options, create: () => definition.create(options) }
}

function describeIssue(issue: z.core.$ZodIssue, given: object, known: readonly string[], path: string): string {
  const at = [path, ...issue.path.map(String)].join('.')
  if (issue.code === 'unrecognized_keys') {
    const names = issue.path.length === 0 ? known : []
    const allowed = names.length > 0 ? `; options are ${names.map((name) => `"${name}"`).join(', ')}` : ''
    return issue.keys.map((key) => `${at}.${key} is no option${didYouMean(key, names)}${allowed}`).join('\n')
  }
  let value: unknown = given
  for (const step of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step]
  if (value === undefined) return `${at} is missing: ${issue.message}`
  // Messages end up in logs and tickets.
  if (/password|secret|token|url$/i.test(at)) return `${at} is not shown: ${issue.message}`
  const hint =
    issue.code === 'invalid_value' && typeof value === 'string' ? didYouMean(value, issue.values.map(String)) : ''
  return `${at} is ${shown(value)}${hint}: ${issue.message}`
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** ` (did you mean "x"?)` for the nearest of `names`, or nothing when none is near. */
export function didYouMean(name: string, names: readonly string[]): string {
  let nearest: string | undefined
  let shortest = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of names) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < shortest) {
      shortest = distance
      nearest = candidate
    }
  }
  return nearest === undefined ? '' : ` (did you mean "${nearest}"?)`
}

/** Levenshtein: insertions, deletions and replacements of one character. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const replaced = previous[column - 1]! + (left[row - 1] === right[column - 1] ? 0 : 1)
      current.push(Math.min(replaced, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[right.length]!
}
