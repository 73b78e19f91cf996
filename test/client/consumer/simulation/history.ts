/** What happened in a simulated group, and what must hold of it whatever happens. A broken invariant is thrown where it breaks. */
import assert from 'node:assert/strict'

export class History {
  readonly #owners = new Map<string, string>()
  /** By partition: the offset behind the last record that was ever delivered, without a gap from 0 on. */
  readonly delivered: number[]
  deliveries = 0
  commits = 0
  rebalances = 0

  constructor(partitions: number) {
    this.delivered = Array.from({ length: partitions }, () => 0)
  }

  /** A leader's assignment came into force: each partition has one owner. */
  assigned(generationId: number, assignments: ReadonlyMap<string, Buffer>): void {
    this.rebalances++
    for (const [memberId, assignment] of assignments) {
      for (const partition of assignment) this.#own(generationId, partition, memberId)
    }
  }

  /** A member takes a partition as its own. */
  owned(generationId: number, partition: number, memberId: string): void {
    this.#own(generationId, partition, memberId)
  }

  deliveredRecord(partition: number, offset: number): void {
    this.deliveries++
    assert.ok(
      offset <= this.delivered[partition]!,
      `partition ${partition}: ${offset} is delivered before what comes before it`,
    )
    this.delivered[partition] = Math.max(this.delivered[partition]!, offset + 1)
  }

  committed(partition: number, offset: number): void {
    this.commits++
    const delivered = this.delivered[partition]!
    assert.ok(offset <= delivered, `partition ${partition}: ${offset} is committed, and only ${delivered} delivered`)
  }

  #own(generationId: number, partition: number, memberId: string): void {
    const key = `${generationId}:${partition}`
    const owner = this.#owners.get(key) ?? memberId
    assert.equal(owner, memberId, `generation ${generationId}: two members own the partition ${partition}`)
    this.#owners.set(key, memberId)
  }
}
