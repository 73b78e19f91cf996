/** What went wrong while a sample was taken: each kind once, with how often, and the rights that are missing, by name. Bounded. */

const MOST = 20

export class Problems {
  readonly #counts = new Map<string, number>()

  add(doing: string, error: Error): void {
    const text = error.message.startsWith(doing) ? error.message : `${doing}: ${error.message}`
    // Names differ, the cause does not.
    const kind = text.replace(/ \([^()]*\)/, '')
    if (this.#counts.size < MOST || this.#counts.has(kind)) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  toArray(): string[] {
    return [...this.#counts].map(([text, times]) => (times === 1 ? text : `${text} (${times} times)`))
  }
}

export class MissingRights {
  readonly #rights = new Set<string>()
  #more = 0

  /** Whether the error is a missing right; then `right` is what it takes. */
  note(error: Error, right: string): boolean {
    const { code = '' } = error as { code?: string }
    if (!code.endsWith('_AUTHORIZATION_FAILED')) return false
    this.add(right)
    return true
  }

  add(right: string): void {
    if (this.#rights.size < MOST) this.#rights.add(right)
    else if (!this.#rights.has(right)) this.#more++
  }

  toArray(): string[] {
    return this.#more === 0 ? [...this.#rights] : [...this.#rights, `and ${this.#more} more`]
  }
}
