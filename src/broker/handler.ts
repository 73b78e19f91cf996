/**
 * How one API is answered. A file in `handlers/` makes one `Handler` an API with `defineHandler`; the table in
 * `handlers/index.ts` yields dispatch, the ApiVersions answer and docs/supported-apis.md.
 *
 * Who calls: the listener, once a request, one request of a connection after the other (the next one is handed in when
 * the answer of this one is there). Requests of different connections run concurrently.
 * What a throw means: `CloseConnectionError` and `DecodeError` close the connection with one log line. Any other
 * error is a bug of the broker's: it is logged and the connection closed, as there is no answer that all APIs share.
 */
import { SluiceError } from '../error.ts'
import { type Api } from '../protocol/api.ts'
import { type BrokerContext } from './broker-context.ts'

export interface RequestContext {
  readonly broker: BrokerContext
  /** The version that the client chose: within `versions` of the handler. */
  readonly version: number
  readonly clientId: string | null
  /** The client's address, with the slash that Kafka puts before it: `/127.0.0.1`. */
  readonly clientHost: string
  /** The same for all requests of one connection, and for no other. */
  readonly connectionId: string
  /** Aborts when the connection is gone or the broker stops: then nobody waits for the answer. */
  readonly signal: AbortSignal
}

/** undefined means that the client waits for no answer (Produce with acks=0). */
export type HandlerResult<Response> = Response | undefined | Promise<Response | undefined>

export interface Handler<Request = any, ResponseInput = any> {
  readonly api: Api<Request, any, any, ResponseInput>
  /** The versions that are answered, inclusive. */
  readonly versions: readonly [oldest: number, newest: number]
  /** The oldest version that ApiVersions names, where that is not `versions[0]` (Produce: KAFKA-18659). */
  readonly advertisedOldest: number
  handle(request: Request, context: RequestContext): HandlerResult<ResponseInput>
}

export function defineHandler<Request, ResponseInput>(
  api: Api<Request, any, any, ResponseInput>,
  versions: readonly [oldest: number, newest: number],
  handle: (request: Request, context: RequestContext) => HandlerResult<ResponseInput>,
  options: { readonly advertisedOldest?: number } = {},
): Handler<Request, ResponseInput> {
  if (versions[0] < api.versions[0] || versions[1] > api.versions[1]) {
    throw new Error(`${api.name} ${versions.join('-')} is not within the defined ${api.versions.join('-')}`)
  }
  return { api, versions, advertisedOldest: options.advertisedOldest ?? versions[0], handle }
}

/** Thrown by a handler when the only answer is to close the connection, as Kafka does. */
export class CloseConnectionError extends SluiceError {
  constructor(reason: string, options: { cause?: unknown } = {}) {
    super('SLUICE_CLOSE_CONNECTION', reason, options)
  }
}
