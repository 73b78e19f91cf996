/** `--http`: where to listen, as people write it. */
import { InvalidArgumentError } from 'commander'

export interface HttpAddress {
  readonly host: string
  readonly port: number
}

/** `9400`, `:9400`, `127.0.0.1:9400`, `[::1]:9400`. Loopback, unless a host is told; port 0 takes one that is free. */
export function httpAddress(text: string): HttpAddress {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text.trim())
  const port = Number(match?.[3])
  if (!match || port > 65_535) {
    throw new InvalidArgumentError('The form is host:port, for example 127.0.0.1:9400; port 0 takes a free one.')
  }
  return { host: match[1] || match[2] || '127.0.0.1', port }
}
