/**
 * Outputs of a create-once sink as objects of a bucket:
 *
 *     <prefix><topic>/<partition>/<offset of the first record, 20 digits>.csv      published objects, never changed
 *     <prefix><topic>/<partition>/.sluice/head.json                                whose they are, and the last one with its upload
 *
 * An owner uploads its object in parts, which nobody sees, and claims the range by writing the head over the one that it has read
 * (`If-Match`; the first time `If-None-Match: *`). Then the upload that the head names is completed, by whoever comes first: its owner, or the next
 * one that recovers.
 *
 *              upload parts               head, 412 = lost            complete                 head
 *     (start) ─────────────▶ prepared ────────────────────▶ claimed ───────────▶ published ─────────────▶ marked
 *
 * Two owners at [500, ?): both have read the head that ends at 500. One replaces it; to the other the store says 412, and it is fenced. However late
 * it comes, it has the ETag of a head that is no more. A claimed range has one content for ever: that of the upload in the head.
 *
 * An upload that is gone was completed or aborted. The mark tells: without it and without the object, somebody has aborted the upload of a claimed
 * range (a lifecycle rule, say), and the sink refuses to guess. With it, somebody has taken the object away, as they may.
 * Why not intents, as for files: docs/decisions/0015-object-stores.md.
 */
import type { Logger } from '../seams/logger.ts'
import { type RangeChain, type RangePart, type SealedRange } from './create-once-sink.ts'
import { type ChainIdentity, checkChainIdentity, offsetName } from './intent-chain.ts'
import { type ObjectStore, type PutCondition, type Upload, type UploadedPart } from './object-store.ts'
import { type Guarantee, SinkRefusedError } from './sink.ts'

/** The last range that was claimed. */
interface Claim {
  /** Drawn by its owner: the object's metadata has it too. */
  readonly token: string
  readonly start: number
  readonly end: number
  /** null for a range without records. */
  readonly key: string | null
  readonly uploadId: string | null
  readonly parts: readonly UploadedPart[]
}

interface Head extends ChainIdentity {
  readonly version: 1
  readonly last: Claim
  readonly isPublished: boolean
}

export interface ObjectChainOptions {
  readonly store: ObjectStore
  /** `<prefix><topic>/<partition>/` */
  readonly prefix: string
  readonly extension: string
  readonly identity: ChainIdentity
  readonly newToken: () => string
  /** Whether the store honours conditions. Otherwise two owners at once may repeat what one of them has stored. */
  readonly guarantee: Guarantee
  /** Bytes of a part, but for the last one. */
  readonly partBytes: number
  readonly logger: Logger
  /** Ends with the application. */
  readonly signal: AbortSignal
}

const TOKEN = 'sluice-claim'
const PUBLISHED = /\/(\d{20})\.[^/]+$/

export class ObjectChain implements RangeChain {
  readonly place: string
  readonly #options: ObjectChainOptions
  readonly #store: ObjectStore
  readonly #headKey: string
  /** The head as this owner has last seen or written it. */
  #head: { readonly etag: string; readonly token: string } | undefined

  constructor(options: ObjectChainOptions) {
    this.#options = options
    this.#store = options.store
    this.place = `${options.store.place}/${options.prefix}`
    this.#headKey = `${options.prefix}.sluice/head.json`
  }

