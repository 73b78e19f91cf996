/**
 * References in the values of a consumer.conf, replaced before anything is checked:
 *
 *     ${KAFKA_SERVERS}           an environment variable
 *     ${file:/run/secrets/pg}    what a file holds, without its last line break; always taken for a secret
 *     $${                        the two characters ${ themselves
 *
 * They may stand within a text, several of them. A name is never replaced, and what was put in is not looked at again.
 */
import type { ConfProblem } from './errors.ts'

export interface ReferenceSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Throws when the file cannot be read. */
  readonly readText: (path: string) => string
}

export interface Resolved {
  readonly values: unknown
  /** What came out of files. */
  readonly secrets: readonly string[]
}

const reference = /\$\$\{|\$\{([^}]*)\}|\$\{/g
const variableName = /^[A-Za-z_]\w*$/

/** Replaces every reference in `values`. What cannot be resolved is put into `problems` with its place. */
export function resolveReferences(values: unknown, sources: ReferenceSources, problems: ConfProblem[]): Resolved {
  const secrets: string[] = []

  const visit = (value: unknown, path: string): unknown => {
    if (typeof value === 'string') return value.includes('${') ? textOf(value, path) : value
    if (Array.isArray(value)) return value.map((one, index) => visit(one, `${path}[${index}]`))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, visit(one, step(path, name))]))
  }

  const textOf = (text: string, path: string): string =>
    text.replaceAll(reference, (whole: string, inner: string | undefined) => {
      if (whole === '$${') return '${'
      const found = inner === undefined ? undefined : lookUp(inner, path)
      if (inner === undefined) {
        problems.push({
          path,
          message: 'begins a reference with "${" and does not end it with "}"; "$${" stands for "${" itself',
        })
      }
      return found ?? ''
    })

  const lookUp = (inner: string, path: string): string | undefined => {
    if (inner.startsWith('file:')) return fileText(inner.slice('file:'.length), path)
    if (!variableName.test(inner)) {
      problems.push({
        path,
        message: `refers to \${${inner}}, which is neither \${NAME} nor \${file:/path}; "$\${" stands for "\${" itself`,
      })
      return undefined
    }
    const value = sources.env[inner]
    if (value === undefined)
      problems.push({ path, message: `refers to the environment variable ${inner}, which is not set` })
    return value
  }

  const fileText = (file: string, path: string): string | undefined => {
    try {
      const text = sources.readText(file).replace(/\r?\n$/, '')
      secrets.push(text)
      return text
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const reason = code === 'ENOENT' ? 'there is no such file' : message
      problems.push({ path, message: `refers to the file ${file}, which cannot be read: ${reason}` })
      return undefined
    }
  }

  return { values: visit(values, ''), secrets }
}

/** A name with dots of its own stands in quotes, so that the place can be read in one way only. */
export function step(path: string, name: string): string {
  if (!/^\w+$/.test(name)) return `${path}["${name}"]`
  return path === '' ? name : `${path}.${name}`
}
