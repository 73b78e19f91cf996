/**
 * Which SASL mechanism, and what is said in it. Pure: bytes from the broker in, bytes for the broker out; who carries them is connection.ts.
 */
import { parseJaas } from './jaas.ts'
import { oauthBearer, type OauthSettings, oauthSettings } from './oauth.ts'
import { scram, type ScramCredentials } from './scram.ts'

/** Yields what is sent, is resumed with what comes back, and throws when it is refused. */
export type SaslExchange = AsyncGenerator<Buffer, void, Buffer>

export type SaslSettings =
  | { readonly mechanism: 'PLAIN'; readonly username: string; readonly password: string }
  | ({ readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512' } & ScramCredentials)
  | ({ readonly mechanism: 'OAUTHBEARER' } & OauthSettings)

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const

export interface SaslConfig {
  readonly 'sasl.mechanism': string
  readonly 'sasl.jaas.config': string | null
  readonly 'sasl.oauthbearer.token.endpoint.url': string | null
  readonly 'sasl.oauthbearer.scope.claim.name': string
  readonly 'sasl.oauthbearer.sub.claim.name': string
}

/** @throws Error whose message continues a property's name */
export function saslSettings(config: SaslConfig): SaslSettings {
  const mechanism = saslMechanisms.find((one) => one === config['sasl.mechanism'])
  if (!mechanism) {
    throw new Error(
      `sasl.mechanism is ${config['sasl.mechanism']}, and must be one of ${saslMechanisms.join(', ')}` +
        (config['sasl.mechanism'] === 'GSSAPI'
          ? ' (Java’s default is GSSAPI, Kerberos, which Sluice does not speak)'
          : ''),
    )
  }
  const text = config['sasl.jaas.config']
  if (text === null) {
    throw new Error(`sasl.jaas.config is missing, and ${mechanism} needs it, for example: ${exampleOf(mechanism)}`)
  }
  const jaas = entryOf(text, mechanism)
  if (mechanism === 'OAUTHBEARER') return { mechanism, ...oauthSettings(jaas.options, config) }
  const username = jaas.options.get('username')
  const password = jaas.options.get('password')
  if (username === undefined || password === undefined) {
    throw new Error(
      `sasl.jaas.config has no ${username === undefined ? 'username' : 'password'}: ${exampleOf(mechanism)}`,
    )
  }
  if (mechanism === 'PLAIN') return { mechanism, username, password }
  return { mechanism, username, password, isToken: jaas.options.get('tokenauth') === 'true' }
}

const modules = {
  PLAIN: 'PlainLoginModule',
  'SCRAM-SHA-256': 'ScramLoginModule',
  'SCRAM-SHA-512': 'ScramLoginModule',
  OAUTHBEARER: 'OAuthBearerLoginModule',
} as const

function entryOf(text: string, mechanism: keyof typeof modules) {
  const entry = parsed(text, mechanism)
  if (entry.module === modules[mechanism]) return entry
  throw new Error(`sasl.jaas.config names ${entry.module}, and sasl.mechanism ${mechanism} needs ${modules[mechanism]}`)
}

function parsed(text: string, mechanism: keyof typeof modules) {
  try {
    return parseJaas(text)
  } catch (error) {
    throw new Error(`sasl.jaas.config ${(error as Error).message}. For example: ${exampleOf(mechanism)}`, {
      cause: error,
    })
  }
}

function exampleOf(mechanism: keyof typeof modules): string {
  const folder = mechanism === 'PLAIN' ? 'plain' : mechanism === 'OAUTHBEARER' ? 'oauthbearer' : 'scram'
  const options = mechanism === 'OAUTHBEARER' ? 'clientId="app" clientSecret="…"' : 'username="alice" password="…"'
  return `org.apache.kafka.common.security.${folder}.${modules[mechanism]} required ${options};`
}

export interface SaslMoment {
  /** Printable ASCII without a comma, new each time. */
  readonly nonce: string
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly signal: AbortSignal
}

export function beginSasl(settings: SaslSettings, moment: SaslMoment): SaslExchange {
  switch (settings.mechanism) {
    case 'PLAIN':
      return plain(settings.username, settings.password)
    case 'SCRAM-SHA-256':
      return scram('sha256', settings, moment.nonce)
    case 'SCRAM-SHA-512':
      return scram('sha512', settings, moment.nonce)
    case 'OAUTHBEARER':
      return oauthBearer(settings, moment)
    default:
      return settings satisfies never
  }
}

/** RFC 4616. */
async function* plain(username: string, password: string): SaslExchange {
  yield Buffer.from(`\0${username}\0${password}`)
}
