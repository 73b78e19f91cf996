/** The lab's side of a child process: starts it, hears what it reports, lets it go on, sends it real signals. See child-link.ts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SluiceError } from '../../error.ts'
import type { Report } from './child-link.ts'

/** `.ts` in a clone, `.js` in what is installed. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'))
const entry = fileURLToPath(new URL(`child${extension}`, import.meta.url))

export interface ChildListener {
  said(child: string, text: string): void
  handled(record: { partition: number; offset: number; value: string | null }): void
}

export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

interface Waiting {
  readonly what: string
  readonly resolve: (fields: Readonly<Record<string, unknown>>) => void
  readonly reject: (error: Error) => void
}

export class LabChild {
  readonly name: string
  readonly exited: Promise<ChildExit>
  readonly #process: ChildProcess
  readonly #arrived: Extract<Report, { type: 'reached' }>[] = []
  #waiting: Waiting[] = []
  #errors = ''
  #isOver = false

  constructor(name: string, role: string, options: object, listener: ChildListener) {
    this.name = name
    this.#process = spawn(process.execPath, [entry, role, JSON.stringify(options)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text))
    this.#process.on('message', (report: Report) => {
      switch (report.type) {
        case 'said':
          return listener.said(name, report.text)
        case 'handled':
          return listener.handled(report)
        case 'reached':
          return this.#reached(report)
      }
    })
    this.exited = new Promise((resolve) => {
      // `close` comes after the last message and the last byte of stderr.
      this.#process.on('error', (error) => (this.#errors += error.message))
      this.#process.on('close', (code, signal) => {
        this.#isOver = true
        for (const { what, reject } of this.#waiting) reject(this.#failure(`ended before it reached "${what}"`))
        this.#waiting = []
        resolve({ code, signal })
      })
    })
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  /** Resolves when the child reports `what`, once a report. @throws when it ends first */
  reached(what: string): Promise<Readonly<Record<string, unknown>>> {
    const index = this.#arrived.findIndex((report) => report.what === what)
    if (index >= 0) return Promise.resolve(this.#arrived.splice(index, 1)[0]!.fields)
    if (this.#isOver) return Promise.reject(this.#failure(`ended before it reached "${what}"`))
    return new Promise((resolve, reject) => this.#waiting.push({ what, resolve, reject }))
  }

  /** Ends the child's `halt`. */
  go(): void {
    this.#process.send('go')
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<ChildExit> {
    if (!this.#isOver) this.#process.kill(signal)
    return this.exited
  }

  /** Waits for an orderly end. @throws if there is another one */
  async ended(): Promise<void> {
    const { code, signal } = await this.exited
    if (code !== 0) throw this.#failure(`ended with ${signal ?? `exit code ${code}`}`)
  }

  #reached(report: Extract<Report, { type: 'reached' }>): void {
    const index = this.#waiting.findIndex(({ what }) => what === report.what)
    if (index < 0) this.#arrived.push(report)
    else this.#waiting.splice(index, 1)[0]!.resolve(report.fields)
  }

  #failure(what: string): SluiceError {
    return new SluiceError('SLUICE_LAB_CHILD', `${this.name} ${what}\n${this.#errors}`.trimEnd())
  }
}