  async recover(committed: number | undefined): Promise<number | undefined> {
    const { signal, guarantee } = this.#options
    const found = await this.#read(signal)
    if (!found) return undefined
    const { head, etag } = found
    this.#head = { etag, token: head.last.token }
    if (!head.isPublished) await this.#publish(head.last, signal)
    await this.#abortBelow(head.last.end).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, place: this.place }, 'uploads of earlier owners not aborted yet')
    })
    // Without conditions a late owner may have written an older head over a newer one.
    return guarantee === 'create-once' ? head.last.end : Math.max(head.last.end, committed ?? 0)
  }

  /** What earlier owners began to upload: the range was claimed with another upload, so it can never be completed. */
  async #abortBelow(next: number): Promise<void> {
    const { signal, prefix } = this.#options
    for (const upload of await this.#store.uploads(prefix, signal)) {
      if (Number(PUBLISHED.exec(upload.key)?.[1] ?? Infinity) < next) await this.#store.abort(upload, signal)
    }
  }

  newPart(start: number): ObjectPart {
    const { prefix, extension, newToken, guarantee } = this.#options
    const token = newToken()
    // Without conditions two owners may come to the same offset: rather both objects than one over the other.
    const name = guarantee === 'create-once' ? offsetName(start) : `${offsetName(start)}.${token.slice(0, 8)}`
    return new ObjectPart(this.#options, `${prefix}${name}.${extension}`, start, token)
  }

  async seal(start: number, end: number, part: ObjectPart | undefined, signal: AbortSignal): Promise<ObjectRange> {
    const sealed = await part?.seal(signal)
    const claim = {
      token: part?.token ?? this.#options.newToken(),
      start,
      end,
      key: sealed?.upload.key ?? null,
      uploadId: sealed?.upload.uploadId ?? null,
      parts: sealed?.parts ?? [],
    }
    return new ObjectRange(claim, part)
  }

  async claim({ claim, part }: ObjectRange, signal: AbortSignal): Promise<string | undefined> {
    if (part?.isGone) return 'the upload was aborted while it was under way'
    if (!this.#head) await this.#checkNothingPublished(claim.start, signal)
    for (;;) {
      const seen = this.#head
      if (seen?.token === claim.token) return undefined
      const etag = await this.#put(claim, false, this.#conditionOf(seen?.etag), signal)
      if (etag !== undefined) {
        this.#head = { etag, token: claim.token }
        return undefined
      }
      const found = await this.#read(signal)
      if (!found) throw this.#headIsGone()
      const { last } = found.head
      // Ours, from a call whose answer was lost; or still the one before, which somebody has marked as published.
      if (last.token !== claim.token && last.token !== seen?.token) {
        return `the objects go on from ${last.end}, not ${claim.start}`
      }
      this.#head = { etag: found.etag, token: last.token }
    }
  }

  async publish({ claim }: ObjectRange, signal: AbortSignal): Promise<void> {
    await this.#publish(claim, signal)
  }

  /** An upload that was given up is aborted by its owner, or by the next one that recovers. */
  async tidy(): Promise<void> {}

  /** Completes the upload and marks the head. `#head` is the head of this claim. */
  async #publish(claim: Claim, signal: AbortSignal): Promise<void> {
    const { key, uploadId, token } = claim
    if (key !== null && uploadId !== null) {
      const outcome = await this.#store.complete({ key, uploadId }, claim.parts, signal)
      if (outcome !== 'done') await this.#checkPublished(claim, outcome, signal)
    }
    const seen = this.#head!
    if (seen.token !== token) return
    const etag = await this.#put(claim, true, this.#conditionOf(seen.etag), signal)
    // Not so: another owner has recovered and marked it, and may have gone on; the next claim finds out.
    if (etag !== undefined) this.#head = { etag, token }
  }

  /** The upload is no more, or the key is taken: right if it was this claim that did it. */
  async #checkPublished(claim: Claim, outcome: 'gone' | 'taken', signal: AbortSignal): Promise<void> {
    const key = claim.key!
    const metadata = await this.#store.metadata(key, signal)
    if (metadata?.[TOKEN] === claim.token) return
    const where = `${this.#store.place}/${key}`
    if (outcome === 'taken') {
      // Taken away between the two looks: not the object that was in the way.
      if (!metadata) return this.#publish(claim, signal)
      throw new SinkRefusedError(
        `${where} exists, and Sluice did not put it there: move it away, and start again. Nothing was lost`,
      )
    }
    const found = await this.#read(signal)
    if (!found) throw this.#headIsGone()
    if (found.head.last.token !== claim.token || found.head.isPublished) return
    const { start, end } = claim
    throw new SinkRefusedError(
      `the records ${start} to ${end - 1} for ${where} were uploaded but are not there: somebody has aborted the upload (a lifecycle rule?), ` +
        `or has taken the object away within moments of its making. If they are nowhere, have them read again: replace "last" in ` +
        `${this.#store.place}/${this.#headKey} by {"token":"again","start":${start},"end":${start},"key":null,"uploadId":null,"parts":[]}; ` +
        'if they were taken away, set "isPublished" to true there',
    )
  }

  async #put(
    claim: Claim,
    isPublished: boolean,
    condition: PutCondition,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { guarantee, identity } = this.#options
    if (guarantee !== 'create-once' && !(await this.#holds(condition, signal))) return undefined
    const head: Head = { version: 1, ...identity, last: claim, isPublished: isPublished || claim.key === null }
    const asked: PutCondition = guarantee === 'create-once' ? condition : { kind: 'any' }
    return this.#store.put(this.#headKey, `${JSON.stringify(head)}\n`, asked, signal)
  }

  /** For a store that does not look itself: right but for what happens between this look and the writing. */
  async #holds(condition: PutCondition, signal: AbortSignal): Promise<boolean> {
    const found = await this.#store.read(this.#headKey, signal)
    return condition.kind === 'unchanged' ? found?.etag === condition.etag : found === undefined
  }

  #conditionOf(etag: string | undefined): PutCondition {
    return etag === undefined ? { kind: 'absent' } : { kind: 'unchanged', etag }
  }

  async #read(signal: AbortSignal): Promise<{ head: Head; etag: string } | undefined> {
    const found = await this.#store.read(this.#headKey, signal)
    if (!found) return undefined
    const place = `${this.#store.place}/${this.#headKey}`
    const head = parseHead(found.text)
    if (!head) {
      throw new SinkRefusedError(
        `${place} is not what Sluice wrote there; restore it, or move everything below ${this.place} away to start anew`,
      )
    }
    checkChainIdentity(head, this.#options.identity, this.place)
    return { head, etag: found.etag }
  }

  async #checkNothingPublished(start: number, signal: AbortSignal): Promise<void> {
    const { prefix } = this.#options
    const key = await this.#store.firstKey(prefix, `${prefix}${offsetName(start)}`, signal)
    if (key === undefined || !PUBLISHED.test(key)) return
    // Another owner may have begun and published between recovery and now: then there is a head, and it decides.
    if (await this.#store.read(this.#headKey, signal)) return
    throw new SinkRefusedError(
      `${this.#store.place}/${key} exists, but the object that says how it came about (${this.#headKey}) does not, ` +
        `and reading would begin at offset ${start}. Move the objects away, or bring it back`,
    )
  }

  #headIsGone(): SinkRefusedError {
    return new SinkRefusedError(
      `${this.#store.place}/${this.#headKey} was removed while it was in use: bring it back, or move everything below ${this.place} ` +
        'away to start anew',
    )
  }
}

