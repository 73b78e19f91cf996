/**
 * Where workers live. The supervisor knows this interface only: a spec goes in, commands go in, messages come out, all of it
 * plain data. `InProcessHost` keeps them in this thread, and clones what passes so that nothing can come to depend on sharing; `ThreadHost` (thread-host.ts)
 * gives each a thread of its own.
 */
import { Worker, type WorkerCommand, type WorkerEnvironment, type WorkerMessage, type WorkerSpec } from './worker.ts'

export interface WorkerHandle {
  post(command: WorkerCommand): void
}

export interface WorkerHost {
  /** Starts a worker. The last message is `stopped`, `failed` or `crashed`. */
  launch(spec: WorkerSpec, onMessage: (message: WorkerMessage) => void): WorkerHandle
}

export class InProcessHost implements WorkerHost {
  readonly #environment: WorkerEnvironment

  constructor(environment: WorkerEnvironment) {
    this.#environment = environment
  }

  launch(spec: WorkerSpec, onMessage: (message: WorkerMessage) => void): WorkerHandle {
    const worker = new Worker(structuredClone(spec), this.#environment, (message) =>
      onMessage(structuredClone(message)),
    )
    return { post: (command) => worker.receive(structuredClone(command)) }
  }
}

/** Where each worker lives is its application's to say: `threads`. */
export class ChosenHost implements WorkerHost {
  readonly #threads: WorkerHost
  readonly #inProcess: WorkerHost

  constructor(threads: WorkerHost, inProcess: WorkerHost) {
    this.#threads = threads
    this.#inProcess = inProcess
  }

  launch(spec: WorkerSpec, onMessage: (message: WorkerMessage) => void): WorkerHandle {
    const host = spec.application.threads ? this.#threads : this.#inProcess
    return host.launch(spec, onMessage)
  }
}
