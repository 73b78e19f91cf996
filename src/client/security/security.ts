/** `security.protocol` and what belongs to it: how connections are secured, as plain data made once from the properties. */
import type { TlsOptions } from '../../seams/tls.ts'
import { saslSettings, type SaslConfig, type SaslSettings } from './sasl.ts'

export interface SecurityConfig extends SaslConfig {
  readonly 'security.protocol': string
  readonly 'ssl.enabled.protocols': readonly string[]
  readonly 'ssl.protocol': string
  readonly 'ssl.cipher.suites': readonly string[]
  readonly 'ssl.endpoint.identification.algorithm': string
  readonly 'ssl.keystore.type': string
  readonly 'ssl.keystore.location': string | null
  readonly 'ssl.keystore.password': string | null
  readonly 'ssl.keystore.key': string | null
  readonly 'ssl.keystore.certificate.chain': string | null
  readonly 'ssl.key.password': string | null
  readonly 'ssl.truststore.type': string
  readonly 'ssl.truststore.location': string | null
  readonly 'ssl.truststore.password': string | null
  readonly 'ssl.truststore.certificates': string | null
}

/** Both undefined: plain text, and nobody asks who we are. */
export interface Security {
  readonly tls: TlsOptions | undefined
  readonly sasl: SaslSettings | undefined
}

export const securityProtocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const

/** @throws Error that says what is wrong with which property */
export function securityOf(config: SecurityConfig): Security {
  const protocol = config['security.protocol'].toUpperCase()
  return {
    tls: protocol.endsWith('SSL') ? tlsOptions(config) : undefined,
    sasl: protocol.startsWith('SASL') ? saslSettings(config) : undefined,
  }
}

const versions = { 'TLSv1.2': 'TLSv1.2', 'TLSv1.3': 'TLSv1.3' } as const

function tlsOptions(config: SecurityConfig): TlsOptions {
  const enabled = (['TLSv1.2', 'TLSv1.3'] as const).filter((one) => config['ssl.enabled.protocols'].includes(one))
  if (enabled.length === 0)
    throw new Error('ssl.enabled.protocols must hold TLSv1.2 or TLSv1.3: older ones are not safe')
  const identification = config['ssl.endpoint.identification.algorithm'].toLowerCase()
  if (identification !== 'https' && identification !== '') {
    throw new Error('ssl.endpoint.identification.algorithm must be https, or empty to leave host names unchecked')
  }
  const ciphers = config['ssl.cipher.suites']
  return {
    minVersion: versions[enabled[0]!],
    maxVersion: versions[enabled.at(-1)!],
    ciphers: ciphers.length === 0 ? undefined : ciphers.join(':'),
    checksHostName: identification === 'https',
    ...trust(config),
    ...identity(config),
  }
}

/** How to make what Sluice reads of what Java made. */
const fromJks =
  'keytool -importkeystore -srckeystore store.jks -destkeystore store.p12 -deststoretype PKCS12, then openssl pkcs12 -in store.p12 -out store.pem'

function trust(config: SecurityConfig): Pick<TlsOptions, 'ca' | 'caFile'> {
  const location = config['ssl.truststore.location']
  const certificates = config['ssl.truststore.certificates']
  if (location === null && certificates === null) return {}
  if (config['ssl.truststore.type'].toUpperCase() !== 'PEM') {
    throw new Error(
      `ssl.truststore.type is ${config['ssl.truststore.type']}, and Sluice reads PEM: set it to PEM, and make a file of certificates with: ${fromJks} -nokeys`,
    )
  }
  return certificates === null ? { caFile: location! } : { ca: certificates }
}

function identity(
  config: SecurityConfig,
): Pick<TlsOptions, 'cert' | 'key' | 'identityFile' | 'pfxFile' | 'passphrase'> {
  const location = config['ssl.keystore.location']
  const cert = config['ssl.keystore.certificate.chain']
  const key = config['ssl.keystore.key']
  const passphrase = config['ssl.key.password'] ?? config['ssl.keystore.password'] ?? undefined
  if ((cert === null) !== (key === null)) {
    throw new Error('ssl.keystore.key and ssl.keystore.certificate.chain belong together: one of them is missing')
  }
  if (cert !== null) return { cert, key: key!, passphrase }
  if (location === null) return {}
  switch (config['ssl.keystore.type'].toUpperCase()) {
    case 'PEM':
      return { identityFile: location, passphrase }
    case 'PKCS12':
      return { pfxFile: location, passphrase: config['ssl.keystore.password'] ?? undefined }
    default:
      throw new Error(
        `ssl.keystore.type is ${config['ssl.keystore.type']}, and Sluice reads PEM and PKCS12: convert it with: ${fromJks}`,
      )
  }
}
