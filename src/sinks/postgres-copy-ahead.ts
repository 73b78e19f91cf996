/**
 * Lines on their way to the server before the flush, so that it parses them while the next ones are encoded.
 *
 *     none ──enough lines──▶ starting ──BEGIN, COPY──▶ copying ──flush: finish()──▶ compare-and-set, COMMIT
 *                               │                         │
 *                               └────────── any failure ──┴──▶ rolled back; the flush sends all lines again, and says what is wrong
 *
 * It holds nothing that another owner could have to wait for: the offset is moved only after `finish`, at the flush, and append copies ahead only
 * into a table without unique indexes and triggers (into one with them, an owner that stands still would hold its keys). So an owner that
 * stalls here, even for ever, stops nobody; what it has sent was never committed.
 *
 * The lines stay with the sink until they are committed: nothing here is the only copy.
 */
import type { RunningCopy, Session } from './postgres-connection.ts'
import type { RowsSql } from './postgres-sql.ts'

export class CopyAhead {
  readonly session: Session
  readonly #chunks: readonly Uint8Array[]
  readonly #started: Promise<void>
  #copy: RunningCopy | undefined
  #sent = 0

  /** `chunks` grows while it runs; `pump` sends what is new. */
  constructor(session: Session, rowsSql: RowsSql, chunks: readonly Uint8Array[]) {
    this.session = session
    this.#chunks = chunks
    this.#started = this.#start(rowsSql)
    // Heard of in `finish`.
    this.#started.catch(() => {})
  }

  async #start({ prepare, begin, copy }: RowsSql): Promise<void> {
    if (prepare !== undefined) await this.session.once(prepare)
    await this.session.query(begin)
    this.#copy = this.session.startCopy(copy)
    this.pump()
  }

  pump(): void {
    if (!this.#copy) return
    while (this.#sent < this.#chunks.length) this.#copy.send(this.#chunks[this.#sent++]!)
  }

  /** Resolves when the server has taken every line. */
  async finish(): Promise<void> {
    await this.#started
    this.pump()
    await this.#copy!.finish()
  }
}