function parseHead(text: string): Head | undefined {
  try {
    const head = JSON.parse(text) as Head
    const { start, end, parts, token } = head.last
    const isSound = head.version === 1 && [start, end].every(Number.isSafeInteger) && Array.isArray(parts)
    return isSound && typeof token === 'string' ? head : undefined
  } catch {
    return undefined
  }
}

class ObjectRange implements SealedRange {
  readonly claim: Claim
  readonly part: ObjectPart | undefined

  constructor(claim: Claim, part: ObjectPart | undefined) {
    this.claim = claim
    this.part = part
  }

  get start(): number {
    return this.claim.start
  }

  get end(): number {
    return this.claim.end
  }

  async discard(): Promise<void> {
    await this.part?.discard()
  }
}

/** An upload: bytes gather until they make a part of the store's least size. */
class ObjectPart implements RangePart {
  readonly token: string
  readonly #options: ObjectChainOptions
  readonly #key: string
  readonly #start: number
  #upload: Upload | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  readonly #parts: UploadedPart[] = []
  /** Somebody has aborted it: what was uploaded is lost, and is to be read again. */
  isGone = false

  constructor(options: ObjectChainOptions, key: string, start: number, token: string) {
    this.#options = options
    this.#key = key
    this.#start = start
    this.token = token
  }

  async append(bytes: Buffer): Promise<void> {
    const held = [...this.#held, bytes]
    const heldBytes = this.#heldBytes + bytes.length
    if (heldBytes < this.#options.partBytes || this.isGone) {
      // Of one that is gone nothing can come any more; the next flush says so.
      this.#held = this.isGone ? [] : held
      this.#heldBytes = this.isGone ? 0 : heldBytes
      return
    }
    await this.#uploadPart(held, this.#options.signal)
  }

  async seal(signal: AbortSignal): Promise<{ upload: Upload; parts: readonly UploadedPart[] }> {
    if (this.#heldBytes > 0) await this.#uploadPart(this.#held, signal)
    return { upload: this.#upload!, parts: this.#parts }
  }

  async #uploadPart(bytes: readonly Buffer[], signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    this.#upload ??= await store.begin(this.#key, { [TOKEN]: this.token, 'sluice-start': String(this.#start) }, signal)
    const part = await store.uploadPart(this.#upload, this.#parts.length + 1, Buffer.concat(bytes), signal)
    if (part === 'gone') this.isGone = true
    else this.#parts.push(part)
    this.#held = []
    this.#heldBytes = 0
  }

  async discard(): Promise<void> {
    this.#held = []
    if (this.#upload && !this.isGone) await this.#options.store.abort(this.#upload, this.#options.signal)
  }
}
