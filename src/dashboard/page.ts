/** What every part of the page can ask for: where the visitor is, in which language, and what is known. */
import { createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import type { MonitorSettings } from '../lag/api-types.ts'
import { type Address, writeAddress } from './address.ts'
import { ApiProblem, ask } from './api.ts'
import type { Formats } from './format.ts'
import type { LiveState } from './live-state.ts'
import type { Language, Translate } from './messages.ts'

export interface Page {
  readonly address: Address
  /** Goes there; `replace`: without a new entry in the browser's history. */
  go(address: Address, options?: { replace?: boolean }): void
  readonly t: Translate
  readonly language: Language
  readonly formats: Formats
  readonly live: LiveState
  /** Whether there is history and whether groups may be changed; undefined until it is known. */
  readonly settings: MonitorSettings | undefined
}

export const PageContext = createContext<Page | undefined>(undefined)

export function usePage(): Page {
  const page = useContext(PageContext)
  if (!page) throw new Error('outside of the page')
  return page
}

/** For a link: it can be opened in another tab, and goes there without loading the page anew. */
export function linkTo(page: Page, to: Partial<Address> & Pick<Address, 'view'>) {
  const { search, statuses, sort, isReversed, range } = page.address
  const address: Address = { search, statuses, sort, isReversed, range, ...to }
  return {
    href: writeAddress(address),
    onClick(event: MouseEvent) {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0) return
      event.preventDefault()
      page.go(address)
    },
  }
}

export type Asked<T> =
  | { readonly state: 'asking' }
  | { readonly state: 'had'; readonly value: T }
  | { readonly state: 'failed'; readonly message: string; readonly status: number | undefined }

/** Asks when `path` changes, and again when `again` does; what it had stays until the answer is there. undefined asks nothing. */
export function useAsk<T>(path: string | undefined, again?: unknown): Asked<T> {
  const [asked, set] = useState<{ path: string | undefined; value: Asked<T> }>({ path, value: { state: 'asking' } })
  useEffect(() => {
    if (path === undefined) return undefined
    const ending = new AbortController()
    ask<T>(path, { signal: ending.signal }).then(
      (value) => set({ path, value: { state: 'had', value } }),
      (error: Error) => {
        if (ending.signal.aborted) return
        const status = error instanceof ApiProblem ? error.status : undefined
        set({ path, value: { state: 'failed', message: error.message, status } })
      },
    )
    return () => ending.abort()
  }, [path, again])
  return asked.path === path ? asked.value : { state: 'asking' }
}
