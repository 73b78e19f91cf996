/**
 * Versions of documents are offsets, and the offsets of a topic that was deleted and created again begin anew: its records would all be older than what is
 * there, and be left out in silence. So the mapping's `_meta` says of which topic ids an index holds the versions:
 *
 *     "_meta": { "sluice": { "<cluster id>/<topic>": "<topic id>" } }
 */
import type { HttpAnswer } from '../seams/http.ts'
import type { Logger } from '../seams/logger.ts'
import { requestError } from './elasticsearch-answers.ts'
import { type NodeRequest, type HttpNodes } from './http-nodes.ts'
import { SinkRefusedError } from './sink.ts'

export interface Versions {
  readonly index: string
  /** `<cluster id>/<topic>` */
  readonly topic: string
  readonly topicId: string
}

interface Meta {
  readonly sluice?: Readonly<Record<string, string>>
}

type Mappings = Readonly<Record<string, { readonly mappings?: { readonly _meta?: Meta } }>>

/** @throws SinkRefusedError when the index has the versions of an earlier topic of this name */
export async function claimVersions(
  cluster: HttpNodes,
  { index, topic, topicId }: Versions,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  const path = `/${encodeURIComponent(index)}`
  const ask = (request: NodeRequest) => cluster.request(request, signal)
  const found = await ask({ method: 'GET', path: `${path}/_mapping` })
  if (isForbidden(found)) {
    const warning = 'this user may not read mappings: a topic that is created again will not be noticed'
    return logger.warn({ index, status: found.status }, warning)
  }
  if (found.status !== 200 && found.status !== 404) throw requestError(found, cluster.place)
  const meta = found.status === 404 ? {} : (Object.values(JSON.parse(found.body) as Mappings)[0]?.mappings?._meta ?? {})
  const known = meta.sluice?.[topic]
  if (known === topicId) return
  if (known !== undefined) {
    throw new SinkRefusedError(
      `the index ${index} holds documents of an earlier topic of the same name (it was deleted and created again): ` +
        'its offsets were higher, and new records would count as older. Delete the index, or set another one',
    )
  }
  const _meta = { ...meta, sluice: { ...meta.sluice, [topic]: topicId } }
  const change: NodeRequest =
    found.status === 404
      ? { method: 'PUT', path, body: JSON.stringify({ mappings: { _meta } }) }
      : { method: 'PUT', path: `${path}/_mapping`, body: JSON.stringify({ _meta }) }
  const answer = await ask(change)
  if (answer.status === 200) return
  if (isForbidden(answer)) {
    const warning = 'this user may not change mappings: a topic that is created again will not be noticed'
    return logger.warn({ index, status: answer.status }, warning)
  }
  // Another consumer has just made the index.
  if (answer.status === 400 && answer.body.includes('resource_already_exists_exception')) {
    return claimVersions(cluster, { index, topic, topicId }, signal, logger)
  }
  throw requestError(answer, cluster.place)
}

function isForbidden({ status }: HttpAnswer): boolean {
  return status === 403
}
