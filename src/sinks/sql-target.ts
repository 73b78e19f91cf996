/** Where the server of a relational store is: one URL, its parts, or a URL with parts beside it that replace its own. Pure. */
import { SinkOptionsError } from './sink.ts'

export type SslMode = 'disable' | 'require' | 'verify-full'

/** What a store calls its servers. */
export interface TargetKind {
  /** The scheme of URLs, and those that mean the same: `['postgres', 'postgresql']`. */
  readonly schemes: readonly [string, ...string[]]
  readonly port: number
  /** The parameter of a URL that says how TLS is used. */
  readonly sslParameter: string
  /** Without a database of its name, a user has none. */
  readonly isDatabaseRequired?: boolean
}

export interface Target {
  readonly scheme: string
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | undefined
  readonly ssl: SslMode
}

export interface TargetOptions {
  readonly url?: string
  readonly host?: string
  readonly port?: number
  readonly database?: string
  readonly user?: string
  readonly password?: string
  readonly ssl?: SslMode
}

/**
 * A part beside `url` replaces what the URL says. Where nothing else is said, the database is that of the user’s name, unless one is required.
 * @throws SinkOptionsError for a URL that is none. It is never shown, as it may hold the password.
 */
export function targetOf(kind: TargetKind, options: TargetOptions): Target {
  const { url, ...parts } = options
  const fromUrl = url === undefined ? {} : partsOfUrl(kind, url)
  const given = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined))
  const {
    host = 'localhost',
    port = kind.port,
    database,
    user,
    password,
    ssl = 'disable',
  } = { ...fromUrl, ...given } as TargetOptions
  if (user === undefined) throw new SinkOptionsError('sink.user is missing: the name of the user, here or in "url"')
  if (/[?#]/.test(host)) throw new SinkOptionsError('sink.host is no name of a host')
  if (database === undefined && kind.isDatabaseRequired) {
    throw new SinkOptionsError('sink.database is missing: the name of the database, here or in "url"')
  }
  return { scheme: kind.schemes[0], host, port, database: database ?? user, user, password, ssl }
}

const sslModes: readonly string[] = ['disable', 'require', 'verify-full'] satisfies SslMode[]

function partsOfUrl({ schemes, sslParameter }: TargetKind, text: string): TargetOptions {
  const url = URL.parse(text)
  if (!url || !schemes.includes(url.protocol.slice(0, -1))) {
    throw new SinkOptionsError(
      `sink.url is no URL of the form ${schemes[0]}://user:password@host:port/database (it is not shown, as it may hold a password; ` +
        'characters such as @, : and / in a password are written as %40, %3A and %2F)',
    )
  }
  const { searchParams } = url
  for (const name of searchParams.keys()) {
    if (name !== sslParameter)
      throw new SinkOptionsError(`sink.url has the parameter "${name}"; only "${sslParameter}" may stand there`)
  }
  const ssl = searchParams.get(sslParameter) ?? undefined
  if (ssl !== undefined && !sslModes.includes(ssl)) {
    throw new SinkOptionsError(`sink.url has ${sslParameter}=${ssl}; it may be ${sslModes.join(', ')}`)
  }
  const partOf = (part: string) => (part === '' ? undefined : decoded(part))
  return {
    host: partOf(url.hostname.replace(/^\[(.*)\]$/, '$1')),
    port: url.port === '' ? undefined : Number(url.port),
    database: partOf(url.pathname.slice(1)),
    user: partOf(url.username),
    password: partOf(url.password),
    ssl: ssl as SslMode | undefined,
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new SinkOptionsError(
      'sink.url has a % that is not followed by two hexadecimal digits (write %25 for % itself)',
    )
  }
}

/** Without the password: for messages and logs. */
export function shownTarget({ scheme, user, host, port, database }: Target): string {
  return `${scheme}://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
}
