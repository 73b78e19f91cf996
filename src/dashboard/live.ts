/**
 * Listens to the monitor's event stream for as long as the page is looked at, and tells whoever draws. Reconnects by itself; says so while it is cut off.
 *
 * Browsers have six connections a host over HTTP/1.1, for all their tabs together. A page that is out of sight for `HIDDEN_MS` leaves its own to the others; once
 * it is seen again it opens its streams anew, and each begins with an overview.
 *
 *     listening ── hide() ──► hidden ── HIDDEN_MS ──► paused
 *         ▲◄────── show() ──────┘                       │
 *         └──────────────────── show() ─────────────────┘
 */
import type { MonitorEvent } from '../lag/api-types.ts'
import { browserNow, debounced } from '../seams/browser.ts'
import { applyEvent, connectionLost, type LiveState, nothingYet, paused } from './live-state.ts'

/** What a view needs to be told of: everything, a cluster, or a group with its partitions. */
export interface Scope {
  readonly cluster?: string | undefined
  readonly group?: string | undefined
}

const AGAIN_MS = 3000
/** A look at another tab costs nothing. */
const HIDDEN_MS = 10_000
const eventTypes = ['overview', 'sample', 'group', 'status'] as const

interface Stream {
  close(): void
}

export class Live {
  state: LiveState = nothingYet
  readonly #listeners = new Set<() => void>()
  readonly #openSource: (address: string) => EventSource
  #scopes: readonly Scope[] = []
  #streams = new Map<string, Stream>()
  #isHidden = false
  #isPaused = false
  readonly #pauseLater = debounced(HIDDEN_MS, () => this.#pause())

  constructor(openSource = (address: string) => new EventSource(address)) {
    this.#openSource = openSource
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Streams that were open and are still wanted stay as they are. While it is paused nothing is opened. */
  listen(scopes: readonly Scope[]): void {
    this.#scopes = scopes
    if (this.#isPaused) return
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

  /** The page is out of sight. One that was not seen yet opens no stream before it is. */
  hide(): void {
    this.#isHidden = true
    if (this.#streams.size === 0) this.#pause()
    else this.#pauseLater()
  }

  /** The page is seen. */
  show(): void {
    this.#isHidden = false
    if (!this.#isPaused) return
    this.#isPaused = false
    this.listen(this.#scopes)
  }

  #pause(): void {
    if (!this.#isHidden) return
    this.#isPaused = true
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
    this.#set(paused(this.state))
  }

  #open(address: string, { cluster }: Scope): Stream {
    let source: EventSource
    let isClosed = false
    const connect = () => {
      if (isClosed) return
      source = this.#openSource(address)
      for (const type of eventTypes) {
        source.addEventListener(type, (message: Event) => {
          const event = JSON.parse((message as MessageEvent).data as string) as MonitorEvent
          this.#set(applyEvent(this.state, event, cluster))
        })
      }
      source.addEventListener('error', () => {
        if (isClosed) return
        this.#set(connectionLost(this.state, browserNow()))
        // The browser tries again by itself, unless it was answered with an error.
        if (source.readyState === source.CLOSED) again()
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
