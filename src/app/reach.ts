/**
 * Can a broker be reached at all? Asked before anything is joined, so that a wrong address is said within seconds, with the
 * cause, and not after a minute of silent retries. It only opens a connection; what speaks behind it is the client's to find out.
 */
import { SluiceError } from '../error.ts'
import type { Clock } from '../seams/clock.ts'
import type { Transport } from '../seams/transport.ts'

/** None of the addresses could be connected to. */
export class UnreachableError extends SluiceError {
  constructor(causes: readonly { address: string; reason: string; error: unknown }[]) {
    const each = causes.map(({ address, reason }) => `${address} (${reason})`).join(', ')
    super('SLUICE_UNREACHABLE', `no broker can be reached at ${each}`, { retriable: true, cause: causes[0]?.error })
  }
}

export interface ReachOptions {
  readonly transport: Transport
  readonly clock: Clock
  /** For one address. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused: nothing listens there',
  ENOTFOUND: 'unknown host name',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'the connection was reset',
}

/** Resolves when one of the addresses accepts a connection. Throws `UnreachableError` with the cause of each. */
export async function reachBroker(servers: readonly string[], options: ReachOptions): Promise<void> {
  const attempts = servers.map((address) => connectTo(address, options))
  try {
    await Promise.any(attempts)
  } catch (error) {
    const errors = (error as AggregateError).errors as NodeJS.ErrnoException[]
    throw new UnreachableError(
      errors.map((one, index) => ({ address: servers[index]!, reason: reasonOf(one), error: one })),
    )
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  const { code } = error
  return code === undefined ? error.message : `${reasons[code] ?? error.message}, ${code}`
}

async function connectTo(address: string, { transport, clock, timeoutMs = 5000, signal }: ReachOptions): Promise<void> {
  const match = /^(?:\w+:\/\/)?(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address.trim())
  if (!match) throw new Error('not of the form host:port')
  const limit = new AbortController()
  const timer = clock.setTimer(timeoutMs, () => limit.abort())
  try {
    const connection = await transport.connect(
      { host: match[1] ?? match[2]!, port: Number(match[3]) },
      signal ? AbortSignal.any([limit.signal, signal]) : limit.signal,
    )
    connection.listen({ onData() {}, onClose() {} })
    connection.destroy()
  } catch (error) {
    if (limit.signal.aborted) throw new Error(`no answer within ${timeoutMs / 1000} s`, { cause: error })
    throw error
  } finally {
    timer.cancel()
  }
}
