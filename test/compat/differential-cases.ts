/** What a differential case is: requests to send, and what of the answers to compare. */
import { type WireClient } from '../support/wire-client.ts'

export interface Wire {
  readonly client: WireClient
  readonly bootstrapServers: string
}

export interface DifferentialCase {
  /** Also how the case names its topics, so that no case sees another's. */
  readonly name: string
  readonly run: (wire: Wire) => Promise<unknown>
}

export function defineCase(name: string, run: (wire: Wire) => Promise<unknown>): DifferentialCase {
  return { name, run }
}

/** In an order that does not depend on the broker's hash tables. */
export function byName<Item extends { readonly name?: string | null }>(items: readonly Item[]): Item[] {
  return items.toSorted((left, right) => (String(left.name) < String(right.name) ? -1 : 1))
}
