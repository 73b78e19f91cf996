/**
 * From a request's bytes to its answer's: finds the handler, decodes, lets the intercept rules have their say, handles, encodes.
 * Knows nothing of sockets (listener.ts) nor of any API in particular, but for ApiVersions, whose unknown versions are answered.
 */
import { decodeRequestClientId, decodeRequestStart, encodeResponse } from '../protocol/frame.ts'
import { Reader } from '../protocol/reader.ts'
import { type BrokerContext } from './broker-context.ts'
import { CloseConnectionError, type Handler, type RequestContext } from './handler.ts'
import { unsupportedApiVersions } from './handlers/18-api-versions.ts'
import { type Interceptors } from './intercept.ts'
import { type ServeFrame } from './listener.ts'

const API_VERSIONS_KEY = 18
const BROKEN = 'a request could not be handled'

export function handlersByKey(handlers: readonly Handler[]): ReadonlyMap<number, Handler> {
  const found = new Map<number, Handler>()
  for (const handler of handlers) {
    const { key, name } = handler.api
    if (found.has(key)) throw new Error(`API key ${key} has two handlers: ${found.get(key)!.api.name} and ${name}`)
    found.set(key, handler)
  }
  return found
}

export function createDispatcher(
  handlers: readonly Handler[],
  broker: BrokerContext,
  interceptors: Interceptors,
): ServeFrame {
  const byKey = handlersByKey(handlers)
  return async (frame, connection) => {
    const reader = new Reader(frame)
    const { apiKey, apiVersion, correlationId } = decodeRequestStart(reader)
    const handler = byKey.get(apiKey)
    if (!handler) throw new CloseConnectionError(`no API has the key ${apiKey}`)
    const { api, versions } = handler
    if (apiVersion < versions[0] || apiVersion > versions[1]) {
      if (apiKey === API_VERSIONS_KEY) return encodeResponse(api, 0, correlationId, unsupportedApiVersions(handler))
      throw new CloseConnectionError(`${api.name} version ${apiVersion} is not served: ${versions.join(' to ')} are`)
    }
    const clientId = decodeRequestClientId(reader, api.isFlexible(apiVersion))
    const request: unknown = api.requestCodec(apiVersion).read(reader)
    const context: RequestContext = {
      broker,
      version: apiVersion,
      clientId,
      clientHost: connection.clientHost,
      connectionId: connection.id,
      signal: connection.signal,
    }
    try {
      const answer = await answerOf(handler, request, context, interceptors)
      return answer === undefined ? undefined : encodeResponse(api, apiVersion, correlationId, answer)
    } catch (error) {
      // What is not a wish to close the connection is a mistake of the broker's own.
      if (!(error instanceof CloseConnectionError)) {
        broker.logger.error({ err: error, api: api.name, version: apiVersion, connection: connection.id }, BROKEN)
      }
      throw error
    }
  }
}

function answerOf(
  handler: Handler,
  request: unknown,
  context: RequestContext,
  interceptors: Interceptors,
): Promise<unknown> {
  const handle = async (): Promise<unknown> => handler.handle(request, context)
  return interceptors.isEmpty ? handle() : interceptors.answer(handler.api, request, context, handle)
}
