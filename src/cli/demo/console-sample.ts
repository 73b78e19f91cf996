/** Stands in for standard output in the demo: shows the first lines, counts and keeps the rest for the comparison. */
import { Writable } from 'node:stream'

export class ConsoleSample extends Writable {
  readonly lines: string[] = []
  readonly #shown: number
  readonly #show: (line: string) => void

  constructor(shown: number, show: (line: string) => void) {
    super({ decodeStrings: false })
    this.#shown = shown
    this.#show = show
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    // The sink writes whole lines.
    for (const line of chunk.split('\n')) {
      if (line === '') continue
      if (this.lines.length < this.#shown) this.#show(line)
      this.lines.push(line)
    }
    done()
  }
}
