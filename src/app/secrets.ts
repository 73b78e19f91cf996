/**
 * What in a consumer.conf is secret, and how it is kept out of everything that somebody may read: logs, errors, `/status`, `--print-config`.
 *
 * Two lines of defence. By name: a value that is called password, secret, token … is never printed. By content: all those values, and the passwords inside
 * of URLs, JAAS lines and `password=…` texts, are collected, and every text on its way out is searched for them. The second catches what a driver or
 * a server puts into a message of its own.
 */
import type { Logger } from '../seams/logger.ts'

export const HIDDEN = '(hidden)'

export type Redact = (text: string) => string

const secretName =
  /pas+w|pass[._-]?phrase|^pass$|[._-]pass$|pwd|secret|jaas|tokens?$|credentials?$|api[._-]?key|access[._-]?key|private[._-]?key$|keystore\.key$|user\.info$/i

/** True for what names a secret, and for what looks as if it was meant to. */
export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

/** The class that a JAAS line begins with, and how it is used: public, and a part of many other names. */
const jaasHead = /^\s*[\w.]+LoginModule\s+\w+\s+/

const inUrl = /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:(\S+)@/gi
const inText =
  /(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key)\s*[=:]\s*(?:"([^"]*)"|'([^']*)'|([^\s;&,"']+))/gi

/** Every secret within these values. `isSecret` judges names beside `isSecretName`. */
export function secretsIn(values: unknown, isSecret: (name: string) => boolean = () => false): Set<string> {
  const found = new Set<string>()
  const visit = (name: string, value: unknown, isWithin: boolean): void => {
    if (Array.isArray(value)) return value.forEach((one) => visit(name, one, isWithin))
    if (typeof value === 'object' && value !== null) {
      for (const [key, one] of Object.entries(value)) {
        visit(key, one, isWithin || isSecretName(key) || isSecret(key))
      }
      return
    }
    if (typeof value !== 'string' && typeof value !== 'number') return
    const text = String(value)
    if (isWithin) add(found, text.replace(jaasHead, ''))
    // `user:password`: a server may repeat the second alone.
    if (/user\.info$/i.test(name)) add(found, text.slice(text.indexOf(':') + 1))
    for (const [, password] of text.matchAll(inUrl)) add(found, password)
    for (const [, double, single, bare] of text.matchAll(inText)) add(found, double ?? single ?? bare)
  }
  visit('', values, false)
  return found
}

/** In the form in which it stands, and in those that it takes in URLs and in JSON. */
function add(found: Set<string>, secret: string | undefined): void {
  if (secret === undefined || secret.trim() === '') return
  for (const form of [
    secret,
    secret.trim(),
    decoded(secret),
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
  ]) {
    found.add(form)
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What is shorter is hidden only where it stands in quotes: `(hidden)` in the midst of words would make every message useless. */
const SHORTEST = 4
/** Messages cut long values: so much of a beginning tells that it is one. */
const BEGINNING = 12

/** Where a URL holds its password, however short that is: before the host, and among the parameters. */
const urlPassword = /\b([a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:)[^\s/@]+@/gi
const urlParameter = /([?&](?:[\w.-]*(?:password|passwd|secret)|pwd|token|api[-_]?key)=)[^&\s"']+/gi

/** Replaces each secret in a text, and the beginning of one that was cut; in URLs also what was not known. */
export function redactor(secrets: Iterable<string>): Redact {
  const longestFirst = [...new Set(secrets)].sort((left, right) => right.length - left.length)
  return (text) => {
    let redacted = text.replaceAll(urlPassword, `$1${HIDDEN}@`).replaceAll(urlParameter, `$1${HIDDEN}`)
    for (const secret of longestFirst) {
      if (secret.length >= SHORTEST) redacted = redacted.replaceAll(secret, HIDDEN)
      else redacted = redacted.replaceAll(`"${secret}"`, HIDDEN).replaceAll(`'${secret}'`, HIDDEN)
      if (secret.length > BEGINNING) redacted = withoutBeginnings(redacted, secret)
    }
    return redacted
  }
}

function withoutBeginnings(text: string, secret: string): string {
  const beginning = secret.slice(0, BEGINNING)
  let rest = text
  for (let at = rest.indexOf(beginning); at >= 0; at = rest.indexOf(beginning, at + HIDDEN.length)) {
    let end = at + BEGINNING
    while (end < rest.length && rest[end] === secret[end - at]) end++
    rest = rest.slice(0, at) + HIDDEN + rest.slice(end)
  }
  return rest
}

/** The same values without their secrets, for printing. */
export function withoutSecrets<T>(values: T, redact: Redact): T {
  const visit = (name: string, value: unknown): unknown => {
    if (value !== null && value !== undefined && isSecretName(name)) return HIDDEN
    if (typeof value === 'string') return redact(value)
    if (Array.isArray(value)) return value.map((one) => visit('', one))
    if (value instanceof Error)
      return { name: value.name, message: redact(value.message), stack: redact(value.stack ?? '') }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, visit(key, one)]))
    }
    return value
  }
  return visit('', values) as T
}

/** A logger that passes on neither. */
export function redactingLogger(logger: Logger, redact: Redact): Logger {
  const at = (level: keyof Logger) => (fields: object, message: string) =>
    logger[level](withoutSecrets(fields, redact), redact(message))
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Takes the secrets out of an error's texts, its causes' too. Its class and code stay. */
export function redactError(error: unknown, redact: Redact): unknown {
  for (let one = error, depth = 0; one instanceof Error && depth < 10; one = one.cause, depth++) {
    one.message = redact(one.message)
    if (one.stack !== undefined) one.stack = redact(one.stack)
  }
  return error
}
