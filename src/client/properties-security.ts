/**
 * Properties of TLS and SASL. What Sluice has no use for is refused unless it is Java's default.
 *
 * Names, types and defaults as `ConsumerConfig.configDef()` of Apache Kafka 4.3.1 prints them.
 */
import { type Property, type PropertyType } from './property.ts'
import { securityProtocols } from './security/security.ts'

const row = (type: PropertyType, value: unknown): Property<any> => ({
  type,
  default: value,
  required: false,
  support: 'default-only',
  doc: 'Not supported yet.',
})

const used = <T>(type: PropertyType, value: T, doc: string): Property<T> => ({
  type,
  default: value,
  required: false,
  support: 'supported',
  doc,
})

export const securityProperties = {
  'sasl.client.callback.handler.class': row('class', null),
  'sasl.jaas.config': used<string | null>(
    'password',
    null,
    'Who we are, as Java writes it: org.apache.kafka.common.security.scram.ScramLoginModule required username="…" password="…";',
  ),
  'sasl.kerberos.kinit.cmd': row('string', '/usr/bin/kinit'),
  'sasl.kerberos.min.time.before.relogin': row('long', 60000),
  'sasl.kerberos.service.name': row('string', null),
  'sasl.kerberos.ticket.renew.jitter': row('double', 0.05),
  'sasl.kerberos.ticket.renew.window.factor': row('double', 0.8),
  'sasl.login.callback.handler.class': row('class', null),
  'sasl.login.class': row('class', null),
  'sasl.login.connect.timeout.ms': row('int', null),
  'sasl.login.read.timeout.ms': row('int', null),
  'sasl.login.refresh.buffer.seconds': row('short', 300),
  'sasl.login.refresh.min.period.seconds': row('short', 60),
  'sasl.login.refresh.window.factor': row('double', 0.8),
  'sasl.login.refresh.window.jitter': row('double', 0.05),
  'sasl.login.retry.backoff.max.ms': row('long', 10000),
  'sasl.login.retry.backoff.ms': row('long', 100),
  'sasl.mechanism': used<string>('string', 'GSSAPI', 'PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.'),
  'sasl.oauthbearer.assertion.algorithm': row('string', 'RS256'),
  'sasl.oauthbearer.assertion.claim.aud': row('string', null),
  'sasl.oauthbearer.assertion.claim.exp.seconds': row('int', 300),
  'sasl.oauthbearer.assertion.claim.iss': row('string', null),
  'sasl.oauthbearer.assertion.claim.jti.include': row('boolean', false),
  'sasl.oauthbearer.assertion.claim.nbf.seconds': row('int', 60),
  'sasl.oauthbearer.assertion.claim.sub': row('string', null),
  'sasl.oauthbearer.assertion.file': row('string', null),
  'sasl.oauthbearer.assertion.private.key.file': row('string', null),
  'sasl.oauthbearer.assertion.private.key.passphrase': row('password', null),
  'sasl.oauthbearer.assertion.template.file': row('string', null),
  'sasl.oauthbearer.client.credentials.client.id': row('string', null),
  'sasl.oauthbearer.client.credentials.client.secret': row('password', null),
  'sasl.oauthbearer.clock.skew.seconds': row('int', 30),
  'sasl.oauthbearer.expected.audience': row('list', []),
  'sasl.oauthbearer.expected.issuer': row('string', null),
  'sasl.oauthbearer.header.urlencode': row('boolean', false),
  'sasl.oauthbearer.jwks.endpoint.refresh.ms': row('long', 3600000),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms': row('long', 10000),
  'sasl.oauthbearer.jwks.endpoint.retry.backoff.ms': row('long', 100),
  'sasl.oauthbearer.jwks.endpoint.url': row('string', null),
  'sasl.oauthbearer.jwt.retriever.class': row(
    'class',
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever',
  ),
  'sasl.oauthbearer.jwt.validator.class': row(
    'class',
    'org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator',
  ),
  'sasl.oauthbearer.scope': row('string', null),
  'sasl.oauthbearer.scope.claim.name': row('string', 'scope'),
  'sasl.oauthbearer.sub.claim.name': row('string', 'sub'),
  'sasl.oauthbearer.token.endpoint.url': used<string | null>(
    'string',
    null,
    'Where OAUTHBEARER gets its tokens: client credentials, clientId and clientSecret in sasl.jaas.config.',
  ),
  'security.protocol': {
    ...used<string>('string', 'PLAINTEXT', 'PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.'),
    oneOf: securityProtocols,
    ignoreCase: true,
  },
  'security.providers': row('string', null),
  'ssl.cipher.suites': used<readonly string[]>(
    'list',
    [],
    'Cipher suites that may be used, by OpenSSL’s names; empty leaves it to Node.js.',
  ),
  'ssl.enabled.protocols': used<readonly string[]>('list', ['TLSv1.2', 'TLSv1.3'], 'TLS versions that may be used.'),
  'ssl.endpoint.identification.algorithm': used<string>(
    'string',
    'https',
    'https checks that the certificate is the host’s own; empty does not.',
  ),
  'ssl.engine.factory.class': row('class', null),
  'ssl.key.password': used<string | null>('password', null, 'Password of the private key.'),
  'ssl.keymanager.algorithm': row('string', 'SunX509'),
  'ssl.keystore.certificate.chain': used<string | null>('password', null, 'Our certificate and those above it, PEM.'),
  'ssl.keystore.key': used<string | null>('password', null, 'Our private key, PEM.'),
  'ssl.keystore.location': used<string | null>(
    'string',
    null,
    'File with our private key and certificates (ssl.keystore.type PEM or PKCS12), for mutual TLS.',
  ),
  'ssl.keystore.password': used<string | null>('password', null, 'Password of the key store, or of its PEM key.'),
  'ssl.keystore.type': used<string>('string', 'JKS', 'PEM or PKCS12; JKS is not read.'),
  'ssl.protocol': row('string', 'TLSv1.3'),
  'ssl.provider': row('string', null),
  'ssl.secure.random.implementation': row('string', null),
  'ssl.trustmanager.algorithm': row('string', 'PKIX'),
  'ssl.truststore.certificates': used<string | null>(
    'password',
    null,
    'Certificates of the authorities that are trusted, PEM.',
  ),
  'ssl.truststore.location': used<string | null>(
    'string',
    null,
    'File with the certificates of the authorities that are trusted (ssl.truststore.type PEM). Without it, those that Node.js trusts.',
  ),
  'ssl.truststore.password': row('password', null),
  'ssl.truststore.type': used<string>('string', 'JKS', 'PEM; JKS and PKCS12 are not read.'),
} as const satisfies Readonly<Record<string, Property>>
