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
  // Pages by the order of the index itself; nothing writes meanwhile.
  for (let after: unknown; ;) {
    const query = { size: 5000, sort: [{ _doc: 'asc' }], ...(after !== undefined && { search_after: after }) }
    const answer = await fetch(`${url}/${index}/_search`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(query),
    })
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
    const { hits } = (await answer.json()) as { hits: { hits: (Hit & { sort: unknown })[] } }
    found.push(...hits.hits)
    if (hits.hits.length < 5000) return found
    after = hits.hits.at(-1)!.sort
  }
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
