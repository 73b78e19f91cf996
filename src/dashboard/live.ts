/** Listens to the monitor's event stream for as long as the page is open, and tells whoever draws. Reconnects by itself; says so while it is cut off. */
import type { MonitorEvent } from '../lag/api-types.ts'
import { browserNow, debounced } from '../seams/browser.ts'
import { applyEvent, connectionLost, type LiveState, nothingYet } from './live-state.ts'

/** What a view needs to be told of: everything, a cluster, or a group with its partitions. */
export interface Scope {
  readonly cluster?: string | undefined
  readonly group?: string | undefined
}

const AGAIN_MS = 3000
const eventTypes = ['overview', 'sample', 'group', 'status'] as const

interface Stream {
  close(): void
}

export class Live {
  state: LiveState = nothingYet
  readonly #listeners = new Set<() => void>()
  #streams = new Map<string, Stream>()

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Streams that were open and are still wanted stay as they are. */
  listen(scopes: readonly Scope[]): void {
    const wanted = new Map(scopes.map((scope) => [addressOf(scope), scope]))
    const kept = new Map<string, Stream>()
    for (const [address, stream] of this.#streams) {
      if (wanted.has(address)) kept.set(address, stream)
      else stream.close()
    }
    this.#streams = kept
    for (const [address, scope] of wanted) {
      if (!kept.has(address)) kept.set(address, this.#open(address, scope))
    }
  }

  #open(address: string, { cluster }: Scope): Stream {
    let source: EventSource
    let isClosed = false
    const connect = () => {
      if (isClosed) return
      source = new EventSource(address)
      for (const type of eventTypes) {
        source.addEventListener(type, ({ data }: MessageEvent<string>) =>
          this.#set(applyEvent(this.state, JSON.parse(data) as MonitorEvent, cluster)),
        )
      }
      source.addEventListener('error', () => {
        if (isClosed) return
        this.#set(connectionLost(this.state, browserNow()))
        // The browser tries again by itself, unless it was answered with an error.
        if (source.readyState === EventSource.CLOSED) again()
      })
    }
    const again = debounced(AGAIN_MS, connect)
    connect()
    return {
      close() {
        isClosed = true
        source.close()
      },
    }
  }

  #set(state: LiveState): void {
    if (state === this.state) return
    this.state = state
    for (const listener of this.#listeners) listener()
  }
}

function addressOf({ cluster, group }: Scope): string {
  const params = new URLSearchParams()
  if (cluster !== undefined) params.set('cluster', cluster)
  if (cluster !== undefined && group !== undefined) params.set('group', group)
  return params.size === 0 ? 'api/v1/events' : `api/v1/events?${params}`
}
