/**
 * SASL OAUTHBEARER (RFC 7628) with a token from the token endpoint (client credentials, RFC 6749 section 4.4), or, for development as in Java, an unsecured
 * one made here (`unsecuredLoginStringClaim_sub`).
 */
import { postForm } from '../../seams/post-form.ts'
import type { SaslExchange, SaslMoment } from './sasl.ts'

export type OauthSettings =
  | {
      readonly tokenEndpoint: string
      readonly clientId: string
      readonly clientSecret: string
      readonly scope: string | undefined
    }
  | { readonly unsecuredClaims: Readonly<Record<string, string | number>>; readonly lifeSeconds: number }

const UNSECURED = /^unsecuredLogin(String|Number)Claim_(.+)$/

/** @throws Error that says what is missing */
export function oauthSettings(
  options: ReadonlyMap<string, string>,
  config: { readonly 'sasl.oauthbearer.token.endpoint.url': string | null },
): OauthSettings {
  const tokenEndpoint = config['sasl.oauthbearer.token.endpoint.url']
  if (tokenEndpoint !== null) {
    const clientId = options.get('clientId')
    const clientSecret = options.get('clientSecret')
    if (clientId === undefined || clientSecret === undefined) {
      throw new Error(
        `sasl.jaas.config has no ${clientId === undefined ? 'clientId' : 'clientSecret'} for the token endpoint`,
      )
    }
    if (!URL.canParse(tokenEndpoint)) throw new Error('sasl.oauthbearer.token.endpoint.url is no URL')
    return { tokenEndpoint, clientId, clientSecret, scope: options.get('scope') }
  }
  const claims: Record<string, string | number> = {}
  for (const [name, value] of options) {
    const [, kind, claim] = UNSECURED.exec(name) ?? []
    if (claim !== undefined) claims[claim] = kind === 'Number' ? Number(value) : value
  }
  if (Object.keys(claims).length === 0) {
    throw new Error('sasl.oauthbearer.token.endpoint.url is missing: OAUTHBEARER needs to know where tokens come from')
  }
  return { unsecuredClaims: claims, lifeSeconds: Number(options.get('unsecuredLoginLifetimeSeconds') ?? 3600) }
}

export async function* oauthBearer(settings: OauthSettings, { nowMs, signal }: SaslMoment): SaslExchange {
  const token = 'tokenEndpoint' in settings ? await fetchToken(settings, signal) : unsecuredToken(settings, nowMs)
  const answer = yield Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`)
  if (answer.length === 0) return
  // A refusal comes as JSON, and is to be answered with one byte before the broker says so as an error.
  yield Buffer.from('\x01')
  throw new Error(`the broker refused the token: ${answer.toString('utf8')}`)
}

async function fetchToken(
  { tokenEndpoint, clientId, clientSecret, scope }: Extract<OauthSettings, { tokenEndpoint: string }>,
  signal: AbortSignal,
): Promise<string> {
  const form = { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }
  const authorization = `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
  const { status, body } = await postForm(tokenEndpoint, form, { authorization }, signal)
  if (status !== 200) throw new Error(`the token endpoint ${tokenEndpoint} answered ${status}`)
  const token = tokenIn(body)
  if (token === undefined) throw new Error(`the token endpoint ${tokenEndpoint} gave no access_token`)
  return token
}

function tokenIn(body: string): string | undefined {
  try {
    const { access_token: token } = JSON.parse(body) as { access_token?: unknown }
    return typeof token === 'string' && token !== '' ? token : undefined
  } catch {
    return undefined
  }
}

function unsecuredToken(
  { unsecuredClaims, lifeSeconds }: Extract<OauthSettings, { lifeSeconds: number }>,
  nowMs: number,
): string {
  const now = Math.floor(nowMs / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ iat: now, exp: now + lifeSeconds, ...unsecuredClaims })}.`
}
