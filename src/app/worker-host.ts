/**
 * Where workers live. The supervisor knows this interface only: a spec goes in, commands go in, messages come out, all of it
 * plain data. `InProcessHost` keeps them in this thread, and clones what passes so that nothing can come to depend on sharing.
 */
import { Worker, type WorkerCommand, type WorkerEnvironment, type WorkerMessage, type WorkerSpec } from './worker.ts'

export interface WorkerHandle {
  post(command: WorkerCommand): void
}

export interface WorkerHost {
  /** Starts a worker. The last message is `stopped` or `failed`. */
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
