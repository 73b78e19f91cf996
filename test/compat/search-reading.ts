/** What a reader finds in an index, by plain requests. */
export interface Hit {
  readonly _id: string
  readonly _source: Readonly<Record<string, unknown>>
}

/** Everything in an index, in no order. */
export async function documentsOf(url: string, index: string): Promise<Hit[]> {
  const refreshed = await fetch(`${url}/${index}/_refresh`, { method: 'POST' })
  if (refreshed.status === 404) return []
  const found: Hit[] = []
  // A scroll sees the index as it was when it began: pages by `search_after` would miss and repeat documents when segments are merged meanwhile.
  let page = await scrolled(url, `/${index}/_search?scroll=1m`, { size: 5000, sort: ['_doc'] })
  while (page.hits.hits.length > 0) {
    found.push(...page.hits.hits)
    page = await scrolled(url, '/_search/scroll', { scroll: '1m', scroll_id: page._scroll_id })
  }
  return found
}

interface Page {
  readonly _scroll_id: string
  readonly hits: { readonly hits: readonly Hit[] }
}

async function scrolled(url: string, path: string, body: object): Promise<Page> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return (await answer.json()) as Page
}

export async function countOf(url: string, index: string): Promise<number> {
  await fetch(`${url}/${index}/_refresh`, { method: 'POST' })
  const answer = await fetch(`${url}/${index}/_count`)
  return answer.ok ? ((await answer.json()) as { count: number }).count : 0
}

export async function put(url: string, path: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}${path}`, { method: 'PUT', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`)
}
