/** What errors of a database server have in common: the network's, and that no message or cause may hold the password. Pure. */

/** Codes of the network that can pass by themselves, each with what to look at. */
export const networkErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is the server running, and does it listen there?',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'the server does not answer: is it, or the network, down?',
  EHOSTUNREACH: 'the network does not reach the host',
  ENETUNREACH: 'the network does not reach the host',
  ENOTFOUND: 'the name of the host is not known: is "host" right?',
  EAI_AGAIN: 'the name of the host cannot be looked up at the moment',
  ENOENT: 'there is no such socket: is the server running?',
}

/** TLS that cannot come about: stays so until somebody changes something. */
export function isTlsError(code: string, message: string): boolean {
  return /SSL|TLS|certificate/i.test(message) || /^(?:CERT_|ERR_TLS|ERR_SSL|DEPTH_|UNABLE_|SELF_)/.test(code)
}

/** What was being done when an error came. */
export interface Attempt {
  /** To what: `store into the table flights`. */
  readonly doing: string
  /** The server: `postgres://user@host:port/database`. */
  readonly where: string
  readonly password: string | undefined
}

export function masked(text: string, password: string | undefined): string {
  if (!password) return text
  return [password, encodeURIComponent(password)].reduce((shown, secret) => shown.replaceAll(secret, '***'), text)
}

/** A cause is logged with all its fields: only these, and without the password. */
export function safeCause(error: unknown, password: string | undefined, fields: readonly string[]): unknown {
  if (!password) return error
  const source = error as Error & Readonly<Record<string, unknown>>
  const cause = Object.assign(new Error(masked(source.message, password)), { name: source.name })
  delete cause.stack
  for (const field of fields) {
    const value = source[field]
    if (value === undefined) continue
    Object.assign(cause, { [field]: typeof value === 'string' ? masked(value, password) : value })
  }
  return cause
}
