/** What a TLS connection needs beyond an address. Files are read anew for each connection, so that renewed certificates are taken without a restart. */
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'

export interface TlsOptions {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3'
  readonly ciphers?: string | undefined
  readonly checksHostName: boolean
  /** PEM; without `ca` and `caFile` the certificates that Node.js trusts. */
  readonly ca?: string
  readonly caFile?: string
  /** PEM. */
  readonly cert?: string
  readonly key?: string
  /** One PEM file with the private key and its certificate chain. */
  readonly identityFile?: string
  /** PKCS #12. */
  readonly pfxFile?: string
  readonly passphrase?: string | undefined
}

/** @throws Error that names the file that cannot be read */
export async function connectionOptionsOf(tls: TlsOptions): Promise<ConnectionOptions> {
  const { minVersion, maxVersion, ciphers, checksHostName, passphrase } = tls
  const [ca, identity, pfx] = await Promise.all([read(tls.caFile), read(tls.identityFile), read(tls.pfxFile)])
  return {
    minVersion,
    maxVersion,
    ciphers,
    passphrase,
    ca: tls.ca ?? ca,
    cert: tls.cert ?? identity,
    key: tls.key ?? identity,
    pfx,
    rejectUnauthorized: true,
    ...(checksHostName ? {} : { checkServerIdentity: () => undefined }),
  }
}

async function read(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined
  try {
    return await readFile(file)
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
