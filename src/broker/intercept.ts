/**
 * Faults on request, for tests: rules that see a request before its handler does and may answer in its place, hold it up or
 * drop the connection. With none set, a broker pays one comparison a request.
 *
 *     broker.intercept('OffsetCommit', once(error('NOT_COORDINATOR')))
 *     broker.intercept('Fetch', times(3, delay(200)))
 *     broker.intercept('Produce', once(disconnect({ when: 'after' })))      appended, but never answered
 *     broker.intercept('Metadata', (request, context) => undefined)          look, and let it pass
 *
 * Rules of one API are asked in the order in which they were set, each time all of them until one answers.
 */
import { type Api } from '../protocol/api.ts'
import { codeOf, type ErrorName } from '../protocol/error-codes.ts'
import { errorAnswer } from './error-answer.ts'
import { CloseConnectionError, type RequestContext } from './handler.ts'

/** What a rule decides: undefined lets the request pass, an object is the response, the rest is made by the functions below. */
export type Decision<Response = any> = Response | Fault | undefined

export interface InterceptContext extends RequestContext {
  readonly api: Api
}

export type Rule<Request = any, Response = any> = (
  request: Request,
  context: InterceptContext,
) => Decision<Response> | Promise<Decision<Response>>

type Fault = ErrorFault | DisconnectFault

class ErrorFault {
  readonly name: ErrorName

  constructor(name: ErrorName) {
    this.name = name
  }
}

class DisconnectFault {
  readonly when: 'before' | 'after'

  constructor(when: 'before' | 'after') {
    this.when = when
  }
}

/** Answers with this error wherever the API's response has room for one. */
export function error(name: ErrorName): Rule {
  codeOf(name)
  return () => new ErrorFault(name)
}

/** Closes the connection: before the request is handled, or after it, its answer lost. */
export function disconnect({ when = 'before' }: { when?: 'before' | 'after' } = {}): Rule {
  return () => new DisconnectFault(when)
}

/** Holds the request up, and what the same connection sends after it, then lets it pass. */
export function delay(delayMs: number): Rule {
  return async (_request, { broker, signal }) => {
    await broker.clock.sleep(delayMs, signal)
  }
}

/** The first `count` requests meet the rules, one after the other until one answers; later ones pass. */
export function times(count: number, ...rules: readonly Rule[]): Rule {
  let left = count
  const rule = inOrder(...rules)
  return (request, context) => (left-- > 0 ? rule(request, context) : undefined)
}

export function once(...rules: readonly Rule[]): Rule {
  return times(1, ...rules)
}

/** The rules one after the other, until one answers: `inOrder(delay(50), error('NOT_COORDINATOR'))`. */
export function inOrder(...rules: readonly Rule[]): Rule {
  return async (request, context) => {
    for (const rule of rules) {
      const decision: unknown = await rule(request, context)
      if (decision !== undefined) return decision
    }
    return undefined
  }
}

/** The rules, for requests of which `condition` is true. Within `times`, so that only those count: `when(…, once(…))`. */
export function when<Request = any>(
  condition: (request: Request, context: InterceptContext) => boolean,
  ...rules: readonly Rule[]
): Rule<Request> {
  const rule = inOrder(...rules)
  return (request, context) => (condition(request, context) ? rule(request, context) : undefined)
}

export interface Interception {
  /** Requests that the rule has seen. */
  readonly seen: number
  remove(): void
  [Symbol.dispose](): void
}

export class Interceptors {
  readonly #rules = new Map<number, Set<{ rule: Rule; seen: number }>>()

  get isEmpty(): boolean {
    return this.#rules.size === 0
  }

  add(api: Api, rule: Rule): Interception {
    const entry = { rule, seen: 0 }
    const rules = this.#rules.get(api.key) ?? new Set()
    this.#rules.set(api.key, rules.add(entry))
    const remove = () => {
      rules.delete(entry)
      if (rules.size === 0 && this.#rules.get(api.key) === rules) this.#rules.delete(api.key)
    }
    return {
      get seen() {
        return entry.seen
      },
      remove,
      [Symbol.dispose]: remove,
    }
  }

  /** The first decision of the rules for this API, carried out; the handler's own answer if there is none. */
  async answer(api: Api, request: unknown, context: RequestContext, handle: () => Promise<unknown>): Promise<unknown> {
    for (const entry of this.#rules.get(api.key) ?? []) {
      entry.seen++
      const decision: unknown = await entry.rule(request, { ...context, api })
      if (decision === undefined) continue
      if (decision instanceof ErrorFault) return errorAnswer(api, request, context.version, codeOf(decision.name))
      if (!(decision instanceof DisconnectFault)) return decision
      if (decision.when === 'after') await handle()
      throw new CloseConnectionError(`${api.name} was intercepted`)
    }
    return handle()
  }
}
