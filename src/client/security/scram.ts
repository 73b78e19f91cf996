/**
 * SASL SCRAM (RFC 5802, RFC 7677) from the client's side, without channel binding, as Kafka has it:
 *
 *     ──n,,n=user,r=nonce──▶   ◀──r=nonce+server's,s=salt,i=iterations──   ──c=biws,r=…,p=proof──▶   ◀──v=signature──
 *
 * The password never travels. The last answer proves that the broker knows it too.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { SaslExchange } from './sasl.ts'

const derive = promisify(pbkdf2)
/** Java's own least; a broker that asks for fewer would have the password guessed. */
const LEAST_ITERATIONS = 4096
/** A broker must not be able to keep a client busy for minutes. */
const MOST_ITERATIONS = 10_000_000

export interface ScramCredentials {
  readonly username: string
  readonly password: string
  /** `tokenauth=true`: the user is a delegation token's id. */
  readonly isToken?: boolean
}

/** @param nonce printable ASCII without a comma, new each time */
export async function* scram(
  digest: 'sha256' | 'sha512',
  { username, password, isToken = false }: ScramCredentials,
  nonce: string,
): SaslExchange {
  const extension = isToken ? ',tokenauth=true' : ''
  const first = `n=${escapeName(username)},r=${nonce}${extension}`
  const serverFirst = (yield Buffer.from(`n,,${first}`)).toString('utf8')
  const { salt, iterations, serverNonce } = challengeOf(serverFirst, nonce)
  const length = digest === 'sha256' ? 32 : 64
  const salted = await derive(password.normalize('NFKC'), salt, iterations, length, digest)
  const hmac = (key: Buffer, text: string) => createHmac(digest, key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash(digest).update(clientKey).digest()
  const withoutProof = `c=biws,r=${serverNonce}`
  const authMessage = `${first},${serverFirst},${withoutProof}`
  const signature = hmac(storedKey, authMessage)
  const proof = Buffer.from(clientKey.map((byte, index) => byte ^ signature[index]!))
  const last = attributesOf((yield Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)).toString('utf8'))
  const refusal = last.get('e')
  if (refusal !== undefined) throw new Error(`the broker says ${refusal}`)
  const expected = hmac(hmac(salted, 'Server Key'), authMessage)
  const given = Buffer.from(last.get('v') ?? '', 'base64')
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new Error('the broker did not prove that it knows the password: it is not the one it should be')
  }
}

function challengeOf(text: string, nonce: string) {
  const attributes = attributesOf(text)
  const refusal = attributes.get('e')
  if (refusal !== undefined) throw new Error(`the broker says ${refusal}`)
  const serverNonce = attributes.get('r') ?? ''
  if (!serverNonce.startsWith(nonce) || serverNonce === nonce)
    throw new Error('the broker answered with a nonce that is not ours')
  const salt = Buffer.from(attributes.get('s') ?? '', 'base64')
  const iterations = Number(attributes.get('i'))
  if (salt.length === 0) throw new Error('the broker sent no salt')
  if (!Number.isInteger(iterations) || iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
    throw new Error(
      `the broker asks for ${attributes.get('i')} iterations, and ${LEAST_ITERATIONS} to ${MOST_ITERATIONS} are taken`,
    )
  }
  return { salt, iterations, serverNonce }
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((one) => [one.slice(0, 1), one.slice(2)]))
}

function escapeName(name: string): string {
  return name.normalize('NFKC').replaceAll('=', '=3D').replaceAll(',', '=2C')
}
